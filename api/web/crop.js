/**
 * The dialog in which a part of the photo is chosen: drag a box, or move and resize it with
 * the arrow keys.
 *
 * @typedef {import("./photo.js").Photo} Photo
 * @typedef {import("./photo.js").Box} Box
 */
import { $ } from "./dom.js";

const LEAST = 0.05; // of a side; a smaller box is a slip of the finger
const STEP = 0.02;
const CENTRE = { x: 0.2, y: 0.2, width: 0.6, height: 0.6 };

/** @type {Box} */
let box = CENTRE;
/** Where the pointer went down, as fractions; null while it is up. */
let anchor = null;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * Ask which part of `photo` to search with.
 *
 * @param {Photo} photo
 * @returns {Promise<Box | null | undefined>} null: all of it; undefined: no answer
 */
export function askCrop(photo) {
  const dialog = $("crop");
  $("crop-photo").src = photo.url;
  box = photo.crop ?? CENTRE;
  draw();
  dialog.returnValue = "";
  dialog.showModal();
  $("crop-box").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(answer(dialog.returnValue)), { once: true });
  });
}

function answer(returned) {
  if (returned === "whole") return null;
  return returned === "part" ? box : undefined;
}

function draw() {
  const style = $("crop-box").style;
  style.left = `${box.x * 100}%`;
  style.top = `${box.y * 100}%`;
  style.width = `${box.width * 100}%`;
  style.height = `${box.height * 100}%`;
}

/** Make the dialog's box follow pointer and keyboard; once, at start. */
export function initCrop() {
  const stage = $("crop-stage");
  stage.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    anchor = at(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (anchor) stretch(at(event));
  });
  stage.addEventListener("pointerup", () => (anchor = null));
  stage.addEventListener("pointercancel", () => (anchor = null));
  $("crop-box").addEventListener("keydown", onKey);
}

function at(event) {
  const area = $("crop-stage").getBoundingClientRect();
  return {
    x: clamp((event.clientX - area.left) / area.width, 0, 1),
    y: clamp((event.clientY - area.top) / area.height, 0, 1),
  };
}

function stretch(point) {
  const width = Math.abs(point.x - anchor.x);
  const height = Math.abs(point.y - anchor.y);
  if (width < LEAST || height < LEAST) return;
  box = { x: Math.min(point.x, anchor.x), y: Math.min(point.y, anchor.y), width, height };
  draw();
}

function onKey(event) {
  const [dx, dy] = {
    ArrowLeft: [-STEP, 0],
    ArrowRight: [STEP, 0],
    ArrowUp: [0, -STEP],
    ArrowDown: [0, STEP],
  }[event.key] ?? [0, 0];
  if (!dx && !dy) return;
  event.preventDefault();
  box = event.shiftKey ? resized(dx, dy) : moved(dx, dy);
  draw();
}

const moved = (dx, dy) => ({
  ...box,
  x: clamp(box.x + dx, 0, 1 - box.width),
  y: clamp(box.y + dy, 0, 1 - box.height),
});

const resized = (dx, dy) => ({
  ...box,
  width: clamp(box.width + dx, LEAST, 1 - box.x),
  height: clamp(box.height + dy, LEAST, 1 - box.y),
});
