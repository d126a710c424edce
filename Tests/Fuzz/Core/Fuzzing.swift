import Glibc

/// What the programs of libFuzzer have in common: one target of several, by name.
public enum Fuzzing {
  /// The target that YIJIA_FUZZ_TARGET names. libFuzzer's arguments stay its own.
  public static func chosen(of targets: [FuzzTarget]) -> FuzzTarget {
    let name = getenv("YIJIA_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let found = targets.first(where: { $0.name == name }) else {
      let names = targets.map(\.name).joined(separator: " ")
      fatalError("YIJIA_FUZZ_TARGET names the target, one of: \(names)")
    }
    return found
  }

  /// Runs a target over an input of libFuzzer's; a finding ends the process.
  public static func run(_ target: FuzzTarget, _ start: UnsafePointer<UInt8>?, _ count: Int) {
    do {
      // libFuzzer's memory, valid during the call: copied.
      try target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
      fatalError("\(target.name): \(error)")
    }
  }
}
