import GoogleProtobuf
import GoogleRPC
import Protobuf
import RPC
import Testing

@testable import partner

@Suite("The partners' guide")
struct PartnerPauseTests {
  private static func error(_ code: RPCError.Code, _ asked: GoogleProtobuf.Duration?) throws
    -> RPCError
  {
    var status = Status()
    if let asked {
      var info = RetryInfo()
      info.retryDelay = asked
      status.details = [try AnyMessage(packing: info)]
    }
    return RPCError(code, "", details: try status.wireBytes())
  }

  @Test("a call is repeated after the time that the server asks for, if that is of use")
  func pauses() throws {
    func pause(
      _ code: RPCError.Code, _ asked: (seconds: Int64, nanos: Int32)? = nil
    ) throws -> Swift.Duration? {
      var delay = GoogleProtobuf.Duration()
      delay.seconds = asked?.seconds ?? 0
      delay.nanos = asked?.nanos ?? 0
      return Partner.pause(
        after: try Self.error(code, asked == nil ? nil : delay), attempt: 1)
    }
    #expect(try pause(.resourceExhausted, (0, 250_000_000)) == .milliseconds(250))
    #expect(try pause(.unavailable, (1, 500_000_000)) == .milliseconds(1_500))
    #expect(try pause(.resourceExhausted, (30_000, 0)) == nil, "the quota of the day")
    #expect(try pause(.resourceExhausted) == nil, "a message that is too large")
    #expect(try pause(.unavailable) == .seconds(2))
    #expect(try pause(.invalidArgument) == nil)
  }
}
