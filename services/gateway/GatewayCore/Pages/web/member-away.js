// A member's reports of absences of half a year or more.

import {serverTime, stream} from "./api.js";
import {dateOf, day, isoDay, say} from "./language.js";
import {facts, field, form, make, task} from "./page.js";

// Of the methods open to a member, only the export of one's own data has the reports.
const EXPORT = "/yijia.members.v1.MembersService/ExportPersonalData";
const OVER = ["AWAY_STATE_RETURNED", "AWAY_STATE_ENDED"];

// Shows the reports when they are asked for, and what can be done about the open one.
// `send(path, body, message)` writes.
export function absences(send) {
  const place = make("div", {}, make("p", {}, say("away.about")));
  place.append(task(say("away.show"), async () => {
    const all = [];
    for await (const {awayReport} of stream(EXPORT, {})) if (awayReport) all.push(awayReport);
    const open = all.find(({report}) => !OVER.includes(report.state));
    place.replaceChildren(...all.map(entry), ...next(send, open));
  }));
  return place;
}

function entry({report, details = {}}) {
  return make("div", {class: "entry"}, facts([
    [say("applications.state"), say(report.state)],
    [say("field.departureDate"), day(report.departureDate)],
    [say("field.returnDate"), day(report.returnDate)],
    [say("field.destination"), details.destination],
    [say("field.contact"), details.contact],
    [say("field.familyNote"), details.familyNote],
  ]));
}

function next(send, open) {
  const is = state => open?.report.state === `AWAY_STATE_${state}`;
  if (!open || is("RETURNED_FOR_FIX")) return [planForm(send, open)];
  return [is("FILED") ? dateForm(send, open, false) : null,
    is("FILED") || is("AWAY") ? dateForm(send, open, true) : null].filter(Boolean);
}

// A new report, or one that was sent back.
function planForm(send, old) {
  const {report = {}, details = {}} = old ?? {};
  const date = name => field({
    path: name, type: "date", label: say(`field.${name}`), value: isoDay(report[name]),
    required: true,
  });
  const detail = (name, more) => field({
    path: `details.${name}`, label: say(`field.${name}`), value: details[name],
    autocomplete: "off", ...more,
  });
  return form([
    date("departureDate"), date("returnDate"), detail("destination", {required: true}),
    detail("contact", {type: "tel", inputmode: "tel", required: true}),
    detail("familyNote", {optional: true, maxlength: 200}),
  ], say(old ? "away.fix" : "away.report"), values => send(
    old ? `/v1/${report.name}:fix` : "/v1/awayReports", {
      ...old ? {etag: report.etag} : {},
      departureDate: dateOf(values.departureDate), returnDate: dateOf(values.returnDate),
      details: Object.fromEntries(Object.keys(values).filter(path => path.startsWith("details."))
        .map(path => [path.slice("details.".length), values[path]])),
    }, "away.reported"));
}

// The day of the departure or of the return.
function dateForm(send, {report}, hasReturned) {
  const today = new Date(serverTime().getTime() + 8 * 3_600_000).toISOString().slice(0, 10);
  return form([field({
    path: "date", type: "date", value: today, max: today, required: true,
    label: say(hasReturned ? "away.day-back" : "away.day-gone"),
  })], say(hasReturned ? "away.back" : "away.gone"), ({date}) => send(
    `/v1/${report.name}:track`, {etag: report.etag, hasReturned, date: dateOf(date)},
    "away.tracked"));
}
