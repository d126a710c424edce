/// A fuzz target: a function that parses external bytes, with properties that must hold for any
/// input.
///
/// libFuzzer runs a target on generated inputs (`make fuzz`); `FuzzTests` runs it on the committed
/// ones. A target depends on its input alone: no clock, no files, no state.
public struct FuzzTarget: Sendable {
  /// Also the name of its folders in `Tests/Fuzz/corpus` and `Tests/Fuzz/regressions`.
  public let name: String
  /// Runs the target on one input.
  /// - Throws: ``FuzzFinding`` where a property does not hold.
  public let run: @Sendable ([UInt8]) throws -> Void

  public init(name: String, run: @escaping @Sendable ([UInt8]) throws -> Void) {
    self.name = name
    self.run = run
  }
}

/// A property violated by an input.
public struct FuzzFinding: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Throws a finding unless `condition` holds.
public func require(_ condition: Bool, _ claim: @autoclosure () -> String) throws {
  if !condition { throw FuzzFinding(claim()) }
}

/// Returns the value of `body`, which must not throw.
public func unfailing<Value>(_ claim: String, _ body: () throws -> Value) throws -> Value {
  do { return try body() } catch { throw FuzzFinding("\(claim): \(error)") }
}

/// Splits an input into the numbers and pieces that a target needs. Past the end all values are
/// zero and empty, so that every input is valid.
public struct InputReader {
  private let bytes: [UInt8]
  private var index = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public var isAtEnd: Bool { index >= bytes.count }

  public mutating func byte() -> UInt8 {
    guard index < bytes.count else { return 0 }
    defer { index += 1 }
    return bytes[index]
  }

  public mutating func integer<Number: FixedWidthInteger>(_: Number.Type) -> Number {
    (0..<Number.bitWidth / 8).reduce(0) { value, _ in
      value << 8 | Number(truncatingIfNeeded: byte())
    }
  }

  /// Returns up to `count` bytes.
  public mutating func take(_ count: Int) -> [UInt8] {
    let end = min(index + count, bytes.count)
    defer { index = end }
    return Array(bytes[index..<end])
  }

  /// Returns a piece whose length precedes it in one byte.
  public mutating func piece() -> [UInt8] { take(Int(byte())) }

  public mutating func rest() -> [UInt8] { take(bytes.count) }

  public mutating func text() -> String { String(decoding: piece(), as: UTF8.self) }
}
