/**
 * How values of the catalogue are written for the reader.
 *
 * @typedef {import("./api.js").Answer} Answer
 */
import { has, numberLocale, t } from "./strings.js";

/** The shop's own names of fields (by name) and values (by field and value), in this language. */
const labels = new Map();

const labelKey = (field, value) => `${field}\n${value}`;

/**
 * Keep the names that an answer has for fields and values in the reader's language.
 *
 * @param {Answer} answer
 */
export function learnLabels({ facets, hits }) {
  for (const [field, { label, values = [] }] of Object.entries(facets)) {
    if (label) labels.set(field, label);
    for (const each of values) if (each.label) labels.set(labelKey(field, each.value), each.label);
  }
  for (const { product } of hits) learnProduct(product);
}

/**
 * Keep the names that a product has for its values in the reader's language.
 *
 * @param {Record<string, any>} product
 */
export function learnProduct({ labels: own }) {
  for (const [field, names] of Object.entries(own ?? {})) {
    for (const [value, label] of Object.entries(names)) labels.set(labelKey(field, value), label);
  }
}

/** Forget them, as another language has others. */
export const forgetLabels = () => labels.clear();

/**
 * A price in its currency; a plain number where the catalogue names no (known) currency.
 *
 * @param {number} price
 * @param {string} [currency]
 * @returns {string}
 */
export function money(price, currency) {
  const digits = Number.isInteger(price) && !currency ? 0 : 2;
  const plain = { minimumFractionDigits: digits, maximumFractionDigits: 2 };
  if (!/^[A-Za-z]{3}$/.test(currency ?? "")) {
    return new Intl.NumberFormat(numberLocale, plain).format(price);
  }
  return new Intl.NumberFormat(numberLocale, { style: "currency", currency }).format(price);
}

/**
 * @param {number} value
 * @param {number} [digits] most digits after the point
 * @returns {string}
 */
export function number(value, digits = 0) {
  return value.toLocaleString(numberLocale, { maximumFractionDigits: digits });
}

/**
 * A score: four significant digits, as scores span magnitudes.
 *
 * @param {number} value
 * @param {boolean} [signed]
 * @returns {string}
 */
export function score(value, signed = false) {
  return value.toLocaleString(numberLocale, {
    maximumSignificantDigits: 4,
    signDisplay: signed ? "exceptZero" : "auto",
  });
}

/**
 * @param {number} part in [0, 1]
 * @returns {string}
 */
export function percent(part) {
  return part.toLocaleString(numberLocale, { style: "percent" });
}

/**
 * A field's name: as the shop says it, else as the page does, else the catalogue's, readable.
 *
 * @param {string} field
 * @returns {string}
 */
export function fieldName(field) {
  if (labels.has(field)) return labels.get(field);
  if (has(`field.${field}`)) return t(`field.${field}`);
  return capital(field.replace(/[_-]+/g, " ").trim());
}

/**
 * @param {string} text
 * @returns {string} with a capital at its start
 */
export const capital = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

/**
 * A keyword or flag as a shopper reads it; a category's last step.
 *
 * @param {string} field
 * @param {string | boolean} value
 * @returns {string}
 */
export function valueName(field, value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  const name = labels.get(labelKey(field, value)) ?? value;
  return field === "category" ? (name.split(" > ").at(-1) ?? name) : name;
}

/**
 * @param {string} field
 * @param {{ gte?: number, gt?: number, lte?: number, lt?: number }} range
 * @returns {string} "Price 10 – 50"
 */
export function rangeText(field, { gte, gt, lte, lt }) {
  const least = gte ?? gt;
  const most = lte ?? lt;
  const amount = (value) => (field === "price" ? money(value) : number(value, 3));
  const key = least === undefined ? "rangeTo" : most === undefined ? "rangeFrom" : "rangeBoth";
  return t(key, { field: fieldName(field), min: amount(least ?? 0), max: amount(most ?? 0) });
}

/**
 * A filter in words: "Color: red or blue". That products without the field pass, too, goes unsaid.
 *
 * @param {string} field
 * @param {any} clause in the API's syntax
 * @returns {string}
 */
export function clauseText(field, clause) {
  const said = (given) => [given].flat().filter((value) => value !== null);
  const values = (given) => anyOf(said(given).map((value) => valueName(field, value)));
  const isRange = typeof clause === "object" && !Array.isArray(clause) && !("not" in clause);
  if (isRange) return rangeText(field, clause);
  const value = clause.not === undefined ? values(clause) : t("readingNot", { value: values(clause.not) });
  return t("reading", { field: fieldName(field), value });
}

/**
 * @param {string[]} names
 * @returns {string} "red or blue"
 */
export const anyOf = (names) => new Intl.ListFormat(numberLocale, { type: "disjunction" }).format(names);

/**
 * @param {string[]} names
 * @returns {string} "red and blue"
 */
export const allOf = (names) => new Intl.ListFormat(numberLocale).format(names);
