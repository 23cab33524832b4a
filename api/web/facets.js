/**
 * The filter panel: values with counts, ranges of numbers; and the chips of what is active.
 *
 * @typedef {import("./api.js").Facet} Facet
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Values} Values
 * @typedef {import("./state.js").Range} Range
 * @typedef {(filters: State["filters"]) => void} OnChange
 */
import { h, icon } from "./dom.js";
import { fieldName, number, rangeText, valueName } from "./format.js";
import { listOf, rangeOf, toggled, withClause } from "./state.js";
import { t } from "./strings.js";

const FIRST_VALUES = 7;
const OPEN_FIELDS = 5;
const SEPARATOR = " > ";

/** What the reader folded, unfolded and spread out, kept while counts change. */
const unfolded = new Map();
const spread = new Set();

/**
 * The panel's groups, in the server's order: what is chosen, then what is most useful.
 *
 * @param {Record<string, Facet>} facets
 * @param {State} state
 * @param {OnChange} onchange
 * @returns {HTMLElement[]}
 */
export function facetGroups(facets, state, onchange) {
  return Object.keys(facets).map((name, i) => {
    const open = unfolded.get(name) ?? (i < OPEN_FIELDS || name in state.filters);
    const fold = h(
      "details",
      { class: "facet", open, "data-field": name },
      h("summary", {}, fieldName(name)),
      facetBody(name, facets[name], state, onchange),
    );
    fold.addEventListener("toggle", () => unfolded.set(name, fold.open));
    return fold;
  });
}

function facetBody(name, facet, state, onchange) {
  const isRange = facet.min !== undefined || !Array.isArray(state.filters[name] ?? []);
  return isRange && !facet.values?.length
    ? rangeInputs(name, facet, state, onchange)
    : valueList(name, facet, state, onchange);
}

function valueList(name, facet, state, onchange) {
  const chosen = listOf(state.filters[name]);
  const isTree = name === "category";
  const rows = withPlaces(facet.values ?? [], isTree);
  const offered = isTree ? rows.filter((row) => isUnfolded(row, chosen, rows)) : rows;
  const extra = offered.filter((row) => row.place >= FIRST_VALUES && !chosen.includes(row.value));
  const toggle = isTree ? toggledPath : toggled;
  const list = h("ul", { class: "values" });
  const draw = () => {
    const isShort = extra.length > 1 && !spread.has(name);
    const visible = isShort ? offered.filter((row) => !extra.includes(row)) : offered;
    const items = visible.map((row) =>
      valueRow(name, row, chosen, () => onchange(toggle(state.filters, name, row.value))),
    );
    if (extra.length > 1) items.push(spreadButton(name, extra.length, draw));
    list.replaceChildren(...items);
  };
  draw();
  return list;
}

/** Each value with its place among its like: all values, or a category's siblings. */
function withPlaces(values, isTree) {
  const taken = new Map();
  return (isTree ? asTree(values) : values).map((row) => {
    const parent = isTree ? parentOf(row.value) : "";
    taken.set(parent, (taken.get(parent) ?? -1) + 1);
    return { ...row, place: taken.get(parent) };
  });
}

function valueRow(name, { value, count, depth = 0 }, chosen, ontoggle) {
  const id = `facet-${name}-${value}`;
  const box = { type: "checkbox", id, checked: chosen.includes(value), onchange: ontoggle };
  return h(
    "li",
    { class: `depth-${Math.min(depth, 3)}` },
    h(
      "label",
      {},
      h("input", box),
      h("span", { class: "value", dir: "auto", title: String(value) }, valueName(name, value)),
      h("span", { class: "tally" }, number(count)),
    ),
  );
}

function spreadButton(name, hidden, redraw) {
  const onclick = () => {
    if (!spread.delete(name)) spread.add(name);
    redraw();
  };
  const label = spread.has(name) ? t("facetLess") : t("facetMore", { n: hidden });
  return h("li", {}, h("button", { type: "button", class: "link", onclick }, label));
}

/** Category paths as a tree: a parent, then its children, each level by count. */
function asTree(values) {
  const counts = new Map(values.map(({ value, count }) => [value, count]));
  const key = (path) =>
    path.map((_, i) => {
      const prefix = path.slice(0, i + 1).join(SEPARATOR);
      return [-(counts.get(prefix) ?? 0), prefix];
    });
  const rows = values.map((v) => {
    const path = String(v.value).split(SEPARATOR);
    return { ...v, depth: path.length - 1, key: key(path) };
  });
  return rows.sort((a, b) => compareKeys(a.key, b.key));
}

function compareKeys(a, b) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i][1] !== b[i][1]) return a[i][0] - b[i][0] || (a[i][1] < b[i][1] ? -1 : 1);
  }
  return a.length - b.length;
}

/** Roots, and what lies below a category that is chosen, holds a chosen one, or stands alone. */
function isUnfolded({ value, depth }, chosen, rows) {
  if (depth === 0) return true;
  const parent = parentOf(value);
  const alone = rows.filter((row) => row.depth === depth - 1).length === 1;
  return alone || chosen.some((c) => c === parent || isBelow(c, parent));
}

const parentOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf(SEPARATOR)));

const isBelow = (path, ancestor) => path.startsWith(ancestor + SEPARATOR);

/** A category replaces those above and below it, which it would widen or repeat. */
function toggledPath(filters, name, value) {
  const apart = listOf(filters[name]).filter((c) => !isBelow(c, value) && !isBelow(value, c));
  return toggled(withClause(filters, name, apart), name, value);
}

function rangeInputs(name, facet, state, onchange) {
  const range = rangeOf(state.filters[name]);
  const input = (bound, label, placeholder) => {
    const apply = (event) => {
      const text = event.target.value;
      const { [bound]: _, ...rest } = range;
      onchange(withClause(state.filters, name, text === "" ? rest : { ...rest, [bound]: Number(text) }));
    };
    const props = { type: "number", inputmode: "decimal", step: "any", id: `facet-${name}-${bound}` };
    const value = range[bound] ?? "";
    return h("label", {}, h("span", {}, t(label)), h("input", { ...props, value, placeholder, onchange: apply }));
  };
  const hint = (value, round) => (value === undefined ? "" : String(round(value)));
  return h(
    "div",
    { class: "range", role: "group", "aria-label": fieldName(name) },
    input("gte", "from", hint(facet.min, Math.floor)),
    h("span", { class: "dash", "aria-hidden": "true" }, "–"),
    input("lte", "to", hint(facet.max, Math.ceil)),
  );
}

/**
 * A removable chip for each active filter value, and one that clears them all.
 *
 * @param {State} state
 * @param {OnChange} onchange
 * @returns {HTMLElement[]}
 */
export function filterChips(state, onchange) {
  const { filters } = state;
  const chips = Object.entries(filters).flatMap(([name, clause]) =>
    Array.isArray(clause)
      ? clause.map((value) => valueChip(name, value, () => onchange(toggled(filters, name, value))))
      : [rangeChip(name, clause, () => onchange(withClause(filters, name, null)))],
  );
  if (!chips.length) return [];
  const clear = h("button", { type: "button", class: "link", onclick: () => onchange({}) }, t("clearAll"));
  return [...chips, h("li", {}, clear)];
}

function valueChip(name, value, onclick) {
  const plain = valueName(name, value);
  return chip(name, plain, typeof value === "boolean" ? `${fieldName(name)}: ${plain}` : plain, onclick);
}

function rangeChip(name, range, onclick) {
  const text = rangeText(name, range);
  return chip(name, text, text, onclick);
}

function chip(name, value, text, onclick) {
  const label = t("removeFilter", { field: fieldName(name), value });
  const button = { type: "button", class: "chip", "aria-label": label, onclick };
  return h("li", {}, h("button", button, h("span", { dir: "auto" }, text), icon("close")));
}
