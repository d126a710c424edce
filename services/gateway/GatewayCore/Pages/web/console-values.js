// How the console shows values of the contracts, and asks for them.
//
// Tables name fields by short texts, "receiver! reason state:enum:OUTREACH_STATE": the path of the
// field, "!" where it is required, ":" and a kind where it is not that of the labels. "^" stands
// before a field outside the resource that an action wraps.

import {call, pathOf, serverTime} from "./api.js";
import {ENUMS, FIELDS} from "./console-labels.js";
import {dateOf, day, isoDay, language, time} from "./language.js";
import {make} from "./page.js";

// One of two texts, in the language of the page.
export const tell = (chinese, english) => language() === "zh" ? chinese : english;
export const word = pair => tell(...pair);

// The fields that a text names: [{path, isRequired, isOutside, kind, label}].
export function fieldsOf(text) {
  const specs = typeof text === "string" ? text.split(/\s+/).filter(Boolean) : text ?? [];
  return specs.flatMap(spec => typeof spec === "string" ? [parsed(spec)] : [
    {...parsed(spec.field), ...spec},
  ]);
}

function parsed(spec) {
  const [, outside, path, required, kind] = /^(\^?)([^!:]+)(!?)(?::(.*))?$/.exec(spec);
  const keys = path.split(".");
  const [chinese, english, usual] = keys.map((_, index) => FIELDS[keys.slice(index).join(".")])
    .find(Boolean) ?? [path, path];
  return {
    path, isOutside: outside !== "", isRequired: required !== "", label: [chinese, english],
    kind: kind ?? usual ?? "text",
  };
}

export const at = (object, path) => path.split(".").reduce((part, key) => part?.[key], object);

export function put(object, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  let place = object;
  for (const key of keys) place = place[key] ??= {};
  place[last] = value;
}

// Puts the ids of a resource name in place of the stars of a path.
export function fillPath(path, name = "") {
  const ids = name.split("/").filter((_, index) => index % 2 === 1);
  return path.replace(/\*/g, () => encodeURIComponent(ids.shift() ?? ""));
}

// What people call an enum's value; the bare value where it is unknown.
export function labelOf(value = "") {
  for (const [prefix, values] of Object.entries(ENUMS)) {
    const own = value.startsWith(`${prefix}_`) && values[value.slice(prefix.length + 1)];
    if (own) return word(own);
  }
  return value;
}

export const choicesOf = (prefix, only) => (only ?? Object.keys(ENUMS[prefix] ?? {}))
  .map(key => [`${prefix}_${key}`, word(ENUMS[prefix][key])]);

// An int64 comes as a text, so that no digit is lost.
export const count = value => BigInt(value ?? 0).toLocaleString("en");
export const percent = points => `${((points ?? 0) / 100).toFixed(2)} %`;

// ---- Names of organizations and regions, each asked for once.

const NAMES_MAX = 2000;
const names = new Map();

async function named(key, ask) {
  if (names.size > NAMES_MAX) names.clear();
  if (!names.has(key)) names.set(key, ask().catch(error => {
    if (error.isOutcomeUnknown) names.delete(key);
    return null;
  }));
  return names.get(key);
}

export const forgetNames = () => names.clear();
// Waits until every name that was asked for stands where it belongs.
export async function namesKnown() {
  await Promise.all(names.values());
  await new Promise(resolve => setTimeout(resolve));
}
export const organizationName = name => named(name, async () =>
  (await call("GET", fillPath("/v1/organizations/*", name))).organization?.displayName);
const regionName = code => named(`regions/${code}`, async () =>
  (await call("GET", `/v1/regions/${encodeURIComponent(code)}`)).region?.displayName);

// The organization that a text means: a resource name, or an external id.
export async function organizationOf(text) {
  if (text === "" || text.startsWith("organizations/")) return text;
  const found = await call("GET", pathOf("/v1/organizations", {externalId: text, pageSize: 1}));
  return found.organizations?.[0]?.name ?? text;
}

// The member whom a text means: a resource name, or a member number. What is neither is left to the
// service to name wrong.
async function memberOf(text) {
  if (text === "" || text.startsWith("members/")) return text;
  const path = pathOf("/v1/members", {memberNumber: text, pageSize: 1});
  const {members = []} = await call("GET", path).catch(error => {
    if (error.code !== 3) throw error;
    return {};
  });
  return members[0]?.name ?? text;
}

// Fills in a text that is still asked for.
export function late(node, promise) {
  promise.then(text => {if (text) node.textContent = text;});
  return node;
}

// ---- Values as people read them.

const WAITING = new RegExp("_(HELD|PENDING|POOLED|OPEN|WAITING|ASSIGNED|REPORTED|REQUESTED"
  + "|TRIGGERED|STALE|GUIDING|PREPARING|NOT_REACHED|UNREACHABLE|RETURNED_FOR_FIX)$");
const GOOD = /_(ACTIVE|ADMITTED|CONFIRMED|COMPLETED|ACCEPTED|FILED|JOINED|UNION_FORMED|DISTINCT)$/;
const UNDECIDED = /_(WAITING|ASSIGNED|REQUESTED)$/;

const short = name => name.split("/").pop().slice(0, 8);
// In China, whatever this computer's clock and zone are.
const today = () => new Date(serverTime().getTime() + 8 * 3_600_000).toISOString().slice(0, 10);

// Whether the term of a row has passed while it still waits.
export const isOverdue = row => Boolean(row.dueDate) && isoDay(row.dueDate) < today()
  && (row.state ? UNDECIDED.test(row.state) : !row.closed);

const link = (view, name, text) => make("a", {
  href: `#/${view}/${name.split("/").slice(1).join("/")}`,
}, text);

const showing = {
  state: value => make("span", {
    class: `badge ${WAITING.test(value) ? "waiting" : GOOD.test(value) ? "fine" : "off"}`,
  }, labelOf(value)),
  enum: value => labelOf(value),
  enums: value => value.map(labelOf).join(tell("、", ", ")),
  list: value => value.join("\n"),
  bool: value => value ? tell("是", "yes") : tell("否", "no"),
  time: value => time(value),
  count: value => count(value),
  number: value => count(value),
  percent: value => percent(value),
  code: value => make("code", {}, value),
  organization: value =>
    late(link("organizations", value, short(value)), organizationName(value)),
  enrollment: value => link("enrollments", value, short(value)),
  member: (value, row, path) => link("members", value,
    at(row, path.replace(/member$/, "memberNumber")) ?? short(value)),
  region: value => make("span", {}, `${value} `,
    late(make("span", {class: "hint"}), regionName(value))),
  date: (value, row, path) => path === "dueDate" && isOverdue(row)
    ? make("span", {}, day(value), " ",
      make("strong", {class: "badge late"}, tell("逾期", "overdue")))
    : day(value),
  link: value => /^https:\/\//.test(value)
    ? make("a", {href: value, rel: "noreferrer", target: "_blank"}, value) : value,
  rows: value => value.map(each => Object.entries(each).map(
    ([name, part]) => `${word(FIELDS[name] ?? [name, name])} ${part}`).join("; ")).join("\n"),
  symbol: value => make("img", {class: "qr", src: `data:image/svg+xml;base64,${btoa(value)}`,
    alt: tell("二维码", "QR code")}),
  secret: value => make("span", {class: "secret"}, make("code", {}, value), " ",
    make("button", {
      type: "button", click: event => {
        const {target} = event;
        navigator.clipboard?.writeText(value)
          .then(() => {target.textContent = tell("已复制", "Copied");}, () => {});
      },
    }, tell("复制", "Copy"))),
};

const EMPTY = {count: "0", bool: false};

// A field of a row as a text or an element.
export function shown({path, kind}, row) {
  const value = at(row, path) ?? EMPTY[kind];
  if (value === undefined || value === "" || value.length === 0) return "";
  return (showing[kind.split(":")[0]] ?? String)(value, row, path);
}

// ---- Controls: each makes its input and reads it.

let controlCount = 0;
const BLANK = () => [["", tell("请选择", "choose")]];
const options = (choices, value) => choices.map(([each, text]) =>
  make("option", {value: each, selected: each === value}, text));
const input = (type, toValue = text => text, toText = value => value) => ({
  make: (spec, value) => make("input", {type, value: toText(value ?? "")}),
  read: node => toValue(node.value.trim()),
});

const controls = {
  text: input("text"),
  password: {...input("password"), read: node => node.value},
  number: {
    make: (spec, value) => make("input", {type: "number", step: "any", value: value ?? ""}),
    read: node => node.value === "" ? undefined : Number(node.value),
  },
  date: input("date", dateOf, isoDay),
  // People write and read China's time.
  time: input("datetime-local", text => text ? `${text}:00+08:00` : undefined, value => value
    ? new Date(Date.parse(value) + 8 * 3_600_000).toISOString().slice(0, 16) : ""),
  long: {
    make: (spec, value) => make("textarea", {rows: 3}, value ?? ""),
    read: node => node.value.trim(),
  },
  list: {
    make: (spec, value) => make("textarea", {rows: 3}, (value ?? []).join("\n")),
    read: node => node.value.split(/[\s,，;；]+/).filter(Boolean),
  },
  file: {
    make: () => make("input", {type: "file", accept: ".csv,text/csv"}),
    read: node => node.files[0],
  },
  bool: {
    make: (spec, value) => make("input", {type: "checkbox", checked: Boolean(value)}),
    read: node => node.checked,
  },
  enum: {
    make: (spec, value) => make("select", {}, options(
      [...BLANK(), ...spec.choices ?? choicesOf(spec.kind.split(":")[1], spec.only)], value)),
    read: node => node.value || undefined,
  },
  enums: {
    make: (spec, value) => make("select", {multiple: true, size: 5},
      choicesOf(spec.kind.split(":")[1]).map(([each, text]) => make("option", {
        value: each, selected: (value ?? []).includes(each),
      }, text))),
    read: node => [...node.selectedOptions].map(option => option.value),
  },
  organization: {
    make: (spec, value) => make("input", {
      type: "text", value: value ?? "", autocapitalize: "off", spellcheck: "false",
      placeholder: tell("组织编号", "external id"),
    }),
    read: node => organizationOf(node.value.trim()),
  },
  member: {
    make: (spec, value) => make("input", {
      type: "text", value: value ?? "", placeholder: tell("会员号", "member number"),
    }),
    read: node => memberOf(node.value.trim()),
  },
  rows: {
    make: (spec, value) => rowsEditor(
      spec.path, fieldsOf(spec.kind.slice("rows:".length)), value ?? []),
    read: node => Promise.all([...node.querySelectorAll("fieldset")].map(
      each => valuesOf(each.controls))),
  },
};

function rowsEditor(path, fields, rows) {
  // A violation names the row by its place.
  const number = () => [...list.children].forEach((set, index) => set.controls.forEach(each => {
    each.node.dataset.path = `${path}[${index}].${each.spec.path}`;
  }));
  const add = row => {
    const made = fields.map(spec => controlOf(spec, at(row, spec.path)));
    const set = make("fieldset", {}, made.map(each => each.node), make("button", {
      type: "button", click: () => {
        set.remove();
        number();
      },
    }, tell("移除", "Remove")));
    set.controls = made;
    list.append(set);
    number();
  };
  const list = make("div", {});
  rows.forEach(add);
  return make("div", {}, list, make("button", {type: "button", click: () => add({})},
    tell("添加", "Add")));
}

// A labeled control: {spec, node, read}; `prefix` stands before its path in violations.
export function controlOf(spec, value, prefix = "") {
  const kind = controls[spec.kind.split(":")[0]] ?? controls.text;
  const input = kind.make(spec, value);
  controlCount += 1;
  const id = `control-${controlCount}`;
  const path = prefix && !spec.isOutside ? `${prefix}.${spec.path}` : spec.path;
  for (const [name, text] of Object.entries({
    id, name: path, "aria-describedby": `${id}-hint ${id}-error`,
    "aria-required": spec.isRequired ? "true" : undefined, autocomplete: "off",
  })) if (text !== undefined) input.setAttribute(name, text);
  const caption = make("label", {for: id}, word(spec.label),
    spec.isRequired ? make("span", {class: "required", "aria-hidden": "true"}, " *") : null);
  const isResolved = spec.kind === "organization" || spec.kind === "region";
  const hint = make("p", {id: `${id}-hint`, class: isResolved ? "hint resolved" : "hint"},
    spec.hint ? word(spec.hint) : "");
  if (isResolved) resolveInto(hint, input, spec.kind);
  const isCheck = spec.kind === "bool";
  const node = make("div", {class: isCheck ? "field check" : "field", "data-path": path},
    isCheck ? [input, caption] : [caption, input],
    spec.kind === "organization" ? make("button", {
      type: "button", class: "pick", "data-picks": id,
    }, tell("从组织树选择…", "Choose from the tree…")) : null,
    hint, make("p", {id: `${id}-error`, class: "error"}));
  return {spec, node, read: () => kind.read(input)};
}

function resolveInto(hint, input, kind) {
  const said = hint.textContent;
  const resolve = async () => {
    const text = input.value.trim();
    hint.textContent = "";
    const name = text === "" ? said : kind === "region" ? await regionName(text)
      : await organizationOf(text).then(organizationName, () => null);
    if (input.value.trim() === text) hint.textContent = name ?? tell("没有找到", "not found");
  };
  input.addEventListener("change", resolve);
  if (input.value) resolve();
}

// What the controls hold, as one object; empty fields are left out.
export async function valuesOf(list) {
  const found = {};
  for (const {spec, read} of list) {
    const value = await read();
    if (value !== undefined && value !== "") put(found, spec.path, value);
  }
  return found;
}
