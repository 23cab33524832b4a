/** One product in the drawer: all its photos, what it costs, its texts and attributes. */
import { photo, price, textOf } from "./cards.js";
import { h, icon } from "./dom.js";
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
  if (Array.isArray(value)) return new Intl.ListFormat(numberLocale).format(
      value.map((each) => valueName(name, String(each))),
    );
  if (typeof value === "number") return number(value, 3);
  return name === "category" ? value : valueName(name, value);
}
