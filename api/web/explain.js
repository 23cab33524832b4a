/**
 * Why a hit stands where it stands: each lane's part as a bar, what ranking changed, and all
 * figures in a table.
 *
 * @typedef {import("./api.js").Answer} Answer
 * @typedef {import("./api.js").Hit} Hit
 * @typedef {import("./state.js").State} State
 */
import { h, svg } from "./dom.js";
import { allOf, fieldName, number, percent, score } from "./format.js";
import { has, languageName, t } from "./strings.js";

/** Lanes whose parts differ by less than this share count as equal first. */
const NEARLY = 0.97;

/**
 * @param {Hit} hit
 * @param {number} place from 1
 * @param {Answer} answer
 * @param {State} state
 * @returns {Node[]}
 */
export function explanationView(hit, place, answer, state) {
  const lanes = Object.entries(hit.explain?.lanes ?? {});
  lanes.sort(([, a], [, b]) => b.contribution - a.contribution);
  const parts = [h("p", { class: "lead" }, ...summary(hit, lanes, place, answer, state))];
  if (lanes.length) {
    parts.push(h("h3", {}, t("explainParts")), stack(lanes, hit.explain.fused), laneChart(lanes, hit.explain.fused));
    parts.push(h("h3", {}, t("explainRankers")), rankerChart(hit.explain), ...moves(hit.explain));
    parts.push(disclosure(t("explainTable"), h("p", { class: "hint" }, t("explainTableHelp")), table(lanes, hit.explain)));
  }
  const read = planView(answer.plan);
  if (read) parts.push(disclosure(t("explainQuery"), read));
  parts.push(disclosure(t("explainTimings"), timingChart(answer)));
  return parts;
}

/**
 * A lane's name for readers; translated queries have lanes of their own (`text:fr`).
 *
 * @param {string} lane
 * @returns {string}
 */
export function laneName(lane) {
  if (has(`lane.${lane}`)) return t(`lane.${lane}`);
  const [kind, locale] = lane.split(":");
  const name = has(`lane.${kind}`) ? t(`lane.${kind}`) : kind;
  return locale ? t("lane.translated", { lane: name, locale: languageName(locale) }) : name;
}

function summary({ relevance }, lanes, place, answer, state) {
  const where = t("explainPlace", { rank: place, total: answer.total });
  const likely = relevance !== undefined && t("explainRelevance", { share: percent(relevance) });
  const sorted = state.sort && t("explainSorted", { field: fieldName(state.sort.field) });
  const top = lanes.filter(([, lane]) => lane.contribution >= NEARLY * lanes[0][1].contribution);
  const names = top.map(([name]) => t("quote", { text: laneName(name) }));
  const reason = lanes.length
    ? t("explainFirst", { lane: allOf(names) })
    : !sorted && t("explainBrowse");
  return [h("strong", {}, where), " ", [likely, reason, sorted].filter(Boolean).join(" ")];
}

/** The whole score as one bar: what each kind of match brought. */
function stack(lanes, total) {
  let x = 0;
  const rects = lanes.map(([name, { contribution }]) => {
    const width = (contribution / total) * 100;
    const rect = svg("rect", { class: laneClass(name), x: `${x}%`, width: `${width}%`, height: 16 });
    x += width;
    return rect;
  });
  return svg("svg", { class: "meter stack", "aria-hidden": "true", width: "100%", height: 16 }, ...rects);
}

function laneChart(lanes, total) {
  const widest = lanes[0][1].contribution;
  return h(
    "ul",
    { class: "bars" },
    ...lanes.map(([name, { rank, normalized, weight, contribution }]) => {
      const how = t("explainLane", { rank, match: score(normalized), weight: score(weight) });
      const share = percent(total ? contribution / total : 0);
      return barRow(laneName(name), share, contribution / widest, laneClass(name), how);
    }),
  );
}

const laneClass = (lane) => `lane-${lane.split(":")[0]}`;

function barRow(label, value, part, kind, hint) {
  const bar = svg(
    "svg",
    { class: "meter", "aria-hidden": "true", width: "100%", height: 10 },
    svg("rect", { class: "rail", width: "100%", height: 10, rx: 5 }),
    svg("rect", { class: kind, width: `${Math.max(1.5, part * 100)}%`, height: 10, rx: 5 }),
  );
  const figure = h("span", { class: "figure" }, value);
  return h("li", {}, h("span", {}, label), figure, bar, hint && h("span", { class: "how" }, hint));
}

function rankerChart({ rankers, reasons, fused }) {
  const moved = Object.entries(rankers ?? {}).filter(([, delta]) => delta !== 0);
  if (!moved.length) return h("p", { class: "hint" }, t("explainNoRankers"));
  const widest = Math.max(fused, ...moved.map(([, delta]) => Math.abs(delta)));
  return h("ul", { class: "bars" }, ...moved.map(([name, delta]) => deltaRow(name, delta, widest, reasons?.[name])));
}

/** A bar from the middle: to the end of the line it helped, to its start it hurt. */
function deltaRow(name, delta, widest, causes) {
  const half = Math.max(1, (Math.abs(delta) / widest) * 50);
  const bar = svg(
    "svg",
    { class: "meter", "aria-hidden": "true", width: "100%", height: 10 },
    svg("rect", { class: "rail", width: "100%", height: 10, rx: 5 }),
    svg("rect", {
      class: delta > 0 ? "gain" : "loss",
      x: `${delta > 0 ? 50 : 50 - half}%`,
      width: `${half}%`,
      height: 10,
    }),
    svg("rect", { class: "axis", x: "50%", width: 1, height: 10 }),
  );
  const figure = h("span", { class: "figure" }, score(delta, true));
  return h("li", {}, h("span", {}, componentName(name)), figure, bar, causeList(causes));
}

/** What a ranker or arranger gave as its causes: figures first, the weightiest on top. */
function causeList(causes) {
  if (!Object.keys(causes ?? {}).length) return null;
  const weight = ([, value]) => (typeof value === "number" ? Math.abs(value) : -1);
  const rows = Object.entries(causes).sort((a, b) => weight(b) - weight(a));
  const items = rows.flatMap(([cause, value]) => [
    h("dt", { dir: "auto" }, cause),
    h("dd", { dir: "auto" }, typeof value === "number" ? score(value, true) : value),
  ]);
  return h("dl", { class: "causes" }, ...items);
}

/** A ranker's or arranger's name for readers. */
const componentName = (name) => (has(`ranker.${name}`) ? t(`ranker.${name}`) : fieldName(name));

/** What arrangers did, which deal in places and not in scores; and who gave causes for nothing. */
function moves({ arrangers, rankers, reasons }) {
  const moved = Object.entries(arrangers ?? {}).map(([name, { before, after }]) => [
    h("p", { class: "hint" }, t("explainMoved", { name: componentName(name), before, after })),
    causeList(reasons?.[name]),
  ]);
  const quiet = Object.keys(reasons ?? {}).filter((name) => !rankers[name] && !arrangers?.[name]);
  const said = quiet.map((name) => [
    h("p", { class: "hint" }, t("explainReasons", { name: componentName(name) })),
    causeList(reasons[name]),
  ]);
  return [...moved, ...said].flat().filter(Boolean);
}

function table(lanes, { fused, rankers, score: final }) {
  const head = ["colLane", "colRank", "colRaw", "colMatch", "colWeight", "colPart"];
  const row = (label, cells, kind) =>
    h("tr", { class: kind }, h("th", { scope: "row" }, label), ...cells.map((cell) => h("td", {}, cell)));
  const sum = (label, value, kind) =>
    h("tr", { class: kind }, h("th", { scope: "row", colspan: 5 }, label), h("td", {}, value));
  const body = [
    ...lanes.map(([name, lane]) =>
      row(laneName(name), [
        number(lane.rank),
        score(lane.score),
        score(lane.normalized),
        score(lane.weight),
        score(lane.contribution),
      ]),
    ),
    sum(t("colSum"), score(fused), "sum"),
    ...Object.entries(rankers ?? {}).map(([name, delta]) => sum(componentName(name), score(delta, true))),
    sum(t("colScore"), score(final), "sum"),
  ];
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": t("explainTable") },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...head.map((key) => h("th", { scope: "col" }, t(key))))),
      h("tbody", {}, ...body),
    ),
  );
}

function planView(plan) {
  if (!plan?.original) return null;
  const rows = [[t("searchedFor"), plan.text]];
  for (const [locale, text] of Object.entries(plan.translations ?? {})) rows.push([languageName(locale), text]);
  if (plan.corrections?.length) rows.push([t("correctedTo"), plan.corrections.join(", ")]);
  for (const span of plan.spans ?? []) rows.push([fieldName(span.label), span.value]);
  if (Object.keys(plan.filters ?? {}).length) {
    rows.push([t("understoodFilters"), JSON.stringify(plan.filters)]);
  }
  const items = rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)]);
  return h("dl", { class: "details" }, ...items);
}

function timingChart({ timings, took_ms: took }) {
  const stages = Object.entries(timings ?? {}).filter(([, ms]) => ms > 0);
  const longest = Math.max(...stages.map(([, ms]) => ms), 0.001);
  const rows = stages.map(([stage, ms]) =>
    barRow(stageName(stage), t("took", { ms: number(ms, 1) }), ms / longest, "stage"),
  );
  return h("ul", { class: "bars", "aria-label": t("took", { ms: number(took, 1) }) }, ...rows);
}

const stageName = (stage) => (has(`stage.${stage}`) ? t(`stage.${stage}`) : fieldName(stage));

function disclosure(title, ...content) {
  return h("details", { class: "fold" }, h("summary", {}, title), ...content);
}
