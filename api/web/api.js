/**
 * The HTTP API as this page uses it. Addresses are relative, so the page also works below a
 * path prefix.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {{ rank: number, score: number, normalized: number, weight: number,
 *   contribution: number }} Lane
 * @typedef {{ lanes: Record<string, Lane>, fused: number, rankers: Record<string, number>,
 *   score: number, arrangers: Record<string, { before: number, after: number }>,
 *   reasons: Record<string, Record<string, number | string>> }} Explanation
 * @typedef {{ id: string, score: number, product: Record<string, any>,
 *   highlights?: Record<string, string>, explain?: Explanation,
 *   variants?: { count: number, ids: string[] }, relevance?: number, arm?: string,
 *   search_id: string }} Hit
 * @typedef {{ values?: { value: string | boolean, count: number, label?: string }[],
 *   min?: number, max?: number, label?: string }} Facet
 * @typedef {{ start: number, end: number, label: string, value: string, field?: string,
 *   values?: string[], effect?: "note" | "boost" | "filter" | "exclude" | "avoid" }} Span
 * @typedef {{ original: string, text: string, read: string, spans: Span[] } & Record<string, any>
 *   } Plan
 * @typedef {{ hits: Hit[], facets: Record<string, Facet>, total: number, took_ms: number,
 *   timings: Record<string, number>, plan: Plan,
 *   degraded: { component: string, reason: string }[], warnings: string[],
 *   without: Record<string, number>, relevance: number | null, arm: string,
 *   search_id: string }} Answer
 * @typedef {{ id: string, product: Record<string, any>,
 *   reasons: { kind: string, text: string }[] }} Recommended
 * @typedef {{ text: string, kind: "query" | "product" | "category" | "brand",
 *   highlight: string, id?: string, value?: string }} Suggestion
 */
import { hasQuery, shop } from "./state.js";
import { readerLocale } from "./strings.js";

/** How many products one request shows, and how deep results go. */
export const PAGE_SIZE = 24;
export const WINDOW = 1000;
/** What a card shows; the drawer asks for the whole product. */
const CARD_FIELDS = [
  ...["title", "brand", "price", "currency", "category", "images", "in_stock"],
  ...["locale"],
];
const JSON_TYPE = { "Content-Type": "application/json" };

/** An answer that is not 2xx; `message` is the problem's `detail`, for the reader. */
export class Problem extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The declared fields that results can be put in order by.
 *
 * @returns {Promise<string[]>}
 */
export async function numberFields() {
  const { fields } = await request("v1/fields");
  return fields.filter(({ name, kind }) => kind === "number" && name !== "updated_at").map(({ name }) => name);
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
 * Ways to complete the words typed so far.
 *
 * @param {string} q
 * @param {number} limit
 * @param {AbortSignal} signal
 * @returns {Promise<Suggestion[]>}
 */
export async function suggestions(q, limit, signal) {
  const query = new URLSearchParams({ q, limit: String(limit), locale: readerLocale });
  return (await request(`v1/suggest?${query}`, { signal })).suggestions;
}

/**
 * Products that go with one.
 *
 * @param {string} id
 * @param {string | null} session names a visit that may be remembered
 * @returns {Promise<Recommended[]>}
 */
export async function recommendations(id, session) {
  const fields = "title,price,currency,images,locale";
  const query = new URLSearchParams({ product: id, limit: "8", fields, locale: readerLocale });
  if (session) query.set("session_id", session);
  return (await request(`v1/recommendations?${query}`)).items;
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
 * One page of results; the first comes with the facets that the server finds most useful.
 *
 * @param {State} state
 * @param {{ offset?: number, limit?: number, session?: string | null,
 *   signal?: AbortSignal }} [options] `session` names a visit that may be remembered
 * @returns {Promise<Answer>}
 */
export function search(state, { offset = 0, limit = PAGE_SIZE, session, signal } = {}) {
  const body = {
    ...query(state),
    filters: state.filters,
    facets: offset ? [] : ["*"],
    ...(state.sort && { sort: state.sort }),
    limit,
    offset,
    locale: readerLocale,
    ...(session && { session_id: session }),
    fields: CARD_FIELDS,
    highlight: true,
    explain: true,
  };
  return state.photo ? sendPhoto(state.photo, body, signal) : sendJson(body, signal);
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

/** An answer whose hits have the id that events refer to their search by. */
async function requestSearch(path, options) {
  const response = await send(path, options);
  const answer = await response.json();
  const search_id = response.headers.get("X-Request-Id") ?? "";
  return { ...answer, search_id, hits: answer.hits.map((hit) => ({ ...hit, search_id })) };
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
