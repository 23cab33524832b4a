/** One product in the drawer: all its photos, what it costs, its texts and attributes. */
import { photo, price } from "./cards.js";
import { h } from "./dom.js";
import { fieldName, number, valueName } from "./format.js";
import { numberLocale, t } from "./strings.js";

/**
 * @param {Record<string, any>} product
 * @returns {Node[]}
 */
export function productView(product) {
  const urls = product.image_urls ?? [];
  const shots = urls.map((url, i) =>
    h("li", {}, photo(url, altText(product.title, i, urls.length), i === 0)),
  );
  return [
    shots.length ? h("ul", { class: "shots" }, ...shots) : photo(undefined, ""),
    price(product),
    product.in_stock === false && h("p", { class: "badge inline" }, t("outOfStock")),
    product.description && h("h3", {}, t("description")),
    product.description && h("p", { class: "prose", dir: "auto" }, product.description),
    ...detailList(product),
  ].filter(Boolean);
}

function altText(title, index, count) {
  return count === 1 ? title : t("photoOf", { title, n: index + 1, count });
}

function detailList(product) {
  const category = [product.category ?? []].flat().join(" › ");
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
  if (Array.isArray(value)) return new Intl.ListFormat(numberLocale).format(value.map(String));
  if (typeof value === "number") return number(value, 3);
  return name === "category" ? value : valueName(name, value);
}
