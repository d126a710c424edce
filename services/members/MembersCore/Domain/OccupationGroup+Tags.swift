import MembersV1
import ServiceKit

extension OccupationGroup {
  /// The eight groups (八大群体).
  static let eightGroups: Set<OccupationGroup> = [
    .truckDriver, .courier, .foodDeliveryRider, .careWorker, .domesticWorker, .mallPromoter,
    .estateAgent, .securityGuard,
  ]

  /// The four key groups, which are not a subset of the eight groups.
  static let keyGroups: Set<OccupationGroup> = [
    .truckDriver, .courier, .foodDeliveryRider, .rideHailingDriver,
  ]

  /// The localized name.
  var label: LocalizedText {
    switch self {
    case .truckDriver: LocalizedText(zh: "货车司机", en: "truck driver")
    case .courier: LocalizedText(zh: "快递员", en: "courier")
    case .foodDeliveryRider: LocalizedText(zh: "网约送餐员", en: "food-delivery rider")
    case .careWorker: LocalizedText(zh: "护工护理员", en: "care worker")
    case .domesticWorker: LocalizedText(zh: "家政服务员", en: "domestic worker")
    case .mallPromoter: LocalizedText(zh: "商场信息员", en: "mall promoter")
    case .estateAgent: LocalizedText(zh: "房产中介员", en: "estate agent")
    case .securityGuard: LocalizedText(zh: "保安员", en: "security guard")
    case .rideHailingDriver: LocalizedText(zh: "网约车司机", en: "ride-hailing driver")
    case .liveStreamingHost: LocalizedText(zh: "网络主播", en: "live-streaming host")
    case .other: LocalizedText(zh: "其他", en: "other")
    case .unspecified, .unrecognized: LocalizedText(zh: "未填", en: "not given")
    }
  }
}

extension Channel {
  /// The channels that count as online in coverage figures.
  static let online: Set<Channel> = [
    .qrScan, .miniProgram, .app, .officialAccount, .website, .partner, .governmentApp,
  ]

  /// The localized name.
  var label: LocalizedText {
    switch self {
    case .qrScan: LocalizedText(zh: "扫码", en: "QR scan")
    case .miniProgram: LocalizedText(zh: "小程序", en: "mini-program")
    case .app: LocalizedText(zh: "手机应用", en: "app")
    case .officialAccount: LocalizedText(zh: "公众号", en: "official account")
    case .website: LocalizedText(zh: "网站", en: "website")
    case .partner: LocalizedText(zh: "合作平台", en: "partner")
    case .governmentApp: LocalizedText(zh: "政务应用", en: "government app")
    case .phone: LocalizedText(zh: "电话", en: "phone")
    case .sms: LocalizedText(zh: "短信", en: "SMS")
    case .pledge: LocalizedText(zh: "承诺书", en: "pledge")
    case .onSiteCeremony: LocalizedText(zh: "集中入会", en: "on-site ceremony")
    case .bulkImport: LocalizedText(zh: "批量导入", en: "bulk import")
    case .unspecified, .unrecognized: LocalizedText(zh: "未填", en: "not given")
    }
  }
}
