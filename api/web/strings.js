/**
 * The page's texts in the reader's language.
 *
 * A further language is one more file beside `strings-en.js` and one more line in `LANGUAGES`.
 * Only the file of the chosen language is loaded. What is exported here changes with
 * {@link useLanguage}; a module that keeps a copy of it keeps the former language.
 *
 * @typedef {Record<string, string | Record<string, string>>} Texts
 */
import { texts as english } from "./strings-en.js";

/** @type {Readonly<Record<string, string>>} the languages of the page, in their own words */
export const LANGUAGES = {
  de: "Deutsch",
  en: "English",
  es: "Español",
  fr: "Français",
  zh: "简体中文",
  ar: "العربية",
};
const RIGHT_TO_LEFT = new Set(["ar"]);
const KEPT = "entrepot.language";

/** @type {string} the language of the texts */
export let language = "en";

/** @type {string} the locale that numbers are written in: the reader's own variant of it */
export let numberLocale = "en";

/**
 * @type {string} the language that the reader writes and wants to read: as chosen, else the
 *   browser's first, which need not be one of the page's
 */
export let readerLocale = navigator.language;

/** @type {Texts} */
let table = english;
let plurals = new Intl.PluralRules("en");

/** @param {string} tag such as "de-AT" */
export const primary = (tag) => tag.split("-")[0].toLowerCase();

/**
 * Whether texts of the language run from right to left.
 *
 * @param {string} tag
 */
const isRightToLeft = (tag) => RIGHT_TO_LEFT.has(primary(tag));

/** @returns {string | null} the language that was chosen here before */
function kept() {
  try {
    const found = localStorage.getItem(KEPT);
    return found && found in LANGUAGES ? found : null;
  } catch {
    return null; // storage is forbidden here
  }
}

/**
 * Read the texts of a language: the given one, which is remembered, else the one chosen before,
 * else the first of the browser's that the page has.
 *
 * @param {string} [chosen] one of {@link LANGUAGES}
 */
export async function useLanguage(chosen) {
  if (chosen) keep(chosen);
  const browsers = navigator.languages.filter((tag) => primary(tag) in LANGUAGES);
  const wanted = chosen ?? kept();
  const next = wanted ?? (browsers.length ? primary(browsers[0]) : "en");
  table = next === "en" ? english : (await import(`./strings-${next}.js`)).texts;
  language = next;
  numberLocale = browsers.find((tag) => primary(tag) === next) ?? next;
  readerLocale = wanted ? numberLocale : navigator.language;
  plurals = new Intl.PluralRules(next);
}

function keep(chosen) {
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // Storage is forbidden or full: it lasts until the page is closed.
  }
}

/**
 * One text, with `{name}` filled in; `vars.n` chooses the plural form.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [vars]
 * @returns {string}
 */
export function t(key, vars = {}) {
  return template(key, vars).replace(/\{(\w+)\}/g, (hole, name) => {
    const value = vars[name] ?? hole;
    return typeof value === "number" ? value.toLocaleString(numberLocale) : value;
  });
}

/**
 * As {@link t}, where elements stand in the text.
 *
 * @param {string} key
 * @param {Record<string, Node>} nodes by placeholder
 * @returns {(Node | string)[]}
 */
export const tNodes = (key, nodes) =>
  template(key, {})
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((part) => nodes[part.slice(1, -1)] ?? part);

function template(key, vars) {
  const found = table[key];
  if (found === undefined) return key;
  return typeof found === "string" ? found : (found[plurals.select(Number(vars.n))] ?? found.other);
}

/**
 * Whether the table has a text of this name.
 *
 * @param {string} key
 * @returns {boolean}
 */
export const has = (key) => key in table;

/**
 * What an element needs whose text is, or may be, in another language than the page: `lang` for
 * voices and fonts, the direction by its own letters.
 *
 * @param {string | undefined} tag
 * @returns {{ dir: "auto", lang?: string }}
 */
export const inLanguage = (tag) =>
  tag && primary(tag) !== language ? { dir: "auto", lang: tag } : { dir: "auto" };

/**
 * A language's name in the page's own: "German" for "de-AT".
 *
 * @param {string} tag
 * @returns {string}
 */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames(numberLocale, { type: "language" }).of(primary(tag)) ?? tag;
  } catch {
    return tag; // not a language tag
  }
}

/**
 * Fill in the page's fixed texts: `data-t` is an element's text, `data-t-label`,
 * `data-t-placeholder` and `data-t-title` are attributes.
 *
 * @param {Document} page
 */
export function translatePage(page) {
  page.documentElement.lang = language === "zh" ? "zh-Hans" : language;
  page.documentElement.dir = isRightToLeft(language) ? "rtl" : "ltr";
  for (const el of page.querySelectorAll("[data-t]")) el.textContent = t(el.dataset.t);
  for (const el of page.querySelectorAll("[data-t-label]")) el.ariaLabel = t(el.dataset.tLabel);
  for (const el of page.querySelectorAll("[data-t-title]")) el.title = t(el.dataset.tTitle);
  for (const el of page.querySelectorAll("[data-t-placeholder]"))
    el.placeholder = t(el.dataset.tPlaceholder);
}
