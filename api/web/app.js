/**
 * The page's one state, and what happens when it changes: address, search, drawing.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./api.js").Answer} Answer
 */
import { numberFields, PAGE_SIZE, Problem, product, search, WINDOW } from "./api.js";
import { textOf } from "./cards.js";
import { askCrop, initCrop } from "./crop.js";
import { $, h, replaceItems } from "./dom.js";
import { closeDialogs, initDialogs, openDrawer } from "./drawer.js";
import { explanationView } from "./explain.js";
import { facetGroups, filterChips } from "./facets.js";
import { forgetLabels, learnLabels } from "./format.js";
import { cropped, listenForPhotos, readPhoto, recall } from "./photo.js";
import { openProduct } from "./product.js";
import { drawQueryBar, drawWeight } from "./querybar.js";
import { drawReadings } from "./reading.js";
import * as results from "./results.js";
import { initSearchbox } from "./searchbox.js";
import { drawSettings, initSettings } from "./settings.js";
import { changed, EMPTY, hasQuery, parse, serialize, withClause } from "./state.js";
import { t, translatePage, useLanguage } from "./strings.js";
import * as visit from "./visit.js";
import { drawWording } from "./wording.js";

/** @type {State} */
let state = EMPTY;
/** @type {Answer | null} what is drawn, with all pages shown so far */
let answer = null;
/** Ends the search under way when a newer one starts. */
let running = new AbortController();
/** Whether the history's last entry is a query that is still being typed. */
let typing = false;
/** @type {string[]} what results can be put in order by */
let numbers = [];
/** @type {Map<string, Record<string, any>>} products seen, for chips */
const known = new Map();
/** @type {Map<string, Answer>} answers by history entry: back is instant and keeps its place */
const visited = new Map();

const actions = {
  onopen: (hit) => choose(hit),
  onsimilar: (hit) => go({ ...EMPTY, like: [hit.id] }),
  onwhy: (hit) => showExplanation(hit),
  similarLink: (hit) => location.pathname + serialize({ ...EMPTY, like: [hit.id] }),
};
const ways = {
  onclearfilters: () => go({ filters: {} }),
  onignore: (keys) => go({ ignore: [...new Set([...state.ignore, ...keys])] }),
  onrestore: () => go({ ignore: [] }),
  onwithout: (field) => go({ filters: withClause(state.filters, field, null) }),
  onbrowse: () => go(EMPTY),
};

/**
 * Change the state, record it in the history, and search.
 *
 * @param {Partial<State>} change
 * @param {{ replace?: boolean, still?: boolean }} [options] `still` while words are typed
 */
function go(change, { replace = false, still = false } = {}) {
  state = changed(state, change);
  const entry = { photo: state.photo?.key ?? null, key: `${Date.now()}-${history.length}` };
  const address = location.pathname + serialize(state);
  if (replace) history.replaceState(entry, "", address);
  else history.pushState(entry, "", address);
  typing = still;
  drawState();
  if (!replace) scrollTo({ top: 0, behavior: "instant" });
  return run();
}

/** End the search under way; the signal is for the one that begins. */
function supersede() {
  running.abort();
  running = new AbortController();
  return running.signal;
}

async function run() {
  const signal = supersede();
  results.drawBusy(true);
  void learnNumbers();
  try {
    const found = await search(state, { session: visit.sessionId(), signal });
    show(found);
    visit.shown(found, state.q.trim(), { typing });
  } catch (error) {
    if (signal.aborted) return;
    answer = null;
    showError(error);
  }
  if (!signal.aborted) results.drawBusy(false);
}

/** What can be ordered by, asked for until it is known; a search goes on without. */
async function learnNumbers() {
  if (numbers.length) return;
  numbers = await numberFields().catch(() => []);
  results.drawSort(numbers, state);
}

function show(found) {
  answer = found;
  remember();
  learnLabels(found);
  drawChips(); // by the names that values have in this language
  for (const hit of found.hits) known.set(hit.id, hit.product);
  results.drawResults(found, state, actions, ways);
  drawWording(found, state, ways);
  drawReadings(found.plan, state, ways);
  drawFacets(found.facets);
}

function showError(error) {
  results.drawError(error, run, ways.onbrowse);
}

function remember() {
  if (history.state?.key && answer) visited.set(history.state.key, answer);
  if (visited.size > 30) visited.delete(visited.keys().next().value);
}

async function showMore() {
  const { signal } = running;
  const shown = answer.hits.length;
  const limit = Math.min(PAGE_SIZE, WINDOW - shown);
  $("more").disabled = true;
  results.drawBusy(true);
  try {
    const page = await search(state, { offset: shown, limit, session: visit.sessionId(), signal });
    visit.shown(page, state.q.trim(), { offset: shown });
    answer = { ...answer, hits: [...answer.hits, ...page.hits] };
    remember();
    results.drawFurther(answer, page, actions);
  } catch (error) {
    if (!signal.aborted) showError(error);
  }
  $("more").disabled = false;
  if (!signal.aborted) results.drawBusy(false);
}

/** Everything that follows from the state alone, before any answer. */
function drawState() {
  if ($("q").value.trim() !== state.q.trim()) $("q").value = state.q;
  document.title = [state.q.trim(), "Entrepot"].filter(Boolean).join(" – ");
  document.body.classList.toggle("asked", hasQuery(state));
  drawQueryBar(state, known, {
    onremovephoto: () => go({ photo: null }),
    oncrop: cropPhoto,
    onremovelike: (id) => go({ like: state.like.filter((other) => other !== id) }),
  });
  results.drawSort(numbers, state);
  drawChips();
  void learnLiked();
}

const drawChips = () => replaceItems($("chips"), filterChips(state, (filters) => go({ filters })));

function drawFacets(facets) {
  const focused = document.activeElement?.id;
  const groups = facetGroups(facets, state, (filters) => go({ filters }));
  $("facets").replaceChildren(...groups);
  if (focused?.startsWith("facet-")) $(focused)?.focus({ preventScroll: true });
  const active = Object.keys(state.filters).length;
  $("filters-label").textContent = active ? t("filtersCount", { n: active }) : t("filters");
  $("panel-done").textContent = t("showResults", { n: answer?.total ?? 0 });
}

/** Titles and photos of the `like` products that a link names but no result has shown. */
async function learnLiked() {
  const unknown = state.like.filter((id) => !known.has(id));
  for (const id of unknown) {
    known.set(id, { title: id });
    const found = await product(id).catch(() => null);
    if (found) known.set(id, found);
  }
  if (unknown.length) drawState();
}

function choose(hit) {
  visit.clicked(hit, answer, state.q.trim());
  void openProduct(hit);
}

function showExplanation(hit) {
  const place = answer.hits.indexOf(hit) + 1;
  const title = h("p", { class: "of", ...textOf(hit.product, "title") }, hit.product.title);
  openDrawer(t("explainTitle"), title, ...explanationView(hit, place, answer, state));
}

async function addPhoto(file) {
  closeDialogs();
  if (file.type && !file.type.startsWith("image/")) {
    showError(new Problem(0, t("notAPhoto", { name: file.name })));
    return;
  }
  const photo = await readPhoto(file);
  await go({ photo, like: [] });
}

async function cropPhoto() {
  const box = await askCrop(state.photo);
  if (box !== undefined) await go({ photo: cropped(state.photo, box) });
}

/** The filters are in the side panel where there is room, else in a dialog. */
function placeFacets(wide) {
  $("panel").close();
  $(wide ? "side" : "panel-body").append($("facets"));
}

function listen() {
  $("sort").addEventListener("change", () => {
    const [field, order] = $("sort").value.split(":");
    go({ sort: field ? { field, order } : null });
  });
  $("weight").addEventListener("input", () => drawWeight(Number($("weight").value)));
  $("weight").addEventListener("change", () => go({ weight: Number($("weight").value) }, { replace: true }));
  $("more").addEventListener("click", showMore);
  $("pick").addEventListener("click", () => $("file").click());
  $("shoot").addEventListener("click", () => $("camera").click());
  $("filters-open").addEventListener("click", () => $("panel").showModal());
  $("home").addEventListener("click", (event) => {
    event.preventDefault();
    go(EMPTY);
  });
  addEventListener("popstate", restore);
  const wide = matchMedia("(min-width: 60rem)");
  wide.addEventListener("change", () => placeFacets(wide.matches));
  placeFacets(wide.matches);
}

/** Search for words; all of one word's typing is one step in the history. */
function askFor(words, still) {
  if (words.trim() === state.q.trim()) typing &&= still;
  else go({ q: words }, { replace: typing, still });
}

/** Say everything in another language, and ask again, as titles and facets have theirs. */
async function speak(tag) {
  await useLanguage(tag);
  forgetLabels();
  visited.clear();
  known.clear();
  drawLanguage();
  drawState();
  await run();
}

function drawLanguage() {
  translatePage(document);
  drawSettings();
}

/** Show what the address says: at start, and on back and forward. */
function restore() {
  closeDialogs();
  typing = false;
  state = { ...parse(location.search), photo: recall(history.state?.photo) };
  drawState();
  const before = visited.get(history.state?.key);
  if (!before) return run();
  supersede();
  results.drawBusy(false);
  show(before);
}

/** What came of the memory of this visit may change every order. */
function forgetAnswers() {
  visited.clear();
  run();
}

async function start() {
  await useLanguage().catch(() => {}); // without its texts the page speaks English
  initSettings({ onlanguage: speak, onvisit: forgetAnswers });
  drawLanguage();
  initDialogs();
  initCrop();
  initSearchbox({
    onwords: askFor,
    onproduct: (id, title) => openProduct({ id, product: { title } }),
    onvalue: (field, value) => go({ q: "", filters: { ...state.filters, [field]: [value] } }),
  });
  visit.listenForLeaving();
  listen();
  listenForPhotos({ overlay: $("drop"), inputs: [$("file"), $("camera")], onfile: addPhoto });
  results.drawPlaceholders();
  history.replaceState({ photo: null, ...history.state, key: `${Date.now()}` }, "");
  restore();
}

start();
