import Logging
import MembersV1
import RPC
import ServiceKit
import Synchronization

/// Asks yijia-members for the members of unknown codes. It never throws and delays its caller by at
/// most `timeout`: codes that it cannot resolve are matched later by the feed.
///
/// Safe to use from any task.
final class MemberResolver: Sendable {
  /// Codes per call; the contract allows 1,000.
  private static let codesMax = 1_000

  private let client: MembersServiceClient
  private let timeout: Duration
  private let logger: Logger
  private let circuit = Mutex(Circuit())

  init(channel: any RPC.Channel, timeout: Duration, logger: Logger) {
    client = MembersServiceClient(channel)
    self.timeout = timeout
    self.logger = logger
  }

  /// Returns the members of those codes that yijia-members knows, by the code's SHA-256.
  /// - Parameter options: Those of a call within the one that is served.
  func members(
    of codes: [String], _ options: CallOptions = CallOptions()
  ) async -> [[UInt8]: KnownMember] {
    guard !codes.isEmpty,
      circuit.withLock({ $0.allowsCall(at: ContinuousClock.now) })
    else { return [:] }
    var request = ResolveMemberCodesRequest()
    request.codes = Array(codes.prefix(Self.codesMax))
    var options = options
    options.timeout = timeout
    do {
      let response = try await client.resolveMemberCodes(request, options: options)
      circuit.withLock { $0.succeeded() }
      return Self.members(in: response)
    } catch {
      // A caller that has no time left says nothing about yijia-members either.
      if Task.isCancelled || options.deadline?.hasPassed == true {
        circuit.withLock { $0.abandoned() }
      } else {
        circuit.withLock { $0.failed(at: ContinuousClock.now) }
        logger.warning(
          "codes not resolved; the feed will match them",
          metadata: ["codes": "\(codes.count)", "cause": "\(error)"])
      }
      return [:]
    }
  }

  private static func members(
    in response: ResolveMemberCodesResponse
  ) -> [[UInt8]: KnownMember] {
    var members: [[UInt8]: KnownMember] = [:]
    for resolved in response.members {
      guard
        let id = try? ResourceName.parse(resolved.member, collection: "members", field: "member")
      else { continue }
      members[CheckedVisit.sha256(resolved.code)] = KnownMember(
        id: id, group: resolved.group)
    }
    return members
  }
}
