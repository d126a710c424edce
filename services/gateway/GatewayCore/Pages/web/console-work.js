// The views of work that waits for somebody. console-engine.js says what the tables mean; a role
// beside an action is the contract's, so that the page offers no more than the service allows.

import {compareRoster, dispatchCases, eraseApplicant, exportApplicant, extendOutreach,
  importEnrollments} from "./console-imports.js";

const is = (...states) => row => states.some(state => row.state?.endsWith(`_${state}`));
const reasoned = {fields: "reason!", role: "CLERK"};

const application = [
  "personName!", "residentId!", "phone!", "group!", "channel", "campaign", "consent.version!",
  "consent.evidence!", "consent.agreeTime!", "areas.work", "areas.residence", "areas.domicile",
  "labourRelation", "employerName", "employerCreditCode", "platform", "vehiclePlate",
  "driverLicense", "migrantWorker", "newFormWorker",
].join(" ");

const away = "departureDate! returnDate! details.destination! details.contact! details.familyNote";

const discreet = ["仅供本次办理使用；关闭后不再显示。查看已记入审计日志。",
  "For this errand only; gone when closed. The audit log has recorded it."];

const refreshRecords = {
  title: ["名单", "Records"], path: "/v1/refreshRounds/*/records", items: "records",
  filters: "states:enums:REFRESH_STATE", columns: "memberNumber state member date",
  rowActions: [
    {
      id: "reveal-record", title: ["查看联系方式", "Reveal"], reveals: true, role: "CLERK", plain: true,
      path: "/v1/refreshRounds/*:revealRecord", key: (row, parent) => parent.name,
      body: row => ({member: row.member}), fields: "reason!", when: is("STALE", "UNREACHABLE"),
      shows: "personName phone", says: discreet,
    },
    {
      id: "confirm-member", title: ["资料无误", "Confirm"], role: "CLERK",
      path: "/v1/members/*:confirm", key: row => row.member, when: is("STALE", "UNREACHABLE"),
    },
    {
      id: "unreachable", title: ["联系不上", "Not reached"], role: "CLERK",
      path: "/v1/refreshRounds/*:markUnreachable", key: (row, parent) => parent.name,
      body: row => ({member: row.member}), when: is("STALE"),
    },
  ],
};

const outreachEntries = {
  title: ["名单", "People"], role: "CLERK", path: "/v1/outreachLists/*/entries", items: "entries",
  filters: "states:enums:OUTREACH_STATE", columns: "personName phone state date",
  rowActions: [
    {
      id: "reveal-entry", title: ["查看联系方式", "Reveal"], reveals: true, role: "CLERK", plain: true,
      path: "/v1/outreachEntries/*:reveal", fields: "reason!",
      shows: "contact.personName contact.phone contact.address contact.unitName",
      says: discreet,
    },
    {
      id: "record-outreach", title: ["登记结果", "Record"], role: "CLERK", etag: true,
      path: "/v1/outreachEntries/*:record", fields: [{
        field: "state!:enum:OUTREACH_STATE", only: ["CONTACTED", "NOT_REACHED", "DECLINED"],
      }, "note"],
    },
  ],
};

export const WORK = [
  {
    id: "enrollments", title: ["入会审批", "Enrollments"],
    about: ["等待决定的入会申请。", "Applications that wait for a decision."],
    list: {
      path: "/v1/enrollments", items: "enrollments",
      filters: "states:enums:ENROLLMENT_STATE ancestor",
      columns: "personNameMasked state group organization channel createTime",
    },
    detail: {
      path: "/v1/enrollments/*", item: "enrollment",
      fields: `personNameMasked residentIdMasked phoneMasked state group organization route
        routeReason channel campaign consentVersion consentTime createTime otherEnrollment refusal
        member name`,
    },
    actions: [
      {
        id: "approve", title: ["批准入会", "Approve"], role: "CLERK", etag: true,
        path: "/v1/enrollments/*:approve", when: is("PENDING", "HELD"),
      },
      {
        id: "refuse", title: ["退回", "Refuse"], role: "CLERK", etag: true, final: true,
        path: "/v1/enrollments/*:refuse", when: is("PENDING", "HELD"),
        fields: ["reason!:enum:ENROLLMENT_REFUSAL", "note"],
      },
      {
        id: "withdraw", title: ["代为撤回", "Withdraw"], role: "CLERK", final: true,
        path: "/v1/enrollments/*:withdraw", when: is("PENDING", "HELD"),
      },
      exportApplicant, eraseApplicant,
    ],
    create: [{
      id: "submit-enrollment", title: ["代为申请入会", "Apply for somebody"], role: "CLERK",
      path: "/v1/enrollments", wrap: "application", fields: application,
    }, importEnrollments],
  },
  {
    id: "pool", title: ["周转池", "Holding pool"],
    about: ["先入会、再分流的会员。", "Members who joined first and wait for their union."],
    list: {
      path: "/v1/poolCases", items: "poolCases",
      filters: "states:enums:POOL_CASE_STATE custodian receiver overdue ancestor",
      columns: `memberNumber group state custodian receiver dueDate returns`,
    },
    detail: {
      path: "/v1/poolCases/*", item: "poolCase",
      fields: `member group state pool custodian receiver dueDate returns createTime name`,
    },
    actions: [
      {
        id: "assign", title: ["分派", "Assign"], role: "CLERK", etag: true,
        path: "/v1/poolCases/*:assign", fields: "receiver!", when: is("WAITING", "ASSIGNED"),
      },
      {
        id: "confirm", title: ["确认接收", "Confirm"], role: "CLERK", etag: true,
        path: "/v1/poolCases/*:confirm", when: is("ASSIGNED"),
      },
      {
        id: "return", title: ["退回", "Return"], ...reasoned, etag: true,
        path: "/v1/poolCases/*:return", when: is("ASSIGNED"),
      },
    ],
    create: [dispatchCases],
  },
  {
    id: "transfers", title: ["转会", "Transfers"],
    about: ["申请转入本组织范围的会员。", "Members who ask to move to a union of this scope."],
    list: {
      path: "/v1/transfers", items: "transfers",
      filters: "states:enums:TRANSFER_STATE ancestor",
      columns: `memberNumber state fromOrganization toOrganization dueDate expireDate`,
    },
    detail: {
      path: "/v1/transfers/*", item: "transfer",
      fields: `member state fromOrganization toOrganization handler dueDate expireDate createTime
        name`,
    },
    actions: [
      {
        id: "accept", title: ["接收", "Accept"], role: "CLERK", etag: true,
        path: "/v1/transfers/*:accept", when: is("REQUESTED"),
      },
      {
        id: "decline", title: ["拒绝", "Decline"], ...reasoned, etag: true,
        path: "/v1/transfers/*:decline", when: is("REQUESTED"),
      },
      {
        id: "cancel", title: ["代为取消", "Cancel"], ...reasoned, etag: true,
        path: "/v1/transfers/*:cancel", when: is("REQUESTED"),
      },
    ],
  },
  {
    id: "corrections", title: ["信息更正", "Corrections"],
    about: ["会员申请更正的姓名、身份证号、手机号。",
      "Names, resident IDs and phone numbers that members want corrected."],
    list: {
      path: "/v1/corrections", items: "corrections",
      filters: "states:enums:CORRECTION_STATE ancestor",
      columns: "member state data.personName data.residentId data.phone createTime",
    },
    detail: {
      fields: "member state data.personName data.residentId data.phone createTime name",
    },
    actions: [
      {
        id: "accept-correction", title: ["同意", "Accept"], role: "ADMINISTRATOR", etag: true,
        path: "/v1/corrections/*:decide", fields: "reason!", body: () => ({accept: true}),
        when: is("REQUESTED"),
      },
      {
        id: "decline-correction", title: ["拒绝", "Decline"], role: "ADMINISTRATOR", etag: true,
        path: "/v1/corrections/*:decide", fields: "reason!", body: () => ({accept: false}),
        when: is("REQUESTED"),
      },
    ],
  },
  {
    id: "duplicates", title: ["疑似重复", "Duplicates"],
    about: ["两条记录可能是同一个人。", "Two records that may be one person."],
    list: {
      path: "/v1/duplicates", items: "duplicates",
      filters: "states:enums:DUPLICATE_STATE ancestor",
      columns: "kind:enum state person.member other.member createTime",
    },
    detail: {
      fields: `kind:enum state person.member person.state person.managingOrganization other.member
        other.state other.managingOrganization survivor createTime name`,
    },
    actions: [
      {
        id: "merge", title: ["判定为同一人", "One person"], role: "CLERK", etag: true,
        path: "/v1/duplicates/*:judge", when: row => is("OPEN")(row) && Boolean(row.other?.member),
        fields: [{
          field: "survivor!:enum", choicesOf: row => [row.person, row.other].filter(
            party => party?.member).map(party => [party.member, party.memberNumber]),
        }, "reason!"],
      },
      {
        id: "distinguish", title: ["判定为两个人", "Two persons"], ...reasoned, etag: true,
        path: "/v1/duplicates/*:judge", when: is("OPEN"),
      },
      {
        id: "undo-merge", title: ["撤销合并", "Undo the merge"], ...reasoned, etag: true,
        path: "/v1/duplicates/*:undoMerge", when: is("SAME"),
      },
    ],
  },
  {
    id: "away", title: ["外出台账", "Away ledger"],
    about: ["外出半年以上的会员；登记、审核、抽查由不同的人办理。",
      "Members away for half a year or more; another person does each step."],
    list: {
      path: "/v1/awayReports", items: "reports",
      filters: "states:enums:AWAY_STATE sampledOnly ancestor",
      columns: "member state organization departureDate returnDate sampled checkResult",
    },
    detail: {
      fields: `member state organization departureDate returnDate sampled checkResult sampleSeed
        createTime name`,
    },
    actions: [
      {
        id: "file", title: ["备案", "File"], role: "CLERK", etag: true,
        path: "/v1/awayReports/*:review", when: is("REPORTED"),
      },
      {
        id: "send-back", title: ["退回修改", "Send back"], role: "CLERK", etag: true,
        path: "/v1/awayReports/*:review", fields: "note!", body: () => ({sendBack: true}),
        when: is("REPORTED"),
      },
      {
        id: "fix", title: ["修改后重报", "Fix"], role: "CLERK", etag: true, fields: away,
        path: "/v1/awayReports/*:fix", when: is("RETURNED_FOR_FIX"),
      },
      {
        id: "depart", title: ["登记出发", "Departed"], role: "CLERK", etag: true, fields: "date!",
        path: "/v1/awayReports/*:track", body: () => ({hasReturned: false}), when: is("FILED"),
      },
      {
        id: "come-back", title: ["登记返回", "Returned"], role: "CLERK", etag: true, fields: "date!",
        path: "/v1/awayReports/*:track", body: () => ({hasReturned: true}),
        when: is("FILED", "AWAY"),
      },
      {
        id: "reveal-away", title: ["查看去向", "Reveal"], reveals: true, ...reasoned, plain: true,
        path: "/v1/awayReports/*:reveal", says: discreet,
        shows: "details.destination details.contact details.familyNote",
      },
      {
        id: "check", title: ["登记抽查结果", "Record the check"], role: "CLERK", etag: true,
        path: "/v1/awayReports/*:recordCheck", fields: "result!",
        when: row => row.sampled && !row.checkResult,
      },
    ],
    create: [
      {
        id: "report-away", title: ["外出报备", "Report"], role: "CLERK", path: "/v1/awayReports",
        fields: `member! ${away}`,
      },
      {
        id: "draw", title: ["抽查", "Draw a sample"], role: "CLERK", path: "/v1/awayReports:draw",
        fields: "count! ancestor", shows: ["seed", "population", {
          field: "reports:list", label: ["抽中的记录", "reports drawn"],
        }], says: ["抽样种子可用于复核。", "With the seed the draw can be checked."],
      },
    ],
  },
  {
    id: "units", title: ["达标单位", "Units at threshold"],
    about: ["会员人数达到建会线的单位。", "Units with enough members for a union of their own."],
    list: {
      path: "/v1/units", items: "units",
      filters: "states:enums:UNIT_STATE ancestor",
      columns: "displayName state members organization union",
    },
    detail: {
      fields: "displayName creditCode state members organization union crossings createTime name",
    },
    actions: [
      {
        id: "assign-unit", title: ["分派指导工会", "Assign"], role: "CLERK", etag: true,
        path: "/v1/units/*:assign", fields: "union!", when: is("TRIGGERED", "ASSIGNED"),
      },
      {
        id: "guide", title: ["开始指导", "Guide"], role: "CLERK", etag: true,
        path: "/v1/units/*:guide", when: is("ASSIGNED"),
      },
      {
        id: "form-union", title: ["已建会", "Union formed"], role: "CLERK", etag: true, final: true,
        path: "/v1/units/*:formUnion", fields: "union!", when: is("ASSIGNED", "GUIDING"),
        shows: "membersMoved",
      },
      {
        id: "dismiss", title: ["排除", "Dismiss"], ...reasoned, etag: true,
        path: "/v1/units/*:dismiss", when: is("TRIGGERED", "ASSIGNED", "GUIDING"),
      },
    ],
  },
  {
    id: "outreach", title: ["联系名单", "Outreach"],
    about: ["名册中尚未入会的人。", "People of rosters who are not members."],
    list: {
      path: "/v1/outreachLists", items: "outreachLists", filters: "includeClosed ancestor",
      columns: `displayName organization means dueDate closed`,
    },
    detail: {
      path: "/v1/outreachLists/*", item: "outreachList",
      fields: `displayName organization means dueDate closed createTime name`,
    },
    related: [outreachEntries],
    actions: [extendOutreach, {
      id: "close-outreach", title: ["结束", "Close"], role: "ADMINISTRATOR", etag: true, final: true,
      path: "/v1/outreachLists/*:close", when: row => !row.closed,
    }],
    create: [{
      id: "create-outreach", title: ["新建名单", "New list"], role: "ADMINISTRATOR",
      path: "/v1/outreachLists", fields: "organization! displayName! means! dueDate!",
    }, compareRoster],
  },
  {
    id: "refresh", title: ["信息更新", "Refresh rounds"],
    about: ["确认三个月未确认的会员资料。", "Rounds over records not confirmed for three months."],
    list: {
      path: "/v1/refreshRounds", items: "rounds", filters: "includeClosed ancestor",
      columns: `organization openDate dueDate staleRecords confirmedRecords unreachableRecords
        closed`,
    },
    detail: {
      path: "/v1/refreshRounds/*", item: "round",
      fields: `organization openDate dueDate staleRecords confirmedRecords unreachableRecords
        endedRecords closed name`,
    },
    related: [refreshRecords],
    actions: [{
      id: "close-round", title: ["结束", "Close"], role: "CLERK", etag: true, final: true,
      path: "/v1/refreshRounds/*:close", when: row => !row.closed,
    }],
    create: [{
      id: "open-round", title: ["开始一轮", "Open a round"], role: "CLERK",
      path: "/v1/refreshRounds", fields: "organization! dueDate! allRecords",
    }],
  },
]
