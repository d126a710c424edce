import Glibc

/// Shared code of the libFuzzer programs, each of which runs one of several targets.
public enum Fuzzing {
  /// Returns the target that YIJIA_FUZZ_TARGET names. (Command line arguments belong to libFuzzer.)
  public static func chosen(of targets: [FuzzTarget]) -> FuzzTarget {
    let name = getenv("YIJIA_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let found = targets.first(where: { $0.name == name }) else {
      let names = targets.map(\.name).joined(separator: " ")
      fatalError("YIJIA_FUZZ_TARGET names the target, one of: \(names)")
    }
    return found
  }

  /// Runs a target on one of libFuzzer's inputs; a finding ends the process.
  public static func run(_ target: FuzzTarget, _ start: UnsafePointer<UInt8>?, _ count: Int) {
    do {
      // Copied, as libFuzzer's memory is valid during the call only.
      try target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
      fatalError("\(target.name): \(error)")
    }
  }
}
