internal import CPostgres
internal import Foundation
public import Storage

/// A server's address as PostgreSQL's own programs take it, with the password apart.
public struct PostgresConnection: Sendable, Hashable {
  /// What to connect to, as libpq's `keyword='value'` pairs, without the password.
  public let text: String
  /// The value of `PGPASSWORD`; `nil` where the address has none.
  public let password: String?

  /// - Parameter url: `postgres://…`, as for `PostgresDatabase.open`.
  /// - Throws: `StorageError.address`, `.unreachable` without libpq.
  public init(_ url: String) throws(StorageError) {
    try PostgresLink.check(url)
    let options = PQconninfoParse(url, nil)
    defer { PQconninfoFree(options) }
    var pairs: [(keyword: String, value: String)] = []
    var next = options
    while let option = next, let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        pairs.append((String(cString: keyword), String(cString: value)))
      }
      next = option + 1
    }
    password = pairs.first { $0.keyword == "password" }?.value
    text = pairs.filter { $0.keyword != "password" }.map { keyword, value in
      let quoted = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
      return "\(keyword)='\(quoted)'"
    }.joined(separator: " ")
  }
}
