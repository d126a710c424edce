package import CProtobufC
extension Decoding {
  package static func messages<Struct, Value>(
    _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Struct>?>?, _ count: Int,
    _ convert: (UnsafePointer<Struct>) -> Value
  ) -> [Value] {
    (0..<count).map { convert(UnsafePointer(elements![$0]!)) }
  }
  package static func map<Struct, Key: Hashable, Value>(
    _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Struct>?>?, _ count: Int,
    _ convert: (UnsafePointer<Struct>) -> (Key, Value)
  ) -> [Key: Value] {
    [:]
  }
}
