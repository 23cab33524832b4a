/**
 * Suggestions below the search box: the combobox with a list of WAI-ARIA
 * (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/). The focus stays in the box; arrow keys
 * move through the list, Enter takes what they stand on, Esc closes it.
 *
 * @typedef {import("./api.js").Suggestion} Suggestion
 */
import { suggestions } from "./api.js";
import { $, h, highlighted, icon } from "./dom.js";
import { t } from "./strings.js";

const PAUSE_MS = 80;
const MOST = 7;
const ICONS = { query: "search", product: "box", category: "grid", brand: "tag" };

/** @type {Suggestion[]} what is listed */
let listed = [];
/** The one that arrow keys stand on; -1 is the box itself. */
let active = -1;
let pause = 0;
/** Ends the request under way when other words are typed. */
let asking = new AbortController();

/**
 * @param {(suggestion: Suggestion) => void} onpick
 */
export function initSuggestions(onpick) {
  const box = $("q");
  box.addEventListener("input", (event) => {
    if (!event.isComposing) ask();
  });
  box.addEventListener("compositionend", ask);
  box.addEventListener("blur", closeSuggestions);
  box.addEventListener("keydown", (event) => onKey(event, onpick));
  $("suggestions").addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus
  $("suggestions").addEventListener("click", (event) => {
    const place = [...$("suggestions").children].findIndex((item) => item.contains(event.target));
    if (place >= 0) pick(place, onpick);
  });
}

/** Close the list, and listen to no answer that is still to come. */
export function closeSuggestions() {
  clearTimeout(pause);
  asking.abort();
  draw([]);
}

function ask() {
  clearTimeout(pause);
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const words = $("q").value.trim();
  if (!words) draw([]);
  else pause = setTimeout(() => answer(words, signal), PAUSE_MS);
}

async function answer(words, signal) {
  const found = await suggestions(words, MOST, signal).catch(() => []);
  const isTyped = ({ kind, text }) => kind === "query" && text.toLowerCase() === words.toLowerCase();
  if (!signal.aborted) draw(found.filter((one) => !isTyped(one)));
}

function draw(found) {
  listed = found;
  $("suggestions").replaceChildren(...found.map(option));
  $("suggestions").hidden = !found.length;
  $("q").setAttribute("aria-expanded", String(found.length > 0));
  stand(-1);
}

function option({ kind, highlight }, place) {
  return h(
    "li",
    { role: "option", id: `suggestion-${place}`, "aria-selected": "false" },
    icon(ICONS[kind]),
    // What is yet to be typed stands out, and not what is marked, as in every search box.
    h("span", { class: "completion", dir: "auto" }, ...highlighted(highlight)),
    kind !== "query" && h("span", { class: "sort-of" }, t(`suggest.${kind}`)),
  );
}

function stand(place) {
  active = place;
  for (const [i, item] of [...$("suggestions").children].entries()) {
    item.setAttribute("aria-selected", String(i === place));
    if (i === place) item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  if (place < 0) $("q").removeAttribute("aria-activedescendant");
  else $("q").setAttribute("aria-activedescendant", `suggestion-${place}`);
}

function onKey(event, onpick) {
  if (event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && !listed.length) {
    if (event.altKey) ask();
    return;
  }
  if (step) {
    event.preventDefault();
    // One more place than there are suggestions: the box itself.
    stand(((active + 1 + step + listed.length + 1) % (listed.length + 1)) - 1);
  } else if (event.key === "Enter" && active >= 0) {
    event.preventDefault();
    pick(active, onpick);
  } else if (event.key === "Escape" && listed.length) {
    event.preventDefault(); // else it would clear the box
    closeSuggestions();
  }
}

function pick(place, onpick) {
  const chosen = listed[place];
  closeSuggestions();
  onpick(chosen);
}
