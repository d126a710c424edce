// Uploads of tables: each row is checked, then carried out, and what is wrong with a row is told.
//
// action.upload says how:
//   columns: as columnsOf() reads them; those whose path is "-" are passed over.
//   hasDryRun: the method takes validateOnly; otherwise the table is carried out at once.
//   isNewAct: the same row sent again is another act; otherwise it is done once, by its requestId.
//   isUnkeyed: rows have no requestId.
//   item and tally: where an answer has what was made of a row, and the fields by which rows are
//     counted; nouns: what they are counted as, in a dry run and in earnest.
//   template: makes the lines of the template behind its header.
//   batch and send: how many rows go at once, and how, if not by exchange(); extra: what else of a
//     job is shown.

import {exchange, newRequestId, requestIdOf} from "./api.js";
import {PROBLEM_NAMES, line, readTable, saveLines} from "./console-csv.js";
import {open, requireFields, table} from "./console-engine.js";
import {ENUMS} from "./console-labels.js";
import {controlOf, fieldsOf, forgetNames, organizationOf, put, tell, valuesOf, word}
  from "./console-values.js";
import {busy, form, make, notice, showError, task} from "./page.js";

const BATCH = 100;
// Whoever has so many wrong rows has one mistake in all of them.
const REFUSED_MAX = 1000;
const SHOWN_MAX = 100;
const LOOKUPS_MAX = 2000;

// ---- Columns and cells.

// The columns that a text names, one a line: the name that the command line takes, too, a heading
// in Chinese, the path in the request with "!" where it is required, and after ":" a kind.
export const columnsOf = text => text.trim().split("\n").map(each => {
  const [name, heading, place] = each.trim().split(/\s+/);
  const [, path, required, kind = "text"] = /^([^!:]+)(!?)(?::(.*))?$/.exec(place);
  return {name, heading, path, isRequired: required !== "", kind};
});

// Of a column for people.
const headingOf = ({name, heading}) => tell(heading, name);

const pad = number => String(number).padStart(2, "0");
const MOMENT = new RegExp("^([12]\\d{3})[-/](\\d{1,2})[-/](\\d{1,2})(?:(?:T| +)(\\d{1,2}):(\\d{2})"
  + "(?::(\\d{2})(?:\\.\\d+)?)?(Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)?)?$", "i");

// The parts of a day or a time as spreadsheets write them; null for what is neither.
function moment(cell) {
  const [, year, month, day, hour, minute, second = 0, zone = "+08:00"] = MOMENT.exec(cell) ?? [];
  const date = new Date(Date.UTC(year, month - 1, day));
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === Number(day)
    && (hour ?? 0) < 24 && (minute ?? 0) < 60 && second < 60;
  return isReal ? {year, month, day, hour, minute, second, zone: zone.toUpperCase()} : null;
}

const items = cell => cell.split(/[;；、]/).map(each => each.trim()).filter(Boolean);

// A value by the name of the contracts or by what people call it.
function valueNamed(cell, prefix) {
  const isCalled = text => text.toLowerCase() === cell.toLowerCase();
  const [key] = Object.entries(ENUMS[prefix]).find(
    ([name, labels]) => [name, ...labels].some(isCalled)) ?? [];
  return key && `${prefix}_${key}`;
}

// Organizations by what tables call them, each asked for once.
const lookups = new Map();

async function organizationNamed(cell) {
  if (lookups.size > LOOKUPS_MAX) lookups.clear();
  if (!lookups.has(cell)) lookups.set(cell, await organizationOf(cell));
  const name = lookups.get(cell);
  return name.startsWith("organizations/") ? name : undefined;
}

// What a cell says, by the kind of its column; undefined where it says nothing of that kind.
const READERS = {
  text: cell => cell,
  bool: cell => /^(true|yes|y|1|是)$/i.test(cell)
    || (/^(false|no|n|0|否)$/i.test(cell) ? false : undefined),
  date: cell => {
    const found = moment(cell);
    return found && found.hour === undefined
      ? {year: Number(found.year), month: Number(found.month), day: Number(found.day)} : undefined;
  },
  // People write China's time.
  time: cell => {
    const found = moment(cell);
    if (found?.hour === undefined) return undefined;
    const {year, month, day, hour, minute, second, zone} = found;
    const clock = `${pad(hour)}:${minute}:${pad(second)}${zone}`;
    return new Date(`${year}-${pad(month)}-${pad(day)}T${clock}`).toISOString();
  },
  enum: valueNamed,
  enums: (cell, prefix) => {
    const values = items(cell).map(each => valueNamed(each, prefix));
    return values.includes(undefined) ? undefined : values;
  },
  list: items,
  name: (cell, collection) => cell.includes("/") ? cell : `${collection}/${cell}`,
  organization: organizationNamed,
  // Bytes that a table has in hexadecimal, in the base64 of JSON.
  digest: cell => /^[0-9a-f]{64}$/i.test(cell)
    ? btoa(String.fromCharCode(...cell.match(/../g).map(each => Number.parseInt(each, 16)))) : "",
};

// What a cell should say.
function wanted(kind, prefix) {
  if (kind === "bool") return tell("应为“是”或“否”。", "Say yes or no.");
  if (kind === "date") return tell("应为日期，如 2026-05-01。", "Write a day, such as 2026-05-01.");
  if (kind === "time")
    return tell("应为时间，如 2026-05-01 09:30。", "Write a time, such as 2026-05-01 09:30.");
  if (kind === "organization")
    return tell("没有这个编号的组织。", "No organization has this external id.");
  const names = Object.entries(ENUMS[prefix]).map(([name, [chinese]]) => tell(chinese, name));
  return tell(`应为：${names.join("、")}。`, `Say one of ${names.join(", ")}.`);
}

// A row as it is sent: {number, cells, request, problems}; without a request it is refused here.
async function rowOf({upload: spec}, {header, columns, isDry}, {number, cells}) {
  const row = {number, cells, problems: []};
  if (cells.length !== header.length) {
    row.problems.push({message: tell(`有 ${cells.length} 格，而表头有 ${header.length} 格。`,
      `The row has ${cells.length} cells, and the header ${header.length}.`)});
    return row;
  }
  const request = {};
  for (const [index, column] of columns.entries()) {
    // A table that was saved here has apostrophes before signs.
    const cell = cells[index].trim().replace(/^'(?=[=+\-@])/, "");
    if (!column || column.path === "-" || cell === "") continue;
    const [kind, more] = column.kind.split(":");
    const value = await READERS[kind](cell, more);
    if (value === undefined) row.problems.push({column, message: wanted(kind, more)});
    else put(request, column.path, value);
  }
  const isOnlyChecked = spec.hasDryRun && (isDry || row.problems.length > 0);
  if (isOnlyChecked) request.validateOnly = true;
  else if (row.problems.length > 0) return row;
  else if (!spec.isUnkeyed)
    request.requestId = spec.isNewAct ? newRequestId() : await requestIdOf(request);
  row.request = {...request, row: String(number)};
  return row;
}

// Everything that is wrong with a row: [{heading, message}].
function problemsOf(problems, columns, error) {
  const told = (error?.fieldViolations ?? []).map(({field, description}) => {
    const path = field.replace(/\[.*/, "");
    const column = columns.find(each => each?.path === path);
    return {column, heading: field, message: description};
  }).filter(({column}) => !column || !problems.some(each => each.column === column));
  const all = [...problems, ...told].map(({column, heading = "", message}) => ({
    heading: column ? headingOf(column) : heading, message,
  }));
  return all.length > 0 ? all : [{heading: "", message: error.message}];
}

const problemText = problems => problems.map(
  ({heading, message}) => heading ? tell(`${heading}：${message}`, `${heading}: ${message}`)
    : message).join("\n");

// ---- The work: a job reads a table in batches and keeps what became of the rows.

// Of a table, or of the same table once more.
const jobOf = (read, fields, isDry) => ({
  ...read, fields, isDry, unread: read.rows(), next: null, batch: [], handled: 0, taken: 0,
  refused: [], tally: new Map(), isEnded: false, isStopped: false,
});

const isFull = job => job.refused.length >= REFUSED_MAX;

// Works until the table ends, or until somebody stops it, leaves, or too much is wrong. After an
// error it can be called again.
async function work(action, job, isWanted, advance) {
  const {send = exchange} = action.upload;
  job.isStopped = false;
  while (!job.isStopped && isWanted() && !isFull(job)) {
    job.isEnded = !await fill(action, job);
    if (job.isEnded) return;
    if (job.batch.length > 0)
      await send(action.path, job.batch, (row, answer) => take(action, job, row, answer), job);
    advance();
  }
}

// Reads rows until there are enough to be sent. Returns whether the table goes on.
async function fill(action, job) {
  while (job.batch.length < (action.upload.batch ?? BATCH) && !isFull(job)) {
    job.next ??= job.unread.next();
    if (job.next.done) return job.batch.length > 0;
    const row = await rowOf(action, job, job.next.value);
    job.next = null;
    if (row.request) job.batch.push(row);
    else take(action, job, row, {});
  }
  return true;
}

function take({upload: spec}, job, {number, cells, problems}, answer) {
  job.handled += 1;
  if (problems.length > 0 || answer.error) {
    const told = problemsOf(problems, job.columns, answer.error);
    job.refused.push({number, cells, problems: told});
    return;
  }
  job.taken += 1;
  const made = answer[spec.item] ?? {};
  const key = fieldsOf(spec.tally).map(({path}) => made[path] ?? "").join(" ");
  const counted = job.tally.get(key) ?? {...made, rows: 0};
  counted.rows += 1;
  job.tally.set(key, counted);
}

// ---- The dialog.

const FILE = {
  path: "file", kind: "file", isRequired: true, isOutside: true, label: ["CSV 文件", "CSV file"],
  hint: ["电子表格请另存为 CSV；第一行为列名。", "Save a spreadsheet as CSV, the columns' names first."],
};

// Opens the dialog of an upload. `done` is called when something was carried out.
export function upload(action, row, done) {
  const {upload: spec} = action;
  const made = [controlOf(FILE),
    ...fieldsOf(action.fields).map(each => controlOf(each, undefined, action.wrap))];
  const inputs = make("div", {}, made.map(each => each.node));
  const place = make("div", {class: "results"});
  const run = job => busy(place, async () => {
    const {node, advance} = progress(job);
    place.replaceChildren(node);
    inputs.inert = true;
    window.addEventListener("beforeunload", stay);
    let problem = "";
    try {
      await work(action, job, () => dialog.open, advance);
    } catch (error) {
      problem = showError(content, error);
    }
    window.removeEventListener("beforeunload", stay);
    inputs.inert = false;
    place.replaceChildren(problem, ...report(action, job, run));
    if (job.isDry || job.taken === 0) return;
    forgetNames();
    await done();
  });
  const content = form([make("p", {}, word(action.about)),
    task(tell("下载模板", "Template"), () => template(action), "quiet"), inputs, place],
  spec.hasDryRun ? tell("检查（不保存）", "Check, store nothing") : word(action.title), async () => {
    const {file, ...fields} = await valuesOf(made);
    requireFields(made, {file, ...fields}, action.wrap);
    lookups.clear();
    const read = await readTable(file, spec.columns);
    const fixed = action.body?.(row)[action.wrap];
    await run(jobOf(read, {...fixed, ...fields}, Boolean(spec.hasDryRun)));
  }, {beside: make("button", {type: "button", click: () => dialog.close()},
    tell("关闭", "Close"))});
  // What was found of another file says nothing of this one.
  content.addEventListener("input", () => place.replaceChildren());
  const dialog = open(word(action.title), content);
  dialog.classList.add("broad");
  return dialog;
}

const stay = event => event.preventDefault();

async function template({id, upload: {columns, template: lines}}) {
  saveLines(`${id}.csv`, [line(columns.map(headingOf)), ...await lines?.() ?? []]);
}

function progress(job) {
  const bar = make("progress", {max: job.count});
  const text = make("p", {class: "hint"});
  const stop = make("button", {type: "button", click: () => {
    job.isStopped = true;
    stop.disabled = true;
  }}, tell("停止", "Stop"));
  const advance = () => {
    bar.value = job.handled;
    text.textContent = tell(`已处理 ${job.handled} / ${job.count} 行`,
      `${job.handled} of ${job.count} rows`);
  };
  advance();
  return {node: make("div", {}, bar, text, stop), advance};
}

// What became of the rows, and what can be done next.
function report(action, job, run) {
  const {count, handled, taken, refused, isDry, isEnded} = job;
  const {nouns, tally, extra} = action.upload;
  const [chinese, english] = nouns[isDry ? 0 : 1];
  return [
    notice(refused.length > 0 ? "bad" : "good", tell(
      `${taken} 行${chinese}，${refused.length} 行有误。`,
      `${taken} rows ${english}, ${refused.length} wrong.`), isEnded ? null : tell(
      `\n还有 ${count - handled} 行没有处理。`, `\n${count - handled} rows are still to do.`)),
    isEnded || isFull(job) ? "" : task(tell("继续", "Go on"), () => run(job)),
    isEnded && isDry && taken > 0 ? task(tell(`${action.title[0]}：${taken} 行`,
      `${action.title[1]}: ${taken} rows`), () => run(jobOf(job, job.fields, false)),
    "main") : "",
    taken > 0 ? make("div", {class: "rows"},
      table({columns: `${tally} rows`}, [...job.tally.values()])) : "",
    ...extra?.(action, job) ?? [],
    ...refused.length > 0 ? refusals(action, job) : [],
  ];
}

// What is wrong with the rows, and a file of them to mend.
function refusals({id}, job) {
  const {header} = job;
  const rows = job.refused.sort((one, other) => one.number - other.number).map(
    ({number, cells, problems}) => ({row: number, cells, problem: problemText(problems)}));
  const kept = [...header.keys()].filter(index => !PROBLEM_NAMES.includes(header[index]));
  return [
    make("div", {class: "rows problems"}, table({columns: "row problem"},
      rows.slice(0, SHOWN_MAX))),
    rows.length > SHOWN_MAX ? make("p", {class: "hint"}, tell(
      `只列出前 ${SHOWN_MAX} 行；文件中有全部。`, `The first ${SHOWN_MAX}; the file has all.`)) : "",
    isFull(job) ? make("p", {}, tell("错误太多，其余的行没有处理。",
      "So much is wrong that the other rows were not looked at.")) : "",
    task(tell("下载有误的行", "Save the wrong rows"), () => saveLines(`${id}-problems.csv`, [
      line([...kept.map(index => header[index]), word(PROBLEM_NAMES)]),
      ...rows.map(({cells, problem}) => line(
        [...kept.map(index => cells[index] ?? ""), problem.replace(/\n/g, " ")])),
    ]), "quiet"),
  ];
}
