internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
import Synchronization

/// A document at an HTTP URL, fetched or posted to with one bounded request. It serves what is
/// needed without gRPC, such as the public keys that another system publishes.
///
/// HTTP/1.1 with a connection per request; no redirects, proxies or cookies.
public struct HTTPDocument: Sendable, Hashable {
  /// The URL as given.
  public let url: String
  /// The PEM file of the trusted authorities; nil for the system's.
  private let authorities: String?
  private let isTLS: Bool
  private let host: String
  private let port: Int
  /// The path and the query.
  private let target: String

  /// Creates the address of a document.
  /// - Parameter authorities: The PEM file of the trusted authorities; nil for the system's.
  /// - Throws: ``HTTPDocumentError`` unless the URL is `http` or `https` with a host.
  public init(_ url: String, trusting authorities: String? = nil) throws(HTTPDocumentError) {
    guard let parts = URLComponents(string: url), parts.user == nil, parts.password == nil,
      let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme),
      let host = parts.host, !host.isEmpty
    else {
      throw HTTPDocumentError(url: url, reason: "no address of http or https", isUnsent: true)
    }
    self.url = url
    self.authorities = authorities
    isTLS = scheme == "https"
    self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    port = parts.port ?? (isTLS ? 443 : 80)
    let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
    target = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
  }

  /// Fetches the document.
  ///
  /// - Parameters:
  ///   - bytesMax: The largest body in bytes.
  ///   - limit: The time limit, including the connection.
  /// - Throws: ``HTTPDocumentError`` for any failure, and `CancellationError`.
  public func get(
    on loops: EventLoops, bytesMax: Int, within limit: Duration = .seconds(10)
  ) async throws -> [UInt8] {
    let response = try await answer(
      to: DocumentRequest(head(.GET)), on: loops, bytesMax: bytesMax, within: limit)
    guard response.head.status == .ok, let body = response.body else {
      throw HTTPDocumentError(url: url, reason: "answered \(response.head.status)")
    }
    return Array(body.readableBytesView)
  }

  /// Posts a body of JSON.
  ///
  /// - Parameters:
  ///   - headers: Further fields of the request.
  ///   - limit: The time limit, including the connection.
  /// - Returns: The status of the response.
  /// - Throws: ``HTTPDocumentError``, which says whether the server may have taken the request, and
  ///   `CancellationError`.
  public func post(
    _ body: [UInt8], headers: [(name: String, value: String)] = [], on loops: EventLoops,
    within limit: Duration = .seconds(10)
  ) async throws -> Int {
    var request = head(.POST)
    request.headers.add(name: "content-type", value: "application/json")
    request.headers.add(name: "content-length", value: String(body.count))
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    let response = try await answer(
      to: DocumentRequest(request, body), on: loops, bytesMax: Self.unreadBytesMax, within: limit)
    return Int(response.head.status.code)
  }

  /// Returns a function that posts, for code that knows nothing of this transport: URL, file of the
  /// trusted authorities, further fields, body and time limit as above. A failure says why nothing
  /// was sent; the function throws where the server may have taken the request.
  public static func poster(
    _ loops: EventLoops
  )
    -> @Sendable (
      String, String?, [(name: String, value: String)], [UInt8], Duration
    ) async throws -> Result<Int, any Error>
  {
    { url, authorities, headers, body, limit in
      do {
        let document = try HTTPDocument(url, trusting: authorities)
        return .success(try await document.post(body, headers: headers, on: loops, within: limit))
      } catch let error as HTTPDocumentError where error.isUnsent {
        return .failure(error)
      }
    }
  }

  /// The largest body of a response that is not used, in bytes.
  private static let unreadBytesMax = 16 << 10

  private func head(_ method: HTTPMethod) -> HTTPRequestHead {
    HTTPRequestHead(
      version: .http1_1, method: method, uri: target,
      headers: [
        "host": HostPort(host: host, port: port).description, "connection": "close",
        "accept": "*/*", "user-agent": "yijia",
      ])
  }

  private func answer(
    to request: DocumentRequest, on loops: EventLoops, bytesMax: Int, within limit: Duration
  ) async throws -> NIOHTTPClientResponseFull {
    let eventLoop = loops.next().eventLoop
    let answer = eventLoop.makePromise(of: NIOHTTPClientResponseFull.self)
    let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) {
      answer.fail(
        HTTPDocumentError(url: url, reason: "no answer in time", isUnsent: request.giveUp()))
    }
    defer { timer.cancel() }
    do {
      try connect(on: eventLoop, bytesMax: bytesMax, request, answer)
    } catch {
      answer.fail(error)
    }
    return try await withTaskCancellationHandler {
      do {
        return try await answer.futureResult.get()
      } catch {
        let isUnsent = request.giveUp()
        if error is CancellationError || error is HTTPDocumentError { throw error }
        throw HTTPDocumentError(url: url, reason: "\(error)", isUnsent: isUnsent)
      }
    } onCancel: {
      answer.fail(CancellationError())
    }
  }

  private func connect(
    on eventLoop: any EventLoop, bytesMax: Int, _ request: DocumentRequest,
    _ answer: EventLoopPromise<NIOHTTPClientResponseFull>
  ) throws {
    let tls =
      isTLS ? try ClientTLS(authorities: authorities).makeContext(protocols: ["http/1.1"]) : nil
    let name = ClientTLS.indicated(host)
    ClientBootstrap(group: eventLoop)
      .channelInitializer { channel in
        // Also ends an attempt to connect that nobody waits for any more.
        answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
        return channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls {
            try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
          }
          try pipeline.addHTTPClientHandlers()
          try pipeline.addHandler(NIOHTTPClientResponseAggregator(maxContentLength: bytesMax))
          try pipeline.addHandler(DocumentReader(request, afterHandshake: tls != nil, answer))
        }
      }
      .connect(host: host, port: port)
      .whenFailure { answer.fail($0) }
  }
}

/// The error of a document that could not be fetched or posted to.
public struct HTTPDocumentError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The URL of the document without what may be secret: its query, its fragment, and the user
  /// before its host.
  public let url: String
  /// The cause, for people.
  public let reason: String
  /// Whether nothing of the request was sent: there was no connection, or no TLS on it.
  public let isUnsent: Bool

  init(url: String, reason: String, isUnsent: Bool = false) {
    self.url = Self.shown(url)
    self.reason = reason
    self.isUnsent = isUnsent
  }

  /// The URL, the cause, and whether nothing was sent.
  public var description: String { "\(url): \(reason)\(isUnsent ? ", nothing was sent" : "")" }

  private static func shown(_ url: String) -> String {
    let place = url.prefix { $0 != "?" && $0 != "#" }
    guard let scheme = place.firstRange(of: "://") else { return String(place) }
    let authority = place[scheme.upperBound...].prefix { $0 != "/" }
    guard let at = authority.lastIndex(of: "@") else { return String(place) }
    return String(place[..<scheme.upperBound] + place[at...].dropFirst())
  }
}

/// One request, which is sent or given up, and not both. Safe to use from any thread.
private final class DocumentRequest: Sendable {
  let head: HTTPRequestHead
  let body: [UInt8]
  /// Whether it was sent; nil until that is decided.
  private let isSent = Mutex<Bool?>(nil)

  init(_ head: HTTPRequestHead, _ body: [UInt8] = []) {
    self.head = head
    self.body = body
  }

  /// Returns whether to send it now: not if it was given up, as a connection may come too late.
  func begin() -> Bool {
    isSent.withLock { isSent in
      if isSent == nil { isSent = true }
      return isSent == true
    }
  }

  /// Gives it up unless it was sent; returns whether it never will be.
  func giveUp() -> Bool {
    isSent.withLock { isSent in
      if isSent == nil { isSent = false }
      return isSent == false
    }
  }
}

/// Sends one request and delivers its response. Confined to its connection's event loop.
private final class DocumentReader: ChannelInboundHandler {
  typealias InboundIn = NIOHTTPClientResponseFull
  typealias OutboundOut = HTTPClientRequestPart

  private let request: DocumentRequest
  private let afterHandshake: Bool
  private let answer: EventLoopPromise<NIOHTTPClientResponseFull>

  /// - Parameter afterHandshake: Whether TLS comes first. What is written before would be queued,
  ///   and nobody could tell whether it was sent.
  init(
    _ request: DocumentRequest, afterHandshake: Bool,
    _ answer: EventLoopPromise<NIOHTTPClientResponseFull>
  ) {
    self.request = request
    self.afterHandshake = afterHandshake
    self.answer = answer
  }

  func channelActive(context: ChannelHandlerContext) {
    if !afterHandshake { send(context) }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted(_)? = event as? TLSUserEvent { send(context) }
    context.fireUserInboundEventTriggered(event)
  }

  private func send(_ context: ChannelHandlerContext) {
    guard request.begin() else { return context.close(promise: nil) }
    context.write(wrapOutboundOut(.head(request.head)), promise: nil)
    if !request.body.isEmpty {
      let body = ByteBuffer(bytes: request.body)
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    answer.succeed(unwrapInboundIn(data))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    answer.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    answer.fail(ChannelError.eof)
  }
}
