// Building blocks of the pages. Text enters a page as text only, never as HTML.

import {stream} from "./api.js";
import {language, say, switchLanguage, words} from "./language.js";

words({
  zh: {
    "page.other": "English", "page.back": "返回", "page.cancel": "取消", "page.close": "关闭",
    "page.optional": "选填", "page.wrong": "有 {count} 处需要更正。", "page.choose": "请选择",
    "page.busy": "请稍候…",
    "page.retry-seconds": "请在 {count} 秒后重试。", "page.retry-minutes": "请在 {count} 分钟后重试。",
    "page.retry-hours": "请在 {count} 小时后重试。",
  },
  en: {
    "page.other": "中文", "page.back": "Back", "page.cancel": "Cancel", "page.close": "Close",
    "page.optional": "optional", "page.wrong": "{count} to correct.", "page.choose": "Choose",
    "page.busy": "One moment…",
    "page.retry-seconds": "Try again in {count} s.",
    "page.retry-minutes": "Try again in {count} minutes.",
    "page.retry-hours": "Try again in {count} hours.",
  },
});

// Makes an element. Attributes that are functions listen to events ({click: …}), those that are
// false or null are left out, those that are true are empty. Children are elements or texts.
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

// Makes an element of a drawing.
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  return node;
}

export const byId = id => document.getElementById(id);

// The button that changes the language.
export function languageButton() {
  return make("button", {
    type: "button", class: "quiet", lang: language() === "zh" ? "en" : "zh-CN",
    click: switchLanguage,
  }, say("page.other"));
}

// Shows other content in a place. The focus goes to its heading, so that it is read out.
export function show(place, ...nodes) {
  place.replaceChildren(...nodes.flat(Infinity).filter(node => node != null && node !== false));
  const heading = place.querySelector("h1, h2");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({preventScroll: true});
  window.scrollTo(0, 0);
}

// A message in a colored frame: "bad", "good" or "plain". A bad one is read out at once.
export function notice(kind, ...content) {
  return make("div", {class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status"}, content);
}

// A list of names and values; entries without a value are left out.
export function facts(entries) {
  return make("dl", {class: "facts"}, entries.filter(([, value]) => value != null && value !== "")
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

// A button whose work is done once at a time: further taps are ignored until it is done.
export function button(text, work, attributes = {}) {
  return make("button", {
    type: "button", ...attributes,
    click: event => busy(event.currentTarget, work),
  }, text);
}

// Does work while a button shows that it is being done.
export async function busy(node, work) {
  if (node.getAttribute("aria-busy") === "true") return undefined;
  node.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    node.removeAttribute("aria-busy");
  }
}

// A wide button of "kind" main, danger or none, below which an ApiError of its work is shown.
export function task(text, work, kind = "") {
  const problem = make("div", {"aria-live": "assertive"});
  const node = button(text, async () => {
    problem.replaceChildren();
    try {
      await work();
    } catch (error) {
      problem.replaceChildren(showError(problem, error));
    }
  }, {class: `wide ${kind}`});
  return make("div", {}, node, problem);
}

// ---- Forms.

let fieldCount = 0;

// A labeled control. `path` is the field's path in the request, by which its violation is found.
// With `options`, [[value, text]], it is a choice; type "checkbox" puts the label behind it.
export function field({path, label, hint, options, optional = false, ...attributes}) {
  fieldCount += 1;
  const id = `field-${fieldCount}`;
  const described = `${id}-hint ${id}-error`;
  const common = {id, name: path, "aria-describedby": described, ...attributes};
  const isCheck = attributes.type === "checkbox";
  const control = options
    ? make("select", common, options.map(([value, text]) => make("option", {
      value, selected: value === attributes.value,
    }, text)))
    : make("input", common);
  const caption = make("label", {for: id}, label,
    optional ? make("span", {class: "hint"}, ` ${say("page.optional")}`) : null);
  return make("div", {class: isCheck ? "field check" : "field", "data-path": path},
    isCheck ? [control, caption] : [caption, control],
    make("p", {id: `${id}-hint`, class: "hint"}, hint),
    make("p", {id: `${id}-error`, class: "error"}));
}

// The values of a form by path: texts without outer blanks, which only a password may have, and
// checkboxes as booleans.
export function values(form) {
  const found = {};
  for (const control of form.querySelectorAll("input[name], select[name], textarea[name]")) {
    const {name, type, checked, value} = control;
    found[name] = type === "checkbox" ? checked : type === "password" ? value : value.trim();
  }
  return found;
}

// A form whose work is done once at a time. An ApiError is shown: each violation beside its field,
// and all that belongs to none above the button, where it is read out. `beside` stands in the
// button's row; the button's "kind" is main, danger or none.
export function form(content, text, work, {kind = "main", beside = null} = {}) {
  const summary = make("div", {"aria-live": "assertive"});
  const submit = make("button", {type: "submit", class: kind}, text);
  const node = make("form", {novalidate: true}, content, summary,
    beside ? make("div", {class: "row"}, beside, submit) : submit);
  // What is being corrected is not wrong any more, as far as this page knows.
  node.addEventListener("input", ({target}) => clearErrors(target.closest(".field") ?? target));
  node.addEventListener("submit", event => {
    event.preventDefault();
    busy(submit, async () => {
      clearErrors(node);
      summary.replaceChildren();
      try {
        await work(values(node));
      } catch (error) {
        summary.replaceChildren(showError(node, error));
      }
    });
  });
  return node;
}

function clearErrors(node) {
  for (const place of node.querySelectorAll(".error")) place.textContent = "";
  for (const control of node.querySelectorAll("[aria-invalid]"))
    control.removeAttribute("aria-invalid");
}

// Puts the violations of an error beside their fields, and focuses the first. Returns a notice of
// the rest. What is wrong within a field, limits[0].burst, stands beside the nearest one around it.
export function showError(node, error) {
  if (error.name !== "ApiError") console.error(error);
  const others = [];
  let first = null;
  const places = [...node.querySelectorAll("[data-path]")].sort(
    (one, other) => other.dataset.path.length - one.dataset.path.length);
  for (const {field: path, message} of error.violations ?? []) {
    const place = places.find(({dataset}) => path === dataset.path
      || path.startsWith(`${dataset.path}.`) || path.startsWith(`${dataset.path}[`));
    if (!place) {
      others.push(`${path}: ${message}`);
      continue;
    }
    const control = place.querySelector("input, select, textarea");
    control?.setAttribute("aria-invalid", "true");
    place.querySelector(".error").textContent = message;
    const closed = place.closest("details");
    if (closed) closed.open = true;
    first ??= control;
  }
  first?.focus();
  const count = node.querySelectorAll("[aria-invalid]").length;
  if (count === 0) {
    return notice("bad", [others.join("\n") || error.message, patience(error)].join("\n").trim());
  }
  return notice("bad", [say("page.wrong", {count}), ...others].join("\n"));
}

// When to try again, in words.
function patience({retrySeconds: seconds}) {
  if (!seconds) return "";
  if (seconds < 100) return say("page.retry-seconds", {count: Math.ceil(seconds)});
  if (seconds < 6000) return say("page.retry-minutes", {count: Math.ceil(seconds / 60)});
  return say("page.retry-hours", {count: Math.ceil(seconds / 3600)});
}

// ---- Questions and files.

const PIECES_MAX = 1000;

// Asks before something that cannot be undone. Resolves to whether it was confirmed.
export function ask(question, explanation, confirm) {
  return new Promise(resolve => {
    const dialog = make("dialog", {"aria-labelledby": "question"},
      make("h2", {id: "question"}, question), make("p", {}, explanation),
      make("div", {class: "row"},
        make("button", {type: "button", autofocus: true, click: () => dialog.close()},
          say("page.cancel")),
        make("button", {type: "button", class: "danger", click: () => dialog.close("yes")},
          confirm)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Makes a file of what a method streams. `part` makes a piece of a message and its place.
export async function collected(path, request, {head = "", part, tail = ""}) {
  let pieces = [head];
  let count = 0;
  for await (const message of stream(path, request)) {
    pieces.push(part(message, count));
    count += 1;
    // The browser keeps a large blob on the disk.
    if (pieces.length > PIECES_MAX) pieces = [new Blob(pieces)];
  }
  return new Blob([...pieces, tail]);
}

// A person's data as they are exported, for collected().
export const PERSONAL_DATA = {
  head: "[", tail: "\n]\n",
  part: (message, index) => `${index > 0 ? "," : ""}\n${JSON.stringify(message, null, 2)}`,
};

// Saves a text or a blob as a file.
export function download(name, text, type = "application/json") {
  const address = URL.createObjectURL(new Blob([text], {type}));
  make("a", {href: address, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
