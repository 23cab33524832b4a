/**
 * The page's texts in the reader's language.
 *
 * A further language is one more file beside `strings-en.js` and one more line in `TABLES`;
 * what it does not translate stays English.
 */
import { en } from "./strings-en.js";

/** @type {Record<string, Record<string, string | Record<string, string>>>} */
const TABLES = { en };
const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"]);

/** @type {string} the language of the texts */
export const language =
  navigator.languages.map((tag) => tag.split("-")[0].toLowerCase()).find((tag) => tag in TABLES) ??
  "en";

/** @type {string} the locale that numbers are written in: the reader's own variant of it */
export const numberLocale =
  navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;

const plurals = new Intl.PluralRules(language);

/**
 * One text, with `{name}` filled in; `vars.n` chooses the plural form.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [vars]
 * @returns {string}
 */
export function t(key, vars = {}) {
  const found = TABLES[language][key] ?? en[key];
  if (found === undefined) return key;
  const template =
    typeof found === "string" ? found : (found[plurals.select(Number(vars.n))] ?? found.other);
  return template.replace(/\{(\w+)\}/g, (hole, name) => {
    const value = vars[name] ?? hole;
    return typeof value === "number" ? value.toLocaleString(numberLocale) : value;
  });
}

/**
 * Whether the table has a text of this name.
 *
 * @param {string} key
 * @returns {boolean}
 */
export const has = (key) => key in TABLES[language] || key in en;

/**
 * Fill in the page's fixed texts: `data-t` is an element's text, `data-t-label`,
 * `data-t-placeholder` and `data-t-title` are attributes.
 *
 * @param {Document} page
 */
export function translatePage(page) {
  page.documentElement.lang = language;
  page.documentElement.dir = RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr";
  for (const el of page.querySelectorAll("[data-t]")) el.textContent = t(el.dataset.t);
  for (const el of page.querySelectorAll("[data-t-label]")) el.ariaLabel = t(el.dataset.tLabel);
  for (const el of page.querySelectorAll("[data-t-title]")) el.title = t(el.dataset.tTitle);
  for (const el of page.querySelectorAll("[data-t-placeholder]"))
    el.placeholder = t(el.dataset.tPlaceholder);
}
