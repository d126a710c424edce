import Foundation
import GoogleProtobuf
import GoogleRPC
import GoogleType
import MembersV1
import Protobuf
import ProtobufJSON
import RPC
import RPCTransport
import YijiaTypeV1

/// A platform partner: what docs/partners.md tells, in Swift.
struct Partner {
  private let members: MembersServiceClient
  private let options: CallOptions

  // guide: connect
  /// A partner by the suite's connection.json.
  init(connection file: String, loops: EventLoops) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let content = try Data(contentsOf: URL(filePath: file))
    let about = try decoder.decode(Connection.self, from: content)
    guard let gateway = HostPort(about.gateway) else { throw PartnerError.noAddress(about.gateway) }
    var configuration = ClientConfiguration(targets: [gateway])
    configuration.tls = ClientTLS(authorities: about.caFile, serverName: .host(gateway.host))
    members = MembersServiceClient(try ClientChannel(configuration: configuration, loops: loops))
    var options = CallOptions()
    options.waitForReady = true
    options.metadata.add("x-api-key", about.partnerApiKey)
    options.metadata.add("accept-language", "en")
    self.options = options
  }
  // guide: end

  // guide: one
  /// Enrolls one person.
  ///
  /// - Returns: The enrollment's name.
  /// - Throws: `RPCError`; `explanation(of:)` names every wrong field.
  func enroll(_ record: EnrollMembersRequest) async throws -> String {
    var options = options
    options.timeout = .seconds(20)
    let request = SubmitEnrollmentRequest.with {
      $0.requestID = record.requestID
      $0.application = record.application
    }
    return try await insist {
      try await members.submitEnrollment(request, options: options).enrollment?.name ?? ""
    }
  }
  // guide: end

  // guide: stream
  /// Enrolls many over one call; begins again with what has no answer when it breaks off.
  ///
  /// - Parameter tell: Hears of each answer.
  func enroll(
    _ records: [EnrollMembersRequest], tell: (EnrollMembersResponse) -> Void
  ) async throws {
    var waiting = Dictionary(uniqueKeysWithValues: records.map { ($0.row, $0) })
    try await insist {
      let call = try await members.enrollMembers(options: options)
      let rest = waiting.values.sorted { $0.row < $1.row }
      async let sending: Void = send(rest, over: call)
      for try await response in call.responses {
        waiting[response.row] = nil
        tell(response)
      }
      try await sending
    }
  }

  /// Backpressure paces it: sending waits while the services are busy.
  private func send(
    _ records: [EnrollMembersRequest],
    over call: BidirectionalCall<EnrollMembersRequest, EnrollMembersResponse>
  ) async throws {
    for record in records { try await call.send(record) }
    try await call.finishSending()
  }
  // guide: end

  // guide: follow
  /// What became of our enrollments since an event, to the newest. Keep the cursor of the last one
  /// with what it led to.
  func events(
    after cursor: String, tell: (WatchMemberEventsResponse) -> Void
  ) async throws {
    var cursor = cursor
    try await insist {
      let request = WatchMemberEventsRequest.with {
        $0.cursor = cursor
        $0.stopAtEnd = true
      }
      for try await event in try await members.watchMemberEvents(request, options: options) {
        cursor = event.cursor
        tell(event)
      }
    }
  }
  // guide: end

  // guide: errors
  /// The record is refused; the next one may be fine. Any other code ends the program.
  static let refused: [RPCError.Code] = [.invalidArgument, .failedPrecondition]

  /// Calls until there is an answer. The same request id makes a repeated call harmless.
  private func insist<Answer>(
    attempts: Int = 6, _ call: () async throws -> Answer
  ) async throws -> Answer {
    var attempt = 1
    while true {
      do {
        return try await call()
      } catch let error as RPCError {
        guard attempt < attempts, let pause = Self.pause(after: error, attempt: attempt) else {
          throw error
        }
        // The pause that the server asks for is time itself.
        try await Task.sleep(for: pause)
        attempt += 1
      }
    }
  }

  /// The time to wait: what the server asks for, else ever longer; nil if a retry is no use.
  static func pause(after error: RPCError, attempt: Int) -> Swift.Duration? {
    let passing: [RPCError.Code] = [.unavailable, .resourceExhausted, .deadlineExceeded, .aborted]
    guard passing.contains(error.code) else { return nil }
    if let asked = details(of: error, RetryInfo.self)?.retryDelay {
      let pause = Swift.Duration.seconds(asked.seconds) + .nanoseconds(Int64(asked.nanos))
      // A longer wait means that the quota of the day is used up.
      return pause <= .seconds(60) ? pause : nil
    }
    // A limit without a time does not pass: the message is too large.
    return error.code == .resourceExhausted ? nil : .seconds(min(30, 1 << attempt))
  }

  /// What people are told: the reason, and the message, which names every wrong field.
  static func explanation(of error: RPCError) -> String {
    let reason = details(of: error, ErrorInfo.self)?.reason ?? error.code.name
    return "\(reason): \(error.message)"
  }

  private static func details<Detail: Message>(
    of error: RPCError, _ type: Detail.Type
  ) -> Detail? {
    guard let status = try? Status(wireBytes: error.details) else { return nil }
    return status.details.lazy.compactMap { try? $0.unpack(type) }.first
  }
  // guide: end
}

/// What a partner needs of connection.json.
private struct Connection: Decodable {
  var gateway: String
  var caFile: String
  var partnerApiKey: String
}

enum PartnerError: Error, CustomStringConvertible {
  case noAddress(String)
  case wrongLine(Int, any Error)

  var description: String {
    switch self {
    case .noAddress(let text): "gateway: \(text) is not host:port"
    case .wrongLine(let number, let error): "line \(number): \(error)"
    }
  }
}

/// Requests, one a line, as JSON: {"requestId": …, "application": {…}}. A row is a line's number.
func requests(in file: String) throws -> [EnrollMembersRequest] {
  let registry = try TypeRegistry([
    MembersV1Descriptors.fileDescriptorSet, GoogleProtobufDescriptors.fileDescriptorSet,
    GoogleTypeDescriptors.fileDescriptorSet, YijiaTypeV1Descriptors.fileDescriptorSet,
  ])
  guard let type = registry.message(named: "yijia.members.v1.EnrollMembersRequest") else {
    return []
  }
  let mapping = JSONMapping(registry)
  let lines = try String(contentsOfFile: file, encoding: .utf8)
    .split(separator: "\n", omittingEmptySubsequences: false)
  var requests: [EnrollMembersRequest] = []
  for (index, line) in lines.enumerated() where !line.isEmpty {
    do {
      let wire = try mapping.wire(fromJSON: Array(line.utf8), to: type)
      var request = try EnrollMembersRequest(wireBytes: wire)
      request.row = Int64(index + 1)
      requests.append(request)
    } catch {
      throw PartnerError.wrongLine(index + 1, error)
    }
  }
  return requests
}
