/**
 * The results: cards, count, sort choices, notices, and what stands there instead when
 * nothing was found or something failed.
 *
 * @typedef {import("./api.js").Answer} Answer
 * @typedef {import("./state.js").State} State
 */
import { PAGE_SIZE, Problem, WINDOW } from "./api.js";
import { card, placeholders } from "./cards.js";
import { $, h, icon } from "./dom.js";
import { fieldName, number } from "./format.js";
import { hasQuery } from "./state.js";
import { t } from "./strings.js";

/** Cards of the coming shape, while the first results load. */
export function drawPlaceholders() {
  $("grid").replaceChildren(...placeholders(12));
}

/**
 * Whether a search is under way: results stay, and dim if it takes long.
 *
 * @param {boolean} busy
 */
export function drawBusy(busy) {
  document.body.classList.toggle("busy", busy);
  $("grid").setAttribute("aria-busy", String(busy));
}

/**
 * @param {Answer} answer with all hits shown so far
 * @param {State} state
 * @param {import("./cards.js").CardActions} actions
 * @param {{ onclearfilters: () => void,
 *   onwithout: (field: string) => void, onbrowse: () => void }} ways out of an empty result
 */
export function drawResults(answer, state, actions, ways) {
  $("grid").replaceChildren(...answer.hits.map((hit) => card(hit, actions)));
  drawCount(answer);
  drawMore(answer);
  drawNotices(answer);
  $("message").replaceChildren(...(answer.hits.length ? [] : emptyMessage(answer, state, ways)));
}

/**
 * Add a further page and move the focus to its first card.
 *
 * @param {Answer} answer with all hits, `page` included
 * @param {Answer} page
 * @param {import("./cards.js").CardActions} actions
 */
export function drawFurther(answer, page, actions) {
  const cards = page.hits.map((hit) => card(hit, actions));
  $("grid").append(...cards);
  cards[0]?.querySelector("button")?.focus({ preventScroll: true });
  $("announce").textContent = t("newResults", { n: cards.length });
  drawMore(answer);
}

function drawCount({ total, took_ms: took }) {
  $("announce").textContent = "";
  $("count").replaceChildren(
    h("strong", {}, total ? t("count", { n: total }) : t("noResults")),
    h("span", { class: "took" }, t("took", { ms: number(took, took < 10 ? 1 : 0) })),
  );
}

function drawMore({ hits, total }) {
  const reachable = Math.min(total, WINDOW);
  $("more-row").hidden = hits.length === 0 || total <= PAGE_SIZE;
  $("more").hidden = hits.length >= reachable;
  const text = hits.length >= WINDOW && total > WINDOW ? "windowEnd" : "shown";
  $("shown").textContent = t(text, { shown: hits.length, total, n: WINDOW });
}

/** One quiet line; which parts failed, and why, unfolds for those who can act on it. */
function drawNotices({ degraded, warnings }) {
  const notices = (warnings ?? []).map((text) => h("p", {}, icon("info"), h("span", {}, text)));
  if (degraded?.length) {
    const parts = degraded.map(({ component, reason }) => h("p", {}, `${component}: ${reason}`));
    notices.unshift(h("details", {}, h("summary", {}, icon("info"), t("degraded")), ...parts));
  }
  $("notices").replaceChildren(...notices);
}

function emptyMessage({ without }, state, { onclearfilters, onbrowse, onwithout }) {
  const filtered = Object.keys(state.filters).length > 0;
  const asked = filtered || hasQuery(state);
  const hint = filtered ? "emptyFilters" : asked ? "emptyQuery" : "emptyShop";
  const found = Object.entries(without ?? {});
  const fewer = found.map(([field, n], i) => {
    const text = t("withoutFilter", { field: fieldName(field), products: t("count", { n }) });
    return button(text, () => onwithout(field), i ? "" : "primary");
  });
  return message("search", t("emptyTitle"), t(hint), [
    ...fewer,
    filtered && button(t("clearFilters"), onclearfilters, found.length ? "" : "primary"),
    asked && button(t("browseAll"), onbrowse),
  ]);
}

/**
 * @param {Error} error
 * @param {() => void} onretry
 * @param {() => void} onbrowse
 */
export function drawError(error, onretry, onbrowse) {
  const text = error instanceof Problem ? error.message : t("errorNetwork");
  $("grid").replaceChildren();
  $("count").replaceChildren();
  $("notices").replaceChildren();
  $("reading").hidden = true;
  $("wording").replaceChildren();
  $("more-row").hidden = true;
  const ways = [button(t("retry"), onretry, "primary"), button(t("browseAll"), onbrowse)];
  $("message").replaceChildren(...message("warning", t("errorTitle"), text, ways));
}

function message(name, title, text, buttons) {
  return [
    icon(name),
    h("h2", {}, title),
    h("p", { dir: "auto" }, text),
    h("div", { class: "ways" }, ...buttons),
  ];
}

function button(text, onclick, kind = "") {
  return h("button", { type: "button", class: `button ${kind}`, onclick }, text);
}

/**
 * The sort choices: best match, and both directions of every number field.
 *
 * @param {string[]} numbers the fields with numbers
 * @param {State} state
 */
export function drawSort(numbers, state) {
  const best = h("option", { value: "" }, t(hasQuery(state) ? "sortBest" : "sortCatalogue"));
  const options = numbers.flatMap((name) => [
    h("option", { value: `${name}:asc` }, t("sortAsc", { field: fieldName(name) })),
    h("option", { value: `${name}:desc` }, t("sortDesc", { field: fieldName(name) })),
  ]);
  $("sort").replaceChildren(best, ...options);
  $("sort").value = state.sort ? `${state.sort.field}:${state.sort.order}` : "";
}
