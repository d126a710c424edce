// The application for membership of the scanned union.

import {serverTime, write} from "./api.js";
import {say, tag} from "./language.js";
import {button, facts, field, form, make, notice, show} from "./page.js";
import {regionField} from "./region-field.js";

// Of the consent's text in member-words.js: change it with the text.
const CONSENT_VERSION = "mobile-2026-11";

const GROUPS = [
  "TRUCK_DRIVER", "COURIER", "FOOD_DELIVERY_RIDER", "RIDE_HAILING_DRIVER", "CARE_WORKER",
  "DOMESTIC_WORKER", "MALL_PROMOTER", "ESTATE_AGENT", "SECURITY_GUARD", "LIVE_STREAMING_HOST",
  "OTHER",
].map(name => `OCCUPATION_GROUP_${name}`);
const DRIVERS = ["OCCUPATION_GROUP_TRUCK_DRIVER", "OCCUPATION_GROUP_RIDE_HAILING_DRIVER"];
const RELATIONS = ["CLEAR", "UNCLEAR", "NONE"].map(name => `LABOUR_RELATION_${name}`);

// What the owner of a phone entered, so that a change of the language or another sign-in loses
// nothing. Whoever signs in with another phone sees nothing of it.
let draft = {};
let draftPhone = "";

export function showApplication(place, app, scan) {
  const {organization} = scan;
  const phone = sessionStorage.getItem("member.phone") ?? "";
  if (phone !== draftPhone) draft = {};
  draftPhone = phone;
  const named = (name, more) => {
    const path = `application.${name}`;
    const value = draft[path];
    return {
      path, label: say(`field.${name}`), ...more,
      ...typeof value === "boolean" ? {checked: value} : {value: value ?? more?.value},
    };
  };
  const vehicle = make("fieldset", {}, make("legend", {}, say("apply.vehicle")),
    field(named("vehiclePlate", {optional: true, maxlength: 16, autocomplete: "off"})),
    field(named("driverLicense", {
      optional: true, maxlength: 16, autocomplete: "off", hint: say("apply.license"),
    })));
  const group = field(named("group", {
    options: [["", say("page.choose")], ...GROUPS.map(each => [each, say(each)])],
    required: true, change: event => { vehicle.hidden = !DRIVERS.includes(event.target.value); },
  }));
  vehicle.hidden = !DRIVERS.includes(draft["application.group"]);
  const consent = field(named("consent", {
    type: "checkbox", label: say("consent.agree"),
    // The moment in which the box was ticked is the moment of the consent.
    change: ({target}) => { draft.agreeTime = target.checked ? serverTime().toISOString() : null; },
  }));
  const node = form([
    make("section", {class: "card"}, make("h2", {}, say("apply.person")),
      field(named("personName", {autocomplete: "name", maxlength: 60, required: true})),
      field(named("residentId", {
        autocomplete: "off", maxlength: 24, autocapitalize: "characters", required: true,
      })),
      field(named("phone", {
        type: "tel", inputmode: "tel", value: phone, required: true, hint: say("apply.phone"),
      }))),
    make("section", {class: "card"}, make("h2", {}, say("apply.work")), group,
      field(named("newFormWorker", {type: "checkbox", hint: say("apply.new-form")})),
      field(named("platform", {optional: true, maxlength: 100, autocomplete: "off"})),
      vehicle,
      make("details", {}, make("summary", {}, say("apply.employer")),
        field(named("labourRelation", {
          options: [
            ["", say("apply.relation-unknown")], ...RELATIONS.map(each => [each, say(each)]),
          ],
        })),
        field(named("employerName", {
          optional: true, maxlength: 100, autocomplete: "organization",
        })),
        field(named("employerCreditCode", {
          optional: true, maxlength: 18, autocapitalize: "characters", autocomplete: "off",
          hint: say("apply.credit-code"),
        })))),
    make("section", {class: "card"}, make("h2", {}, say("apply.areas")),
      regionField(named("areas.work", {
        value: Number(organization.regionCode) ? organization.regionCode : "",
        hint: say("apply.work-area"),
      })),
      make("details", {}, make("summary", {}, say("apply.other-areas")),
        regionField(named("areas.residence")), regionField(named("areas.domicile")),
        field(named("migrantWorker", {type: "checkbox"})))),
    make("section", {class: "card"}, make("h2", {}, say("consent.title")),
      make("p", {}, say("consent.text", {union: organization.displayName})), consent),
  ], say("apply.send"), async values => {
    const {enrollment} = await write("apply", "POST", "/v1/enrollments", {
      application: application(values, app.code),
    });
    draft = {};
    app.go(next => showResult(next, app, enrollment));
  });
  node.addEventListener("input", event => {
    const {name, type, checked, value} = event.target;
    if (name) draft[name] = type === "checkbox" ? checked : value;
  });
  node.addEventListener("change", () => {
    for (const control of node.querySelectorAll("input[type=hidden]"))
      draft[control.name] = control.value;
  });
  show(place, make("h1", {}, say("apply.title", {union: organization.displayName})),
    make("p", {}, say("apply.about")), node,
    button(say("page.back"), () => app.home(), {class: "quiet wide"}));
}

// The application of a form's values: what is empty is left out, and said to be missing if it must
// not be.
function application(values, organizationCode) {
  const made = {organizationCode, areas: {}};
  for (const [path, value] of Object.entries(values)) {
    const name = path.replace("application.", "");
    if (!value || name === "consent") continue;
    if (name.startsWith("areas.")) made.areas[name.slice("areas.".length)] = value;
    else made[name] = value;
  }
  if (values["application.consent"]) {
    draft.agreeTime ??= serverTime().toISOString();
    made.consent = {
      version: CONSENT_VERSION, agreeTime: draft.agreeTime,
      evidence: `mobile page (${tag()}), box ticked; signed in by a one-time code, `
        + (sessionStorage.getItem("member.session") ?? ""),
    };
  }
  return made;
}

// To whoever proved a phone only, every application is RECEIVED: whether they are a member is told
// after the next proof. A member of before is told at once.
function showResult(place, app, enrollment) {
  const isKnown = enrollment.state !== "ENROLLMENT_STATE_RECEIVED";
  show(place,
    make("h1", {}, say(`result.${enrollment.state}`)),
    notice("good", say(isKnown ? "result.known" : "result.received")),
    make("section", {class: "card"}, facts([
      [say("result.number"), enrollment.name?.split("/").pop()],
      [say("field.group"), say(enrollment.group)],
      [say("result.route"), enrollment.routeReason],
    ])),
    make("div", {class: "stack"},
      isKnown ? button(say("result.home"), () => app.home(), {class: "main"})
        : button(say("applications.check"), app.checkResult, {class: "main"}),
      isKnown ? null : button(say("page.back"), () => app.home(), {class: "quiet"})));
}
