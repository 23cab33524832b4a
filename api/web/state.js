/**
 * What the shopper asks for, and its form in the address bar.
 *
 * `?q=` words, `ignore=brand:nike` a reading of them that was taken back, `like=` product ids,
 * `weight=` of the picture, `sort=price:asc`, and per filter `f.color=red` (any of, repeated),
 * `is.in_stock=true`, `min.price=10`, `max.price=50`.
 * A photo cannot be in a link; it lives as long as the page does.
 *
 * @typedef {import("./photo.js").Photo} Photo
 * @typedef {{ gte?: number, lte?: number }} Range
 * @typedef {(string | boolean)[]} Values
 * @typedef {object} State
 * @property {string} q
 * @property {string[]} ignore readings of `q` that were taken back, by their keys
 * @property {string[]} like
 * @property {number} weight
 * @property {Record<string, Values | Range>} filters in the API's syntax
 * @property {{ field: string, order: "asc" | "desc" } | null} sort
 * @property {Photo | null} photo
 */

/** @type {string | null} the shop of this page, where one server has several: `?shop=` */
export const shop = new URLSearchParams(location.search).get("shop");

/** @type {Readonly<State>} browsing everything */
export const EMPTY = Object.freeze({
  q: "",
  ignore: [],
  like: [],
  weight: 0.5,
  filters: {},
  sort: null,
  photo: null,
});

/**
 * `state` after `change`. Other words have readings of their own, so what was taken back of
 * the former ones is forgotten.
 *
 * @param {State} state
 * @param {Partial<State>} change
 * @returns {State}
 */
export function changed(state, change) {
  const next = { ...state, ...change };
  return next.q.trim() === state.q.trim() ? next : { ...next, ignore: [] };
}

/**
 * @param {string} search `location.search`
 * @returns {State} without a photo
 */
export function parse(search) {
  const params = new URLSearchParams(search);
  const weight = Number(params.get("weight") ?? EMPTY.weight);
  const state = {
    ...EMPTY,
    q: params.get("q") ?? "",
    ignore: params.getAll("ignore"),
    like: params.getAll("like"),
    weight: weight >= 0 && weight <= 1 ? weight : EMPTY.weight,
    filters: parseFilters(params),
  };
  const sort = /^(.+):(asc|desc)$/.exec(params.get("sort") ?? "");
  if (sort) state.sort = { field: sort[1], order: /** @type {any} */ (sort[2]) };
  return state;
}

function parseFilters(params) {
  const filters = {};
  for (const [key, value] of params) {
    const [, kind, field] = /^(f|is|min|max)\.(.+)$/s.exec(key) ?? [];
    if (kind === "f") filters[field] = [...listOf(filters[field]), value];
    if (kind === "is") filters[field] = [...listOf(filters[field]), value === "true"];
    if ((kind === "min" || kind === "max") && value !== "" && Number.isFinite(Number(value))) {
      filters[field] = { ...rangeOf(filters[field]), [kind === "min" ? "gte" : "lte"]: Number(value) };
    }
  }
  return filters;
}

/**
 * @param {State} state
 * @returns {string} a query string with its "?", or "" for {@link EMPTY}
 */
export function serialize(state) {
  const params = new URLSearchParams(shop ? { shop } : {});
  if (state.q) params.set("q", state.q);
  for (const key of state.ignore) params.append("ignore", key);
  for (const id of state.like) params.append("like", id);
  if (isMixed(state) && state.weight !== EMPTY.weight) params.set("weight", String(state.weight));
  for (const [field, clause] of Object.entries(state.filters)) {
    for (const value of listOf(clause)) {
      params.append(`${typeof value === "boolean" ? "is" : "f"}.${field}`, String(value));
    }
    const { gte, lte } = rangeOf(clause);
    if (gte !== undefined) params.set(`min.${field}`, String(gte));
    if (lte !== undefined) params.set(`max.${field}`, String(lte));
  }
  if (state.sort) params.set("sort", `${state.sort.field}:${state.sort.order}`);
  const text = params.toString();
  return text && `?${text}`;
}

/**
 * @param {Values | Range | undefined} clause
 * @returns {Values} the chosen values; none for a range
 */
export const listOf = (clause) => (Array.isArray(clause) ? clause : []);

/**
 * @param {Values | Range | undefined} clause
 * @returns {Range} the bounds; none for a list of values
 */
export const rangeOf = (clause) => (!clause || Array.isArray(clause) ? {} : clause);

/**
 * Whether words and a picture (a photo or a product) are both asked for.
 *
 * @param {State} state
 */
export const isMixed = (state) => Boolean(state.q.trim() && hasPicture(state));

/** @param {State} state */
export const hasPicture = (state) => Boolean(state.photo || state.like.length);

/** @param {State} state */
export const hasQuery = (state) => Boolean(state.q.trim() || hasPicture(state));

/**
 * `filters` with one field's clause replaced; an empty clause removes it.
 *
 * @param {State["filters"]} filters
 * @param {string} field
 * @param {Values | Range | null} clause
 * @returns {State["filters"]}
 */
export function withClause(filters, field, clause) {
  const { [field]: _, ...rest } = filters;
  return clause && Object.keys(clause).length ? { ...rest, [field]: clause } : rest;
}

/**
 * `filters` with one value of one field switched on or off.
 *
 * @param {State["filters"]} filters
 * @param {string} field
 * @param {string | boolean} value
 * @returns {State["filters"]}
 */
export function toggled(filters, field, value) {
  const chosen = listOf(filters[field]);
  const next = chosen.includes(value) ? chosen.filter((v) => v !== value) : [...chosen, value];
  return withClause(filters, field, next);
}
