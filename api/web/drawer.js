/** The drawer at the side: a modal dialog for one product or one explanation at a time. */
import { $ } from "./dom.js";

/** Counts what was opened. */
let opened = 0;

/**
 * @param {string | Node} title
 * @param {...Node} content
 * @returns {() => boolean} whether this is still what the drawer shows
 */
export function openDrawer(title, ...content) {
  const drawer = $("drawer");
  const body = $("drawer-body");
  const mine = ++opened;
  const hadFocus = body.contains(document.activeElement);
  $("drawer-title").replaceChildren(title);
  body.replaceChildren(...content);
  if (!drawer.open) drawer.showModal();
  else if (hadFocus) body.focus(); // what had it is gone, and Tab would begin at the top
  body.scrollTop = 0;
  return () => drawer.open && mine === opened;
}

/** Close whichever dialogs are open. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

/** Let every dialog close by its close button and by a click beside it; once, at start. */
export function initDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("[data-close]");
      if (button || event.target === dialog) dialog.close();
    });
  }
}
