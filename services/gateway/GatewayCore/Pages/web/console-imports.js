// What staff upload as tables and save as files. The columns are the command line's, whose files
// are taken here, too.

import {ApiError, call, pathOf, stream} from "./api.js";
import {line, saveLines} from "./console-csv.js";
import {saveTable, table} from "./console-engine.js";
import {columnsOf, upload} from "./console-upload.js";
import {labelOf, organizationName, tell} from "./console-values.js";
import {isoDay} from "./language.js";
import {PERSONAL_DATA, make, task} from "./page.js";

const SERVICE = "/yijia.members.v1.MembersService";

// ---- Applications.

export const importEnrollments = {
  id: "import-enrollments", title: ["批量入会", "Enroll many"], role: "CLERK", opens: upload,
  path: `${SERVICE}/EnrollMembers`, about: [
    "每行一份入会申请，须有本人同意的凭证。先检查，再提交；同一份文件再次提交，不会重复办理。",
    "A row for each application, with the evidence of its consent. Check the file first. Submitted "
    + "again, it does nothing twice."],
  upload: {
    hasDryRun: true, item: "enrollment", tally: "state route",
    nouns: [["可以提交", "can be submitted"], ["已提交", "submitted"]],
    columns: columnsOf(`
      person_name 姓名 application.personName!
      resident_id 身份证号 application.residentId!
      phone 手机号 application.phone!
      group 群体 application.group!:enum:OCCUPATION_GROUP
      consent_version 同意书版本 application.consent.version!
      consent_evidence 同意凭证 application.consent.evidence!
      consent_time 同意时间 application.consent.agreeTime!:time
      channel 渠道 application.channel:enum:CHANNEL
      campaign 活动 application.campaign
      work_area 工作地区 application.areas.work
      residence_area 居住地区 application.areas.residence
      domicile_area 户籍地区 application.areas.domicile
      labour_relation 劳动关系 application.labourRelation:enum:LABOUR_RELATION
      employer_name 单位名称 application.employerName
      employer_credit_code 单位信用代码 application.employerCreditCode
      platform 平台 application.platform
      organization_code 组织码 application.organizationCode
      migrant_worker 农民工 application.migrantWorker:bool
      new_form_worker 新就业形态 application.newFormWorker:bool
      vehicle_plate 车牌号 application.vehiclePlate
      driver_license 准驾车型 application.driverLicense`),
  },
};

// ---- The holding pool.

// All cases that wait, to be completed with the union that is to take each: some hundred bytes of
// each are held until they are saved.
async function waitingCases() {
  const lines = [];
  let token = "";
  do {
    const {poolCases = [], nextPageToken = ""} = await call("GET", pathOf("/v1/poolCases", {
      states: "POOL_CASE_STATE_WAITING", pageSize: 1000, pageToken: token,
    }));
    for (const {name, memberNumber, group, pool, dueDate} of poolCases) {
      lines.push(line([name.split("/").pop(), "", memberNumber, labelOf(group),
        await organizationName(pool) ?? pool, isoDay(dueDate)]));
    }
    token = nextPageToken;
  } while (token);
  return lines;
}

export const dispatchCases = {
  id: "dispatch", title: ["批量分派", "Dispatch many"], role: "CLERK", opens: upload,
  path: `${SERVICE}/DispatchPoolCases`, about: [
    "模板列出待分派的会员：在“接收工会”一列填写组织编号，先检查，再分派。不分派的行请删去。",
    "The template lists who waits: enter the external id of a union in the column receiver, check "
    + "the file, then dispatch. Delete the rows that are to wait."],
  upload: {
    hasDryRun: true, isNewAct: true, item: "poolCase", tally: "receiver", template: waitingCases,
    nouns: [["可以分派", "can be dispatched"], ["已分派", "dispatched"]],
    columns: columnsOf(`
      pool_case 周转编号 name!:name:poolCases
      receiver 接收工会 receiver!:organization
      member_number 会员号 -
      group 群体 -
      pool 周转池 -
      due_date 期限 -`),
  },
};

// ---- Organizations.

const organizationColumns = columnsOf(`
  external_id 外部编号 externalId!
  parent_external_id 上级外部编号 parentExternalId!
  display_name 名称 displayName!
  kind 类型 kind!:enum:ORGANIZATION_KIND
  level 层级 level!:enum:ORGANIZATION_LEVEL
  region_code 地区代码 regionCode!
  groups 群体 groups:enums:OCCUPATION_GROUP
  credit_code 信用代码 creditCode
  employer_credit_codes 单位信用代码 employerCreditCodes:list
  takes_individuals 接收个人 takesIndividuals:bool
  state 状态 state:enum:ORGANIZATION_STATE
  industry_group 行业 industryGroup
  opened_date 成立日期 openedDate:date`);

export const importOrganizations = {
  id: "import-organizations", title: ["批量导入", "Import many"], role: "ADMINISTRATOR",
  opens: upload, path: `${SERVICE}/ImportOrganizations`, about: [
    "每行一个组织，上级在前。有误的行不导入，其余照常；内容相同的行再次导入，不会有任何改变。",
    "A row for each organization, parents first. Wrong rows are left out, the others imported; "
    + "imported again, a row changes nothing."],
  upload: {
    columns: organizationColumns, item: "organization", tally: "state",
    nouns: [[], ["已导入", "imported"]],
  },
};

// A cell of an exported organization, as an import reads it.
function cellOf(organization, {path, kind}) {
  const value = organization[path];
  const [type, prefix] = kind.split(":");
  const named = each => each.slice(`${prefix}_`.length);
  if (!value) return "";
  if (type === "enum") return named(value);
  if (type === "enums") return value.map(named).join(";");
  return type === "list" ? value.join(";") : type === "date" ? isoDay(value) : value;
}

export const exportOrganizations = {
  id: "export-organizations", title: ["导出", "Export"], plain: true, fields: "ancestor kinds",
  path: `${SERVICE}/ExportOrganizations`,
  saves: () => ({
    name: "organizations.csv", type: "text/csv",
    head: `\ufeff${line(organizationColumns.map(({name}) => name))}`,
    // Those that were dissolved are history.
    part: ({organization, parentExternalId}) =>
      organization.state === "ORGANIZATION_STATE_DISSOLVED" ? ""
        : line(organizationColumns.map(each => cellOf({...organization, parentExternalId}, each))),
  }),
};

// ---- Rosters.

const UNITS_MAX = 10_000;
const UNITS_SHOWN_MAX = 100;
const TIMEOUT_MS = 60_000;

// Compares some rows: a browser reads no answer while it sends, so each batch is a stream. What a
// stream says of units is added up here.
async function compare(path, batch, take, job) {
  const results = [];
  let summary = null;
  const requests = [{header: job.fields}, {rows: {rows: batch.map(each => each.request)}}];
  for await (const part of stream(path, requests, TIMEOUT_MS)) {
    results.push(...part.results?.results ?? []);
    summary = part.summary ?? summary;
  }
  if (!summary || results.length < batch.length) throw ApiError.lost("OFFLINE");
  job.found ??= {lines: [], units: new Map(), added: 0, isCut: false};
  const {found} = job;
  const rows = batch.splice(0);
  found.lines.push(new Blob(rows.map(({cells}, index) =>
    line([...cells, labelOf(results[index].verdict)]))));
  rows.forEach((row, index) => take(row, {result: results[index]}));
  found.added += Number(summary.outreachAdded ?? 0);
  (summary.units ?? []).forEach(unit => addUnit(unit, found));
}

function addUnit({name = "", creditCode = "", rows, notMembers}, found) {
  const key = creditCode || name;
  const unit = found.units.get(key)
    ?? {displayName: name, creditCode, rows: 0, notMembers: 0};
  found.isCut ||= found.units.size >= UNITS_MAX && !found.units.has(key);
  if (found.units.size < UNITS_MAX || found.units.has(key)) found.units.set(key, unit);
  unit.rows += Number(rows ?? 0);
  unit.notMembers += Number(notMembers ?? 0);
}

const unitColumns = "displayName creditCode rows notMembers";

function rosterResults(action, {found, header, fields}) {
  if (!found) return [];
  const units = [...found.units.values()].sort((one, other) => other.rows - one.rows);
  return [
    fields.outreachList ? make("p", {}, tell(`加入名单 ${found.added} 人。`,
      `${found.added} people were added to the list.`)) : "",
    task(tell("下载结果", "Save the verdicts"), () => saveLines("roster.csv", [
      line([...header, tell("结果", "verdict")]), ...found.lines]), "quiet"),
    ...units.length === 0 ? [] : [
      make("h3", {}, tell(`未建会的单位：${units.length}`, `Units without a union: ${units.length}`)),
      make("div", {class: "rows"}, table({columns: unitColumns}, units.slice(0, UNITS_SHOWN_MAX))),
      found.isCut ? make("p", {class: "hint"}, tell("单位太多，没有全部计入。",
        "There are more units than were counted.")) : "",
      task(tell("下载单位", "Save the units"), () => saveTable("units.csv", unitColumns, units),
        "quiet")],
  ];
}

const roster = {
  role: "ADMINISTRATOR", plain: true, opens: upload, wrap: "header",
  path: `${SERVICE}/CompareRoster`,
  about: ["名册的内容不保存（加入联系名单的除外）；目的记入审计日志，行数计入每日限额。",
    "Nothing of a roster is stored, except for people who are added to a list. The audit log has "
    + "the purpose, and rows count against a daily quota."],
  upload: {
    isUnkeyed: true, batch: 1000, send: compare, extra: rosterResults, item: "result",
    tally: "verdict", nouns: [[], ["已比对", "compared"]],
    columns: columnsOf(`
      resident_id 身份证号 residentId
      resident_id_sha256 身份证号摘要 residentIdSha256:digest
      person_name 姓名 personName
      unit_name 单位名称 unitName
      unit_credit_code 单位信用代码 unitCreditCode
      phone 手机号 phone
      address 地址 address`),
  },
};

export const compareRoster = {
  ...roster, id: "compare-roster", title: ["名册比对", "Compare a roster"], fields: ["purpose!", {
    field: "organization", hint: ["其范围内的会员算作本地会员；空为您的组织",
      "whose members are here; your own if empty"],
  }],
};

export const extendOutreach = {
  ...roster, id: "extend-outreach", title: ["比对名册并加入", "Add from a roster"],
  fields: "purpose!", body: row => ({header: {outreachList: row.name}}), when: row => !row.closed,
};

// ---- A person's own data: of a member, or of an applicant who never became one.

export const exportMember = {
  id: "export-member", title: ["导出本人资料", "Export the data"], role: "ADMINISTRATOR",
  plain: true, path: `${SERVICE}/ExportPersonalData`, fields: "reason!",
  body: row => ({name: row.name}),
  warns: ["文件里是未打码的完整信息，只交给本人。导出记入审计日志。",
    "The file has everything in full: hand it to the person only. The audit log records it."],
  saves: row => ({...PERSONAL_DATA, name: `${row.memberNumber}.json`}),
};

export const eraseMember = {
  id: "erase-member", title: ["删除个人信息", "Erase the data"], role: "ADMINISTRATOR",
  path: "/v1/members/*:erase", fields: "reason!", final: row => row.memberNumber, leads: "members",
  warns: ["应本人要求删除：姓名、身份证号、手机号等全部销毁，会籍结束，入会日期也不再保留。无法恢复。",
    "At the person's wish: name, resident ID, phone and everything else are destroyed, the "
    + "membership ends, and the day of joining is lost. It cannot be undone."],
};

const isNobodys = row => !row.member;

export const exportApplicant = {
  ...exportMember, id: "export-applicant", when: isNobodys,
  saves: () => ({...PERSONAL_DATA, name: "application.json"}),
};

export const eraseApplicant = {
  ...eraseMember, id: "erase-applicant", path: `${SERVICE}/ErasePersonalData`, final: true,
  body: row => ({name: row.name}), leads: "enrollments", when: isNobodys,
  warns: ["应本人要求删除：此人各份申请中的姓名、身份证号、手机号等全部销毁。无法恢复。",
    "At the person's wish: name, resident ID, phone and everything else of their applications are "
    + "destroyed. It cannot be undone."],
};
