import RPC
import RPCInProcess
import ServiceKit
import Synchronization

/// Shared helpers of the JSON and gRPC-Web faces: each of their requests becomes an in-process gRPC
/// call to the gateway.
enum InnerCall {
  /// Creates the channel of a caller's inner call: on the caller's loop, and draining as the server
  /// does, so that feeds end at once. On that loop.
  static func channel(to gateway: Dispatcher, for caller: ServerExchange) -> InProcessChannel {
    let channel = InProcessChannel(
      gateway, loop: caller.exchange.loop, peer: BrowserOrigins.peer(of: caller),
      for: caller.exchange.transport)
    caller.onDrain { channel.drain() }
    return channel
  }

  /// Returns the head of the gRPC call: the caller's own fields, `grpc-timeout` included.
  ///
  /// - Parameter fieldNames: How the caller is told the names of wrong fields.
  static func head(
    to path: String, from head: RequestHead, _ fieldNames: FieldNames = .json
  ) -> RequestHead {
    let given = head.fields
    var fields = HeaderList()
    fields.reserve(bytes: given.bytes.count + path.utf8.count + 80, fields: given.count + 5)
    fields.add(":method", "POST")
    fields.add(":path", path)
    fields.add("te", "trailers")
    fields.add("content-type", "application/grpc")
    if fieldNames == .json { fields.add(FieldNames.metadataKey, FieldNames.jsonValue) }
    let bytes = given.bytes.span.bytes
    for (index, field) in given.fields.enumerated()
    where isKept(bytes.extracting(field.nameRange)) {
      fields.add(field: index, of: given)
    }
    return RequestHead(fields: fields)
  }

  /// Whether a field is passed on: not those that only HTTP and browsers use.
  private static func isKept(_ name: RawSpan) -> Bool {
    if ReservedHeader.isReserved(name) { return name.equals("grpc-timeout") }
    // An empty name counts as reserved, so there is a first byte.
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

  /// Returns the same head as `head(to:from:)`. If it equals that of the connection's last call,
  /// returns that instance with its memo: repeated requests of a caller differ in paths and bodies
  /// only, which are not in it.
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

  /// Resets the inner call of a caller that has gone, unless it is closed.
  static func giveUp(_ service: ClientExchange) async {
    await service.exchange.onLoop { service.abandon(.givenUp) }
  }
}

/// What a face tells its caller instead of the inner call's outcome, for log and metrics: the
/// gateway that serves the inner call sees only that it ended, or was given up. Safe to use from
/// any thread.
final class FaceFailure: Sendable {
  private let first = Mutex<(any Error)?>(nil)

  /// The first failure that was noted.
  var error: (any Error)? { first.withLock { $0 } }

  /// To be called before the inner call ends.
  func note(_ error: any Error) { first.withLock { $0 = $0 ?? error } }

  /// Returns the head of an inner call with this. On the caller's loop.
  func noted(in head: RequestHead) -> RequestHead {
    var head = head
    head.memo = HeadMemo()
    head.memo?.kept = self
    return head
  }

  /// Returns what a face has told the caller of an inner call; nil for a call that no face made. On
  /// the call's loop.
  static func noted(of call: ServerExchange) -> (any Error)? {
    if let unary = call.exchange.transport as? JSONUnaryCall { return unary.failure }
    return (call.head.memo?.kept as? FaceFailure)?.error
  }
}

/// Sends the body of an inner call while its response is being sent to the caller.
struct InnerUpload: Sendable {
  private let service: ClientExchange
  private let failure: FaceFailure
  private let body: @Sendable () async throws -> Void

  /// - Parameter failure: Gets the error of the body, if that makes the call fail.
  init(
    to service: ClientExchange, telling failure: FaceFailure,
    _ body: @escaping @Sendable () async throws -> Void
  ) {
    self.service = service
    self.failure = failure
    self.body = body
  }

  /// Runs the upload and `respond` until the response is complete.
  ///
  /// - Throws: The error of the request body, if that made the call fail; otherwise the error of
  ///   `respond`. A service that ends the call early has said why: its status is the outcome.
  func run(_ respond: () async throws -> Void) async throws {
    let wrong = Wrong()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          try await body()
        } catch {
          await service.exchange.onLoop {
            // A call that has ended has its outcome, which may be why nothing more could be sent.
            guard !service.exchange.state.isClosed, !service.inbox.hasEnded else {
              return service.exchange.reset(.cancel)
            }
            failure.note(error)
            wrong.endsCall.store(true, ordering: .relaxed)
            service.abandon(.givenUp)
          }
        }
      }
      do {
        try await respond()
      } catch {
        throw wrong.endsCall.load(ordering: .relaxed) ? failure.error ?? error : error
      }
      // The response is complete: the rest of the request is of no use.
      group.cancelAll()
    }
  }

  private final class Wrong: Sendable {
    let endsCall = Atomic(false)
  }
}
