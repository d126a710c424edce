// The words of the mobile page. Names of enum values are their own keys.

import "./enum-words.js";
import {words} from "./language.js";

words({
  zh: {
    "title": "驿家 · 工会会员", "brand": "驿家",
    "failure": "页面出了问题，请重试。", "failure.title": "没有办成", "again": "重试",
    "nothing": "此手机号还没有会籍，也没有入会申请。入会请扫描工会的二维码，或在下方填写编码。",

    "sign-in": "登录", "sign-in.title": "会员登录", "sign-in.scanned": "您扫描了工会的二维码",
    "sign-in.about": "用手机号登录，查看和更正本人信息。",
    "sign-in.about-code": "先验证手机号，然后可以入会、转会，或查看和更正本人信息。入会自愿，不收费用。",
    "sign-in.send": "获取验证码", "sign-in.code-title": "请输入验证码",
    "sign-in.sent": "验证码已发送至 {phone}，{minutes} 分钟内有效。",
    "sign-in.wait": "{seconds} 秒后可重新获取", "sign-in.resend": "重新获取验证码",
    "sign-in.wrong": "验证码不对，或已过期。请核对，或重新获取。",
    "sign-in.other-phone": "换一个手机号", "sign-in.ended": "登录已失效，请重新登录。",
    "sign-in.several": "此手机号属于多名会员：请填写会员号，指明是哪一位。",
    "sign-out": "退出", "sign-out.done": "已退出登录。",

    "field.phone": "手机号", "field.code": "短信验证码", "field.member-number": "会员号",
    "field.personName": "姓名", "field.residentId": "身份证号", "field.group": "职业群体",
    "field.newFormWorker": "我在新就业形态下工作", "field.platform": "所在平台",
    "field.vehiclePlate": "车牌号", "field.driverLicense": "准驾车型",
    "field.labourRelation": "与用人单位的劳动关系", "field.employerName": "用人单位名称",
    "field.employerCreditCode": "用人单位统一社会信用代码", "field.areas.work": "工作地",
    "field.areas.residence": "居住地", "field.areas.domicile": "户籍地",
    "field.migrantWorker": "我是进城务工人员",

    "field.departureDate": "外出日期", "field.returnDate": "返回日期", "field.destination": "目的地",
    "field.contact": "外出期间的手机号", "field.familyNote": "家庭情况",

    "code.bad": "这个码不能使用", "code.malformed": "链接里不是完整的工会二维码编码。",
    "code.over": "请向工会索取新的二维码，再扫描一次。您已有的会籍和申请不受影响。",
    "code.wrong": "请重新扫描二维码，或核对所填的编码；仍不行时，请联系张贴此码的工会。",
    "code.without": "不用二维码，直接登录", "code.title": "有工会的码？",
    "code.about": "没有摄像头时，可填写二维码旁的编码。", "code.text": "编码", "code.open": "打开",
    "code.missing": "请填写编码。",

    "union.scanned": "您扫描的工会", "union.kind": "类型", "union.region": "地区",
    "union.groups": "面向", "union.and": "、", "union.here": "您已由此工会管理。",
    "union.closed": "此工会目前不接受入会和转入。请联系工会，或扫描其他工会的二维码。",

    "join": "申请入会", "join.again": "再申请一份（如为家人）",
    "apply.title": "申请加入{union}", "apply.about": "请如实填写。没有注明“选填”的都要填。",
    "apply.person": "本人", "apply.work": "工作", "apply.vehicle": "车辆",
    "apply.phone": "应为刚才验证的手机号。", "apply.license": "例如 A2、B2。",
    "apply.new-form": "例如通过平台接单，没有固定的用人单位。",
    "apply.employer": "有用人单位？", "apply.relation-unknown": "不清楚",
    "apply.credit-code": "18 位，见营业执照。", "apply.areas": "地区",
    "apply.work-area": "已按所扫的工会填好，不符时请改。", "apply.other-areas": "居住地、户籍地等（选填）",
    "apply.send": "提交申请",

    "consent.title": "自愿入会与个人信息",
    "consent.text": "我自愿申请加入{union}。为办理入会和会员服务，工会处理我在此填写的姓名、身份证号、手机号和"
      + "其他信息：加密保存，显示时打码，只有办理此事的工会人员可以查看，查看留有记录。\n"
      + "我可以随时查看、更正、导出和删除自己的信息，也可以随时退会。",
    "consent.agree": "我已阅读并同意以上内容",

    "result.ENROLLMENT_STATE_RECEIVED": "申请已受理",
    "result.ENROLLMENT_STATE_ADMITTED": "您已是会员",
    "result.ENROLLMENT_STATE_PENDING": "申请等待审核", "result.ENROLLMENT_STATE_HELD": "申请等待核对",
    "result.ENROLLMENT_STATE_REFUSED": "申请未通过",
    "result.received": "为保护您的信息，结果只告诉再次验证手机号的人：已批准的，登录后即可看到会员号和会员码；"
      + "需要审核的，请过些时候再查看。",
    "result.known": "申请已办理。", "result.number": "申请编号", "result.route": "说明",
    "result.home": "查看我的会籍",

    "applications": "我的入会申请", "applications.time": "时间", "applications.state": "状态",
    "applications.about": "批准后，重新验证手机号即可看到会员号和会员码；尚在审核的，请过些时候再查看。",
    "applications.check": "验证手机号，查看结果",
    "applications.prove": "请再验证一次手机号，以查看申请结果。",
    "withdraw": "撤回申请", "withdraw.question": "撤回这份申请？",
    "withdraw.about": "只有尚未审定的申请可以撤回；以后可以重新申请。",
    "withdraw.done": "已提交撤回：如申请尚未审定，就不再办理。",

    "late.apply": "先前没有收到答复的入会申请已经提交。",
    "late.transfer": "先前没有收到答复的转会申请已经提交。",
    "late.correction": "先前没有收到答复的更正申请已经提交。",
    "late.away": "先前没有收到答复的外出登记已经提交。",
    "late.leave": "先前没有收到答复的退会已经办理。",

    "own.member": "工会会员证", "own.former": "会籍已结束", "own.code": "会员码",
    "own.code-hint": "在服务站点出示此码。", "own.state": "会籍", "own.union": "所在工会",
    "own.joined-at": "入会工会", "own.join-date": "入会日期", "own.honor": "荣誉",
    "own.honor-revoked": "荣誉（已撤销）", "own.title": "我的信息", "own.details": "登记的信息",
    "own.masked": "为安全起见，部分内容打码显示；完整内容可以导出。",
    "own.confirm": "确认信息无误", "own.confirm-about": "信息每三个月确认一次。请先查看登记的信息，有误的申请更正。",
    "own.confirm-button": "信息都对，确认", "own.confirmed": "已确认，谢谢。",
    "own.correct": "更正姓名、身份证号、手机号", "own.away": "外出报备", "own.history": "会籍变动与转会记录",
    "own.history-button": "查看会籍变动", "own.rights": "我的权利",
    "own.export": "导出我的全部信息", "own.export-button": "下载文件",
    "own.export-about": "文件里是未打码的完整信息，请妥善保管，不要在公用设备上下载。",
    "own.export-file": "我的会籍信息.json",
    "own.leave": "退会", "own.leave-about": "退会自愿，随时可以办理，不需要任何人同意。",
    "own.leave-button": "退出工会", "own.leave-question": "确定退会？",
    "own.leave-effect": "会籍今天结束。首次入会日期会保留，以后可以重新申请。",
    "own.left": "您已退会。",
    "own.erase": "删除我的个人信息", "own.erase-button": "全部删除",
    "own.erase-about": "会籍随之结束。",
    "own.erase-question": "删除全部个人信息？",
    "own.erase-effect": "无法恢复：姓名、身份证号、手机号等全部销毁，会籍结束，入会日期也不再保留。",
    "own.erased": "个人信息已删除", "own.erased-about": "您的信息已销毁，会籍已结束，此页已退出登录。",

    "transfer": "转入此工会", "transfer.title": "转会", "transfer.open": "正在办理的转会",
    "transfer.question": "转入{union}？", "transfer.at-once": "此工会的码即时生效：确认后马上转入。",
    "transfer.decided": "由转入的工会决定，不需要原工会同意。决定之前您仍是原工会的会员。",
    "transfer.done.TRANSFER_STATE_COMPLETED": "转会已完成。",
    "transfer.done.TRANSFER_STATE_REQUESTED": "转会已申请，等待转入的工会决定。",
    "transfer.to": "转入", "transfer.due": "应于此日前决定", "transfer.expires": "最后期限",
    "transfer.cancel": "撤销转会", "transfer.cancel-question": "撤销这次转会？",
    "transfer.cancelled": "转会已撤销。",

    "correction.title": "更正", "correction.about": "只填要更正的项目。由工会核对后生效。",
    "correction.open": "您有一份更正正在核对；有结果后才能再申请。",
    "correction.send": "申请更正", "correction.done": "更正已提交，等待工会核对。",

    "away.about": "外出半年以上的，请在出发前报备，由工会审核备案。", "away.show": "查看和办理报备",
    "away.report": "提交报备", "away.fix": "改好了，重新提交", "away.reported": "报备已提交，等待工会审核。",
    "away.day-gone": "实际出发日期", "away.gone": "登记出发", "away.day-back": "实际返回日期",
    "away.back": "登记返回", "away.tracked": "已登记。",
  },
  en: {
    "title": "Yijia · Members", "brand": "驿家 Yijia",
    "failure": "Something went wrong on this page. Try again.",
    "failure.title": "That did not work", "again": "Try again",
    "nothing": "This phone has neither a membership nor an application. To join, scan the code of "
      + "a union or enter it below.",

    "sign-in": "Sign in", "sign-in.title": "Members' sign-in",
    "sign-in.scanned": "You scanned a union's code",
    "sign-in.about": "Sign in by phone to see and correct your own data.",
    "sign-in.about-code": "First prove your phone. Then you can join, transfer, or see and correct "
      + "your own data. Joining is voluntary and free.",
    "sign-in.send": "Send me a code", "sign-in.code-title": "Enter the code",
    "sign-in.sent": "The code was sent to {phone}. It is good for {minutes} minutes.",
    "sign-in.wait": "Another code in {seconds} s", "sign-in.resend": "Send another code",
    "sign-in.wrong": "The code is wrong or has expired. Check it, or ask for another one.",
    "sign-in.other-phone": "Another phone",
    "sign-in.ended": "Your session has ended. Sign in again.",
    "sign-in.several": "Several members have this phone: state the member number of one.",
    "sign-out": "Sign out", "sign-out.done": "You are signed out.",

    "field.phone": "Phone", "field.code": "Code from the text message",
    "field.member-number": "Member number", "field.personName": "Name",
    "field.residentId": "Resident ID", "field.group": "Occupation",
    "field.newFormWorker": "I work in a new form of employment", "field.platform": "Platform",
    "field.vehiclePlate": "License plate", "field.driverLicense": "Vehicle classes",
    "field.labourRelation": "Relation with the employer", "field.employerName": "Employer",
    "field.employerCreditCode": "Employer's unified social credit code",
    "field.areas.work": "Place of work", "field.areas.residence": "Place of residence",
    "field.areas.domicile": "Registered domicile", "field.migrantWorker": "I am a migrant worker",

    "field.departureDate": "Departure", "field.returnDate": "Return",
    "field.destination": "Destination", "field.contact": "Phone while away",
    "field.familyNote": "Family at home",

    "code.bad": "This code cannot be used",
    "code.malformed": "The link does not contain the complete code of a union.",
    "code.over": "Ask the union for a new code and scan it. Memberships and applications that you "
      + "have are not affected.",
    "code.wrong": "Scan the code again, or check what you entered. If it still fails, ask the "
      + "union that shows the code.",
    "code.without": "Sign in without a code", "code.title": "Do you have a union's code?",
    "code.about": "Without a camera, enter the text beside the code.", "code.text": "Code",
    "code.open": "Open", "code.missing": "Enter the code.",

    "union.scanned": "The union that you scanned", "union.kind": "Kind", "union.region": "Region",
    "union.groups": "For", "union.and": ", ", "union.here": "This union manages your membership.",
    "union.closed": "This union accepts neither applications nor transfers at present. Ask the "
      + "union, or scan the code of another one.",

    "join": "Apply for membership", "join.again": "Another application (for family)",
    "apply.title": "Join {union}",
    "apply.about": "Everything that is not marked as optional is needed.",
    "apply.person": "Yourself", "apply.work": "Work", "apply.vehicle": "Vehicle",
    "apply.phone": "The phone that you have just proved.", "apply.license": "For example A2 or B2.",
    "apply.new-form": "For example by a platform, without a fixed employer.",
    "apply.employer": "Do you have an employer?", "apply.relation-unknown": "I don't know",
    "apply.credit-code": "18 characters, on the business license.", "apply.areas": "Places",
    "apply.work-area": "That of the scanned union; change it if yours is another.",
    "apply.other-areas": "Residence, domicile and more (optional)",
    "apply.send": "Submit the application",

    "consent.title": "Voluntary membership and personal data",
    "consent.text": "I apply to {union} of my own free will. For the membership and its services "
      + "the union processes the name, resident ID, phone and other data that I state here. They "
      + "are stored encrypted, shown masked, and only staff who handle this can see them, which is "
      + "recorded.\nI can see, correct, export and erase my data at any time, and leave at "
      + "any time.",
    "consent.agree": "I have read this and agree",

    "result.ENROLLMENT_STATE_RECEIVED": "Application received",
    "result.ENROLLMENT_STATE_ADMITTED": "You are a member",
    "result.ENROLLMENT_STATE_PENDING": "The application waits for review",
    "result.ENROLLMENT_STATE_HELD": "The application is being checked",
    "result.ENROLLMENT_STATE_REFUSED": "The application was refused",
    "result.received": "To protect your data, the outcome is told only to whoever proves the phone "
      + "once more. If you are admitted, you see your member number and code then; if staff review "
      + "the application, look again later.",
    "result.known": "The application is settled.", "result.number": "Number",
    "result.route": "About", "result.home": "See my membership",

    "applications": "My applications", "applications.time": "Time", "applications.state": "State",
    "applications.about": "Once you are admitted, prove your phone again to see your member number "
      + "and code. If staff still review the application, look again later.",
    "applications.check": "Prove the phone and see the outcome",
    "applications.prove": "Prove your phone once more to see the outcome.",
    "withdraw": "Withdraw", "withdraw.question": "Withdraw this application?",
    "withdraw.about": "Only an undecided application can be withdrawn. You can apply again later.",
    "withdraw.done": "If the application was still undecided, it is withdrawn.",

    "late.apply": "The application that had no answer yet is submitted.",
    "late.transfer": "The transfer that had no answer yet is requested.",
    "late.correction": "The correction that had no answer yet is requested.",
    "late.away": "The absence that had no answer yet is recorded.",
    "late.leave": "The leaving that had no answer yet is recorded.",

    "own.member": "Member's card", "own.former": "The membership has ended",
    "own.code": "Member's code", "own.code-hint": "Show this code at a service point.",
    "own.state": "Membership", "own.union": "Union", "own.joined-at": "Joined at",
    "own.join-date": "Member since", "own.honor": "Honor", "own.honor-revoked": "Honor (revoked)",
    "own.title": "My data", "own.details": "What is recorded",
    "own.masked": "Parts are masked for safety. An export has everything in full.",
    "own.confirm": "Confirm that the data are correct",
    "own.confirm-about": "Data are confirmed every three months. Look at what is recorded first, "
      + "and request a correction of what is wrong.",
    "own.confirm-button": "All correct, confirm", "own.confirmed": "Confirmed, thank you.",
    "own.correct": "Correct name, resident ID or phone", "own.away": "Long absences",
    "own.history": "History and transfers",
    "own.history-button": "Show the history", "own.rights": "My rights",
    "own.export": "Export all my data", "own.export-button": "Download the file",
    "own.export-about": "The file has everything in full. Keep it safe, and do not download it on "
      + "a device that others use.",
    "own.export-file": "my-membership.json",
    "own.leave": "Leave the union",
    "own.leave-about": "Leaving is always possible and needs nobody's consent.",
    "own.leave-button": "Leave", "own.leave-question": "Leave the union?",
    "own.leave-effect": "The membership ends today. The day of first joining is kept, and you can "
      + "apply again.",
    "own.left": "You have left the union.",
    "own.erase": "Erase my personal data", "own.erase-button": "Erase everything",
    "own.erase-about": "This also ends the membership.",
    "own.erase-question": "Erase all personal data?",
    "own.erase-effect": "This cannot be undone: name, resident ID, phone and everything else are "
      + "destroyed, the membership ends, and the day of joining is lost.",
    "own.erased": "Your personal data are erased",
    "own.erased-about": "Your data are destroyed, the membership has ended, and you are "
      + "signed out.",

    "transfer": "Transfer to this union", "transfer.title": "Transfer",
    "transfer.open": "Transfer under way", "transfer.question": "Transfer to {union}?",
    "transfer.at-once": "With this code the transfer takes effect at once.",
    "transfer.decided": "The receiving union decides; yours need not agree. Until then you stay a "
      + "member where you are.",
    "transfer.done.TRANSFER_STATE_COMPLETED": "The transfer is complete.",
    "transfer.done.TRANSFER_STATE_REQUESTED": "The transfer is requested; the receiving union "
      + "decides.",
    "transfer.to": "To", "transfer.due": "To be decided by", "transfer.expires": "At the latest",
    "transfer.cancel": "Cancel the transfer", "transfer.cancel-question": "Cancel this transfer?",
    "transfer.cancelled": "The transfer is canceled.",

    "correction.title": "Correction",
    "correction.about": "Fill in only what is wrong. It takes effect once the union has "
      + "checked it.",
    "correction.open": "A correction is being checked. You can request another one after that.",
    "correction.send": "Request the correction",
    "correction.done": "The correction is requested; the union checks it.",

    "away.about": "If you will be away for half a year or more, report it before you leave. The "
      + "union reviews it.",
    "away.show": "Show and report absences", "away.report": "Report the absence",
    "away.fix": "Corrected, submit it again",
    "away.reported": "The absence is reported; the union reviews it.",
    "away.day-gone": "Day of departure", "away.gone": "I have left",
    "away.day-back": "Day of return", "away.back": "I am back", "away.tracked": "Recorded.",
  },
});
