/**
 * Result cards and their placeholders.
 *
 * @typedef {import("./api.js").Hit} Hit
 * @typedef {object} CardActions
 * @property {(hit: Hit) => void} onopen
 * @property {(hit: Hit) => void} onsimilar
 * @property {(hit: Hit) => void} onwhy
 * @property {(hit: Hit) => string} similarLink
 */
import { h, highlighted, icon } from "./dom.js";
import { capital, money, valueName } from "./format.js";
import { inLanguage, t } from "./strings.js";

/**
 * @param {Hit} hit
 * @param {CardActions} actions
 * @returns {HTMLElement} a list item
 */
export function card(hit, actions) {
  const { product } = hit;
  return h(
    "li",
    { class: "card", "data-id": hit.id },
    h(
      "div",
      { class: "shot" },
      photo(product.image_urls?.[0], product.title),
      product.in_stock === false && h("span", { class: "badge" }, t("outOfStock")),
      hit.variants?.count > 0 &&
        h("span", { class: "badge more" }, t("variants", { n: hit.variants.count })),
    ),
    h(
      "div",
      { class: "facts" },
      h("p", { class: "kind" }, product.brand || categoryName(product.category), machineMark(product)),
      h("h2", { class: "name" }, opener(hit, actions)),
      price(product),
      buttons(hit, actions),
    ),
  );
}

function opener(hit, actions) {
  const title = hit.highlights?.title;
  return h(
    "button",
    { type: "button", class: "open", onclick: () => actions.onopen(hit) },
    h("bdi", textOf(hit.product, "title"), ...(title ? highlighted(title) : [hit.product.title])),
  );
}

/**
 * What the element of a product's title or description needs to say its language.
 *
 * @param {Record<string, any>} product
 * @param {"title" | "description"} name
 */
export const textOf = (product, name) =>
  inLanguage(product.localized?.[name]?.locale ?? product.locale);

function machineMark({ localized }) {
  if (!localized?.title?.machine) return null;
  const label = t("machineMade");
  return h("span", { class: "machine", role: "img", "aria-label": label, title: label }, icon("globe"));
}

function buttons(hit, actions) {
  const { title } = hit.product;
  const follow = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a new tab or window
    event.preventDefault();
    actions.onsimilar(hit);
  };
  const similar = {
    class: "small",
    href: actions.similarLink(hit),
    "aria-label": t("similarTo", { title }),
    "data-action": "similar",
    onclick: follow,
  };
  const why = {
    type: "button",
    class: "small",
    "aria-label": t("whyThis", { title }),
    "data-action": "why",
    onclick: () => actions.onwhy(hit),
  };
  return h(
    "div",
    { class: "actions" },
    h("a", similar, icon("similar"), t("similar")),
    h("button", why, t("why")),
  );
}

/**
 * A product's photo in a box of fixed shape; a quiet mark where there is none or it fails.
 *
 * @param {string | undefined} url
 * @param {string} alt
 * @param {boolean} [eager]
 * @returns {HTMLElement}
 */
export function photo(url, alt, eager = false) {
  const none = () => h("span", { class: "no-photo", role: "img", "aria-label": t("noPhoto") }, icon("image"));
  if (!url) return none();
  const loading = eager ? "eager" : "lazy";
  const img = h("img", { src: url, alt, loading, decoding: "async", width: 400, height: 400 });
  img.addEventListener("error", () => img.replaceWith(none()), { once: true });
  return img;
}

/**
 * @param {Record<string, any>} product
 * @returns {HTMLElement | null}
 */
export function price(product) {
  if (typeof product.price !== "number") return null;
  const { price: from, currency } = product.converted_from ?? {};
  const title = from === undefined ? null : t("converted", { price: money(from, currency) });
  return h("p", { class: "price", title }, money(product.price, product.currency));
}

/**
 * A category's last step, of its path.
 *
 * @param {string | string[] | undefined} category
 */
export function categoryName(category) {
  const path = [category ?? []].flat();
  return path.length ? capital(valueName("category", path.join(" > "))) : "";
}

/**
 * @param {number} count
 * @returns {HTMLElement[]}
 */
export function placeholders(count) {
  const one = () =>
    h(
      "li",
      { class: "card ghost", "aria-hidden": "true" },
      h("div", { class: "shot" }),
      h("div", { class: "facts" }, h("p", { class: "bone" }), h("p", { class: "bone short" })),
    );
  return Array.from({ length: count }, one);
}
