import Glibc
import NIOCore
import NIOSSL

/// Says in plain words what ended a connection, in place of the libraries' descriptions.
enum ConnectionFailure {
  static func text(_ error: any Error) -> String {
    switch error {
    case let error as IOError: return system(error.errnoCode)
    case ChannelError.connectTimeout: return "no answer"
    case let error as NIOSSLExtraError where error == .failedToValidateHostname:
      return "the server's certificate is for another name"
    case let error as NIOSSLError: return handshake("\(error)")
    default: return "\(error)"
    }
  }

  /// Whether the peer ended its side without TLS's own farewell.
  static func isCutTLS(_ error: any Error) -> Bool {
    if case .uncleanShutdown? = error as? NIOSSLError { true } else { false }
  }

  /// BoringSSL gives its reasons in the text only.
  private static func handshake(_ text: String) -> String {
    if text.contains("CERTIFICATE_VERIFY_FAILED") {
      return "the server's certificate is of no authority that is trusted here, or not valid today"
    }
    if text.contains("WRONG_VERSION_NUMBER") { return "the server does not speak TLS" }
    return text
  }

  private static func system(_ code: CInt) -> String {
    let text = String(cString: strerror(code))
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
