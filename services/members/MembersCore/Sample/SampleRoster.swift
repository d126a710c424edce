public import MembersV1

extension RosterRow {
  /// Returns a row of a generated roster: the member with that index among `count` of the seed, or
  /// a person who is not a member if `index` is not below `count`.
  public static func sample(_ index: Int, row: Int, of count: Int, seed: UInt64) -> Self {
    let person = SampleMember(index, of: max(count, index + 1), seed: seed, organizations: 1)
    var sample = Self()
    sample.row = Int64(row)
    sample.residentID = person.data.residentID
    sample.personName = person.data.name
    return sample
  }
}
