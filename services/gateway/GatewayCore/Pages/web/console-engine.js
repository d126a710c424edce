// The console's lists, details and actions, as the tables of views describe them.
//
// A view has a list, a detail, lists that belong to a row (related), actions on a row and actions
// that need none (create). Titles and texts are pairs, Chinese and English; fields are as
// console-values.js reads them.
//
// A list:   path, items (where the answer has them), columns, filters, rowActions; search and post
//           (fields that go into a body), unpaged.
// A detail: path, item, fields; without a path the row is looked for in the list.
// An action: verb (POST), path, role, fields, body (what else is sent), when (whether a row allows
//           it); key (whose ids fill the stars of the path, else the row's or its parent's name);
//           wrap (the resource that holds the fields), mask (only what was changed is sent), etag;
//           plain (the method has no request id); final (it cannot be undone; a function says what
//           of the row must be typed), warns (of what), leads (the view where it ends); shows and
//           says (what of the answer is shown, and how), reveals (it is personal data), picture,
//           then (the action that follows), saves (a file of what is streamed, see collected()),
//           opens (a dialog of its own, see console-upload.js).

import {ApiError, call, pathOf, session, write} from "./api.js";
import {line, saveLines} from "./console-csv.js";
import {at, controlOf, fieldsOf, fillPath, forgetNames, labelOf, namesKnown, put, shown, tell,
  valuesOf, word} from "./console-values.js";
import {isoDay} from "./language.js";
import {busy, collected, download, form, make, notice, showError} from "./page.js";

const ROLES = ["VIEWER", "CLERK", "ADMINISTRATOR"];
const PAGE_SIZE = 50;

// Who is signed in: {role, organization, displayName, …}; empty before that.
export const account = {};

// Whether the signed-in role may do this, as far as the page knows: the server decides.
export function may(role = "VIEWER") {
  const own = (account.role ?? "").replace("STAFF_ROLE_", "");
  return own === "" || ROLES.indexOf(own) >= ROLES.indexOf(role);
}

export const offered = (actions = [], row = null) =>
  actions.filter(action => may(action.role) && (row === null || !action.when || action.when(row)));

// ---- Errors.

// What to do about an error, beside what the server says of it.
const ADVICE = {
  ETAG_MISMATCH: ["在此期间别人改动过这条记录。已重新读取，请核对后再提交。",
    "Somebody else changed this meanwhile. It was read again: check it, then submit again."],
  ROLE: ["您的角色不能办理这一项。", "Your role may not do this."],
  OUT_OF_SCOPE: ["不在您的组织范围内。", "This is outside of your organization's scope."],
};

function advised(error) {
  const advice = ADVICE[error.reason];
  if (advice) error.message = `${error.message}\n${word(advice)}`;
  return error;
}

// An error where there is no form, with a button that tries again.
export function failure(error, again) {
  const node = make("div");
  node.append(showError(node, advised(error)));
  if (again) node.append(make("button", {type: "button", click: again}, tell("重试", "Try again")));
  return node;
}

// ---- Lists.

// A list with its filters and pages. `query` states both; `move` takes another query. With `open`
// a row leads to its details, otherwise it has its actions itself.
export function list(spec, {query = {}, move, parent = null, open = null}) {
  const rows = make("div", {class: "rows"});
  const node = make("div", {class: "list"}, filters(spec, query, move), rows);
  const secrets = {};
  // Of two that are read at once, the first may come last.
  let loads = 0;
  const load = async () => {
    loads += 1;
    const own = loads;
    rows.replaceChildren(make("p", {class: "hint loading", role: "status"},
      tell("正在读取…", "Loading…")));
    try {
      const page = await read(spec, {...query, ...secrets}, parent);
      if (own !== loads) return page.items;
      rows.replaceChildren(...page.items.length === 0
        ? [make("p", {class: "empty", role: "status"}, tell("没有符合条件的记录。", "Nothing here."))]
        : [table(spec, page.items, {parent, open, done: load})],
      pager(page, query, move, spec));
      return page.items;
    } catch (error) {
      if (own === loads) rows.replaceChildren(failure(error, load));
      return [];
    }
  };
  if (spec.search) node.prepend(search(spec, found => load(Object.assign(secrets, found))));
  load();
  node.load = load;
  return node;
}

// Reads a page of a list: {items, next}. A search by personal data goes into the body of a POST,
// so that it stands in no address and no log.
export async function read(spec, query, parent = null, size = PAGE_SIZE) {
  const {page, ...rest} = query;
  const fields = {...rest, pageSize: size, pageToken: page};
  const isSecret = (spec.search ?? []).some(path => query[path]);
  const path = fillPath(spec.path, parent?.name);
  if (isSecret) delete fields.pageToken;
  const answer = isSecret ? await call("POST", spec.post, fields)
    : await call("GET", spec.unpaged ? path : pathOf(path, fields));
  const items = answer[spec.items] ?? [];
  return {items, next: answer.nextPageToken ?? ""};
}

function search(spec, run) {
  const made = fieldsOf(spec.search.join(" ")).map(field => controlOf(field));
  const node = form(made.map(each => each.node), tell("查找", "Find"), async () => {
    const found = await valuesOf(made);
    await run(Object.fromEntries(spec.search.map(path => [path, found[path]])));
  }, {kind: ""});
  node.className = "filters";
  node.setAttribute("role", "search");
  return node;
}

function filters(spec, query, move) {
  if (!spec.filters) return null;
  // One value is enough to choose by; nothing chosen is the service's own choice, what waits.
  const made = fieldsOf(spec.filters).map(field => controlOf(
    {...field, kind: field.kind.replace(/^enums/, "enum")},
    query[field.path] === "true" ? true : query[field.path]));
  const node = form(made.map(each => each.node), tell("筛选", "Filter"), async () => {
    const chosen = await valuesOf(made);
    move(Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== false)));
  }, {kind: ""});
  node.className = "filters";
  for (const option of node.querySelectorAll("select option[value='']"))
    option.textContent = tell("默认", "default");
  return node;
}

export function table(spec, items, {parent, open, done} = {}) {
  const columns = fieldsOf(spec.columns);
  const hasActions = !open && offered(spec.rowActions).length > 0;
  return make("table", {},
    make("thead", {}, make("tr", {}, columns.map(each => make("th", {scope: "col"},
      word(each.label))), open || hasActions ? make("th", {}, tell("办理", "Act")) : null)),
    make("tbody", {}, items.map(row => make("tr", {},
      columns.map(each => make("td", {"data-label": word(each.label)}, shown(each, row))),
      open ? make("td", {class: "acts"}, make("a", {class: "button", href: open(row)},
        tell("查看", "Open"))) : null,
      hasActions ? make("td", {class: "acts"}, bar(spec.rowActions, row, {
        parent, done: async () => (await done())?.find(each => each.name === row.name),
      })) : null))));
}

function pager(page, query, move, spec) {
  const save = () => saveTable("list.csv", spec.columns, page.items);
  if (page.items.length === 0 && !query.page && !page.next) return "";
  return make("nav", {class: "pager", "aria-label": tell("分页", "Pages")},
    query.page ? make("button", {
      type: "button", click: () => move({...query, page: undefined}),
    }, tell("回到首页", "First page")) : null,
    page.next && move ? make("button", {
      type: "button", click: () => move({...query, page: page.next}),
    }, tell("下一页", "Next page")) : null,
    page.items.length > 0 ? make("button", {type: "button", class: "quiet", click: save},
      tell("下载本页 CSV", "This page as CSV")) : null,
    make("span", {class: "hint", role: "status"}, tell(
      `本页 ${page.items.length} 条`, `${page.items.length} on this page`)));
}

// Saves rows as CSV.
export async function saveTable(name, columns, rows) {
  const fields = fieldsOf(columns);
  const values = rows.map(row => fields.map(field => plain(field, row)));
  await namesKnown();
  saveLines(name, [fields.map(field => word(field.label)), ...values.map(
    cells => cells.map(value => value instanceof Node ? value.textContent : value))].map(line));
}

// A value for programs: digits without separators, days as 2026-11-21.
function plain(field, row) {
  const value = at(row, field.path);
  if (field.kind === "count") return value ?? 0;
  if (field.kind === "date") return isoDay(value);
  return field.kind === "state" ? labelOf(value) : shown(field, row);
}

// ---- Actions.

// The buttons of a row's actions. With `hasLead` the first is what is mostly done.
export function bar(actions, row, {parent = null, done, hasLead = false}) {
  const look = (action, index) => action.final ? "danger" : hasLead && index === 0 ? "main" : "";
  return make("div", {class: "actions"}, offered(actions, row).map((action, index) => make(
    "button", {
      type: "button", "data-action": action.id, class: look(action, index),
      click: event => busy(event.currentTarget, () => act(action, row, {parent, done})),
    }, word(action.title))));
}

// What was typed into the dialog in which a session ended, for the same user.
let draft = null;

// Asks for an action's fields, does it, and shows what it gives. `done` is called after a success,
// and after it turned out that the row had changed: then it returns the row as it is now.
export function act(action, row, {parent = null, done = () => {}, said = null} = {}) {
  if (action.verb === "GET") return look(action, row, parent);
  if (action.opens) return action.opens(action, row, done);
  let target = row;
  const about = [account.userName, action.id, row?.name].join(" ");
  const typed = draft?.about === about ? draft.found : {};
  draft = null;
  const made = fieldsOf(action.fields).map(spec => controlOf(
    {...spec, choices: spec.choicesOf?.(row ?? {})}, at(typed, spec.path)
      ?? spec.value?.(row ?? {}) ?? (action.mask ? at(row, spec.path) : undefined), action.wrap));
  const before = Promise.resolve(action.mask
    ? valuesOf(made.filter(({spec}) => action.wrap && !spec.isOutside)) : null);
  const sure = action.final ? assurance(action, row) : null;
  const warning = action.warns ? notice("bad", word(action.warns)) : null;
  const content = form([said, warning, made.map(each => each.node), sure?.node],
    word(action.title), async () => {
      const found = await valuesOf(made);
      requireFields(made, found, action.wrap, sure && await sure.violation());
      try {
        const body = await bodyOf(action, made, target, parent, await before);
        if (action.saves) return await saved(action, body, target, dialog);
        const answer = await send(action, target, parent, body);
        // Whoever left the view meanwhile is shown no personal data any more, and whoever signed
        // out no secret.
        if (!dialog.open && (action.reveals || !session.token)) return undefined;
        dialog.close();
        return finished(action, answer, target, parent, done);
      } catch (error) {
        if (error.reason === "ETAG_MISMATCH") target = await done() ?? target;
        // The changes of an update are those from what the dialog began with.
        if (error.reason === "CALLER_UNPROVEN" && !action.mask && !action.plain)
          draft = {about, found};
        throw advised(error);
      }
    }, {kind: action.final ? "danger" : "main", beside: make("button", {
      type: "button", click: () => dialog.close(),
    }, tell("取消", "Cancel"))});
  const dialog = open(word(action.title), content);
  return dialog;
}

// Makes a file, which whoever left the view meanwhile does not get.
async function saved(action, body, row, dialog) {
  const {name, type, ...shape} = action.saves(row);
  const file = await collected(action.path, body, shape);
  if (!dialog.open) return;
  download(name, file, type);
  dialog.close();
  toast(tell("已保存：", "Saved: ") + name);
}

// The last question before what cannot be undone: a box to tick, or a text of the row to type.
function assurance(action, row) {
  const text = typeof action.final === "function" ? action.final(row) : "";
  const control = controlOf({
    path: "sure", kind: text ? "code" : "bool", isRequired: true, label: text
      ? [`此操作不能撤销。请输入 ${text} 以确认`, `this cannot be undone: type ${text} to confirm`]
      : ["我已核对，知道此操作不能撤销", "I have checked it, and know that it cannot be undone"],
  });
  return {
    node: control.node,
    violation: async () => {
      const given = await control.read();
      return (text ? given === text : given) ? null
        : {field: "sure", message: tell("请先确认。", "Confirm this first.")};
    },
  };
}

// What is only looked at needs no question.
function look(action, row, parent) {
  return send(action, row, parent, action.body(row, parent)).then(
    answer => finished(action, answer, row, parent, () => {}),
    error => open(word(action.title), failure(error)));
}

// Says which required fields are empty, as the service would, and what else is wrong.
export function requireFields(made, found, wrap, other = null) {
  const violations = made.filter(({spec}) => spec.isRequired).filter(({spec}) => {
    const value = at(found, spec.path);
    return value === undefined || value === "" || value.length === 0;
  }).map(({spec}) => ({
    field: wrap && !spec.isOutside ? `${wrap}.${spec.path}` : spec.path,
    message: tell("必填。", "Required."),
  })).concat(other ?? []);
  if (violations.length > 0)
    throw new ApiError({code: 3, reason: "MISSING", message: "", violations});
}

async function bodyOf(action, made, row, parent, before) {
  const outside = await valuesOf(made.filter(({spec}) => !action.wrap || spec.isOutside));
  const body = {...action.body?.(row ?? {}, parent ?? {}), ...outside};
  if (action.etag && !action.wrap && row?.etag) body.etag = row.etag;
  if (!action.wrap) return body;
  const inside = made.filter(({spec}) => !spec.isOutside);
  const found = await valuesOf(inside);
  body[action.wrap] = {...body[action.wrap], ...found};
  if (action.etag && row?.etag) body[action.wrap].etag = row.etag;
  if (action.mask) {
    const changed = inside.map(({spec}) => spec.path).filter(
      path => JSON.stringify(at(found, path)) !== JSON.stringify(at(before, path)));
    if (changed.length === 0) {
      throw new ApiError({
        code: 3, reason: "UNCHANGED", message: tell("没有改动。", "Nothing was changed."),
      });
    }
    for (const path of changed)
      if (at(found, path) === undefined) put(body[action.wrap], path, undefined);
    body.updateMask = changed.join(",");
  }
  return body;
}

// The unanswered request of the same action is sent again with its request id: see write().
function send(action, row, parent, body) {
  const verb = action.verb ?? "POST";
  const path = fillPath(action.path, action.key?.(row, parent) ?? row?.name ?? parent?.name);
  if (verb === "GET") return call(verb, pathOf(path, body));
  return action.plain ? call(verb, path, body) : write(`${action.id} ${path}`, verb, path, body);
}

function finished(action, answer, row, parent, done) {
  const after = async () => {
    forgetNames();
    if (action.leads) location.hash = `#/${action.leads}`;
    else await done();
    // The button that began this is gone with its row.
    if (document.activeElement === document.body) document.querySelector("main h1")?.focus();
  };
  if (action.picture) return picture(answer, row, action);
  const given = fieldsOf(action.shows).map(spec => [spec, shown(spec, answer)])
    .filter(([, value]) => value !== "");
  if (given.length === 0) {
    toast(tell("已办理：", "Done: ") + word(action.title));
    return after();
  }
  const facts = make("div", {}, make("p", {class: "hint"}, word(action.says ?? ["", ""])),
    make("dl", {class: "facts"}, given.map(([spec, value]) => make("div", {},
      make("dt", {}, word(spec.label)), make("dd", {}, value)))));
  if (action.then) return act(action.then, row, {parent, done, said: facts});
  const dialog = open(word(action.title), make("div", {}, facts, make("button", {
    type: "button", class: "main", click: () => dialog.close(),
  }, tell("知道了", "Done"))));
  dialog.addEventListener("close", after);
  return undefined;
}

// A picture of the API, to look at, to print and to keep.
function picture({content, contentType}, row) {
  const address = `data:${contentType};base64,${content}`;
  const suffix = contentType?.includes("svg") ? "svg" : "png";
  const dialog = open(tell("组织二维码", "Organization code"), make("div", {class: "picture"},
    make("img", {src: address, alt: tell("组织二维码", "QR code of the organization")}),
    make("p", {class: "hint"}, [labelOf(row.channel), row.campaign].filter(Boolean).join(" · ")),
    make("div", {class: "row"},
      make("a", {class: "button", href: address, download: `code.${suffix}`},
        tell("下载", "Download")),
      make("button", {type: "button", click: () => window.print()}, tell("打印", "Print")),
      make("button", {type: "button", class: "main", click: () => dialog.close()},
        tell("关闭", "Close")))));
}

// ---- Dialogs.

// Shows a dialog, whose content goes when it closes: revealed data and secrets stay nowhere.
export function open(title, content) {
  const dialog = make("dialog", {class: "sheet", "aria-label": title}, make("h2", {}, title),
    content);
  dialog.addEventListener("close", () => dialog.remove());
  // What is being sent is waited for: its answer may be shown once.
  dialog.addEventListener("cancel", event => {
    if (dialog.querySelector("[aria-busy=true]")) event.preventDefault();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

export function toast(text) {
  const node = document.getElementById("toast");
  node.textContent = text;
  node.classList.add("on");
  setTimeout(() => { if (node.textContent === text) node.classList.remove("on"); }, 4000);
}
