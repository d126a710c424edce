// The first view: what waits for somebody, the coverage of the organization and of those below it,
// and who joined by day, group and channel.

import {call, pathOf} from "./api.js";
import {failure, read, saveTable} from "./console-engine.js";
import {count, labelOf, organizationName, percent, tell, word} from "./console-values.js";
import {WORK} from "./console-work.js";
import {day, isoDay, tag} from "./language.js";
import {collected, download, draw, facts, make, task} from "./page.js";

const COUNTED_MAX = 100;

// `query.organization` is the organization looked at; the caller's own where it is not set.
export function overview(query, move) {
  const {organization = ""} = query;
  return make("div", {class: "overview"}, organization ? null : desk(),
    coverage(organization, move), enrollments(organization));
}

// A section that loads by itself, so that one that fails leaves the others.
function section(title, load) {
  const body = make("div", {"aria-live": "polite"});
  const run = async () => {
    body.replaceChildren(make("p", {class: "hint loading"}, tell("正在读取…", "Loading…")));
    try {
      body.replaceChildren(...[await load()].flat());
    } catch (error) {
      body.replaceChildren(failure(error, run));
    }
  };
  run();
  return make("section", {class: "card"}, make("h2", {}, title), body);
}

// ---- What waits.

function desk() {
  return section(tell("待办", "To do"), async () => make("ul", {class: "desk"},
    WORK.map(view => {
      const number = make("strong", {}, "…");
      read(view.list, {}, null, COUNTED_MAX).then(({items, next}) => {
        number.textContent = items.length + (next ? "+" : "");
        number.classList.toggle("none", items.length === 0);
      }, () => { number.textContent = "–"; });
      return make("li", {}, make("a", {href: `#/${view.id}`}, number, word(view.title)));
    })));
}

// ---- Coverage.

function coverage(organization, move) {
  return section(tell("入会覆盖", "Coverage"), async () => {
    const [own, below] = await Promise.all([
      call("GET", pathOf("/v1/statistics/coverage", {organization})),
      call("GET", pathOf("/v1/statistics/coverages", {parent: organization, pageSize: 1000})),
    ]);
    const rows = below.coverages ?? [];
    const name = own.organization ? await organizationName(own.organization) : null;
    return [
      make("h3", {}, name ?? tell("全部组织", "The whole tree")), figures(own),
      rows.length === 0 ? "" : children(rows, move), make("div", {class: "row narrow"},
        task(tell("下载 CSV", "As CSV"), () => exported("ExportCoverages", "coverage.csv",
          {parent: organization}))),
    ];
  });
}

function figures(own) {
  const {base, target} = own;
  return make("div", {}, base ? meter(own) : null, facts([
    [tell("会员（分子）", "Members (numerator)"),
      `${count(own.members)}  (${day(own.date)})`],
    [tell("其中网上入会", "Joined online"), count(own.onlineMembers)],
    [tell("保留会籍（不计入）", "Retained (not counted)"), count(own.retainedMembers)],
    [tell("基数（分母）", "Base (denominator)"), base
      ? `${count(base.people)} ${base.qualifier ?? ""}` : tell("尚未登记", "none yet")],
    [tell("基数来源", "Source of the base"), base
      && `${base.source}${base.date ? `, ${day(base.date)}` : ""}`],
    [tell("覆盖率", "Coverage"), base && percent(own.coverageBasisPoints)],
    [tell("目标", "Target"), target
      && `${percent(target.basisPoints)} ${target.dueDate ? day(target.dueDate) : ""}`],
    [tell("还差", "Short of the target by"), target && count(own.peopleNeeded)],
  ].map(([name, value]) => [name, value || null])));
}

// A bar of the coverage, with a mark at the target.
function meter({coverageBasisPoints = 0, target}) {
  const share = Math.min(coverageBasisPoints, 10_000) / 100;
  return draw("svg", {
    viewBox: "0 0 100 6", preserveAspectRatio: "none", class: "meter", role: "img",
    "aria-label": percent(coverageBasisPoints),
  }, draw("rect", {width: 100, height: 6, class: "rail"}),
  draw("rect", {width: share, height: 6, class: "fill"}),
  target ? draw("rect", {x: target.basisPoints / 100 - 0.3, width: 0.6, height: 6, class: "goal"})
    : null);
}

function children(rows, move) {
  const heads = [tell("组织", "organization"), tell("会员", "members"), tell("基数", "base"),
    tell("基数来源和日期", "source and day"), tell("覆盖率", "coverage"), tell("目标", "target"),
    tell("还差", "short")];
  return make("table", {}, make("thead", {}, make("tr", {}, heads.map(
    text => make("th", {scope: "col"}, text)))), make("tbody", {}, rows.map(row => make("tr", {},
    [make("a", {
      href: `#/overview?organization=${encodeURIComponent(row.organization)}`,
      click: event => {
        event.preventDefault();
        move({organization: row.organization});
      },
    }, row.organizationName), count(row.members),
    row.base ? `${count(row.base.people)} ${row.base.qualifier ?? ""}` : "",
    row.base ? `${row.base.source} ${day(row.base.date)}` : "",
    row.base ? percent(row.coverageBasisPoints) : "",
    row.target ? percent(row.target.basisPoints) : "",
    row.target && row.base ? count(row.peopleNeeded) : ""].map(
      (content, index) => make("td", {"data-label": heads[index]}, content))))));
}

// ---- Who joined.

function enrollments(organization) {
  const ask = dimensions => call("GET", pathOf("/v1/statistics/enrollments", {
    ancestor: organization, dimensions: `STATISTICS_DIMENSION_${dimensions}`,
  }));
  return section(tell("新入会", "New members"), async () => {
    const [days, groups, channels] = await Promise.all(["DAY", "GROUP", "CHANNEL"].map(ask));
    return [
      make("p", {}, tell(
        `在会 ${count(days.liveMembers)} 人，另有保留会籍 ${count(days.retainedMembers)} 人。`,
        `${count(days.liveMembers)} live members; ${count(days.retainedMembers)} retained.`)),
      make("div", {class: "columns"},
        bars(tell("近 30 天", "The last 30 days"), "date", days.counts, row => isoDay(row.date)),
        bars(tell("群体", "By group"), "group", groups.counts, row => labelOf(row.group)),
        bars(tell("渠道", "By channel"), "channel", channels.counts, row => labelOf(row.channel))),
      make("div", {class: "row narrow"}, task(tell("下载 CSV", "As CSV"), () => exported(
        "ExportEnrollmentStatistics", "enrollments.csv", {ancestor: organization}))),
    ];
  });
}

// A table with a bar beside each number.
function bars(title, field, rows = [], nameOf) {
  const most = rows.reduce((top, row) => Math.max(top, Number(row.members ?? 0)), 1);
  const save = () => saveTable(`${field}.csv`, `${field} members`, rows);
  return make("div", {}, make("h3", {}, title), rows.length === 0
    ? make("p", {class: "empty"}, tell("没有数据。", "Nothing here."))
    : [make("table", {class: "bars"}, make("tbody", {}, rows.map(row => make("tr", {},
      make("th", {scope: "row"}, nameOf(row)), make("td", {"aria-hidden": "true"},
        draw("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar"},
          draw("rect", {width: Number(row.members ?? 0) / most * 100, height: 10}))),
      make("td", {class: "number"}, count(row.members)))))),
    make("button", {type: "button", class: "quiet", click: save},
      tell(`${title} CSV`, `${title} as CSV`))]);
}

// Saves what an export streams: parts of a file in base64.
async function exported(method, name, request) {
  const file = await collected(`/yijia.members.v1.MembersService/${method}`, request, {
    part: ({csv = ""}) => Uint8Array.from(atob(csv), letter => letter.charCodeAt(0)),
  });
  download(name, file, `text/csv;lang=${tag()}`);
}
