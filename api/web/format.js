/** How values of the catalogue are written for the reader. */
import { has, numberLocale, t } from "./strings.js";

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
 * A field's name: translated if it is every shop's, else the catalogue's own, readable.
 *
 * @param {string} field
 * @returns {string}
 */
export function fieldName(field) {
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
  return field === "category" ? (value.split(" > ").at(-1) ?? value) : value;
}
