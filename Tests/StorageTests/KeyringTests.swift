import Foundation
import Storage
import Testing

@Suite("Keyrings")
struct KeyringTests {
  func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "yijia-keyring-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  func reason(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "(accepted)"
    } catch StorageError.keyring(let reason) {
      return reason
    } catch {
      return "\(error)"
    }
  }

  let secret = Data(repeating: 7, count: 32).base64EncodedString()
  let time = "2026-11-21T06:46:51Z"

  @Test("a keyring written to a file is read back, and only its owner can read it")
  func files() throws {
    try withFolder { folder in
      let path = folder.appending(path: "fields.keys").path
      let keyring = try Keyring(contentsOf: path, orGenerateAt: now)
      let sealed = try FieldCipher(keyring).seal([1], table: "t", column: "c", row: "r")
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
      #expect(reason { try keyring.write(to: path) }.contains("can't be put in place"))
      try keyring.adding(at: now).write(to: path, replacing: true)
      let again = try Keyring(contentsOf: path, orGenerateAt: now)
      #expect(again.keys.map(\.id) == [1, 2])
      #expect(try FieldCipher(again).open(sealed, table: "t", column: "c", row: "r") == [1])
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(names == ["fields.keys"], "no draft is left")
    }
  }

  @Test("a file readable by others, a link, a folder, a missing and a huge file are refused")
  func strictFiles() throws {
    try withFolder { folder in
      let path = folder.appending(path: "k").path
      #expect(reason { _ = try Keyring(contentsOf: path) }.contains("can't be opened"))
      try Keyring.generate(at: now).write(to: path)
      for mode in [0o640, 0o604, 0o601, 0o620] {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        #expect(reason { _ = try Keyring(contentsOf: path) }.contains("0600"))
      }
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      let link = folder.appending(path: "link").path
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
      #expect(reason { _ = try Keyring(contentsOf: link) }.contains("can't be opened"))
      #expect(reason { _ = try Keyring(contentsOf: folder.path) }.contains("no plain file"))
      let comment = "#" + String(repeating: "x", count: Limits.keyringBytes)
      try Data(comment.utf8).write(to: URL(filePath: path))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      #expect(reason { _ = try Keyring(contentsOf: path) }.contains("too large"))
    }
  }

  @Test("comments and empty lines are skipped; the last key encrypts")
  func text() throws {
    let keyring = try Keyring(text: "# keys\n\n3 \(time) \(secret)\n10 \(time) \(secret)\n")
    #expect(keyring.keys.map(\.id) == [3, 10])
    #expect(keyring.current.id == 10)
    #expect(keyring.keys[0].created.timeIntervalSince1970 == 1_795_243_611)
  }

  @Test("malformed text is refused with the line, never with the secret")
  func malformed() {
    let texts = [
      "": "no key", "# only\n": "no key",
      "1 \(time)": "line 1", "1 \(time) \(secret) x": "line 1", "1  \(time) \(secret)": "line 1",
      " 1 \(time) \(secret)": "line 1", "0 \(time) \(secret)": "id", "-1 \(time) \(secret)": "id",
      "01 \(time) \(secret)": "id", "4294967296 \(time) \(secret)": "id",
      "1 yesterday \(secret)": "time", "1 2026-13-21T06:46:51Z \(secret)": "time",
      "1 2026-02-30T06:46:51Z \(secret)": "time",
      "1 \(time) c2hvcnQ=": "32 bytes", "1 \(time) \(secret)A": "32 bytes",
      "1 \(time) \(secret)\r": "32 bytes",
      "1 \(time) \(secret)\n1 \(time) \(secret)": "id 1 does not rise",
      "2 \(time) \(secret)\n1 \(time) \(secret)": "id 1 does not rise",
    ]
    for (text, words) in texts {
      let reason = reason { _ = try Keyring(text: text) }
      #expect(reason.contains(words), "\(text.debugDescription) gave \(reason)")
      #expect(!reason.contains(secret))
    }
  }

  @Test("a keyring's description contains no secret")
  func descriptions() throws {
    let keyring = try Keyring(text: "1 \(time) \(secret)")
    for text in ["\(keyring)", String(reflecting: keyring), "\(keyring.keys[0])"] {
      #expect(!text.contains(secret))
    }
  }
}
