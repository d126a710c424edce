internal import Glibc

/// A server cannot listen on its address, which another process may have.
public struct ListenError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The address.
  public let address: HostPort
  /// The system's error number, see `errno(3)`.
  public let code: Int32

  /// A sentence for operators, with the address.
  public var description: String {
    "cannot listen on \(address): \(String(cString: strerror(code)))"
  }
}
