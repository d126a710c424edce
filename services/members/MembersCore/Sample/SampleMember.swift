import MembersV1
import ServiceKit

/// One invented member: everything follows from the seed and the index, so that a run can be told
/// again, and a reader knows the keys without asking the store.
///
/// Identifiers, numbers and organizations rise with the index: random as far as anybody can tell
/// from one of them, and stored at the end of each index instead of all over it.
struct SampleMember: Sendable {
  let index: Int
  let id: String
  let number: String
  let data: PersonalData
  let birthDate: String
  let code: MemberCode
  let group: OccupationGroup
  let organization: Int

  private static let surnames = Array("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗")
  private static let given = Array("伟芳娜敏静磊强洋勇军杰娟涛超霞平刚桂兰英华建国志明海燕玉梅")
  /// Counties in force, whose people the invented ones are.
  private static let counties = [
    "110101", "110105", "310101", "310115", "340602", "340603", "340604", "440103", "440104",
    "440105", "500103", "500105", "510104", "510105", "370102", "370103", "420102", "420103",
    "610102", "610103",
  ]
  private static let groups: [OccupationGroup] = [.truckDriver, .courier, .foodDeliveryRider]
  /// Birthdays from 1965 on: 14,000 days, 1,000 people a day and county.
  private static let days = 14_000
  private static let peopleADay = 1_000
  /// What the invented identities suffice for.
  static let membersMax = counties.count * days * peopleADay

  init(_ index: Int, of count: Int, seed: UInt64, organizations: Int) {
    var random = SplitMix64(seed: seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15)
    self.index = index
    id = Self.rising(index, of: count, random.next()) + Self.hex(random.next())
    code = MemberCode(random: Self.hex(random.next()) + Self.hex(random.next()))
    let span = MemberNumber.span / UInt64(count)
    number = MemberNumber(value: UInt64(index) * span + random.next() % span).text
    group = Self.groups[Int(random.next() % UInt64(Self.groups.count))]
    organization = index * organizations / count
    let place = index / Self.peopleADay
    let day = ChinaDate(daysSinceEpoch: -1_826 + place % Self.days)
    let digits =
      Self.counties[place / Self.days % Self.counties.count]
      + Self.digits(day.year, 4) + Self.digits(day.month, 2) + Self.digits(day.day, 2)
      + Self.digits(index % Self.peopleADay, 3)
    let check = ResidentID.checkCharacter(of: Array(digits.utf8)) ?? 48
    birthDate = "\(day)"
    let name = [
      Self.surnames[Int(random.next() % 20)], Self.given[Int(random.next() % 24)],
      Self.given[Int(random.next() % 24)],
    ]
    data = PersonalData(
      name: String(name), residentID: digits + String(UnicodeScalar(check)),
      phone: "+861" + Self.digits(3_000_000_000 + Int(random.next() % 6_999_999_999), 10))
  }

  /// Sixteen hex digits: the index's share of all, and a random place in it.
  private static func rising(_ index: Int, of count: Int, _ random: UInt64) -> String {
    let width = UInt64.max / UInt64(count)
    return hex(UInt64(index) * width + random % width)
  }

  private static func hex(_ value: UInt64) -> String { padded(String(value, radix: 16), 16) }

  private static func digits(_ value: Int, _ count: Int) -> String { padded("\(value)", count) }

  private static func padded(_ text: String, _ count: Int) -> String {
    String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }
}

/// Sebastiano Vigna's generator: fast, and the same everywhere. For inventions, never for keys.
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
