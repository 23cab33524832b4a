/**
 * One product in the drawer: all its photos, what it costs, its texts and attributes, and what
 * else may be liked.
 *
 * @typedef {import("./api.js").Recommended} Recommended
 */
import * as api from "./api.js";
import { photo, price, textOf } from "./cards.js";
import { $, h, icon } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { allOf, fieldName, learnProduct, number, valueName } from "./format.js";
import { has, t } from "./strings.js";
import * as visit from "./visit.js";

/**
 * Show a product: at once what is known of it, then all of it, then what goes with it.
 *
 * @param {{ id: string, product: Record<string, any> }} chosen
 */
export async function openProduct({ id, product: brief }) {
  visit.viewed(id);
  let isShown = openDrawer(titleOf(brief), ...productView(brief));
  const asked = api.recommendations(id, visit.sessionId()).catch(() => []);
  const whole = await api.product(id).catch(() => null);
  if (whole && isShown()) isShown = openDrawer(titleOf(whole), ...productView(whole));
  const others = await asked;
  if (others.length && isShown()) $("drawer-body").append(...recommendedRow(others));
}

const titleOf = (product) => h("span", textOf(product, "title"), product.title);

function recommendedRow(others) {
  const items = others.map((one) => h("li", {}, recommended(one)));
  return [
    h("h3", { id: "recommended" }, t("recommended")),
    h("ul", { class: "others", "aria-labelledby": "recommended" }, ...items),
  ];
}

/** @param {Recommended} one */
function recommended({ id, product, reasons: [reason] }) {
  const why = has(`because.${reason?.kind}`) ? t(`because.${reason.kind}`) : reason?.text;
  return h(
    "button",
    { type: "button", onclick: () => openProduct({ id, product }) },
    photo(product.image_urls?.[0], ""),
    h("span", { class: "name", ...textOf(product, "title") }, product.title),
    price(product),
    why && h("span", { class: "hint" }, why),
  );
}

/**
 * @param {Record<string, any>} product
 * @returns {Node[]}
 */
function productView(product) {
  learnProduct(product);
  const urls = product.image_urls ?? [];
  const shots = urls.map((url, i) =>
    h("li", {}, photo(url, altText(product.title, i, urls.length), i === 0)),
  );
  return [
    shots.length ? h("ul", { class: "shots" }, ...shots) : photo(undefined, ""),
    price(product),
    product.in_stock === false && h("p", { class: "badge inline" }, t("outOfStock")),
    product.description && h("h3", {}, t("description")),
    product.description &&
      h("p", { class: "prose", ...textOf(product, "description") }, product.description),
    isMachineMade(product) && h("p", { class: "machine-note" }, icon("globe"), t("machineMade")),
    ...detailList(product),
  ].filter(Boolean);
}

const isMachineMade = ({ localized = {} }) => Object.values(localized).some(({ machine }) => machine);

function altText(title, index, count) {
  return count === 1 ? title : t("photoOf", { title, n: index + 1, count });
}

function detailList(product) {
  const path = [product.category ?? []].flat();
  const category = path.map((_, i) => valueName("category", path.slice(0, i + 1).join(" > "))).join(" › ");
  const own = Object.entries(product.attributes ?? {});
  const rows = [["brand", product.brand], ["category", category], ...own].filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  if (!rows.length) return [];
  const items = rows.flatMap(([name, value]) => [
    h("dt", {}, fieldName(name)),
    h("dd", { dir: "auto" }, valueText(name, value)),
  ]);
  return [h("h3", {}, t("details")), h("dl", { class: "details" }, ...items)];
}

function valueText(name, value) {
  if (Array.isArray(value)) return allOf(value.map((each) => valueName(name, String(each))));
  if (typeof value === "number") return number(value, 3);
  return name === "category" ? value : valueName(name, value);
}
