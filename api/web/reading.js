/**
 * What the words were understood to mean: a chip for each reading that acts on the results.
 * Each can be taken back; its words then stay plain words.
 *
 * @typedef {import("./api.js").Plan} Plan
 * @typedef {import("./api.js").Span} Span
 * @typedef {import("./state.js").State} State
 * @typedef {{ key: string, effect: string, text: string, title: string
 *   }} Reading
 */
import { $, h, icon, replaceItems } from "./dom.js";
import { anyOf, capital, fieldName, valueName } from "./format.js";
import { t } from "./strings.js";

const ICONS = { filter: "filter", exclude: "not", avoid: "not" };
/** Readings that keep products out; the others only order them. */
const LIMITS = ["filter", "exclude"];

/** The limits a screen reader was last told of; they are said once, not with every search. */
let told = "";

/**
 * The readings behind the results, in the order of the words, each once.
 *
 * @param {Plan} plan
 * @param {State} state
 * @returns {Reading[]}
 */
export function readings(plan, state) {
  const acting = (plan.spans ?? []).filter((span) => acts(span, state));
  acting.sort((a, b) => a.start - b.start);
  return [...new Map(acting.map((span) => [keyOf(span), reading(span, plan)])).values()];
}

/** What orders gives way to an order the shopper chose, a limit to a filter on the same field. */
function acts({ effect = "note", field }, state) {
  if (effect === "note") return false;
  return LIMITS.includes(effect) ? !(field && field in state.filters) : !state.sort;
}

/** How the API knows a reading that is to be ignored. */
const keyOf = ({ label, value }) => `${label}:${value.toLowerCase()}`;

function reading(span, plan) {
  const { effect, field = "", values = [] } = span;
  const names = values.map((value) => valueName(field, value));
  const words = names.length > 1 ? span.value : (names[0] ?? typed(span, plan));
  const isNot = (effect === "exclude" && names.length) || effect === "avoid";
  const value = isNot ? t("readingNot", { value: words }) : words;
  return {
    key: keyOf(span),
    effect,
    text: field ? t("reading", { field: fieldName(field), value }) : value,
    title: t(`reading${capital(effect)}`, { values: names.length ? anyOf(names) : words }),
  };
}

/** The span's words. The API counts characters; a string's index counts some of them twice. */
const typed = ({ start, end }, { read }) => [...read].slice(start, end).join("");

/**
 * @param {Plan} plan
 * @param {State} state
 * @param {{ onignore: (keys: string[]) => void, onrestore: () => void }} actions
 */
export function drawReadings(plan, state, { onignore, onrestore }) {
  const found = readings(plan, state);
  const items = found.map((each) => chip(each, () => onignore([each.key])));
  if (state.ignore.length) items.push(restorer(onrestore));
  $("reading").hidden = !items.length;
  replaceItems($("readings"), items);
  tell(found);
}

function chip({ effect, text, title }, onclick) {
  const label = t("removeReading", { reading: text });
  const button = { type: "button", class: `chip ${effect}`, "aria-label": label, title, onclick };
  const sign = ICONS[effect] && icon(ICONS[effect]);
  return h("li", {}, h("button", button, sign, h("span", { dir: "auto" }, text), icon("close")));
}

function restorer(onclick) {
  return h("li", {}, h("button", { type: "button", class: "link", onclick }, t("restoreReadings")));
}

function tell(found) {
  const texts = found.filter(({ effect }) => LIMITS.includes(effect)).map(({ text }) => text);
  const now = texts.join(", ");
  if (now && now !== told) $("announce").textContent = t("readingLimits", { readings: now });
  told = now;
}
