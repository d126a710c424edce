// The mobile page behind a scanned code (/c/{code}), and without one (/me): signing in by phone,
// joining, transfer, one's own data.

import {ApiError, call, finish, pathOf, session, unanswered} from "./api.js";
import {language, onLanguage, say, time} from "./language.js";
import {showApplication} from "./member-application.js";
import {showMembership, transferButton, writeOnce} from "./member-own.js";
import {showSignIn} from "./member-sign-in.js";
import "./member-words.js";
import {
  ask, button, byId, facts, field, form, languageButton, make, notice, show, task,
} from "./page.js";

// What the views share. A view draws into a place of its own; when it is late, nobody sees it.
const app = {
  // The text of the scanned code; empty without one.
  code: decodedCode(location.pathname),

  go(view) {
    app.view = view;
    const place = make("div", {class: "view"});
    byId("main").replaceChildren(place);
    drawHead();
    Promise.resolve(view(place)).catch(error => showFailure(place, error));
  },
  home: message => app.go(place => showHome(place, message)),
  signIn: message => app.go(place => showSignIn(place, app, message)),
  apply: scan => app.go(place => showApplication(place, app, scan)),
  endSession,
  checkResult,
};

session.page = "member";
session.onEnd = () => app.signIn(notice("bad", say("sign-in.ended")));
onLanguage(() => {
  drawHead();
  app.go(app.view ?? (place => session.token ? showHome(place) : showSignIn(place, app)));
});

function decodedCode(path) {
  if (!path.startsWith("/c/")) return "";
  try {
    return decodeURIComponent(path.slice("/c/".length));
  } catch {
    return path;
  }
}

function drawHead() {
  document.title = say("title");
  byId("head").replaceChildren(
    make("span", {class: "brand"}, say("brand")),
    ...session.token ? [button(say("sign-out"), signOut, {class: "quiet"})] : [],
    languageButton());
}

function signOut() {
  endSession();
  app.signIn(notice("good", say("sign-out.done")));
}

// Whoever signs out leaves this phone, whether or not the server can be told.
function endSession() {
  call("POST", "/v1/sessions:signOut", {}).catch(() => {});
  session.end();
}

function showFailure(place, error) {
  if (!session.token) return;
  if (error.name !== "ApiError") console.error(error);
  const message = error instanceof ApiError ? error.message : say("failure");
  show(place, make("h1", {}, say("failure.title")), notice("bad", message),
    button(say("again"), () => app.go(app.view), {class: "main"}));
}

// ---- The first view after signing in.

async function showHome(place, message) {
  show(place, make("p", {role: "status"}, say("page.busy")));
  const late = await finishUnanswered();
  const [own, scan] = await Promise.all([membership(), scanned()]);
  const applications = own ? [] : await ownApplications();
  const can = action => scan?.actions?.includes(action);
  show(place,
    message, late, scan?.error ? codeProblem(scan.error) : null,
    scan?.organization ? unionCard(scan, [
      can("CODE_ACTION_JOIN")
        ? button(say(applications.length ? "join.again" : "join"), () => app.apply(scan),
          {class: applications.length ? "wide" : "main"}) : null,
      own && can("CODE_ACTION_TRANSFER_IN") ? transferButton(app, scan) : null,
      own?.member?.managingOrganization === scan.organization.name
        ? notice("plain", say("union.here")) : null,
      can("CODE_ACTION_JOIN") || can("CODE_ACTION_TRANSFER_IN") || own
        ? null : notice("plain", say("union.closed")),
    ]) : null,
    own ? await showMembership(app, own, scan) : applicationCards(applications),
    scan?.organization ? null : codeForm());
}

// Requests whose answer never came, before a reload perhaps, are sent again: nothing is done twice.
async function finishUnanswered() {
  const notices = [];
  for (const name of ["apply", "transfer", "correction", "away", "leave"]) {
    if (!unanswered(name)) continue;
    try {
      await finish(name);
      notices.push(notice("good", say(`late.${name}`)));
    } catch (error) {
      notices.push(notice("bad", error.message));
    }
  }
  return notices;
}

// The caller's membership; null for whoever has none.
async function membership() {
  try {
    return await call("GET", "/v1/me/membership");
  } catch (error) {
    if (error.reason === "MEMBER_NOT_FOUND") return null;
    throw error;
  }
}

async function ownApplications() {
  const {enrollments = []} = await call("GET", pathOf("/v1/enrollments", {pageSize: 50}));
  return enrollments;
}

// The union of the scanned code and what the caller may do there, {error} for a code that does not
// hold, null without a code.
async function scanned() {
  if (!app.code) return null;
  try {
    const found = await call("POST", "/v1/organizationCodes:resolve", {text: app.code});
    return {...found, region: await regionName(found.organization.regionCode)};
  } catch (error) {
    if ([3, 5, 9].includes(error.code)) return {error};
    throw error;
  }
}

// The names of a region and those around it: 河北省 秦皇岛市 海港区.
async function regionName(code = "") {
  const codes = [code.slice(0, 2).padEnd(6, "0"), code.slice(0, 4).padEnd(6, "0"),
    code.slice(0, 6), code.slice(0, 9)];
  const around = [...new Set(codes)].filter(each => each.length >= 6 && Number(each) > 0);
  const found = await Promise.allSettled(around.map(each => call("GET", `/v1/regions/${each}`)));
  return found.map(each => each.value?.region?.displayName ?? "").filter(Boolean).join(" ");
}

function unionCard({organization, region}, actions) {
  return make("section", {class: "card"},
    make("p", {class: "hint"}, say("union.scanned")), make("h1", {}, organization.displayName),
    facts([
      [say("union.kind"), say(organization.kind)],
      [say("union.region"), region],
      [say("union.groups"),
        (organization.groups ?? []).map(each => say(each)).join(say("union.and"))],
    ]),
    make("div", {class: "stack"}, actions));
}

// What is wrong with the code, and what to do now.
function codeProblem(error) {
  const isOver = ["CODE_EXPIRED", "CODE_REVOKED"].includes(error.reason);
  return make("section", {class: "card"}, make("h1", {}, say("code.bad")),
    notice("bad", error.message), make("p", {}, say(isOver ? "code.over" : "code.wrong")));
}

function applicationCards(applications) {
  if (!applications.length) return app.code ? null : notice("plain", say("nothing"));
  return make("section", {class: "card"}, make("h2", {}, say("applications")),
    make("p", {}, say("applications.about")),
    applications.map(each => make("div", {class: "entry"},
      facts([
        [say("applications.time"), time(each.createTime)],
        [say("field.group"), say(each.group)],
        [say("applications.state"), say(each.state)],
      ]),
      each.state === "ENROLLMENT_STATE_RECEIVED"
        ? task(say("withdraw"), () => withdraw(each), "quiet") : null)),
    button(say("applications.check"), checkResult, {class: "main"}));
}

async function withdraw(enrollment) {
  if (!await ask(say("withdraw.question"), say("withdraw.about"), say("withdraw"))) return;
  await writeOnce(app, "withdraw", "POST", `/v1/${enrollment.name}:withdraw`, {}, "withdraw.done");
}

// An applicant's session stays one: whether they are a member by now is told to whoever proves the
// phone anew.
function checkResult() {
  const phone = sessionStorage.getItem("member.phone") ?? "";
  endSession();
  app.go(place => showSignIn(place, app, notice("plain", say("applications.prove")), phone));
}

// For whoever has a printed code but no camera.
function codeForm() {
  return make("section", {class: "card"}, make("h2", {}, say("code.title")),
    make("p", {}, say("code.about")),
    form([field({
      path: "code", label: say("code.text"), autocapitalize: "characters", autocomplete: "off",
      placeholder: "YJ1-…",
    })], say("code.open"), ({code}) => {
      const text = code.split(/[/=]/).pop();
      if (!text) {
        throw new ApiError({code: 3, reason: "MISSING", message: "", violations: [
          {field: "code", message: say("code.missing")}]});
      }
      location.assign(`/c/${encodeURIComponent(text)}`);
    }));
}
