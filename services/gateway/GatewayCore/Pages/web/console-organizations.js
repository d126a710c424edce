// The tree of organizations, which loads what is below an organization when it is opened: as a page
// beside the details, and as a dialog that chooses one.

import {call, pathOf} from "./api.js";
import {account, failure, open} from "./console-engine.js";
import {count, fillPath, tell, labelOf} from "./console-values.js";
import {make} from "./page.js";

const PAGE_SIZE = 100;

// The organizations at the top of the caller's scope.
async function roots() {
  if (account.organization) {
    const path = fillPath("/v1/organizations/*", account.organization);
    return [(await call("GET", path)).organization];
  }
  // Of the whole tree: those that have no parent, as the coverages of the top name them.
  const {coverages = []} = await call("GET", "/v1/statistics/coverages?pageSize=100");
  return Promise.all(coverages.map(async each =>
    (await call("GET", fillPath("/v1/organizations/*", each.organization))).organization));
}

// A tree. `choose` gets the organization that somebody chooses; the current one is marked.
export function tree(choose, isCurrent) {
  const list = make("ul", {class: "tree"});
  const load = () => roots().then(
    found => list.replaceChildren(...found.map(each => branch(each, choose, isCurrent, true))),
    error => list.replaceChildren(failure(error, load)));
  load();
  return make("nav", {"aria-label": tell("组织树", "Organizations")}, list);
}

function branch(organization, choose, isCurrent, isOpen = false) {
  const {name, displayName, kind, state} = organization;
  const below = BigInt(organization.childCount ?? 0);
  const inner = make("ul", {hidden: true});
  const toggle = make("button", {
    type: "button", class: "toggle", "aria-expanded": "false", disabled: below === 0n,
    "aria-label": tell(`${displayName}的下级`, `Below ${displayName}`), click: () => set(),
  }, below === 0n ? "·" : "▸");
  const set = (isNow = inner.hidden) => {
    inner.hidden = !isNow;
    toggle.setAttribute("aria-expanded", String(isNow));
    toggle.textContent = isNow ? "▾" : "▸";
    if (isNow && inner.childElementCount === 0) more("");
  };
  const more = async token => {
    try {
      const page = await call("GET", pathOf("/v1/organizations", {
        parent: name, pageSize: PAGE_SIZE, pageToken: token,
      }));
      inner.append(...(page.organizations ?? []).map(each => branch(each, choose, isCurrent)));
      if (!page.nextPageToken) return;
      const next = make("button", {
        type: "button", class: "quiet", click: () => { item.remove(); more(page.nextPageToken); },
      }, tell("更多…", "More…"));
      const item = make("li", {}, next);
      inner.append(item);
    } catch (error) {
      inner.replaceChildren(make("li", {}, failure(error, () => {
        inner.replaceChildren();
        more("");
      })));
    }
  };
  if (isOpen && below > 0n) set(true);
  return make("li", {},
    make("div", {class: "branch"}, toggle, make("button", {
      type: "button", class: "leaf", "data-name": name,
      "aria-current": isCurrent(name) ? "true" : false,
      click: () => choose(organization),
    }, displayName, make("span", {class: "hint"}, " ", [
      labelOf(kind), below > 0n ? count(organization.childCount) : "",
      state === "ORGANIZATION_STATE_ACTIVE" ? "" : labelOf(state),
    ].filter(Boolean).join(" · ")))), inner);
}

// Lets the buttons beside fields of organizations open the tree.
export function choosing(root) {
  root.addEventListener("click", event => {
    const id = event.target.dataset?.picks;
    if (!id) return;
    const field = document.getElementById(id);
    const dialog = open(tell("选择组织", "Choose an organization"), tree(({name}) => {
      field.value = name;
      field.dispatchEvent(new Event("change"));
      dialog.close();
      field.focus();
    }, name => name === field.value));
  });
}
