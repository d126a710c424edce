import ServiceKit

extension MembersError {
  /// The localized message of each reason; a test ensures that none is missing.
  static let texts: [MembersError: LocalizedText] = [
    .parentNotFound: LocalizedText(
      zh: "上级组织尚未导入，请先导入上级组织。",
      en: "The organization above is not stored: import parents before children."),
    .organizationConflict: LocalizedText(
      zh: "该外部编号已用于内容不同的组织。", en: "This external id is stored with other content."),
    .organizationNotFound: LocalizedText(zh: "组织不存在。", en: "There is no such organization."),
    .organizationNotActive: LocalizedText(
      zh: "该组织当前不接收会员。", en: "The organization receives nobody now."),
    .organizationDissolved: LocalizedText(
      zh: "该组织已撤销，不能再变更。", en: "The organization was dissolved: nothing changes."),
    .organizationState: LocalizedText(
      zh: "该组织当前状态不允许此操作。", en: "The organization's state does not allow this."),
    .approverIsAuthor: LocalizedText(
      zh: "创建人不能审批自己创建的组织，请由其他管理员审批。",
      en: "Whoever founded it does not approve it: ask another administrator."),
    .organizationHasChildren: LocalizedText(
      zh: "该组织还有下级组织，请先撤销或迁出下级组织。",
      en: "Organizations stand below it: dissolve or move them first."),
    .organizationHasMembers: LocalizedText(
      zh: "该组织还有会员，请先转出，或选择转入周转池。",
      en: "It has live members: transfer them first, or ask for the pool."),
    .tooManyMembers: LocalizedText(
      zh: "会员超过 \(MembersMove.membersMax) 人，请先转出一部分。",
      en: "It has more than \(MembersMove.membersMax) members: transfer some first."),
    .moveBelowItself: LocalizedText(
      zh: "组织不能迁到自身或其下级之下。", en: "An organization does not stand below itself."),
    .invalidParent: LocalizedText(
      zh: "该类型的组织不能设在此上级之下。", en: "Such an organization does not stand below that one."),
    .treeTooDeep: LocalizedText(
      zh: "组织层级过深，最多 \(StoredOrganization.depthMax) 级。",
      en: "The tree would be deeper than \(StoredOrganization.depthMax) levels."),
    .coverKinds: LocalizedText(
      zh: "只有行业（新就业形态）工会联合会可以覆盖企业工会、联合工会。",
      en: "Federations cover enterprise and joint unions only."),
    .codeNotFound: LocalizedText(zh: "组织码不存在。", en: "There is no such code."),
    .codeMalformed: LocalizedText(
      zh: "这不是组织码，请重新扫描。", en: "This is not an organization code: scan it again."),
    .codeForged: LocalizedText(
      zh: "组织码校验未通过，请勿使用。", en: "The code's signature does not hold: do not use it."),
    .codeExpired: LocalizedText(
      zh: "组织码已过期，请向组织索取新码。", en: "The code has expired: ask the organization for a new one."),
    .codeRevoked: LocalizedText(
      zh: "组织码已停用，请向组织索取新码。", en: "The code was revoked: ask the organization for a new one."),
    .noCodeLink: LocalizedText(
      zh: "系统未配置组织码链接的页面地址。", en: "No page is configured that a code's link leads to."),
    .noReceiver: LocalizedText(
      zh: "没有可接收该申请的工会组织，请填写或核对工作地、居住地。",
      en: "No organization receives this application: give or check the areas of work and "
        + "residence."),
    .membershipClosed: LocalizedText(
      zh: "该人员的会籍已终止，不能重新申请，请联系上级工会。",
      en: "This person's membership is closed: ask the union above."),
    .enrollmentNotFound: LocalizedText(zh: "入会申请不存在。", en: "There is no such enrollment."),
    .enrollmentNotWaiting: LocalizedText(
      zh: "该申请已处理完毕，不再等待审核。",
      en: "The enrollment waits no more: it was admitted, refused or withdrawn."),
    .membershipState: LocalizedText(
      zh: "会籍当前状态不允许此操作，请核对后再试。",
      en: "The membership's state does not allow this: read it again."),
    .regionNotFound: LocalizedText(
      zh: "行政区划代码不存在。", en: "No region has, or had, this code."),
    .memberNotFound: LocalizedText(zh: "会员不存在。", en: "There is no such member."),
    .poolCaseNotFound: LocalizedText(zh: "周转池个案不存在。", en: "There is no such pool case."),
    .poolCaseState: LocalizedText(
      zh: "该个案已被处理，请刷新后再试。", en: "Somebody has seen to this case: read it again."),
    .noIndividualMembers: LocalizedText(
      zh: "该组织不直接接收会员，请选择其下级工会。",
      en: "This organization has no members of its own: choose a union below it."),
    .transferNotFound: LocalizedText(zh: "转会申请不存在。", en: "There is no such transfer."),
    .transferState: LocalizedText(zh: "该转会申请已办结。", en: "This transfer has ended."),
    .transferExpired: LocalizedText(
      zh: "该转会申请已过期，请重新申请。", en: "The last day of this transfer is over: ask anew."),
    .transferOpen: LocalizedText(
      zh: "已有一项转会申请在办理，请先撤回。",
      en: "The member has an open transfer: cancel that one first."),
    .sameOrganization: LocalizedText(zh: "会员已在该工会。", en: "The member is of that union already."),
    .duplicateNotFound: LocalizedText(zh: "疑似重复记录不存在。", en: "There is no such duplicate."),
    .duplicateState: LocalizedText(
      zh: "该疑似重复记录已处理，请刷新后再试。",
      en: "This duplicate was judged meanwhile: read it again."),
    .mergedRecords: LocalizedText(
      zh: "该记录已并入其他记录，请改为保留该记录。",
      en: "Other records are merged into this one: let it be the survivor."),
    .correctionNotFound: LocalizedText(zh: "更正申请不存在。", en: "There is no such correction."),
    .correctionState: LocalizedText(zh: "该更正申请已办结。", en: "This correction was decided."),
    .correctionOpen: LocalizedText(
      zh: "已有一项更正申请在办理，请等待办结。",
      en: "A correction waits for its decision: one at a time."),
    .residentIDTaken: LocalizedText(
      zh: "该身份证号已属于另一记录。若为同一人，请合并（已合并的先撤销），保留该身份证号的记录。",
      en: """
        Another record has this resident ID. If it is the same person's, merge them (undo a merge \
        first) so that the record with this ID remains.
        """),
    .unitNotFound: LocalizedText(zh: "单位不存在。", en: "There is no such unit."),
    .unitState: LocalizedText(
      zh: "该单位当前状态不允许此操作，请核对后再试。",
      en: "The unit index' state does not allow this: read it again."),
    .unitTooLarge: LocalizedText(
      zh: "该单位会员过多，无法一次转入，请分批转会。",
      en: "The unit has more members than move at once: transfer them in parts."),
    .awayReportNotFound: LocalizedText(zh: "外出报备不存在。", en: "There is no such away report."),
    .awayReportOpen: LocalizedText(
      zh: "该会员已有未了结的外出报备。", en: "The member has an open away report already."),
    .awayState: LocalizedText(
      zh: "该报备当前状态不允许此操作。", en: "The away report's state does not allow this."),
    .ownReport: LocalizedText(
      zh: "报备的登记、审核和抽查须由不同人员办理。",
      en: "Nobody reviews a report of their own, or checks one that they recorded or reviewed."),
    .awayLevel: LocalizedText(
      zh: "报备由乡镇（街道）及以上工会审核，由县级及以上工会抽查。",
      en: "Townships and higher levels review reports; counties and higher levels sample and check."
    ),
    .refreshRoundNotFound: LocalizedText(
      zh: "更新轮次或记录不存在。", en: "There is no such round or record."),
    .refreshState: LocalizedText(
      zh: "该轮次已结束，或记录已确认。", en: "The round is closed, or the record confirmed."),
    .honorConflict: LocalizedText(
      zh: "该来源事件已用于内容不同的荣誉。", en: "The source event came with other content."),
    .outreachNotFound: LocalizedText(
      zh: "动员名单或名单中的人员不存在。", en: "There is no such outreach list or entry."),
    .outreachState: LocalizedText(
      zh: "该名单已结束，或该人员已谢绝或已入会。",
      en: "The list is closed, or the person declined or is a member."),
    .roundTooLarge: LocalizedText(
      zh: "待核对的会员超过 \(RefreshStore.recordsMax) 人，请按下级组织分别发起。",
      en: "It has more than \(RefreshStore.recordsMax) records: open rounds of parts of it."),
    .outreachFull: LocalizedText(
      zh: "该动员名单已满，请新建一个名单。", en: "The outreach list is full: make another one."),
    .tooManyRows: LocalizedText(
      zh: "结果超过 \(MembersService.statisticsRowsMax) 行，请缩小日期范围、减少维度，或改用导出。",
      en: """
        More than \(MembersService.statisticsRowsMax) rows: narrow the dates, ask for fewer \
        dimensions, or export.
        """),
    .employerClaimed: LocalizedText(
      zh: "该用人单位已由另一工会覆盖。", en: "Another union covers that employer already."),
    .applicationLimit: LocalizedText(
      zh: "该手机号提交的申请过多，请联系工会。",
      en: "Too many applications with this phone: ask the union."),
    .rosterQuota: LocalizedText(
      zh: "今日名册比对额度已用完，请明日再试或联系管理员。",
      en: "Today's quota of rows to compare is used up: go on tomorrow."),
  ]
}
