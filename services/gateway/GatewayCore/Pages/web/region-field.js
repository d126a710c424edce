// The choice of a region, from the province down to the township.

import {call, pathOf} from "./api.js";
import {say, words} from "./language.js";
import {make} from "./page.js";

words({
  zh: {
    REGION_LEVEL_PROVINCE: "省（自治区、直辖市）", REGION_LEVEL_CITY: "市（州）",
    REGION_LEVEL_COUNTY: "县（市、区）", REGION_LEVEL_TOWNSHIP: "乡镇（街道）",
    "region.failed": "行政区划没有读到，请重试。",
  },
  en: {
    REGION_LEVEL_PROVINCE: "Province", REGION_LEVEL_CITY: "City",
    REGION_LEVEL_COUNTY: "County or district", REGION_LEVEL_TOWNSHIP: "Township or street",
    "region.failed": "The regions could not be read. Try again.",
  },
});

const LEVELS = 4;
const known = new Map();

function children(parent) {
  if (!known.has(parent)) {
    const reading = call("GET", pathOf("/v1/regions", {parent, pageSize: 1000}))
      .then(answer => answer.regions ?? []);
    reading.catch(() => known.delete(parent));
    known.set(parent, reading);
  }
  return known.get(parent);
}

// A field whose value is the code of the region chosen last; `value` is the one to begin with.
export function regionField({path, label, hint, value = ""}) {
  const chosen = make("input", {type: "hidden", name: path, value});
  const choices = make("div", {class: "stack"});
  const problem = make("p", {class: "error", role: "alert"});

  // Of two that are opened at once, the first may come last.
  let opened = 0;

  async function open(parent, level, codes) {
    while (choices.children.length >= level) choices.lastChild.remove();
    opened += 1;
    const own = opened;
    let regions;
    try {
      regions = await children(parent);
      problem.textContent = "";
    } catch {
      problem.textContent = say("region.failed");
      return;
    }
    if (!regions.length || own !== opened) return;
    const preset = regions.find(each => codes.includes(each.code))?.code ?? "";
    const name = say(regions[0].level);
    const select = make("select", {
      "aria-label": `${label}: ${name}`,
      change: () => choose(select.value, level, []),
    }, make("option", {value: ""}, name), regions.map(each =>
      make("option", {value: each.code, selected: each.code === preset}, each.displayName)));
    choices.append(select);
    if (preset) await choose(preset, level, codes);
  }

  async function choose(code, level, codes) {
    // Without a choice here, that of the level above counts.
    chosen.value = code || (choices.children[level - 2]?.value ?? "");
    while (choices.children.length > level) choices.lastChild.remove();
    opened += 1;
    if (code && level < LEVELS) await open(`regions/${code}`, level + 1, codes);
  }

  open("", 1, value ? [
    value.slice(0, 2).padEnd(6, "0"), value.slice(0, 4).padEnd(6, "0"), value.slice(0, 6),
    value.slice(0, 9),
  ] : []);
  return make("fieldset", {class: "field", "data-path": path},
    make("legend", {}, label, make("span", {class: "hint"}, ` ${say("page.optional")}`)),
    choices, chosen, make("p", {class: "hint"}, hint), make("p", {class: "error"}), problem);
}
