// A member's own record: what it says, and what a member may do with it.

import {call, pathOf, write} from "./api.js";
import {day, say, time} from "./language.js";
import {absences} from "./member-away.js";
import {
  PERSONAL_DATA, ask, collected, download, facts, field, form, make, notice, show, task,
} from "./page.js";

const LIVE = ["POOLED", "ACTIVE", "RETAINED"].map(name => `MEMBERSHIP_STATE_${name}`);
const SERVICE = "/yijia.members.v1.MembersService";

// The sections of a member's own record.
export async function showMembership(app, own, scan) {
  const isLive = LIVE.includes(own.member.state);
  const [{corrections = []}, {transfers = []}] = await Promise.all([
    call("GET", "/v1/corrections"),
    call("GET", pathOf("/v1/transfers", {member: own.member.name, states: TRANSFER_STATES})),
  ]);
  return [
    card(own, isLive),
    own.transfer ? openTransfer(app, own.transfer, scan) : null,
    make("section", {class: "card"}, make("h2", {}, say("own.title")),
      section("own.details", details(own.member)),
      isLive ? section("own.confirm", make("p", {}, say("own.confirm-about")),
        task(say("own.confirm-button"), () => writeOnce(
          app, "confirm", "POST", `/v1/${own.member.name}:confirm`, {}, "own.confirmed"))) : null,
      section("own.correct", correctionForm(app, corrections)),
      isLive ? section("own.away", absences((path, body, message) => writeOnce(
        app, "away", "POST", path, body, message))) : null,
      section("own.history", history(own, transfers))),
    make("section", {class: "card"}, make("h2", {}, say("own.rights")),
      section("own.export", make("p", {}, say("own.export-about")),
        task(say("own.export-button"), async () => download(say("own.export-file"),
          await collected(`${SERVICE}/ExportPersonalData`, {}, PERSONAL_DATA)))),
      isLive ? section("own.leave", make("p", {}, say("own.leave-about")),
        task(say("own.leave-button"), () => leave(app, own.member), "danger")) : null,
      section("own.erase", make("p", {}, say("own.erase-about")),
        task(say("own.erase-button"), () => erase(app, own.member), "danger"))),
  ];
}

const TRANSFER_STATES = ["REQUESTED", "COMPLETED", "DECLINED", "CANCELLED", "EXPIRED"].map(
  name => `TRANSFER_STATE_${name}`);

// The button that asks for the transfer to the scanned union.
export function transferButton(app, {organization, code}) {
  return task(say("transfer"), async () => {
    const isSure = await ask(say("transfer.question", {union: organization.displayName}),
      say(code.acceptsTransfers ? "transfer.at-once" : "transfer.decided"), say("transfer"));
    if (!isSure) return;
    const {transfer} = await write(
      "transfer", "POST", "/v1/transfers", {organizationCode: app.code});
    app.home(notice("good", say(`transfer.done.${transfer.state}`)));
  }, "main");
}

// Sends a write that is kept until it is answered, then shows the record anew with a message.
export async function writeOnce(app, name, method, path, body, message) {
  await write(name, method, path, body);
  app.home(notice("good", say(message)));
}

function section(key, ...content) {
  return make("details", {}, make("summary", {}, say(key)), make("div", {class: "inner"}, content));
}

// ---- What the record says.

function card(own, isLive) {
  const {member, code, codeSvg, organizationName, managingOrganizationName, honors = []} = own;
  const drawn = isLive && code
    ? make("img", {class: "qr", src: `data:image/svg+xml;base64,${btoa(codeSvg)}`,
      alt: say("own.code")})
    : null;
  return make("section", {class: "card member-card"},
    make("h1", {}, say(isLive ? "own.member" : "own.former")),
    make("p", {class: "number", id: "member-number"}, member.memberNumber),
    drawn ? make("figure", {}, drawn, make("figcaption", {class: "hint"}, say("own.code-hint"),
      make("br"), make("code", {}, code))) : null,
    facts([
      [say("field.personName"), member.personNameMasked],
      [say("own.state"), say(member.state)],
      [say("own.union"), managingOrganizationName],
      [say("own.joined-at"),
        organizationName === managingOrganizationName ? "" : organizationName],
      [say("own.join-date"), day(member.joinDate)],
      [say("field.group"), say(member.group)],
      ...honors.map(each => [say(each.revoked ? "own.honor-revoked" : "own.honor"),
        `${each.title} · ${day(each.date)}`]),
    ]));
}

function details(member) {
  const about = member.details ?? {};
  return [
    make("p", {class: "hint"}, say("own.masked")),
    facts([
      [say("field.personName"), member.personNameMasked],
      [say("field.residentId"), member.residentIdMasked],
      [say("field.phone"), member.phoneMasked],
      [say("field.employerName"), about.employerName],
      [say("field.employerCreditCode"), about.employerCreditCode],
      [say("field.platform"), about.platform],
      [say("field.vehiclePlate"), about.vehiclePlate],
      [say("field.driverLicense"), about.driverLicense],
    ]),
  ];
}

function history(own, transfers) {
  const place = make("div", {}, transfers.map(each => make("div", {class: "entry"}, facts([
    [say("transfer.title"), say(each.state)], [say("applications.time"), time(each.createTime)],
  ]))));
  const more = task(say("own.history-button"), async () => {
    const {entries = []} = await call(
      "GET", pathOf(`/v1/${own.member.name}/log`, {pageSize: 1000}));
    more.replaceWith(make("ol", {class: "log"}, entries.map(each =>
      make("li", {}, `${day(each.date)} ${say(each.action)}`))));
  });
  return [place, more];
}

// ---- Transfer.

function openTransfer(app, transfer, scan) {
  const isScanned = scan?.organization?.name === transfer.toOrganization;
  return make("section", {class: "card"}, make("h2", {}, say("transfer.open")),
    facts([
      [say("transfer.to"), isScanned ? scan.organization.displayName : ""],
      [say("applications.state"), say(transfer.state)],
      [say("applications.time"), time(transfer.createTime)],
      [say("transfer.due"), day(transfer.dueDate)],
      [say("transfer.expires"), day(transfer.expireDate)],
    ]),
    task(say("transfer.cancel"), async () => {
      if (await ask(say("transfer.cancel-question"), "", say("transfer.cancel")))
        await writeOnce(app, "cancel", "POST", `/v1/${transfer.name}:cancel`,
          {etag: transfer.etag}, "transfer.cancelled");
    }));
}

// ---- Corrections.

function correctionForm(app, corrections) {
  const open = corrections.find(each => each.state === "CORRECTION_STATE_REQUESTED");
  const past = corrections.map(each => make("div", {class: "entry"}, facts([
    [say("correction.title"), say(each.state)],
    [say("applications.time"), time(each.createTime)],
    [say("field.personName"), each.data?.personName],
    [say("field.residentId"), each.data?.residentId],
    [say("field.phone"), each.data?.phone],
  ])));
  if (open) return [make("p", {}, say("correction.open")), past];
  const named = (name, more) => ({
    path: `data.${name}`, label: say(`field.${name}`), optional: true, autocomplete: "off", ...more,
  });
  return [make("p", {}, say("correction.about")),
    form([
      field(named("personName", {maxlength: 60})),
      field(named("residentId", {maxlength: 24, autocapitalize: "characters"})),
      field(named("phone", {type: "tel", inputmode: "tel", maxlength: 20})),
    ], say("correction.send"), values => {
      const data = Object.fromEntries(Object.entries(values).filter(([, value]) => value)
        .map(([path, value]) => [path.replace("data.", ""), value]));
      return writeOnce(app, "correction", "POST", "/v1/corrections", {data}, "correction.done");
    }), past];
}

// ---- Leaving, erasure.

async function leave(app, member) {
  const isSure = await ask(
    say("own.leave-question"), say("own.leave-effect"), say("own.leave-button"));
  if (!isSure) return;
  await writeOnce(app, "leave", "POST", `/v1/${member.name}:leave`, {}, "own.left");
}

async function erase(app, member) {
  const isSure = await ask(
    say("own.erase-question"), say("own.erase-effect"), say("own.erase-button"));
  if (!isSure) return;
  await write("erase", "POST", `/v1/${member.name}:erase`, {});
  // The session's subject is nobody's any more.
  app.endSession();
  app.go(place => show(place, make("h1", {}, say("own.erased")),
    make("p", {}, say("own.erased-about"))));
}
