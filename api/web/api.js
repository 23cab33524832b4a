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
 *   degraded: { component: string, reason: string }[], warnings: string[],
 *   search_id: string }} Answer
 * @typedef {{ text: string, kind: "query" | "product" | "category" | "brand", id?: string
 *   }} Suggestion
 */
import { hasQuery, shop } from "./state.js";
import { readerLocale } from "./strings.js";

/** How many products one request shows, and how deep results go. */
export const PAGE_SIZE = 24;
export const WINDOW = 1000;
const HIDDEN_FIELDS = new Set(["group_id", "updated_at"]);
const MOST_FACETS = 16;
/** What a card shows; the drawer asks for the whole product. */
const CARD_FIELDS = [
  ...["title", "brand", "price", "currency", "category", "images", "in_stock"],
  ...["locale"],
];
const JSON_TYPE = { "Content-Type": "application/json" };

/** Optional routes that this server was found not to have. */
const lacking = new Set();

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
export const product = (id, signal) =>
  request(`v1/products/${encodeURIComponent(id)}?${new URLSearchParams({ locale: readerLocale })}`, { signal });

/**
 * Ways to complete the words typed so far; none where the server has no such route.
 *
 * @param {string} q
 * @param {number} limit
 * @param {AbortSignal} signal
 * @returns {Promise<Suggestion[]>}
 */
export async function suggestions(q, limit, signal) {
  if (lacking.has("suggest")) return [];
  const query = new URLSearchParams({ q, limit: String(limit), locale: readerLocale });
  try {
    return (await request(`v1/suggest?${query}`, { signal })).suggestions;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) lacking.add("suggest");
    return [];
  }
}

/**
 * Record what a shopper did. Outlives the page, so that it can be called as it is left.
 *
 * @param {object[]} events
 * @throws {Problem} where the shop does not take events from its page
 */
export const record = (events) =>
  request("v1/events", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(events), keepalive: true });

/**
 * Erase all that is recorded of a visit.
 *
 * @param {string} session
 * @throws {Problem} where the page may not
 */
export const erase = (session) => request(`v1/users/${session}`, { method: "DELETE", keepalive: true });

/**
 * One page of results.
 *
 * @param {State} state
 * @param {{ facets?: string[], offset?: number, limit?: number, session?: string | null,
 *   signal?: AbortSignal }} [options] `session` names a visit that may be remembered
 * @returns {Promise<Answer>}
 */
export function search(state, { facets = [], offset = 0, limit = PAGE_SIZE, session, signal } = {}) {
  const body = {
    ...query(state),
    filters: state.filters,
    facets,
    ...(state.sort && { sort: state.sort }),
    limit,
    offset,
    locale: readerLocale,
    ...(session && { session_id: session }),
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
  const options = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body), signal };
  return requestSearch("v1/search", options);
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
  return requestSearch("v1/search/image", { method: "POST", body: form, signal });
}

/** An answer with the id that events refer to it by. */
async function requestSearch(path, options) {
  const response = await send(path, options);
  return { ...(await response.json()), search_id: response.headers.get("X-Request-Id") ?? "" };
}

const request = async (path, options) => (await send(path, options)).json();

async function send(path, options = {}) {
  const headers = { ...options.headers, ...(shop && { "X-Entrepot-Shop": shop }) };
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) {
    const { detail, title } = await response.json().catch(() => ({}));
    throw new Problem(response.status, detail || title || response.statusText);
  }
  return response;
}
