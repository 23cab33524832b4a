/** The search box: searches while the shopper types, and takes suggestions. */
import { $ } from "./dom.js";
import { closeSuggestions, initSuggestions } from "./suggest.js";

const TYPING_PAUSE = 220;

/**
 * Let the box work; once, at start.
 *
 * @param {object} actions
 * @param {(words: string, typing: boolean) => void} actions.onwords what is asked for; `typing`
 *   where more may follow
 * @param {(id: string, title: string) => void} actions.onproduct
 * @param {(field: string, value: string) => void} actions.onvalue a category or brand
 */
export function initSearchbox({ onwords, onproduct, onvalue }) {
  const box = $("q");
  let pause = 0;
  const type = (event) => {
    clearTimeout(pause);
    if (!event.isComposing) pause = setTimeout(() => onwords(box.value, true), TYPING_PAUSE);
  };
  const ask = () => {
    clearTimeout(pause);
    closeSuggestions();
    onwords(box.value, false);
  };
  box.addEventListener("input", type);
  box.addEventListener("compositionend", type);
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  initSuggestions(({ text, kind, id, value }) => {
    if (id) return onproduct(id, text); // above the results of what was typed
    clearTimeout(pause);
    if (value) return onvalue(kind, value);
    box.value = text;
    return ask();
  });
  document.addEventListener("keydown", onSlash);
}

function onSlash(event) {
  const field = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (event.key !== "/" || field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  $("q").focus();
  $("q").select();
}
