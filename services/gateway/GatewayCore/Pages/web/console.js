// The console of union staff: signing in, the views and the way between them.
//
// #/VIEW?FILTERS is a list, #/VIEW/ID a detail; so the browser's history and bookmarks work.

import {ApiError, call, session} from "./api.js";
import {account, act, bar, closeDialogs, failure, list, may, offered, read}
  from "./console-engine.js";
import {choosing, tree} from "./console-organizations.js";
import {overview} from "./console-overview.js";
import {ACCOUNT, ADMINISTRATION, REGISTRY} from "./console-registry.js";
import {choicesOf, fieldsOf, fillPath, forgetNames, labelOf, late, organizationName, shown, tell,
  word} from "./console-values.js";
import {WORK} from "./console-work.js";
import {onLanguage} from "./language.js";
import {byId, facts, field, form, languageButton, make, notice, show} from "./page.js";

const OVERVIEW = {id: "overview", title: ["总览", "Overview"]};
const SECTIONS = [
  [["", ""], [OVERVIEW]], [["待办", "Work"], WORK], [["登记", "Registry"], REGISTRY],
  [["管理", "Administration"], ADMINISTRATION], [["", ""], ACCOUNT],
];

const kept = {
  get: () => JSON.parse(sessionStorage.getItem("console.account") ?? "{}"),
  set: value => sessionStorage.setItem("console.account", JSON.stringify(value)),
};

session.page = "console";
session.onEnd = () => {
  leave();
  drawPage(notice("plain", tell("登录已结束：30 分钟没有操作、满 12 小时，或账号有变动。请重新登录。",
    "The session has ended: unused for 30 minutes, 12 hours old, or the account changed. "
    + "Sign in again.")));
};

function leave() {
  closeDialogs();
  forgetNames();
  for (const key of Object.keys(account)) delete account[key];
}

// ---- Signing in.

function signIn(said) {
  const code = field({
    path: "totpCode", label: tell("验证器六位数字", "Six digits of the authenticator"),
    inputmode: "numeric", autocomplete: "one-time-code", maxlength: 6,
  });
  code.hidden = true;
  const content = form([
    field({
      path: "userName", label: tell("用户名", "User name"), autocomplete: "username",
      autocapitalize: "off", spellcheck: "false",
    }),
    field({
      path: "password", label: tell("密码", "Password"), type: "password",
      autocomplete: "current-password",
    }), code,
  ], tell("登录", "Sign in"), async given => {
    try {
      begin({...await call("POST", "/v1/sessions:signIn", given), userName: given.userName});
    } catch (error) {
      if (error.reason !== "TOTP_REQUIRED") throw error;
      code.hidden = false;
      code.querySelector("input").focus();
      if (given.totpCode) throw error;
    }
  });
  return [make("div", {class: "sign-in card"},
    make("h1", {}, tell("工会工作台", "Union console")), said, content,
    make("p", {class: "hint"}, tell("忘记密码或更换手机，请联系管理员重置账号。",
      "Forgot the password, or a new phone? An administrator can reset your account.")))];
}

function begin({token, role, organization = "", displayName = "", passwordTemporary = false,
  totpEnrolled = false, userName}) {
  session.begin(token);
  kept.set({role, organization, displayName, passwordTemporary, totpEnrolled, userName});
  drawPage();
}

// Whoever signs out leaves this computer, whether or not the server can be told, and whoever comes
// next begins at the beginning.
function signOut() {
  call("POST", "/v1/sessions:signOut", {}).catch(() => {});
  session.end();
  leave();
  history.replaceState(null, "", location.pathname);
  drawPage();
}

// ---- The page around a view.

// One tree for all views of organizations, so that what is open in it stays open.
let organizations = null;
let current = "";

function aside(name = "") {
  current = name;
  organizations ??= make("aside", {class: "card"}, tree(toOrganization, each => each === current));
  for (const leaf of organizations.querySelectorAll(".leaf"))
    leaf.ariaCurrent = leaf.dataset.name === current ? "true" : null;
  return organizations;
}

const isShown = view => may(view.role)
  && !(ADMINISTRATION.includes(view) && account.organization);

function header() {
  const scope = make("span", {class: "hint"});
  if (account.organization) late(scope, organizationName(account.organization));
  else if (account.role) scope.textContent = tell("全部组织", "the whole tree");
  return [
    session.token ? make("button", {
      type: "button", id: "menu", class: "quiet", "aria-label": tell("菜单", "Menu"),
      "aria-expanded": "false", "aria-controls": "views", click: () => menu(),
    }, "☰") : null,
    make("a", {class: "brand", href: "#/overview"},
      tell("驿家 · 工会工作台", "Yijia · Union console")),
    session.token ? make("span", {class: "who"}, account.displayName, " ",
      make("span", {class: "badge off"}, labelOf(account.role)), " ", scope) : null,
    languageButton(),
    session.token ? make("button", {type: "button", class: "quiet", id: "sign-out", click: signOut},
      tell("退出", "Sign out")) : null,
  ].filter(Boolean);
}

function menu(isOpen = !document.body.classList.contains("menu")) {
  document.body.classList.toggle("menu", isOpen);
  byId("menu")?.setAttribute("aria-expanded", String(isOpen));
}

function navigation(id) {
  return SECTIONS.map(([title, views]) => [views.filter(isShown), title]).filter(
    ([views]) => views.length > 0).map(([views, title]) => make("section", {},
    title[0] ? make("h2", {}, word(title)) : null, make("ul", {}, views.map(view => make("li", {},
      make("a", {href: `#/${view.id}`, "aria-current": view.id === id ? "page" : false},
        word(view.title)))))));
}

function drawPage(said = null) {
  document.title = tell("驿家 · 工会工作台", "Yijia · Union console");
  organizations = null;
  Object.assign(account, session.token ? kept.get() : {});
  document.body.classList.toggle("inside", Boolean(session.token));
  document.querySelector("body > header").replaceChildren(...header());
  if (session.token) return route();
  byId("views").replaceChildren();
  return show(document.querySelector("main"), signIn(said));
}

// ---- The way to a view.

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  // The ids of names and views have no letter that an address would write in another way.
  const [id, ...ids] = path.split("/");
  return {id: id || "overview", ids, query: Object.fromEntries(new URLSearchParams(query))};
}

function go(id, query) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  const hash = `#/${id}${text ? `?${text}` : ""}`;
  if (location.hash === hash) route(); else location.hash = hash;
}

function route() {
  if (!session.token) return;
  closeDialogs();
  menu(false);
  const {id, ids, query} = place();
  const main = document.querySelector("main");
  const brand = tell("驿家 · 工会工作台", "Yijia · Union console");
  byId("views").replaceChildren(...navigation(id));
  const view = SECTIONS.flatMap(([, views]) => views).find(each => each.id === id && isShown(each));
  document.title = view ? `${word(view.title)} · ${brand}` : brand;
  if (account.passwordTemporary && id !== "account") go("account", {});
  else if (!view) show(main, make("h1", {}, tell("没有这一页", "No such page")));
  else if (view === OVERVIEW) show(main, heading(view), overview(query, found => go(id, found)));
  else if (ids.length > 0) detailPage(view, ids, main);
  else listPage(view, query, main);
}

const heading = (view, ...beside) => make("div", {class: "heading"},
  make("div", {}, make("h1", {}, word(view.title)),
    view.about ? make("p", {class: "hint"}, word(view.about)) : null), beside);

function listPage(view, query, main) {
  // Whoever has a temporary password may change it, and nothing else.
  const {passwordTemporary} = account;
  const content = passwordTemporary ? make("div") : list(view.list, {
    query, move: found => go(view.id, found),
    open: view.detail ? row => `#/${view.id}/${row.name.split("/").slice(1).join("/")}` : null,
  });
  const create = make("div", {class: "actions"}, offered(view.create).filter(
    action => !passwordTemporary || action.id === "change-password").map(action => make("button", {
    type: "button", "data-action": action.id,
    click: () => act(action, null, {done: () => created(action, content)}),
  }, word(action.title))));
  show(main, heading(view, create), first(view),
    view.isTree ? make("div", {class: "split"}, aside(), content) : content);
}

const toOrganization = ({name}) => go(`organizations/${name.split("/").pop()}`, {});

// What a new member of staff does first.
function first(view) {
  if (view.id !== "account") return null;
  if (account.passwordTemporary) {
    return notice("plain", tell("这是临时密码，请先修改密码，然后才能办理其他事项。",
      "This is a temporary password: change it before anything else."));
  }
  return account.totpEnrolled ? null : notice("plain", tell("建议启用验证器：登录时除密码外再输入六位数字。",
    "Enroll an authenticator: signing in then asks for six digits beside the password."));
}

function created(action, content) {
  if (action.id === "change-password") kept.set({...kept.get(), passwordTemporary: false});
  if (action.id === "enroll-totp") kept.set({...kept.get(), totpEnrolled: true});
  if (content.isConnected && !["change-password", "enroll-totp"].includes(action.id))
    return content.load();
  return drawPage();
}

// ---- Details.

const SEARCHED_PAGES_MAX = 10;

// An item: by its own method, or, of what has none, by looking through its list in all states.
async function item(view, name) {
  if (view.detail.path)
    return (await call("GET", fillPath(view.detail.path, name)))[view.detail.item];
  const states = fieldsOf(view.list.filters).find(each => each.path === "states");
  for (const every of [[], choicesOf(states.kind.split(":")[1]).map(([value]) => value)]) {
    let page = "";
    for (let count = 0; count < SEARCHED_PAGES_MAX; count += 1) {
      const {items, next} = await read(view.list, {states: every, page}, null, 1000);
      const found = items.find(each => each.name === name);
      if (found) return found;
      if (!next) break;
      page = next;
    }
  }
  throw new ApiError({
    code: 5, reason: "NOT_FOUND", message: tell("没有找到这条记录。", "This was not found."),
  });
}

async function detailPage(view, ids, main) {
  const name = [view.list.path.split("/").pop(), ...ids].join("/");
  const body = make("div", {class: "detail"});
  const beside = make("a", {class: "button", href: `#/${view.id}`},
    tell("返回列表", "Back to the list"));
  const content = view.isTree ? make("div", {class: "split"}, aside(name), body) : body;
  const head = heading({title: view.title}, beside);
  show(main, head, content);
  const changed = () => {
    organizations = null;
    if (view.isTree) body.parentElement.firstElementChild.replaceWith(aside(name));
    return load();
  };
  const load = async () => {
    try {
      const row = await item(view, name);
      const called = row.displayName ?? row.personNameMasked ?? row.memberNumber;
      if (called) head.querySelector("h1").textContent = `${word(view.title)} · ${called}`;
      body.replaceChildren(make("section", {class: "card"},
        facts(fieldsOf(view.detail.fields).map(spec => [word(spec.label), shown(spec, row)])),
        bar(view.actions, row, {done: changed, hasLead: WORK.includes(view)})),
      ...related(view, row));
      return row;
    } catch (error) {
      body.replaceChildren(failure(error, load));
      return null;
    }
  };
  await load();
}

function related(view, row) {
  return (view.related ?? []).filter(spec => may(spec.role)).map(spec => {
    const holder = make("section", {class: "card"}, make("h2", {}, word(spec.title)));
    const move = query => {
      holder.querySelector(".list")?.remove();
      holder.append(list(spec, {query, move, parent: row}));
    };
    move({});
    return holder;
  });
}

// ---- Start.

choosing(document.body);
window.addEventListener("hashchange", route);
onLanguage(() => drawPage());
