import Foundation
import MembersV1
import RPC
import RPCTransport

let usage = """
  partner CONNECTION enroll PEOPLE.ndjson    one after the other
  partner CONNECTION stream PEOPLE.ndjson    as one stream
  partner CONNECTION follow [CURSOR]         what became of them, to the newest
  """
let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count >= 2 else {
  print(usage)
  exit(2)
}
let loops = EventLoops(threads: 1)

/// Ends the program with what is wrong.
func fail(_ text: String) -> Never {
  FileHandle.standardError.write(Data((text + "\n").utf8))
  exit(1)
}

do {
  let partner = try Partner(connection: arguments[0], loops: loops)
  let argument: String? = arguments.count > 2 ? arguments[2] : nil
  switch (arguments[1], argument) {
  case ("enroll", let file?):
    for record in try requests(in: file) {
      do {
        print("row \(record.row): \(try await partner.enroll(record))")
      } catch let error as RPCError where Partner.refused.contains(error.code) {
        print("row \(record.row): \(Partner.explanation(of: error))")
      }
    }
  case ("stream", let file?):
    try await partner.enroll(try requests(in: file)) { answer in
      switch answer.result {
      case .enrollment(let enrollment): print("row \(answer.row): \(enrollment.name)")
      case .error(let error): print("row \(answer.row): \(error.reason): \(error.message)")
      case nil: break
      }
    }
  case ("follow", let cursor):
    try await partner.events(after: cursor ?? "") { event in
      guard case .enrollmentChanged(let changed)? = event.event else { return }
      print(changed.enrollment, changed.state, event.cursor)
    }
  default:
    print(usage)
    exit(2)
  }
} catch let error as RPCError {
  fail(Partner.explanation(of: error))
} catch {
  fail("\(error)")
}
