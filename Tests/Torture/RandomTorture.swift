import GoogleProtobuf
import Protobuf
import TortureV1

/// SplitMix64: the same messages for the same seed on every platform.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

/// Generates random messages with values that encoders tend to get wrong.
struct RandomTorture {
  private var random: SplitMix
  private(set) var hasMadeNaN = false

  init(seed: UInt64) { random = SplitMix(state: seed) }

  // MARK: values

  private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  private mutating func integer<I: FixedWidthInteger>() -> I {
    switch Int.random(in: 0..<6, using: &random) {
    case 0: 0
    case 1: I.max
    case 2: I.min
    case 3: I(truncatingIfNeeded: -1)
    case 4: I(truncatingIfNeeded: random.next() >> UInt64.random(in: 0..<64, using: &random))
    default: I(truncatingIfNeeded: Int.random(in: -200...200, using: &random))
    }
  }

  private mutating func double() -> Double {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: return 0
    case 1: return -0.0
    case 2: return .infinity
    case 3: return -.infinity
    case 4:
      hasMadeNaN = true
      return .nan
    case 5: return .leastNonzeroMagnitude
    case 6: return .greatestFiniteMagnitude
    default: return Double.random(in: -1e9...1e9, using: &random)
    }
  }

  private mutating func bytes() -> [UInt8] {
    let count = chance(40) ? Int.random(in: 0..<70_000, using: &random) : length()
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  private mutating func length() -> Int { Int.random(in: 0..<24, using: &random) }

  private mutating func string() -> String {
    let alphabet = [
      "a", "Z", " ", "\0", "\n", "ä", "ß", "工", "会", "𠮷", "🚚", "\u{10ffff}", "\u{7f}",
    ]
    return (0..<length()).map { _ in alphabet.randomElement(using: &random) ?? "" }.joined()
  }

  private mutating func mood() -> Mood {
    [.unspecified, .well, .low, .high, Mood(rawValue: integer())]
      .randomElement(using: &random) ?? .well
  }

  private mutating func list<T>(_ make: (inout Self) -> T) -> [T] {
    guard chance(3) else { return [] }
    return (0..<Int.random(in: 1..<20, using: &random)).map { _ in make(&self) }
  }

  private mutating func map<K: Hashable, V>(
    _ key: (inout Self) -> K, _ value: (inout Self) -> V
  ) -> [K: V] {
    guard chance(3) else { return [:] }
    var map: [K: V] = [:]
    for _ in 0..<Int.random(in: 1..<12, using: &random) { map[key(&self)] = value(&self) }
    return map
  }

  // MARK: messages

  private mutating func type() -> Torture.TypeMessage {
    var type = Torture.TypeMessage()
    if chance(2) { type.default = integer() }
    if chance(2) { type.in = string() }
    if chance(3) { type.unknownFields_ = string() }
    if chance(3) { type.description_ = integer() }
    type.register = chance(2)
    if chance(3) { type.init_ = bytes() }
    return type
  }

  private mutating func tree(depth: Int) -> Tree {
    var tree = Tree()
    tree.number = integer()
    guard depth > 0 else { return tree }
    if chance(2) { tree.left = self.tree(depth: depth - 1) }
    if chance(2) { tree.right = self.tree(depth: depth - 1) }
    if chance(3) { tree.payload = torture(depth: depth - 1) }
    return tree
  }

  mutating func torture(depth: Int) -> Torture {
    var message = Torture()
    scalars(&message)
    optionals(&message)
    lists(&message)
    maps(&message, depth)
    choices(&message, depth)
    wellKnown(&message)
    guard depth > 0 else { return message }
    if chance(4) { message.child = torture(depth: depth - 1) }
    if chance(6) { message.children = [torture(depth: 0), Torture(), torture(depth: depth - 1)] }
    if chance(4) { message.root = tree(depth: depth) }
    return message
  }

  private mutating func scalars(_ message: inout Torture) {
    if chance(2) { message.double = double() }
    if chance(2) { message.float = Float(double()) }
    if chance(2) { message.int32 = integer() }
    if chance(2) { message.int64 = integer() }
    if chance(2) { message.uint32 = integer() }
    if chance(2) { message.uint64 = integer() }
    if chance(2) { message.sint32 = integer() }
    if chance(2) { message.sint64 = integer() }
    if chance(2) { message.fixed32 = integer() }
    if chance(2) { message.fixed64 = integer() }
    if chance(2) { message.sfixed32 = integer() }
    if chance(2) { message.sfixed64 = integer() }
    message.bool = chance(2)
    if chance(2) { message.string = string() }
    if chance(2) { message.bytes = bytes() }
    if chance(2) { message.mood = mood() }
    if chance(3) { message.kind = .default }
    if chance(3) { message.type = type() }
  }

  private mutating func optionals(_ message: inout Torture) {
    if chance(3) { message.optionalDouble = double() }
    if chance(3) { message.optionalFloat = Float(double()) }
    if chance(3) { message.optionalInt32 = integer() }
    if chance(3) { message.optionalUint64 = integer() }
    if chance(3) { message.optionalSint32 = integer() }
    if chance(3) { message.optionalFixed64 = integer() }
    if chance(3) { message.optionalSfixed32 = integer() }
    if chance(3) { message.optionalBool = chance(2) }
    if chance(3) { message.optionalString = string() }
    if chance(3) { message.optionalBytes = bytes() }
    if chance(3) { message.optionalMood = mood() }
    if chance(3) { message.optionalType = type() }
  }

  private mutating func lists(_ message: inout Torture) {
    message.doubles = list { $0.double() }
    message.floats = list { Float($0.double()) }
    message.int32s = list { $0.integer() }
    message.int64s = list { $0.integer() }
    message.uint32s = list { $0.integer() }
    message.uint64s = list { $0.integer() }
    message.sint32s = list { $0.integer() }
    message.sint64s = list { $0.integer() }
    message.fixed32s = list { $0.integer() }
    message.fixed64s = list { $0.integer() }
    message.sfixed32s = list { $0.integer() }
    message.sfixed64s = list { $0.integer() }
    message.bools = list { $0.chance(2) }
    message.strings = list { $0.string() }
    message.byteStrings = list { $0.bytes() }
    message.moods = list { $0.mood() }
    message.types = list { $0.type() }
    message.looseInt32s = list { $0.integer() }
    message.looseDoubles = list { $0.double() }
    message.looseBools = list { $0.chance(2) }
    message.looseMoods = list { $0.mood() }
  }

  private mutating func maps(_ message: inout Torture, _ depth: Int) {
    message.mapInt32 = map({ $0.integer() }, { $0.double() })
    message.mapInt64 = map({ $0.integer() }, { Float($0.double()) })
    message.mapUint32 = map({ $0.integer() }, { $0.integer() })
    message.mapUint64 = map({ $0.integer() }, { $0.integer() })
    message.mapSint32 = map({ $0.integer() }, { $0.integer() })
    message.mapSint64 = map({ $0.integer() }, { $0.integer() })
    message.mapFixed32 = map({ $0.integer() }, { $0.integer() })
    message.mapFixed64 = map({ $0.integer() }, { $0.integer() })
    message.mapSfixed32 = map({ $0.integer() }, { $0.integer() })
    message.mapSfixed64 = map({ $0.integer() }, { $0.integer() })
    message.mapBool = map({ $0.chance(2) }, { $0.integer() })
    message.mapString = map({ $0.string() }, { $0.integer() })
    message.mapToBool = map({ $0.string() }, { $0.chance(2) })
    message.mapToString = map({ $0.string() }, { $0.string() })
    message.mapToBytes = map({ $0.string() }, { $0.bytes() })
    message.mapToMood = map({ $0.integer() }, { $0.mood() })
    message.mapToType = map({ $0.string() }, { $0.type() })
    if depth > 0, chance(3) {
      message.mapToTorture = map({ $0.integer() }, { $0.torture(depth: 0) })
    }
  }

  private mutating func choices(_ message: inout Torture, _ depth: Int) {
    switch Int.random(in: 0..<12, using: &random) {
    case 0: message.choice = .chosenInt32(integer())
    case 1: message.choice = .chosenDouble(double())
    case 2: message.choice = .chosenString(string())
    case 3: message.choice = .chosenBytes(bytes())
    case 4: message.choice = .chosenBool(chance(2))
    case 5: message.choice = .chosenMood(mood())
    case 6: message.choice = .chosenType(type())
    case 7: message.choice = .chosenTorture(depth > 0 ? torture(depth: depth - 1) : Torture())
    case 8: message.choice = .chosenFixed64(integer())
    case 9: message.choice = .chosenFloat(Float(double()))
    default: break
    }
    switch Int.random(in: 0..<4, using: &random) {
    case 0: message.result = .error(string())
    case 1: message.result = .code(integer())
    case 2: message.result = .tree(tree(depth: depth - 1))
    default: break
    }
  }

  private mutating func wellKnown(_ message: inout Torture) {
    if chance(4) { message.any = try? AnyMessage(packing: type()) }
    if chance(4) { message.empty = Empty() }
    if chance(4) { message.fieldMask = .with { $0.paths = ["a.b", string()] } }
    if chance(4) { message.timestamp = .with { $0.seconds = integer() } }
    if chance(4) { message.duration = .with { $0.nanos = integer() } }
    if chance(4) { message.doubleValue = .with { $0.value = double() } }
    if chance(4) { message.stringValue = .with { $0.value = string() } }
    if chance(4) { message.value = value(depth: 3) }
    if chance(4) { message.struct = .with { $0.fields = [string(): value(depth: 2)] } }
  }

  private mutating func value(depth: Int) -> Value {
    var value = Value()
    switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &random) {
    case 0: value.kind = .nullValue(.nullValue)
    case 1: value.kind = .numberValue(double())
    case 2: value.kind = .stringValue(string())
    case 3: value.kind = .boolValue(chance(2))
    case 4:
      var list = ListValue()
      list.values = [self.value(depth: depth - 1), self.value(depth: depth - 1)]
      value.kind = .listValue(list)
    default:
      var object = Struct()
      object.fields = [string(): self.value(depth: depth - 1)]
      value.kind = .structValue(object)
    }
    return value
  }
}
