"""What the frozen parts of the towers give, computed once and kept on disk.

Photos: one float16 array of stage maps per view; view 0 is the whole picture, the others are
random crops of changed brightness and contrast, seeded by the file's name. Captions: the token
states of all of them, end to end, so that nothing is padded on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from open_clip.model import CustomTextCLIP
from PIL import Image, ImageEnhance
from tokenizers import Tokenizer
from torch import Tensor

from .towers import IMAGE_SIZE, MAX_TOKENS, frozen_maps, frozen_states, tokenizer_path

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
BATCH = 64
MIN_AREA = 0.5
"""Smallest share of the picture that a random crop keeps."""
JITTER = 0.15
"""Largest relative change of brightness and of contrast; hue is what titles name, and stays."""


def embed_photos(
    model: CustomTextCLIP, paths: Sequence[Path], size: int, view: int, cache: Path
) -> Halves:
    """Stage maps ``[n, h, w, c]``, from ``cache`` where it holds this very list, input size,
    tower and view."""
    trunk = model.visual.trunk
    names = "\n".join([*map(str, paths), f"{view} {size} {trunk.conv_head.in_channels}"])
    file = cache / f"maps-{hashlib.sha256(names.encode()).hexdigest()[:16]}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial.npy")
        out: Halves | None = None
        for start in range(0, len(paths), BATCH):
            pixels = preprocess([_open(p, view) for p in paths[start : start + BATCH]], size)
            maps = _maps(model, pixels)
            if out is None:
                shape = (len(paths), *maps.shape[1:])
                out = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
            out[start : start + BATCH] = maps
        del out
        partial.rename(file)
    return np.load(file, mmap_mode="r")


def as_maps(stored: Halves) -> Tensor:
    """``[n, h, w, c]`` float16, as stored → ``[n, c, h, w]`` float32, as the towers take it."""
    return torch.from_numpy(stored.astype(np.float32)).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class TokenStates:
    """Captions after the frozen text layers: rows ``starts[i] : starts[i + 1]`` of ``states``
    ``[tokens, 384]`` are caption ``i``."""

    states: Halves
    starts: npt.NDArray[np.int64]

    def batch(self, captions: npt.NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Padded states ``[n, t, 384]`` and their bool mask ``[n, t]``."""
        lengths = (self.starts[captions + 1] - self.starts[captions]).tolist()
        states = np.zeros((len(captions), max(lengths), self.states.shape[1]), dtype=np.float32)
        mask = np.zeros(states.shape[:2], dtype=bool)
        for row, (i, length) in enumerate(zip(captions, lengths, strict=True)):
            states[row, :length] = self.states[self.starts[i] : self.starts[i] + length]
            mask[row, :length] = True
        return torch.from_numpy(states), torch.from_numpy(mask)


def embed_captions(model: CustomTextCLIP, texts: Sequence[str]) -> TokenStates:
    """A minute for 25,000 captions, so it is not cached."""
    ids = token_ids(texts)
    starts = np.cumsum([0, *map(len, ids)])
    states = np.empty((starts[-1], model.text.config.hidden_size), dtype=np.float16)
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        padded = torch.zeros(len(batch), len(ids[batch[-1]]), dtype=torch.int64)
        for row, i in enumerate(batch):
            padded[row, : len(ids[i])] = torch.tensor(ids[i])
        with torch.inference_mode():
            found = frozen_states(model, padded).numpy()
        for row, i in enumerate(batch):
            states[starts[i] : starts[i + 1]] = found[row, : len(ids[i])]
    return TokenStates(states, starts)


def token_ids(texts: Sequence[str]) -> list[list[int]]:
    """Word pieces with the special tokens, cut to :data:`MAX_TOKENS`."""
    tokenizer = Tokenizer.from_file(str(tokenizer_path()))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def preprocess(images: Sequence[Image.Image], size: int = IMAGE_SIZE) -> Floats:
    """``[n, 3, s, s]`` in [-1, 1]: squashed, bicubic; serving does exactly the same."""
    side = (size, size)
    pixels = [np.asarray(image.resize(side, Image.Resampling.BICUBIC)) for image in images]
    scaled = np.stack(pixels).astype(np.float32) / 127.5 - 1.0
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _maps(model: CustomTextCLIP, pixels: Floats) -> Halves:
    """bfloat16 is twice as fast here and far finer than what the crops change."""
    x = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        maps = frozen_maps(model, x).permute(0, 2, 3, 1).half()
    return np.asarray(maps.numpy(), dtype=np.float16)


def _open(path: Path, view: int) -> Image.Image:
    with Image.open(path) as file:
        image = file.convert("RGB")
    return image if view == 0 else _augment(image, f"{path.name}:{view}")


def _augment(image: Image.Image, seed: str) -> Image.Image:
    """A random crop of at least :data:`MIN_AREA`, flipped half of the time, in another light."""
    digest = hashlib.sha256(seed.encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    share = np.sqrt(rng.uniform(MIN_AREA, 1.0))
    width, height = (max(1, round(side * share)) for side in image.size)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    crop = image.crop((left, top, left + width, top + height))
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast):
        crop = enhance(crop).enhance(rng.uniform(1 - JITTER, 1 + JITTER))
    return crop
