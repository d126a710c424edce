import MembersV1
import ServiceKit

/// The data of a replay, see `examples/replay/plan.yaml`.
struct ReplayPlan: CheckedConfiguration {
  /// People who enroll in one drive.
  struct Drive: Codable, Sendable {
    var campaign = ""
    var channel = "QR_SCAN"
    var group = "TRUCK_DRIVER"
    var people = 0
    /// The first six digits of the invented identity numbers.
    var bornIn = ""
    /// Work areas, used in turn.
    var areas: [String] = []
    /// External id of the organization whose code is scanned; nil for none.
    var codeOf: String?
    /// The unit that they work for; nil for none.
    var unit: String?

    enum CodingKeys: String, CodingKey {
      case campaign, channel, group, people, areas, unit
      case bornIn = "born_in"
      case codeOf = "code_of"
    }
  }

  struct Qinhuangdao: Codable, Sendable {
    var organization = ""
    var drives: [Drive] = []
    var ceremonyCampaign = ""
    var ceremonyPeople: Int64 = 0

    enum CodingKeys: String, CodingKey {
      case organization, drives
      case ceremonyCampaign = "ceremony_campaign"
      case ceremonyPeople = "ceremony_people"
    }
  }

  struct Shandong: Codable, Sendable {
    struct Unit: Codable, Sendable {
      var name = ""
      var people = 0
      /// External id of the union that the unit forms; nil where it forms none.
      var union: String?
    }
    var home = ""
    var guiding = ""
    var units: [Unit] = []
  }

  struct Hefei: Codable, Sendable {
    var from = ""
    var to = ""
    var atOnce = 0
    var accepted = 0
    var declined = 0

    enum CodingKeys: String, CodingKey {
      case from, to, accepted, declined
      case atOnce = "at_once"
    }
  }

  struct Huaibei: Codable, Sendable {
    var organization = ""
    var people = 0
    var federations = 0
    var returned = 0
  }

  struct Bengbu: Codable, Sendable {
    var organization = ""
    var people = 0
    var approved = 0
    var refused = 0
  }

  struct Baiyin: Codable, Sendable {
    struct Day: Codable, Sendable {
      var year: Int32 = 0
      var month: Int32 = 0
      var day: Int32 = 0
    }
    struct Away: Codable, Sendable {
      var reported = 0
      var sentBack = 0
      var sampled: Int32 = 0
      var notReached = 0

      enum CodingKeys: String, CodingKey {
        case reported, sampled
        case sentBack = "sent_back"
        case notReached = "not_reached"
      }
    }
    var organization = ""
    var people = 0
    var base: Int64 = 0
    var baseSource = ""
    var baseDate = Day()
    var targetBasisPoints: Int32 = 0
    var away = Away()

    enum CodingKeys: String, CodingKey {
      case organization, people, base, away
      case baseSource = "base_source"
      case baseDate = "base_date"
      case targetBasisPoints = "target_basis_points"
    }
  }

  struct Shenyang: Codable, Sendable {
    var organization = ""
    var people = 0
    var confirmed: Int64 = 0
    var unreachable: Int64 = 0
  }

  var qinhuangdao = Qinhuangdao()
  var shandong = Shandong()
  var hefei = Hefei()
  var huaibei = Huaibei()
  var bengbu = Bengbu()
  var baiyin = Baiyin()
  var shenyang = Shenyang()

  /// The services check what the plan makes of it.
  func faults() -> [String] { [] }
}
