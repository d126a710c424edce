import MembersV1

/// What people call enum values in tables, in both languages.
enum Label {
  static func of(_ group: OccupationGroup) -> String {
    switch group {
    case .truckDriver: "truck driver 货车司机"
    case .courier: "courier 快递员"
    case .foodDeliveryRider: "rider 网约送餐员"
    case .careWorker: "care worker 护工护理员"
    case .domesticWorker: "domestic worker 家政服务员"
    case .mallPromoter: "mall promoter 商场信息员"
    case .estateAgent: "estate agent 房产中介员"
    case .securityGuard: "security guard 保安员"
    case .rideHailingDriver: "ride-hailing driver 网约车司机"
    case .liveStreamingHost: "live-streaming host 网络主播"
    case .other: "other 其他"
    case .unspecified, .unrecognized: contractName(group)
    }
  }

  static func of(_ channel: MembersV1.Channel) -> String {
    switch channel {
    case .qrScan: "QR scan 扫码"
    case .miniProgram: "mini-program 小程序"
    case .app: "app 手机应用"
    case .officialAccount: "official account 公众号"
    case .website: "website 网站"
    case .partner: "partner 平台"
    case .governmentApp: "government app 政务应用"
    case .phone: "phone 电话"
    case .sms: "SMS 短信"
    case .pledge: "pledge 承诺"
    case .onSiteCeremony: "ceremony 集中入会"
    case .bulkImport: "bulk import 批量导入"
    case .unspecified, .unrecognized: contractName(channel)
    }
  }
}
