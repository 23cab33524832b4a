/**
 * What the shopper looks at in this visit, for shops that learn from it. Off until switched on;
 * while it is off nothing is kept and nothing is sent. A visit is a random number that lives as
 * long as the tab; no other is ever sent.
 *
 * @typedef {import("./api.js").Answer} Answer
 * @typedef {import("./api.js").Hit} Hit
 * @typedef {{ id: string, type: string, session_id: string } & Record<string, any>} Event
 */
import { erase, Problem, record } from "./api.js";
import { shop } from "./state.js";

const KEPT = `entrepot.visit${shop ? `.${shop}` : ""}`;
const FLUSH_AFTER_MS = 3000;
const FLUSH_AT = 20;
/** What the network failed to take waits for the next time; beyond this the oldest is lost. */
const MOST_WAITING = 100;

/** @type {{ id: string, on: boolean } | null} */
let visit = kept();
/** @type {Event[]} */
let waiting = [];
/** @type {Event | null} results of words still being typed, counted only if they stay */
let typed = null;
let timer = 0;

/** Whether this visit is remembered. */
export const isOn = () => visit?.on ?? false;

/** Whether there is a visit that could be forgotten. */
export const isKnown = () => visit !== null;

/** @returns {string | null} what searches tell the shop this visit is; null while it is off */
export const sessionId = () => (visit?.on ? visit.id : null);

/**
 * Begin to remember, if the shop takes events from its page at all.
 *
 * @returns {Promise<boolean>} whether it does
 */
export async function switchOn() {
  try {
    await record([]);
  } catch {
    return false;
  }
  keep({ id: visit?.id ?? randomId(), on: true });
  return true;
}

/** Send and keep nothing from now on; what was not sent yet never will be. */
export function switchOff() {
  drop();
  if (visit) keep({ ...visit, on: false });
}

/**
 * Forget the visit here and, where the page may, in the shop.
 *
 * @returns {Promise<boolean>} whether the shop forgot it too
 */
export async function forget() {
  const { id } = visit;
  drop();
  keep(null);
  return erase(id).then(
    () => true,
    () => false,
  );
}

/**
 * Products were shown. What is shown for words still being typed counts only if it stays.
 *
 * @param {Answer} answer the page of results
 * @param {string} query
 * @param {{ offset?: number, typing?: boolean }} [options]
 */
export function shown(answer, query, { offset = 0, typing = false } = {}) {
  typed = null;
  if (!isOn()) return;
  const products = answer.hits.map(({ id }, i) => ({ id, position: offset + i + 1 }));
  const event = made("impression", {
    products,
    query,
    search_id: answer.search_id,
    results: answer.total,
    took_ms: answer.took_ms,
    variant: answer.arm,
  });
  if (typing) {
    typed = event;
    clearTimeout(timer);
    timer = 0;
  } else waiting.push(event);
  schedule();
}

/**
 * A product was chosen from a list.
 *
 * @param {Hit} hit
 * @param {Answer} answer with all hits shown so far
 * @param {string} query
 */
export function clicked(hit, answer, query) {
  const products = [{ id: hit.id, position: answer.hits.indexOf(hit) + 1 }];
  add("click", { products, query, search_id: hit.search_id, variant: hit.arm || answer.arm });
}

/**
 * A product's own page was seen.
 *
 * @param {string} id
 */
export const viewed = (id) => add("view", { products: [{ id }] });

/** Send what waits; whenever the page may be about to go. */
export async function flush() {
  clearTimeout(timer);
  timer = 0;
  settle();
  const batch = waiting;
  waiting = [];
  if (!batch.length) return;
  try {
    await record(batch);
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return;
    if (isOn()) waiting = [...batch, ...waiting].slice(-MOST_WAITING);
  }
}

/** Have what waits sent before the page goes; once, at start. */
export function listenForLeaving() {
  addEventListener("pagehide", flush);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") flush();
  });
}

function add(type, what) {
  if (!isOn()) return;
  settle();
  waiting.push(made(type, what));
  schedule();
}

const made = (type, what) => ({ id: randomId(), type, session_id: visit.id, ...what });

/** Whoever goes on from results has seen them. */
function settle() {
  if (typed) waiting.push(typed);
  typed = null;
}

function schedule() {
  if (waiting.length >= FLUSH_AT) flush();
  else timer ||= setTimeout(flush, FLUSH_AFTER_MS);
}

function drop() {
  clearTimeout(timer);
  timer = 0;
  waiting = [];
  typed = null;
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null; // storage is forbidden here, or holds something else
  }
}

function keep(next) {
  visit = next;
  try {
    if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Storage is forbidden: it lasts until the page is reloaded.
  }
}

/** 128 random bits; `crypto.randomUUID` is missing where a shop is served without TLS. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
