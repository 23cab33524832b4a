/**
 * The page on which people of the shop rate products for a search, without knowing what found them.
 *
 * @typedef {{ text: string, locale?: string }} JudgedQuery
 * @typedef {{ product: Record<string, any>, grade: number | null }} Shown
 * @typedef {{ query: JudgedQuery, rater: string }} Judging
 * @typedef {Judging & { product: string, grade: number | null }} Rating
 */
import { $, h } from "./dom.js";
import { shop } from "./state.js";

const KEY = `entrepot-key${shop ? `.${shop}` : ""}`;
const SUGGESTED = 100;
const BATCH = 500;

/** What was asked for last, shown or not. @type {Judging | null} */
let judging = null;
/** Ratings not yet known to be stored, by all but their grade. @type {Map<string, Rating>} */
const waiting = new Map();
let sending = false;

/** Calls the API as one who may write; asks for the key where the server wants one. */
async function call(method, path, body) {
  const headers = { "Content-Type": "application/json", ...(shop && { "X-Entrepot-Shop": shop }) };
  const key = $("key").value || sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (response.status === 401) $("key-field").hidden = false;
  if (!response.ok) throw new Error(answer.detail);
  if (key) sessionStorage.setItem(KEY, key);
  return answer;
}

function say(words, wrong = false) {
  $("state").textContent = words;
  $("state").classList.toggle("wrong", wrong);
}

function progress() {
  const cards = [...$("products").children];
  const rated = cards.filter((card) => card.querySelector(":checked")).length;
  say(`${rated} of ${cards.length} rated${waiting.size ? "…" : ", all stored"}`);
}

/** Keeps a rating to be sent. @param {Judging} by @param {string} product @param {number | null} grade */
function rate(by, product, grade) {
  waiting.set(JSON.stringify([by, product]), { ...by, product, grade });
  progress();
  send();
}

/** One request at a time, so that of two grades the later counts; what fails waits for the next. */
async function send() {
  if (sending) return;
  sending = true;
  try {
    while (waiting.size) {
      const sent = [...waiting].slice(0, BATCH);
      await call("POST", "v1/judgments", sent.map(([, rating]) => rating));
      for (const [key, rating] of sent) if (waiting.get(key) === rating) waiting.delete(key);
    }
    progress();
  } catch (error) {
    say(`Not stored: ${error.message} It is sent again with the next rating.`, true);
  } finally {
    sending = false;
  }
}

/** @param {Shown} shown @param {Record<string, string>} scale @param {Judging} by */
function card({ product, grade }, scale, by) {
  const photo = product.image_urls?.[0];
  const name = `grade-${product.id}`;
  const radios = Object.entries(scale).map(([value, words]) =>
    h("label", {},
      h("input", {
        type: "radio", name, value, checked: grade === Number(value),
        onchange: () => rate(by, product.id, Number(value)),
      }),
      ` ${value} ${words}`));
  const facts = [product.brand, (product.category ?? []).join(" › "), price(product)];
  const attributes = Object.entries(product.attributes ?? {}).map(([key, value]) => `${key}: ${value}`);
  return h("li", { tabindex: "0", "data-id": product.id },
    photo ? h("img", { src: photo, alt: "", loading: "lazy" }) : h("div", { class: "no-photo" }),
    h("div", {},
      h("h2", {}, product.title),
      h("p", {}, facts.filter(Boolean).join(" · ")),
      h("p", {}, attributes.slice(0, 8).join(", ")),
      h("p", {}, product.description ?? ""),
      h("fieldset", { "aria-label": "Grade" }, ...radios)));
}

function price({ price: amount, currency }) {
  return amount === null || amount === undefined ? "" : `${amount} ${currency ?? ""}`.trim();
}

async function show(event) {
  event.preventDefault();
  const locale = $("locale").value.trim();
  const query = { text: $("text").value.trim(), ...(locale && { locale }) };
  const by = { query, rater: $("rater").value };
  judging = by;
  $("products").replaceChildren();
  const profiles = $("profiles").value.split(",").map((name) => name.trim()).filter(Boolean);
  try {
    const pool = await call("POST", "v1/judgments/pool", { ...by, profiles });
    if (judging !== by) return; // another search was asked for meanwhile
    $("products").replaceChildren(...pool.products.map((shown) => card(shown, pool.scale, by)));
  } catch (error) {
    if (judging === by) say(error.message, true);
    return;
  }
  if (!$("products").children.length) say("Nothing was found.");
  else {
    progress();
    const open = [...$("products").children].find((each) => !each.querySelector(":checked"));
    (open ?? $("products").firstElementChild).focus();
  }
}

/** Keys while a product has the focus. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const here = event.target.closest?.("#products > li");
  if (event.key === "/" && event.target.tagName !== "INPUT" || event.key === "/" && here) {
    event.preventDefault();
    $("text").select();
    $("text").focus();
    return;
  }
  if (!here) return;
  const radio = here.querySelector(`input[value="${CSS.escape(event.key)}"]`);
  if (radio) {
    radio.checked = true;
    rate(judging, here.dataset.id, Number(event.key));
    here.nextElementSibling?.focus();
  } else if (event.key === "Backspace") {
    const checked = here.querySelector(":checked");
    if (checked) {
      checked.checked = false;
      rate(judging, here.dataset.id, null);
    }
  } else if (event.key === "ArrowDown") here.nextElementSibling?.focus();
  else if (event.key === "ArrowUp") here.previousElementSibling?.focus();
  else return;
  event.preventDefault();
}

/** Searches that shoppers made, to choose from; a shop without events has none. */
async function suggest() {
  try {
    const { queries } = await call("GET", `v1/analytics?limit=${SUGGESTED}`);
    $("asked").replaceChildren(...queries.map((each) => h("option", { value: each.query })));
  } catch {
    // It is a convenience: whoever may not, or has no events, types.
  }
}

$("ask").addEventListener("submit", show);
document.addEventListener("keydown", onKey);
suggest();
