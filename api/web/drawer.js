/** The drawer at the side: a modal dialog for one product or one explanation at a time. */
import { $ } from "./dom.js";

/**
 * @param {string} title
 * @param {...Node} content
 */
export function openDrawer(title, ...content) {
  const drawer = $("drawer");
  $("drawer-title").textContent = title;
  $("drawer-body").replaceChildren(...content);
  if (!drawer.open) drawer.showModal();
  $("drawer-body").scrollTop = 0;
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
