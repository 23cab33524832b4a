/**
 * What was searched where that is not what was typed: corrected, translated, or less of it.
 *
 * @typedef {import("./api.js").Plan} Plan
 */
import { $, h } from "./dom.js";
import { inLanguage, languageName, t, tNodes } from "./strings.js";

const ARROW = " → ";

/**
 * @param {Plan} plan
 * @param {{ onignore: (keys: string[]) => void }} actions
 */
export function drawWording(plan, { onignore }) {
  const lines = [corrected(plan, onignore), ...translated(plan)];
  $("wording").replaceChildren(...lines.filter(Boolean));
}

/** "Showing results for purple shoes. Search instead for purpel shoes" */
function corrected({ corrections = [], original, text, locale }, onignore) {
  if (!corrections.length) return null;
  const now = h("strong", inLanguage(locale), text);
  const keys = corrections.map((each) => `spelling:${each.split(ARROW)[0].toLowerCase()}`);
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
