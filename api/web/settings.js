/** The box behind the globe: the page's language, and whether this visit is remembered. */
import { $, h } from "./dom.js";
import { language, LANGUAGES, t } from "./strings.js";
import * as visit from "./visit.js";

/**
 * Let the box work; once, at start.
 *
 * @param {{ onlanguage: (tag: string) => void, onvisit: () => void }} actions `onvisit` where
 *   results may follow what is remembered, or no longer
 */
export function initSettings({ onlanguage, onvisit }) {
  const options = Object.entries(LANGUAGES).map(([tag, name]) =>
    h("option", { value: tag, lang: tag, dir: "auto" }, name),
  );
  $("language").replaceChildren(...options);
  $("language").addEventListener("change", () => onlanguage($("language").value));
  $("remember").addEventListener("change", async () => {
    const wanted = $("remember").checked;
    if (!wanted) visit.switchOff();
    const refused = wanted && !(await visit.switchOn());
    drawSettings(refused ? t("rememberRefused") : "");
    if (!refused) onvisit();
  });
  $("forget").addEventListener("click", async () => {
    $("remember").focus();
    const everywhere = await visit.forget();
    drawSettings(t(everywhere ? "forgotten" : "forgottenHere"));
    onvisit();
  });
}

/**
 * @param {string} [said] what just came of the shopper's choice
 */
export function drawSettings(said = "") {
  const name = LANGUAGES[language];
  const label = [name, t("settings"), visit.isOn() && t("remembering")].filter(Boolean).join(", ");
  $("settings-open").ariaLabel = label;
  $("settings-open").title = label;
  $("language-name").textContent = name;
  $("language").value = language;
  $("remember").checked = visit.isOn();
  $("remembering").hidden = !visit.isOn();
  $("forget").hidden = !visit.isKnown();
  $("settings-said").textContent = said;
}
