// The Swift half of agree.py and json_agree.py: reads frames from standard input and answers with
// frames on standard output.
//
// A request is one byte with the operation, four bytes of length (little-endian) and the content:
//   T, B, S, R   decode as Torture, Blank, Sparse or Tree and encode again
//   M            make a random Torture from the seed in eight bytes
//   p, P         a Torture's JSON; a Torture from JSON
// A response is one byte (0 success, 1 refused), a length, and the message or the reason.
import Foundation
import GoogleProtobuf
import Protobuf
import ProtobufJSON
import TortureV1

let registry = try TypeRegistry([
  GoogleProtobufDescriptors.fileDescriptorSet, TortureV1Descriptors.fileDescriptorSet,
])
let mapping = JSONMapping(registry)

func tortureType() throws -> MessageType {
  guard let type = registry.message(named: Torture.fullName) else { throw UnknownRequest() }
  return type
}

/// Decodes as the server does, and by libprotobuf-c: both give the same result or refuse.
func decode<M: Message>(_ type: M.Type, _ content: [UInt8]) throws -> M {
  var limits = DecodeLimits.standard
  limits.isDirect = false
  let unpacked = Result { try M(wireBytes: content, limits: limits).wireBytes() }
  let message = Result { try M(wireBytes: content) }
  guard (try? message.get().wireBytes()) == (try? unpacked.get()) else { throw Disagreement() }
  return try message.get()
}

func answer(_ kind: UInt8, _ content: [UInt8]) throws -> [UInt8] {
  switch kind {
  case UInt8(ascii: "T"): return try decode(Torture.self, content).wireBytes()
  case UInt8(ascii: "B"): return try decode(Blank.self, content).wireBytes()
  case UInt8(ascii: "S"): return try decode(Sparse.self, content).wireBytes()
  case UInt8(ascii: "R"): return try decode(Tree.self, content).wireBytes()
  case UInt8(ascii: "M"):
    let seed = content.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    var random = RandomTorture(seed: seed)
    let message = random.torture(depth: 3)
    let bytes = try message.wireBytes()
    // The encoding decodes to the intended message. NaN equals nothing, not even itself.
    let again = try decode(Torture.self, bytes)
    guard again == message || random.hasMadeNaN else { throw Disagreement() }
    return bytes
  case UInt8(ascii: "p"): return try mapping.json(fromWire: content, of: tortureType())
  case UInt8(ascii: "P"): return try mapping.wire(fromJSON: content, to: tortureType())
  default: throw UnknownRequest()
  }
}

struct UnknownRequest: Error {}
struct Disagreement: Error {}

func read(_ count: Int) -> [UInt8]? {
  guard let data = try? FileHandle.standardInput.read(upToCount: count), data.count == count else {
    return count == 0 ? [] : nil
  }
  return [UInt8](data)
}

while let head = read(5) {
  let count = head[1...].reversed().reduce(0) { $0 << 8 | Int($1) }
  guard let content = read(count) else { break }
  var status: UInt8 = 0
  var body: [UInt8]
  do {
    body = try answer(head[0], content)
  } catch {
    status = 1
    body = Array(String(describing: error).utf8)
  }
  let length = (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (8 * $0)) }
  FileHandle.standardOutput.write(Data([status] + length + body))
}
