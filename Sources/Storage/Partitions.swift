/// The hash partitions of tables, for the `postgres` text of migrations.
///
/// A unique constraint of a partitioned table must include the partition column, so a constraint
/// over all partitions needs a table of its own. On SQLite the same tables are not partitioned:
/// services see no difference.
public enum Partitions {
  /// The number of hash partitions per table. At 300 million persons they hold about 40 million
  /// rows each, for which vacuum and index builds take minutes; and they are few enough that a
  /// statement that locks all of them stays cheap (measured with 16: 0.1 ms for a join of two
  /// tables).
  public static let hashCount = 8

  /// Returns the statements that create the partitions of tables declared `PARTITION BY HASH (…)`.
  public static func hashed(_ tables: String...) -> String {
    tables.flatMap { table in
      (0..<hashCount).map { part in
        """
        CREATE TABLE \(table)_\(part) PARTITION OF \(table)
          FOR VALUES WITH (MODULUS \(hashCount), REMAINDER \(part));
        """
      }
    }
    .joined(separator: "\n")
  }
}
