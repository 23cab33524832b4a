/**
 * The HTTP API as this page uses it. Addresses are relative, so the page also works below a
 * path prefix.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {{ rank: number, score: number, weight: number, contribution: number }} Lane
 * @typedef {{ lanes: Record<string, Lane>, fused: number, rankers: Record<string, number>,
 *   score: number, arrangers: Record<string, { before: number, after: number }>,
 *   reasons: Record<string, Record<string, number | string>> }} Explanation
 * @typedef {{ id: string, score: number, product: Record<string, any>,
 *   highlights?: Record<string, string>, explain?: Explanation }} Hit
 * @typedef {{ values?: { value: string | boolean, count: number }[], min?: number,
 *   max?: number }} Facet
 * @typedef {{ start: number, end: number, label: string, value: string, field?: string,
 *   values?: string[], effect?: "note" | "boost" | "filter" | "exclude" }} Span
 * @typedef {{ original: string, text: string, read: string, spans: Span[] } & Record<string, any>
 *   } Plan
 * @typedef {{ hits: Hit[], facets: Record<string, Facet>, total: number, took_ms: number,
 *   timings: Record<string, number>, plan: Plan,
 *   degraded: { component: string, reason: string }[], warnings: string[] }} Answer
 */
import { hasQuery, shop } from "./state.js";

/** How many products one request shows, and how deep results go. */
export const PAGE_SIZE = 24;
export const WINDOW = 1000;
const HIDDEN_FIELDS = new Set(["group_id", "updated_at"]);
const MOST_FACETS = 16;
/** What a card shows; the drawer asks for the whole product. */
const CARD_FIELDS = ["title", "brand", "price", "currency", "category", "images", "in_stock"];

/** An answer that is not 2xx; `message` is the problem's `detail`, for the reader. */
export class Problem extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The declared fields, by name; those that no shopper filters by are left out.
 *
 * @returns {Promise<Record<string, "keyword" | "number" | "boolean">>}
 */
export async function declaredFields() {
  const { fields } = await request("v1/fields");
  const shown = fields.filter(({ name }) => !HIDDEN_FIELDS.has(name)).slice(0, MOST_FACETS);
  return Object.fromEntries(shown.map(({ name, kind }) => [name, kind]));
}

/**
 * One product with all its fields.
 *
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Record<string, any>>}
 */
export const product = (id, signal) => request(`v1/products/${encodeURIComponent(id)}`, { signal });

/**
 * One page of results.
 *
 * @param {State} state
 * @param {{ facets?: string[], offset?: number, limit?: number, signal?: AbortSignal }} [options]
 * @returns {Promise<Answer>}
 */
export function search(state, { facets = [], offset = 0, limit = PAGE_SIZE, signal } = {}) {
  const body = {
    ...query(state),
    filters: state.filters,
    facets,
    ...(state.sort && { sort: state.sort }),
    limit,
    offset,
    fields: CARD_FIELDS,
    highlight: limit > 0,
    explain: limit > 0,
  };
  return state.photo ? sendPhoto(state.photo, body, signal) : sendJson(body, signal);
}

/**
 * Facets for a panel in which several values of one field can be chosen: a field's counts
 * leave out that field's own filter, or its other values could never be added.
 *
 * @param {State} state
 * @param {string[]} names
 * @param {AbortSignal} signal
 * @returns {Promise<Record<string, Facet>>} the facets of the filtered fields only
 */
export async function widerFacets(state, names, signal) {
  const filtered = names.filter((name) => name in state.filters);
  const answers = await Promise.all(
    filtered.map((name) => {
      const { [name]: _, ...filters } = state.filters;
      return search({ ...state, filters, sort: null }, { facets: [name], limit: 0, signal });
    }),
  );
  return Object.assign({}, ...answers.map((answer) => answer.facets));
}

function query(state) {
  if (!hasQuery(state)) return {};
  return {
    ...(state.q.trim() && { text: state.q.trim(), ignore: state.ignore }),
    ...(state.like.length && { like: state.like }),
    image_weight: state.weight,
  };
}

function sendJson(body, signal) {
  const headers = { "Content-Type": "application/json" };
  return request("v1/search", { method: "POST", headers, body: JSON.stringify(body), signal });
}

function sendPhoto(photo, { sort, filters, ...rest }, signal) {
  const form = new FormData();
  form.append("image", photo.blob, photo.name);
  if (photo.crop) {
    const { x, y, width, height } = photo.crop;
    form.append("crop", [x, y, width, height].join(","));
  }
  if (sort) form.append("sort", sort.order === "desc" ? `-${sort.field}` : sort.field);
  form.append("filters", JSON.stringify(filters));
  for (const [name, value] of Object.entries(rest)) {
    for (const each of [value].flat()) form.append(name, String(each));
  }
  return request("v1/search/image", { method: "POST", body: form, signal });
}

async function request(path, options = {}) {
  const headers = { ...options.headers, ...(shop && { "X-Entrepot-Shop": shop }) };
  const response = await fetch(path, { ...options, headers });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Problem(response.status, body.detail || body.title || response.statusText);
  }
  return body;
}
