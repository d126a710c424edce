import RPC
import Synchronization

/// What the faces of other protocols have in common: each of their requests is a gRPC call of the
/// gateway itself.
enum InnerCall {
  /// The head of the call: the caller's own fields, `grpc-timeout` among them as it is.
  static func head(to path: String, from head: RequestHead) -> RequestHead {
    let given = head.fields
    var fields = HeaderList()
    fields.reserve(bytes: given.bytes.count + path.utf8.count + 64, fields: given.count + 4)
    fields.add(":method", "POST")
    fields.add(":path", path)
    fields.add("te", "trailers")
    fields.add("content-type", "application/grpc")
    let bytes = given.bytes.span.bytes
    for (index, field) in given.fields.enumerated()
    where isKept(bytes.extracting(field.nameRange)) {
      fields.add(field: index, of: given)
    }
    return RequestHead(fields: fields)
  }

  /// Whether a field goes along: not what HTTP and browsers say to each other and no service needs.
  private static func isKept(_ name: RawSpan) -> Bool {
    if ReservedHeader.isReserved(name) { return name.equals("grpc-timeout") }
    // A reserved name it would be, were it empty.
    switch name.unsafeLoad(fromByteOffset: 0, as: UInt8.self) {
    case UInt8(ascii: "a"):
      return !name.equals("accept") && !name.equals("accept-charset")
        && !name.equals("accept-encoding") && !name.starts(with: "access-control-")
    case UInt8(ascii: "c"): return !name.equals("cache-control") && !name.equals("cookie")
    case UInt8(ascii: "d"): return !name.equals("dnt")
    case UInt8(ascii: "e"): return !name.equals("expect")
    case UInt8(ascii: "f"): return !name.equals("from")
    case UInt8(ascii: "i"): return !name.starts(with: "if-")
    case UInt8(ascii: "o"): return !name.equals("origin")
    case UInt8(ascii: "p"): return !name.equals("pragma") && !name.equals("priority")
    case UInt8(ascii: "r"): return !name.equals("range") && !name.equals("referer")
    case UInt8(ascii: "s"): return !name.starts(with: "sec-")
    case UInt8(ascii: "u"): return !name.equals("upgrade-insecure-requests")
    case UInt8(ascii: "v"): return !name.equals("via")
    case UInt8(ascii: "x"): return !name.equals("x-grpc-web")
    default: return true
    }
  }

  /// The same, and where the connection's last such head was equal, that very one, with what was
  /// found out of it: callers repeat themselves but for paths and bodies, which are not in it.
  static func head(to path: String, like last: RequestHead) -> RequestHead {
    var head = head(to: path, from: last)
    guard let memo = last.memo else { return head }
    if let known = memo.kept as? KeptHead, known.head.fields == head.fields { return known.head }
    head.memo = HeadMemo()
    memo.kept = KeptHead(head)
    return head
  }

  private final class KeptHead: Sendable {
    let head: RequestHead

    init(_ head: RequestHead) { self.head = head }
  }

  /// Ends a call whose caller has gone, if it still runs.
  static func giveUp(_ service: ClientExchange) async {
    await service.exchange.onLoop {
      guard !service.exchange.state.isClosed else { return }
      service.inbox.fail(RPCError(.cancelled, "the call was given up"))
      service.exchange.reset(.cancel)
    }
  }
}

/// The request of a call on its way in while the answer is on its way out.
struct InnerUpload: Sendable {
  private let service: ClientExchange
  private let body: @Sendable () async throws -> Void

  init(to service: ClientExchange, _ body: @escaping @Sendable () async throws -> Void) {
    self.service = service
    self.body = body
  }

  /// Runs both to the end of the answer.
  ///
  /// - Throws: What was wrong with the request, where that is why the call failed; else what
  ///   `respond` throws.
  func run(_ respond: () async throws -> Void) async throws {
    let wrong = Failure()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          try await body()
        } catch {
          wrong.first.withLock { $0 = $0 ?? error }
          await InnerCall.giveUp(service)
        }
      }
      do {
        try await respond()
      } catch {
        throw wrong.first.withLock { $0 } ?? error
      }
      // The answer is complete: what is left of the request is of no use.
      group.cancelAll()
    }
  }

  private final class Failure: Sendable {
    let first = Mutex<(any Error)?>(nil)
  }
}
