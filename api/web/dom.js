/** Builds elements. Text only ever becomes text nodes; nothing here parses HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Functions become listeners (`onclick`), `true` an empty attribute; `false`,
 * `null` and `undefined` are left out.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * An SVG element, as {@link h}.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {SVGElement}
 */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(el, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return el;
}

/**
 * An icon of the sprite in `index.html`, hidden from screen readers.
 *
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/**
 * The element with this id.
 *
 * @param {string} id
 * @returns {any}
 */
export const $ = (id) => document.getElementById(id);

/**
 * Replace the items of a list of buttons. The focus stays near the place it had, or Tab would
 * start again at the page's top.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement[]} items each with its button as the first child
 */
export function replaceItems(list, items) {
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(...items);
  if (focused < 0) return;
  const next = items[Math.min(focused, items.length - 1)]?.firstChild ?? $("results");
  next.focus({ preventScroll: true });
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'" };

/**
 * Nodes for a highlight: escaped text in which `<mark>` is the only tag. Anything else that
 * looks like a tag stays text.
 *
 * @param {string} html
 * @returns {Node[]}
 */
export function highlighted(html) {
  const plain = (text) => text.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name) => ENTITIES[name]);
  return html
    .split(/(<mark>.*?<\/mark>)/s)
    .filter(Boolean)
    .map((part) => {
      const marked = /^<mark>(.*)<\/mark>$/s.exec(part);
      return marked ? h("mark", {}, plain(marked[1])) : document.createTextNode(plain(part));
    });
}
