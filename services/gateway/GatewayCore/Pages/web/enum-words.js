// What the values of the interface's enums are called. A value is its own key.

import {words} from "./language.js";

// Adds the words of an enum: {VALUE: [Chinese, English]}.
function name(prefix, values) {
  const table = index => Object.fromEntries(
    Object.entries(values).map(([value, texts]) => [`${prefix}_${value}`, texts[index]]));
  words({zh: table(0), en: table(1)});
}

name("OCCUPATION_GROUP", {
  TRUCK_DRIVER: ["货车司机", "Truck driver"],
  COURIER: ["快递员", "Courier"],
  FOOD_DELIVERY_RIDER: ["网约送餐员", "Food-delivery rider"],
  CARE_WORKER: ["护工护理员", "Care worker"],
  DOMESTIC_WORKER: ["家政服务员", "Domestic worker"],
  MALL_PROMOTER: ["商场信息员", "Mall promoter"],
  ESTATE_AGENT: ["房产中介员", "Estate agent"],
  SECURITY_GUARD: ["保安员", "Security guard"],
  RIDE_HAILING_DRIVER: ["网约车司机", "Ride-hailing driver"],
  LIVE_STREAMING_HOST: ["网络主播", "Live-streaming host"],
  OTHER: ["其他", "Other"],
});

name("LABOUR_RELATION", {
  CLEAR: ["有劳动合同或明确的劳动关系", "There is a contract or another clear relation"],
  UNCLEAR: ["受人管理，但关系不明确", "Somebody directs the work, but the relation is not clear"],
  NONE: ["没有，我为自己工作", "None, I am self-employed"],
});

name("ORGANIZATION_KIND", {
  REGIONAL_FEDERATION: ["总工会", "Regional federation"],
  TOWNSHIP_UNION: ["乡镇（街道、园区）工会", "Union of a township, street or park"],
  VILLAGE_UNION: ["村（社区）工会", "Union of a village or community"],
  ENTERPRISE_UNION: ["企业工会", "Enterprise union"],
  JOINT_UNION: ["联合工会", "Joint union"],
  INDUSTRY_FEDERATION: ["行业工会联合会", "Federation of an industry or area"],
  ONLINE_MEMBER_HOME: ["网上会员之家", "Online members' home"],
  NEW_FORM_FEDERATION: ["新就业形态工会联合会", "Federation for new forms of employment"],
  HOLDING_POOL: ["会员周转池", "Holding pool"],
  BRANCH: ["分会", "Branch"],
  GROUP: ["工会小组", "Group"],
});

name("MEMBERSHIP_STATE", {
  POOLED: ["会员，待分配工会", "Member, to be placed in a union"],
  ACTIVE: ["会员", "Member"],
  RETAINED: ["保留会籍", "Retained"],
  LEFT: ["已退会", "Left"],
  EXPELLED: ["已除名", "Expelled"],
  DECEASED: ["已故", "Deceased"],
  MERGED: ["已合并", "Merged"],
});

name("MEMBERSHIP_ACTION", {
  JOINED: ["入会", "Joined"],
  REVIVED: ["重新入会", "Joined again"],
  PLACED: ["分配到工会", "Placed in a union"],
  POOLED: ["转入周转池", "Moved to the holding pool"],
  TRANSFERRED: ["转会", "Transferred"],
  RETAINED: ["保留会籍", "Retained"],
  RESTORED: ["恢复会籍", "Restored"],
  LEFT: ["退会", "Left"],
  EXPELLED: ["除名", "Expelled"],
  DIED: ["去世", "Died"],
  MERGED: ["记录合并", "Records merged"],
  UNMERGED: ["取消合并", "Merge undone"],
  UPDATED: ["信息变更", "Data changed"],
  ERASED: ["个人信息删除", "Personal data erased"],
});

name("AWAY_STATE", {
  REPORTED: ["待审核", "Waits for review"],
  FILED: ["已备案", "Filed"],
  AWAY: ["外出中", "Away"],
  RETURNED: ["已返回", "Back"],
  RETURNED_FOR_FIX: ["退回修改", "Sent back to be corrected"],
  ENDED: ["已终止", "Ended"],
});

name("ENROLLMENT_STATE", {
  RECEIVED: ["已受理", "Received"],
  HELD: ["待核对是否重复", "Held as a possible duplicate"],
  PENDING: ["待审核", "Pending"],
  ADMITTED: ["已入会", "Admitted"],
  REFUSED: ["未通过", "Refused"],
  WITHDRAWN: ["已撤回", "Withdrawn"],
});

name("TRANSFER_STATE", {
  REQUESTED: ["待转入工会决定", "Waits for the receiving union"],
  COMPLETED: ["已完成", "Completed"],
  DECLINED: ["未获同意", "Declined"],
  CANCELLED: ["已撤销", "Canceled"],
  EXPIRED: ["已过期", "Expired"],
});

name("CORRECTION_STATE", {
  REQUESTED: ["待核对", "Being checked"],
  ACCEPTED: ["已更正", "Corrected"],
  DECLINED: ["未获同意", "Declined"],
  CANCELLED: ["已取消", "Canceled"],
});
