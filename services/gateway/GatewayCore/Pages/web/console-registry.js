// The views of the registry, of the accounts and of the gateway's own administration; see
// console-work.js.

import {eraseMember, exportMember, exportOrganizations, importOrganizations}
  from "./console-imports.js";

const is = (...states) => row => states.some(state => row.state?.endsWith(`_${state}`));
const admin = {role: "ADMINISTRATOR"};
const once = ["只显示这一次，请立即交给本人或保存。", "Shown this once: hand it over or keep it now."];

const codes = {
  title: ["组织二维码", "Codes"], role: "CLERK", path: "/v1/organizations/*/codes", items: "codes",
  filters: "includeEnded",
  columns: "channel campaign acceptsTransfers createTime expireTime revokeTime",
  rowActions: [
    {
      id: "show-code", title: ["显示二维码", "Show"], role: "CLERK", verb: "GET", picture: true,
      path: "/v1/organizationCodes/*:render", body: () => ({format: "CODE_FORMAT_SVG"}),
      when: row => !row.revokeTime,
    },
    {
      id: "print-code", title: ["PNG 图片", "PNG"], role: "CLERK", verb: "GET", picture: true,
      path: "/v1/organizationCodes/*:render",
      body: () => ({format: "CODE_FORMAT_PNG", modulePixels: 16}), when: row => !row.revokeTime,
    },
    {
      id: "revoke-code", title: ["吊销", "Revoke"], role: "CLERK", final: true,
      path: "/v1/organizationCodes/*:revoke", when: row => !row.revokeTime,
    },
  ],
};

const organizationFields = `displayName! regionCode! groups industryGroup creditCode
  employerCreditCodes takesIndividuals openedDate`;

const organizations = {
  id: "organizations", title: ["组织", "Organizations"], isTree: true,
  list: {
    path: "/v1/organizations", items: "organizations", filters: "externalId parent coveredBy kinds",
    columns: "displayName externalId kind level state childCount",
  },
  detail: {
    path: "/v1/organizations/*", item: "organization",
    fields: `displayName externalId state kind level regionCode parent groups industryGroup
      creditCode employerCreditCodes takesIndividuals openedDate closedDate childCount name`,
  },
  related: [codes, {
    title: ["覆盖基数", "Bases"], path: "/v1/organizations/*/bases", items: "bases",
    columns: "group people:count qualifier source date",
  }],
  actions: [
    {
      id: "create-organization", title: ["新建下级组织", "Create below"], ...admin,
      path: "/v1/organizations", key: () => "", wrap: "organization",
      body: row => ({organization: {parent: row.name}}), when: row => !is("DISSOLVED")(row),
      fields: `kind! level! externalId ${organizationFields}`,
    },
    {
      id: "approve-organization", title: ["批准", "Approve"], ...admin, etag: true,
      path: "/v1/organizations/*:approve", when: is("PREPARING"),
    },
    {
      id: "update-organization", title: ["修改", "Update"], ...admin, etag: true, verb: "PATCH",
      path: "/v1/organizations/*", wrap: "organization", mask: true, fields: organizationFields,
      when: row => !is("DISSOLVED")(row),
    },
    {
      id: "issue-code", title: ["发放二维码", "Issue a code"], role: "CLERK",
      path: "/v1/organizations/*:issueCode", when: is("ACTIVE"), fields: [
        "channel!", "campaign", {field: "validDays", hint: ["空为 365 天，最多 1,095 天",
          "365 if empty, at most 1,095"]}, "acceptsTransfers"],
    },
    {
      id: "move", title: ["移动", "Move"], ...admin, etag: true,
      path: "/v1/organizations/*:move", fields: "parent! regionCode",
      when: row => !is("DISSOLVED")(row),
    },
    {
      id: "suspend", title: ["暂停", "Suspend"], ...admin, etag: true,
      path: "/v1/organizations/*:suspend", fields: "reason!", when: is("ACTIVE"),
    },
    {
      id: "resume", title: ["恢复", "Resume"], ...admin, etag: true,
      path: "/v1/organizations/*:resume", when: is("SUSPENDED"),
    },
    {
      id: "cover", title: ["覆盖工会", "Cover a union"], ...admin,
      path: "/v1/organizations/*:cover", fields: "organization!",
      when: row => /_FEDERATION$/.test(row.kind),
    },
    {
      id: "uncover", title: ["取消覆盖", "Uncover"], ...admin,
      path: "/v1/organizations/*:uncover", fields: "organization!",
      when: row => /_FEDERATION$/.test(row.kind),
    },
    {
      id: "set-base", title: ["登记覆盖基数", "Set a base"], ...admin, wrap: "base",
      path: "/v1/organizations/*:setBase", fields: "group people! qualifier source! date!",
    },
    {
      id: "set-target", title: ["设定覆盖目标", "Set a target"], ...admin, wrap: "target",
      path: "/v1/organizations/*:setCoverageTarget", fields: "group basisPoints! dueDate",
    },
    {
      id: "dissolve", title: ["撤销组织", "Dissolve"], ...admin, etag: true, final: true,
      path: "/v1/organizations/*:dissolve", fields: "reason! poolMembers",
      when: row => !is("DISSOLVED")(row), shows: "pooledMembers",
    },
  ],
  create: [importOrganizations, exportOrganizations],
};

const live = is("POOLED", "ACTIVE", "RETAINED");
const reasoned = {role: "CLERK", fields: "reason!", etag: true};
const details = `details.employerName details.employerCreditCode details.platform
  details.vehiclePlate details.driverLicense details.areas.work details.areas.residence
  details.areas.domicile details.labourRelation`;

const members = {
  id: "members", title: ["会员", "Members"],
  about: ["姓名、身份证号、手机号只显示部分。", "Names, IDs and phone numbers are masked."],
  list: {
    path: "/v1/members", items: "members", post: "/yijia.members.v1.MembersService/ListMembers",
    filters: "memberNumber groups states:enums:MEMBERSHIP_STATE ancestor", search: ["residentId"],
    columns: "memberNumber personNameMasked state group managingOrganization joinDate",
  },
  detail: {
    path: "/v1/members/*", item: "member",
    fields: `memberNumber personNameMasked residentIdMasked phoneMasked state group organization
      managingOrganization joinDate channel campaign ${details} name`,
  },
  related: [
    {
      title: ["会籍记录", "Log"], path: "/v1/members/*/log", items: "entries",
      columns: "date action toState managingOrganization group actor",
    },
    {
      title: ["荣誉", "Honors"], path: "/v1/members/*/honors", items: "honors",
      columns: "title date revoked",
    },
  ],
  actions: [
    {
      id: "reveal-member", title: ["查看完整信息", "Reveal"], reveals: true, ...admin, fields: "reason!",
      path: "/v1/members/*:reveal", shows: "personName residentId phone",
      says: ["查看已记入审计日志；关闭后不再显示。",
        "The audit log has recorded it; gone when closed."],
    },
    {
      id: "member-confirm", title: ["资料无误", "Confirm data"], role: "CLERK",
      path: "/v1/members/*:confirm", when: live,
    },
    {
      id: "update-member", title: ["修改资料", "Update"], role: "CLERK", etag: true, verb: "PATCH",
      path: "/v1/members/*", wrap: "member", mask: true, fields: `group ${details} ^reason!`,
      when: live,
    },
    {
      id: "request-correction", title: ["申请更正", "Correct"], role: "CLERK",
      path: "/v1/corrections", key: () => "", body: row => ({member: row.name}),
      fields: "data.personName data.residentId data.phone reason!", when: live,
    },
    {
      id: "request-transfer", title: ["申请转会", "Transfer"], role: "CLERK",
      path: "/v1/transfers", key: () => "", body: row => ({member: row.name}),
      fields: "toOrganization! reason!", when: live,
    },
    {
      id: "report-member-away", title: ["外出报备", "Report away"], role: "CLERK",
      path: "/v1/awayReports", key: () => "", body: row => ({member: row.name}), when: live,
      fields: `departureDate! returnDate! details.destination! details.contact!
        details.familyNote`,
    },
    {
      id: "retain", title: ["保留会籍", "Retain"], role: "CLERK", etag: true,
      path: "/v1/members/*:retain", fields: "cause! reason!", when: is("ACTIVE"),
    },
    {
      id: "restore", title: ["取消保留", "Restore"], ...reasoned,
      path: "/v1/members/*:restore", when: is("RETAINED"),
    },
    {
      id: "leave", title: ["退会", "Leave"], ...reasoned, final: true,
      path: "/v1/members/*:leave", when: live,
    },
    {
      id: "expel", title: ["除名", "Expel"], ...reasoned, ...admin, final: true,
      path: "/v1/members/*:expel", when: live,
    },
    {
      id: "record-death", title: ["登记去世", "Record death"], ...reasoned, final: true,
      path: "/v1/members/*:recordDeath", when: live,
    },
    exportMember, eraseMember,
  ],
};

const regions = {
  id: "regions", title: ["地区设置", "Region settings"],
  about: ["各地的接收规则及期限；用命令行修改。",
    "Routing rules and terms; the command line changes them."],
  list: {
    path: "/v1/regionSettings", items: "settings",
    columns: "name rules approveFirst poolDays transferDays unitThreshold",
  },
  detail: {
    path: "/v1/regionSettings/*", item: "settings",
    fields: `name rules approveFirst poolDays poolCustodian transferDays unitThreshold
      inheritedFrom`,
  },
};

const rerouting = {
  id: "rerouting", title: ["重新分流", "Rerouting"],
  about: ["按单位或行业规则应属其他工会的会员；逐页核对。",
    "Members who belong to the union of their employer or industry; looked through page by page."],
  list: {
    path: "/v1/members:previewRerouting", items: "reroutings", filters: "ancestor",
    columns: "member fromOrganization toOrganization route routeReason", rowActions: [{
      id: "apply-rerouting", title: ["转入", "Move"], role: "CLERK",
      path: "/v1/members:applyRerouting", key: () => "", body: row => ({members: [row.member]}),
    }],
  },
};

export const REGISTRY = [organizations, members, rerouting, regions];

const totp = {
  id: "confirm-totp", title: ["确认验证器", "Confirm the authenticator"], plain: true,
  path: "/v1/sessions:confirmTotp", fields: "totpCode!",
};

export const ACCOUNT = [{
  id: "account", title: ["我的账号", "My account"],
  about: ["页面只列出您的角色可办理的事项；能否办理由服务决定。",
    "The page offers what your role may do; the service decides in each case."],
  list: {
    path: "/v1/sessions", items: "sessions", unpaged: true,
    columns: "createTime useTime expireTime current", rowActions: [{
      id: "end-session", title: ["结束会话", "End"], path: "/v1/sessions/*:end", plain: true,
      body: () => ({}), when: row => !row.current,
    }],
  },
  create: [
    {
      id: "change-password", title: ["修改密码", "Change password"], plain: true,
      path: "/v1/sessions:changePassword", fields: [
        {field: "password!", label: ["现在的密码", "present password"]}, "newPassword!"],
    },
    {
      id: "enroll-totp", title: ["启用验证器", "Enroll an authenticator"], plain: true,
      path: "/v1/sessions:enrollTotp", fields: "password!", shows: "uriSvg secret uri",
      then: totp,
      says: ["用验证器应用扫描二维码，或输入密钥，再填写其显示的六位数字。",
        "Scan the code with the authenticator app, or enter the secret, then the digits it shows."],
    },
  ],
}];

// Actions that a table reaches through others, for whoever walks the tables.
export const CHAINED = [totp];

const account = {...admin, fields: "reason!"};
const staffSessions = {
  title: ["会话", "Sessions"], ...admin, path: "/v1/staff/*/sessions", items: "sessions",
  unpaged: true, columns: "createTime useTime expireTime", rowActions: [{
    id: "end-staff-session", title: ["结束会话", "End"], ...account,
    path: "/v1/staff/*:endSessions", key: (row, parent) => parent.name,
    body: row => ({session: row.name}),
  }],
};

const partnerKeys = {
  title: ["密钥", "Keys"], ...admin, path: "/v1/partners/*/keys", items: "keys",
  columns: "displayName hint methods createTime expireTime revokeTime", rowActions: [
    {
      id: "rotate-key", title: ["轮换", "Rotate"], ...admin, path: "/v1/partners/*/keys/*:rotate",
      fields: "overlap expireTime", shows: "secret", says: once, when: row => !row.revokeTime,
    },
    {
      id: "revoke-key", title: ["吊销", "Revoke"], ...account, final: true,
      path: "/v1/partners/*/keys/*:revoke", when: row => !row.revokeTime,
    },
  ],
};

const partnerCertificates = {
  title: ["证书", "Certificates"], ...admin, path: "/v1/partners/*/certificates",
  items: "certificates", columns: "displayName identity createTime expireTime revokeTime",
  rowActions: [{
    id: "revoke-certificate", title: ["吊销", "Revoke"], ...account, final: true,
    path: "/v1/partners/*/certificates/*:revoke", when: row => !row.revokeTime,
  }],
};

export const ADMINISTRATION = [
  {
    id: "staff", title: ["工作人员账号", "Staff accounts"], ...admin,
    list: {
      path: "/v1/staff", items: "staff",
      columns: "userName displayName role organization state totpEnrolled passwordTemporary:bool",
    },
    detail: {
      path: "/v1/staff/*", item: "staff",
      fields: `userName displayName role organization state totpEnrolled passwordTemporary:bool
        createTime name`,
    },
    related: [staffSessions],
    actions: [
      {
        id: "update-staff", title: ["修改", "Update"], ...admin, verb: "PATCH", wrap: "staff",
        mask: true, path: "/v1/staff/*", fields: "displayName! role! organization ^reason!",
      },
      {
        id: "reset-staff", title: ["重置密码和验证器", "Reset"], ...account, final: true,
        path: "/v1/staff/*:reset", shows: "temporaryPassword", says: once,
      },
      {
        id: "end-sessions", title: ["结束全部会话", "End all sessions"], ...account,
        path: "/v1/staff/*:endSessions",
      },
      {
        id: "disable-staff", title: ["停用", "Disable"], ...account,
        path: "/v1/staff/*:disable", when: is("ACTIVE"),
      },
      {
        id: "enable-staff", title: ["启用", "Enable"], ...account,
        path: "/v1/staff/*:enable", when: is("DISABLED"),
      },
    ],
    create: [{
      id: "create-staff", title: ["新建账号", "New account"], ...admin, path: "/v1/staff",
      wrap: "staff", fields: ["userName!", "displayName!", "role!", {
        field: "organization", hint: ["只有管理员可不填，即整个组织树",
          "empty for an administrator of the whole tree"],
      }], shows: "temporaryPassword", says: once,
    }],
  },
  {
    id: "partners", title: ["平台伙伴", "Partners"], ...admin,
    list: {
      path: "/v1/partners", items: "partners", columns: "displayName state methods createTime",
    },
    detail: {
      path: "/v1/partners/*", item: "partner",
      fields: "displayName state methods limits createTime updateTime name",
    },
    related: [partnerKeys, partnerCertificates, {
      title: ["今日用量", "Usage today"], ...admin, path: "/v1/partners/*/usage", items: "methods",
      unpaged: true, columns: "method callsTaken callsPerDay:count",
    }],
    actions: [
      {
        id: "update-partner", title: ["修改", "Update"], ...admin, etag: true, verb: "PATCH",
        wrap: "partner", mask: true, path: "/v1/partners/*", fields: "displayName! methods",
      },
      {
        id: "create-key", title: ["新建密钥", "New key"], ...admin, path: "/v1/partners/*/keys",
        wrap: "key", fields: "displayName! methods expireTime", shows: "secret", says: once,
      },
      {
        id: "create-certificate", title: ["登记证书", "Add a certificate"], ...admin,
        path: "/v1/partners/*/certificates", wrap: "certificate",
        fields: "displayName! identity! methods expireTime",
      },
      {
        id: "set-limits", title: ["设定限额", "Limits"], ...admin, etag: true,
        path: "/v1/partners/*:setLimits",
        fields: [{field: "limits", value: row => row.limits}, "reason!"],
      },
      {
        id: "disable-partner", title: ["停用", "Disable"], ...account,
        path: "/v1/partners/*:disable", when: is("ACTIVE"),
      },
      {
        id: "enable-partner", title: ["启用", "Enable"], ...account,
        path: "/v1/partners/*:enable", when: is("DISABLED"),
      },
    ],
    create: [{
      id: "create-partner", title: ["新建伙伴", "New partner"], ...admin, path: "/v1/partners",
      wrap: "partner", fields: "displayName! methods",
    }],
  },
];
