import FuzzCore
import FuzzGateway

private let target = Fuzzing.chosen(of: FuzzTarget.gateway)

/// Entry point called by libFuzzer for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  Fuzzing.run(target, start, count)
  return 0
}
