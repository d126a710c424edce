// Tables in CSV (RFC 4180), as spreadsheets write and read them.

import {ApiError} from "./api.js";
import {tell} from "./console-values.js";
import {download} from "./page.js";

// The whole text of a file is in memory: 100,000 rows take some 25 MiB.
const FILE_BYTES_MAX = 32 << 20;
const SEPARATORS = [",", ";", "\t"];
// The column of refused rows that says what is wrong, in Chinese and English.
export const PROBLEM_NAMES = ["问题", "problem"];

// ---- Writing.

// A line of a table. A cell that spreadsheets would take for a formula gets an apostrophe.
export const line = cells => `${cells.map(text =>
  `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replace(/"/g, '""')}"`).join(",")}\r\n`;

// Saves lines as a file, with the byte order mark by which spreadsheets know UTF-8.
export const saveLines = (name, lines) =>
  download(name, new Blob(["\ufeff", ...lines]), "text/csv");

// ---- Reading.

function fault(chinese, english) {
  const message = tell(chinese, english);
  return new ApiError({
    code: 3, reason: "TABLE_UNREADABLE", message, violations: [{field: "file", message}],
  });
}

async function textOf(file) {
  if (file.size > FILE_BYTES_MAX) {
    throw fault(`文件超过 ${FILE_BYTES_MAX >> 20} MiB，请分成几份。`,
      `The file has more than ${FILE_BYTES_MAX >> 20} MiB: divide it.`);
  }
  const bytes = await file.arrayBuffer().catch(() => {
    throw fault("读不到文件，可能已有改动。请重新选择。",
      "The file cannot be read; it may have changed. Choose it again.");
  });
  // Spreadsheets in China write GB 18030 where nobody asks for UTF-8.
  for (const encoding of ["utf-8", "gb18030"]) {
    try {
      const text = new TextDecoder(encoding, {fatal: true}).decode(bytes);
      if (!/^PK\u0003|\0/.test(text)) return text;
    } catch {
      continue;
    }
  }
  throw fault("这不是 CSV 文件。请在电子表格中另存为 CSV。",
    "This is no CSV file. Save the table as CSV.");
}

// What stands most often in the header: spreadsheets of some regions do not write commas.
function separatorOf(text) {
  const [header] = text.slice(0, 10_000).split(/[\r\n]/, 1);
  const times = separator => header.split(separator).length;
  return SEPARATORS.reduce((best, each) => times(each) > times(best) ? each : best);
}

// Yields the records with anything in them: {number, cells}. The number is that of the row in a
// spreadsheet.
function* records(text, separator) {
  const end = new RegExp(`[${separator}\r\n"]`, "g");
  let [place, number, cells] = [0, 1, []];
  while (place < text.length || cells.length > 0) {
    let cell = "";
    if (text[place] === '"') {
      [cell, place] = quoted(text, place, number);
    } else {
      end.lastIndex = place;
      const next = end.exec(text)?.index ?? text.length;
      cell = text.slice(place, next);
      place = next;
    }
    const mark = text[place] ?? "\n";
    if (![separator, "\r", "\n"].includes(mark)) {
      throw fault(`第 ${number} 行：含引号的单元格应整个用引号括起，其中的引号写两遍。`,
        `Row ${number}: a cell with a quotation mark in it needs marks around it, and "" inside.`);
    }
    cells.push(cell);
    place += mark === "\r" && text[place + 1] === "\n" ? 2 : 1;
    if (mark === separator) continue;
    if (cells.some(Boolean)) yield {number, cells};
    [number, cells] = [number + 1, []];
  }
}

// The text of a quoted cell, and the place behind it.
function quoted(text, start, number) {
  let [cell, place] = ["", start];
  do {
    const end = text.indexOf('"', place + 1);
    if (end < 0) {
      throw fault(`第 ${number} 行：引号没有结束。`,
        `Row ${number}: a quotation mark opens a cell, and none closes it.`);
    }
    cell += (place > start ? '"' : "") + text.slice(place + 1, end);
    place = end + 1;
  } while (text[place] === '"');
  return [cell, place];
}

// Spreadsheets write separators for empty columns on the right.
function withoutTail(cells, count) {
  let end = cells.length;
  while (end > count && cells[end - 1] === "") end -= 1;
  return cells.slice(0, end);
}

// A file as a table: {header, columns, count, rows()}, with the column of each heading, and
// {number, cells} of each row. `columns` are those that it may have: [{name, heading, isRequired}].
// Nothing is guessed: an unknown column refuses the file.
export async function readTable(file, columns) {
  const text = await textOf(file);
  const separator = separatorOf(text);
  let count = -1;
  // Whatever cannot be read is found before anything is done.
  for (const all = records(text, separator); !all.next().done;) count += 1;
  if (count < 1) throw fault("文件中没有数据。", "There are no rows in the file.");
  const header = withoutTail(records(text, separator).next().value.cells, 0).map(
    each => each.trim());
  const found = header.map(name => columns.find(
    each => each.name === name || each.heading === name) ?? null);
  check(header, found, columns);
  return {
    header, columns: found, count,
    *rows() {
      const all = records(text, separator);
      all.next();
      for (const {number, cells} of all)
        yield {number, cells: withoutTail(cells, header.length)};
    },
  };
}

function check(header, found, columns) {
  const named = list => list.join(tell("、", ", "));
  const missing = columns.filter(each => each.isRequired && !found.includes(each));
  const unknown = header.filter((name, index) => !found[index] && !PROBLEM_NAMES.includes(name));
  const twice = columns.filter(each => found.indexOf(each) !== found.lastIndexOf(each));
  if (missing.length > 0) {
    const names = named(missing.map(each => tell(each.heading, each.name)));
    throw fault(`缺少列：${names}。请对照模板。`, `Missing columns: ${names}. See the template.`);
  }
  if (unknown.length > 0) {
    throw fault(`不认识的列：${named(unknown)}。请对照模板改名或删去。`,
      `Unknown columns: ${named(unknown)}. Rename or remove them; see the template.`);
  }
  if (twice.length > 0) {
    const names = named(twice.map(each => tell(each.heading, each.name)));
    throw fault(`重复的列：${names}。`, `Columns that are there twice: ${names}.`);
  }
}
