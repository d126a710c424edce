import Foundation
import ServiceKit
import Synchronization

/// Creates a folder atomically: complete, or not at all.
enum NewFolder {
  /// - Throws: ``ConfigurationError`` where the path exists already.
  static func make(_ path: String, _ fill: (URL) async throws -> Void) async throws {
    let manager = FileManager.default
    let target = URL(filePath: path).absoluteURL.standardized
    guard !manager.fileExists(atPath: target.path) else {
      throw ConfigurationError("\(path): is there already")
    }
    let parent = target.deletingLastPathComponent()
    removeLeftovers(of: target)
    let draft = parent.appending(
      path: ".\(target.lastPathComponent).\(IDSource.system.next().prefix(8)).draft")
    let interruption = Interruption { remove(draft) }
    defer { interruption.end() }
    try makeFolder(draft)
    // Locked until the process ends, however it ends: see `removeLeftovers`.
    let descriptor = open(draft.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { _ = close(descriptor) }
    _ = flock(descriptor, LOCK_EX)
    do {
      try await fill(draft)
      // The rename fails if a non-empty folder was created there meanwhile.
      guard rename(draft.path, target.path) == 0 else {
        throw ConfigurationError("\(path): cannot be put in place: \(words(errno))")
      }
      try StoreFile.sync(parent)
    } catch {
      remove(draft)
      throw error
    }
  }

  /// Removes a draft with what is in it, although an interruption may do so at the same time: then
  /// each of the two finds that something is gone already, and goes on with the rest.
  private static func remove(_ draft: URL) {
    for _ in 0..<100 where FileManager.default.fileExists(atPath: draft.path) {
      try? FileManager.default.removeItem(at: draft)
    }
  }

  /// Removes the drafts of this folder that nobody is filling: those of commands that were killed.
  private static func removeLeftovers(of target: URL) {
    let manager = FileManager.default
    let parent = target.deletingLastPathComponent()
    for name in (try? manager.contentsOfDirectory(atPath: parent.path)) ?? []
    where name.hasPrefix(".\(target.lastPathComponent).") && name.hasSuffix(".draft") {
      let draft = parent.appending(path: name)
      let descriptor = open(draft.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      defer { _ = close(descriptor) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { continue }
      remove(draft)
    }
  }

  /// Creates a folder, and those above it, for its owner only.
  ///
  /// - Throws: ``ConfigurationError`` naming the folder and the reason.
  static func makeFolder(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw ConfigurationError("\(folder.path): the folder cannot be made: \(reason(of: error))")
    }
  }

  /// The operating system's words for an error number.
  static func words(_ code: Int32) -> String { String(cString: strerror(code)) }

  /// The operating system's words for what Foundation reports.
  private static func reason(of error: any Error) -> String {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    guard cause.domain == NSPOSIXErrorDomain else { return "its path cannot be used" }
    return words(Int32(cause.code))
  }
}

/// Undoes what a command has begun where SIGINT, SIGTERM or SIGHUP ends it: a copy of many
/// gigabytes would stay under a name that nobody looks for.
///
/// Several may be in force; all of them are undone, the last one first.
struct Interruption {
  private typealias Undo = @Sendable () -> Void

  private static let undoes = Mutex<[Int: Undo]>([:])
  /// Installed once: a canceled one would leave its signal ignored.
  // Guard: made by the lock of a lazy `static let`, and not touched afterwards.
  nonisolated(unsafe) private static let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
    // The default action would come before the source's handler.
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
      for (_, undo) in undoes.withLock({ $0 }).sorted(by: { $0.key > $1.key }) { undo() }
      _exit(128 + number)
    }
    source.resume()
    return source
  }

  private let place: Int

  init(_ undo: @escaping @Sendable () -> Void) {
    place = Self.undoes.withLock { undoes in
      let place = (undoes.keys.max() ?? 0) + 1
      undoes[place] = undo
      return place
    }
    _ = Self.sources
  }

  func end() {
    _ = Self.undoes.withLock { $0.removeValue(forKey: place) }
  }
}
