/**
 * The shopper's photo: picked, taken, dropped or pasted; made small before it travels.
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Box as fractions of the
 *   upright photo
 * @typedef {object} Photo
 * @property {number} key names it in the history
 * @property {string} name
 * @property {Blob} blob what is sent
 * @property {string | null} url of a preview; null where the browser cannot show the format
 * @property {number} width
 * @property {number} height
 * @property {Box | null} crop
 */

const LONGEST_SIDE = 1024;
const SMALL_ENOUGH = 1_000_000;

/** @type {Map<number, Photo>} */
const kept = new Map();

/**
 * A photo of this page load by its key, for back and forward.
 *
 * @param {number | null | undefined} key
 * @returns {Photo | null}
 */
export const recall = (key) => kept.get(key ?? -1) ?? null;

/**
 * Read a file. Large photos are scaled down here: no encoder looks at more, and a phone's
 * upload is slow. Upright by its EXIF orientation, as the server would turn it.
 *
 * @param {File} file
 * @returns {Promise<Photo>}
 */
export async function readPhoto(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) {
    // A format unknown to the browser (TIFF, say) may still be known to the server.
    return keep({ name: file.name, blob: file, url: null, width: 0, height: 0, crop: null });
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const untouched = scale === 1 && file.size <= SMALL_ENOUGH;
  const blob = untouched ? file : await scaled(bitmap, width, height);
  bitmap.close();
  const name = file.name || "photo";
  return keep({ name, blob, url: URL.createObjectURL(blob), width, height, crop: null });
}

/**
 * The same photo with another part chosen; a photo of its own in the history.
 *
 * @param {Photo} photo
 * @param {Box | null} crop
 * @returns {Photo}
 */
export const cropped = (photo, crop) => keep({ ...photo, crop });

function keep(photo) {
  const whole = { ...photo, key: Date.now() + kept.size };
  kept.set(whole.key, whole);
  return whole;
}

async function scaled(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // transparency on white, as the server lays it
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

/**
 * Take photos dropped anywhere on the page, pasted, or chosen with a file input.
 *
 * @param {{ overlay: HTMLElement, inputs: HTMLInputElement[],
 *   onfile: (file: File) => void }} options
 */
export function listenForPhotos({ overlay, inputs, onfile }) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (input.files?.length) onfile(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => {
    const data = event.clipboardData;
    const file = [...(data?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (!file || (isField(event.target) && data.types.includes("text/plain"))) return;
    event.preventDefault();
    onfile(file);
  });
  listenForDrops(overlay, onfile);
}

function listenForDrops(overlay, onfile) {
  const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
  const show = (shown) => overlay.toggleAttribute("hidden", !shown);
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    show(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) show(false);
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    show(false);
    if (event.dataTransfer.files.length) onfile(event.dataTransfer.files[0]);
  });
}

const isField = (target) => target instanceof HTMLInputElement;
