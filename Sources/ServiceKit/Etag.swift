/// Etags of resources, made of the version that every change increments: `v3`. Source: AIP-154.
public enum Etag {
  /// Returns the etag of a version.
  public static func text(_ version: Int64) -> String { "v\(version)" }

  /// Checks the etag of a request against the current version; an empty one matches any.
  ///
  /// - Throws: ``CommonFailure/etagMismatch``.
  public static func check(_ stated: String, _ version: Int64) throws {
    guard stated.isEmpty || stated == text(version) else { throw CommonFailure.etagMismatch }
  }
}
