/**
 * What was searched where that is not what was typed: corrected, translated, or less of it; and
 * whether anything good was found.
 *
 * @typedef {import("./api.js").Answer} Answer
 * @typedef {import("./state.js").State} State
 */
import { $, h } from "./dom.js";
import { allOf, clauseText } from "./format.js";
import { inLanguage, languageName, t, tNodes } from "./strings.js";

const ARROW = " → ";
/** Relevance below which what was found is more likely wrong than right. */
const DOUBTFUL = 0.5;

/**
 * @param {Answer} answer
 * @param {State} state
 * @param {{ onignore: (keys: string[]) => void }} actions
 */
export function drawWording({ plan, relevance }, { sort }, { onignore }) {
  const poor = sort ? null : weak(relevance); // in another order the best may come later
  const lines = [corrected(plan, onignore), ...translated(plan), relaxed(plan), poor];
  $("wording").replaceChildren(...lines.filter(Boolean));
}

/** "Showing results for purple shoes. Search instead for purpel shoes" */
function corrected({ corrections = [], original, locale }, onignore) {
  if (!corrections.length) return null;
  const pairs = corrections.map((each) => each.split(ARROW));
  // Not the plan's text: what was understood as a limit is no longer in that.
  const right = pairs.reduce((text, [from, to]) => replaced(text, from, to), original.trim());
  const now = h("strong", inLanguage(locale), right);
  const keys = pairs.map(([from]) => `spelling:${from.toLowerCase()}`);
  const typed = h("bdi", inLanguage(locale), original);
  const back = { type: "button", class: "link", onclick: () => onignore(keys) };
  return h(
    "p",
    {},
    ...tNodes("correctedFor", { text: now }),
    " ",
    h("button", back, ...tNodes("correctedInstead", { text: typed })),
  );
}

function replaced(text, from, to) {
  const at = text.toLowerCase().indexOf(from.toLowerCase());
  return at < 0 ? text : text.slice(0, at) + to + text.slice(at + from.length);
}

/** "Understood from German: rote Ledertasche → red leather bag" */
function translated({ translations = {}, locale, original }) {
  const same = (text) => text.toLowerCase() === original.trim().toLowerCase();
  return Object.entries(translations)
    .filter(([, text]) => !same(text))
    .map(([to, text]) =>
      h(
        "p",
        {},
        t("translatedAs", { language: languageName(locale ?? "") }),
        " ",
        h("bdi", inLanguage(locale), original.trim()),
        h("span", { class: "arrow", "aria-hidden": "true" }, ARROW),
        h("strong", inLanguage(to), text),
      ),
    );
}

/** "Nothing matches all of it. Left out: Price up to 20." */
function relaxed({ relaxed: off = {} }) {
  const texts = Object.entries(off).map(([field, clause]) => clauseText(field, clause));
  return texts.length ? h("p", {}, t("relaxed", { readings: allOf(texts) })) : null;
}

/** "Nothing matches well. These come closest." */
function weak(relevance) {
  if (relevance === undefined || relevance === null || relevance >= DOUBTFUL) return null;
  return h("p", {}, h("strong", {}, t("weakTitle")), " ", t("weakHint"));
}
