/// The etag of a resource says its version, which rises with every change: `v3`.
/// Source: AIP-154.
public enum Etag {
  public static func text(_ version: Int64) -> String { "v\(version)" }

  /// - Throws: ``CommonFailure/etagMismatch`` where one is stated and it is not that of `version`.
  public static func check(_ stated: String, _ version: Int64) throws {
    guard stated.isEmpty || stated == text(version) else { throw CommonFailure.etagMismatch }
  }
}
