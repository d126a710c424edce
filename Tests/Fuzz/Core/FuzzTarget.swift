/// One thing that takes bytes from outside, and what must hold of it whatever they are.
///
/// libFuzzer runs a target over inputs it makes up (`make fuzz`); `FuzzTests` runs it over the
/// committed ones. A target is a function of its input alone: no clock, no files, no state.
public struct FuzzTarget: Sendable {
  /// Also the name of its folders in `Tests/Fuzz/corpus` and `Tests/Fuzz/regressions`.
  public let name: String
  /// Takes one input.
  /// - Throws: ``FuzzFinding`` where something does not hold that should.
  public let run: @Sendable ([UInt8]) throws -> Void

  public init(name: String, run: @escaping @Sendable ([UInt8]) throws -> Void) {
    self.name = name
    self.run = run
  }
}

/// A property that an input broke.
public struct FuzzFinding: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Throws a finding where `condition` is false.
public func require(_ condition: Bool, _ claim: @autoclosure () -> String) throws {
  if !condition { throw FuzzFinding(claim()) }
}

/// The value of `body`, which must not throw.
public func unfailing<Value>(_ claim: String, _ body: () throws -> Value) throws -> Value {
  do { return try body() } catch { throw FuzzFinding("\(claim): \(error)") }
}

/// Cuts an input into the numbers and pieces a target asks for. At the end all is zero and empty,
/// so that every input means something.
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

  /// At most `count` bytes.
  public mutating func take(_ count: Int) -> [UInt8] {
    let end = min(index + count, bytes.count)
    defer { index = end }
    return Array(bytes[index..<end])
  }

  /// A piece behind its length in one byte.
  public mutating func piece() -> [UInt8] { take(Int(byte())) }

  public mutating func rest() -> [UInt8] { take(bytes.count) }

  public mutating func text() -> String { String(decoding: piece(), as: UTF8.self) }
}
