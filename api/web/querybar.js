/**
 * Below the search box: the photo and the products that are searched with, and the slider
 * between words and picture.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {object} QueryActions
 * @property {() => void} onremovephoto
 * @property {() => void} oncrop
 * @property {(id: string) => void} onremovelike
 */
import { $, h, icon, svg } from "./dom.js";
import { percent } from "./format.js";
import { isMixed } from "./state.js";
import { t } from "./strings.js";

/**
 * @param {State} state
 * @param {Map<string, Record<string, any>>} known products by id, as far as they are known
 * @param {QueryActions} actions
 */
export function drawQueryBar(state, known, actions) {
  const chips = state.like.map((id) => likeChip(id, known.get(id), actions));
  if (state.photo) chips.unshift(photoChip(state.photo, actions));
  $("pictures").replaceChildren(...chips);
  $("weight-row").hidden = !isMixed(state);
  $("weight-end").textContent = t(state.photo ? "weightPhoto" : "weightLike");
  $("query-bar").hidden = !chips.length;
  drawWeight(state.weight);
}

/**
 * @param {number} weight of the picture, in [0, 1]
 */
export function drawWeight(weight) {
  const slider = $("weight");
  slider.value = String(weight);
  slider.setAttribute(
    "aria-valuetext",
    t("weightValue", { words: percent(1 - weight), photo: percent(weight) }),
  );
}

function photoChip(photo, actions) {
  const label = t(photo.crop ? "photoPart" : "photoChip");
  const crop = {
    type: "button",
    class: "chip-action",
    "aria-label": t("cropPhoto"),
    title: t("cropPhoto"),
    onclick: actions.oncrop,
  };
  return h(
    "li",
    { class: "picture", "data-kind": "photo" },
    photo.url ? preview(photo) : h("span", { class: "thumb none", title: t("photoUnseen") }, icon("image")),
    h("span", { class: "label" }, label),
    photo.url && h("button", crop, icon("crop")),
    remover(t("removePhoto"), actions.onremovephoto),
  );
}

/** The photo, or the chosen part of it, in a square. */
function preview({ url, width, height, crop }) {
  const part = crop ?? { x: 0, y: 0, width: 1, height: 1 };
  const view = [part.x * width, part.y * height, part.width * width, part.height * height].join(" ");
  return svg(
    "svg",
    { class: "thumb", viewBox: view, preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" },
    svg("image", { href: url, width, height }),
  );
}

function likeChip(id, product, actions) {
  const title = product?.title ?? id;
  const url = product?.image_urls?.[0];
  return h(
    "li",
    { class: "picture", "data-kind": "like" },
    url ? h("img", { class: "thumb", src: url, alt: "" }) : h("span", { class: "thumb none" }, icon("image")),
    h("span", { class: "label" }, `${t("likeChip")} `, h("b", { dir: "auto" }, title)),
    remover(t("removeLike", { title }), () => actions.onremovelike(id)),
  );
}

function remover(label, onclick) {
  return h("button", { type: "button", class: "chip-action", "aria-label": label, title: label, onclick }, icon("close"));
}
