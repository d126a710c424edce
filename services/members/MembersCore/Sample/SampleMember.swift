import MembersV1
import ServiceKit

/// A generated member. Everything is derived from the seed and the index, so that runs are
/// reproducible and a reader knows the keys without querying the store.
///
/// Identifiers, numbers and organizations increase with the index: each looks random, but rows are
/// appended at the end of every index.
struct SampleMember: Sendable {
  let index: Int
  let organization: Int
  private let count: Int
  /// The random values, drawn in a fixed order.
  private let random:
    (
      id: (UInt64, UInt64), code: (UInt64, UInt64), number: UInt64, group: UInt64,
      name: (UInt64, UInt64, UInt64), phone: UInt64
    )

  private static let surnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗".map { String($0) }
  private static let given = "伟芳娜敏静磊强洋勇军杰娟涛超霞平刚桂兰英华建国志明海燕玉梅".map { String($0) }
  /// The counties of the generated resident IDs.
  private static let counties = [
    "110101", "110105", "310101", "310115", "340602", "340603", "340604", "440103", "440104",
    "440105", "500103", "500105", "510104", "510105", "370102", "370103", "420102", "420103",
    "610102", "610103",
  ]
  private static let groups: [OccupationGroup] = [.truckDriver, .courier, .foodDeliveryRider]
  /// The birthdays: 14,000 days from 1965 on, with 1,000 people per day and county. One member
  /// follows another by a day, because the people of one list are rarely born on one day: with
  /// their few names, many of a thousand would be possible duplicates of each other.
  private static let days = (0..<14_000).map { offset in
    let day = ChinaDate(daysSinceEpoch: -1_826 + offset)
    return (date: "\(day)", digits: "\(day)".filter { $0 != "-" })
  }
  private static let peopleADay = 1_000
  /// The number of distinct generated identities.
  static let membersMax = counties.count * days.count * peopleADay

  init(_ index: Int, of count: Int, seed: UInt64, organizations: Int) {
    var random = SplitMix64(seed: seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15)
    self.index = index
    self.count = count
    organization = index * organizations / count
    self.random = (
      id: (random.next(), random.next()), code: (random.next(), random.next()),
      number: random.next(), group: random.next(),
      name: (random.next(), random.next(), random.next()), phone: random.next()
    )
  }

  /// The identifier: a random value in the index's share of all identifiers.
  var id: String {
    let width = UInt64.max / UInt64(count)
    return Self.hex(UInt64(index) * width + random.id.0 % width, random.id.1)
  }

  var number: String {
    let span = MemberNumber.span / UInt64(count)
    return MemberNumber(value: UInt64(index) * span + random.number % span).text
  }

  var code: MemberCode { MemberCode(random: Self.hex(random.code.0, random.code.1)) }

  var group: OccupationGroup { Self.groups[Int(random.group % UInt64(Self.groups.count))] }

  var birthDate: String { Self.days[index % Self.days.count].date }

  var data: PersonalData {
    let place = index / Self.days.count
    let digits =
      Self.counties[place / Self.peopleADay % Self.counties.count]
      + Self.days[index % Self.days.count].digits + Self.digits(place % Self.peopleADay, 3)
    let check = ResidentID.checkCharacter(of: Array(digits.utf8)) ?? 48
    let name =
      Self.surnames[Int(random.name.0 % 20)] + Self.given[Int(random.name.1 % 24)]
      + Self.given[Int(random.name.2 % 24)]
    return PersonalData(
      name: name, residentID: digits + String(UnicodeScalar(check)),
      phone: "+861" + Self.digits(3_000_000_000 + Int(random.phone % 6_999_999_999), 10))
  }

  private static func hex(_ high: UInt64, _ low: UInt64) -> String {
    String(unsafeUninitializedCapacity: 32) { bytes in
      for place in 0..<32 {
        let digit = UInt8((place < 16 ? high : low) >> (60 - 4 * UInt64(place % 16)) & 15)
        bytes[place] = digit < 10 ? 48 + digit : 87 + digit
      }
      return 32
    }
  }

  private static func digits(_ value: Int, _ count: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }
}

/// Sebastiano Vigna's SplitMix64: fast and portable. For generated data only, never for keys.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
