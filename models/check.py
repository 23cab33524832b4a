"""The parity report: a served folder against the checkpoint or the folder it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from engine import Encoder, InvalidModel, Manifest, Role, Vectors, load_manifest

from . import pair_parity, query_parity
from .data import rows, validation_ids
from .evaluation import embed_files, open_rgb, served_encoder, served_reader
from .features import preprocess, token_ids
from .pair_parity import Gap
from .parity import VARIANT, Loss, Parity, against
from .query_parity import Agreement, Drift
from .towers import ImageGraph, TextGraph, load_checkpoint

Line = Parity | Loss | Agreement | Drift | Gap
SAMPLES = 64
TEXTS = (
    *("red leather purse", "a", "", "Nike Men Blue Running Shoes", "crème brûlée à l'orange"),
    *("男士黑色皮鞋", "three-seat sofa in light grey linen with oak legs", "word " * 200),
)
SIZES = ((60, 80), (224, 224), (641, 479), (300, 900))


def report(
    folder: Path,
    reference: Path,
    cosine: float | None,
    data: Path | None,
    tags: float = query_parity.TAGS,
) -> Iterator[Line]:
    """Every comparison, with its bound. ``cosine`` is the mean that is asked for
    (:data:`models.parity.VARIANT` where it is None), ``tags`` the share of words whose tag must
    be the reference's. With ``data`` the texts and photos are validation products, whose
    retrieval is compared too, and validation queries.

    Raises:
        InvalidModel: one of the two cannot be read, or ``reference`` lacks a space or tower.
    """
    manifest = load_manifest(folder)
    if manifest.query is not None:
        reader = served_reader(folder)
        other = query_parity.reference_of(reference, reader)
        yield from query_parity.report(reader, other, tags, data)
    if manifest.pair is not None:
        yield from pair_parity.report(folder, reference)
    if manifest.spaces:
        yield from _of_spaces(folder, manifest, reference, cosine, data)


def _of_spaces(
    folder: Path, manifest: Manifest, reference: Path, cosine: float | None, data: Path | None
) -> Iterator[Parity | Loss]:
    expected = references(reference, manifest)
    texts, images = samples(data)
    for space, other in expected.items():
        bound = VARIANT if cosine is None else cosine
        yield from against(space, other, served_encoder(folder, space), texts, images, bound)
    joint = served_encoder(folder, "joint") if "joint" in expected else None
    if data is not None and joint is not None and {"text", "image"} <= {*joint.info.modalities}:
        before, after = recall(expected["joint"], data), recall(joint, data)
        yield Loss("titles to photos among them: R@10", before, after)


def references(path: Path, manifest: Manifest) -> dict[str, Encoder]:
    """An encoder for each space of ``manifest``: of a served folder, or a checkpoint on torch."""
    if path.is_dir():
        return {space: served_encoder(path, space) for space in manifest.spaces}
    if set(manifest.spaces) - {"joint", "sentence"} or not (manifest.text and manifest.image):
        raise InvalidModel(
            f"{path} is not a folder, and {manifest.name} is not of the product CLIP's form: "
            "compare it with the served folder it was made from"
        )
    model = load_checkpoint(path)
    text, image = TextGraph(model).eval(), ImageGraph(model).eval()
    return {space: _Torch(text, image, space, manifest) for space in manifest.spaces}


def samples(data: Path | None) -> tuple[list[str], list[Image.Image]]:
    """Texts of many kinds, and photos; without ``data`` noise over colours instead."""
    if data is not None:
        chosen = _validation(data)[:SAMPLES]
        photos = [open_rgb(data / "fashion" / row["image"]) for row in chosen]
        return [*TEXTS, *(row["title"] for row in chosen)], photos
    rng = np.random.default_rng(0)
    made = []
    for width, height in SIZES:
        ramp = np.linspace(0, 200, width)[None, :, None] * rng.random(3)
        noise = rng.integers(0, 56, (height, width, 3))
        made.append(Image.fromarray((ramp + noise).astype(np.uint8)))
    return list(TEXTS), made


def recall(encoder: Encoder, data: Path) -> float:
    """R@10 of the validation products' titles to their photos; equal titles count."""
    products = _validation(data)
    gallery = embed_files(encoder, [data / "fashion" / row["image"] for row in products])
    titles = np.asarray([row["title"].lower() for row in products])
    queries = encoder.encode_texts([row["title"] for row in products], "query")
    nearest = np.argsort(-(queries @ gallery.T), axis=1)[:, :10]
    return float((titles[nearest] == titles[:, None]).any(axis=1).mean())


def _validation(data: Path) -> list[dict[str, str]]:
    held_out = validation_ids(data)
    return [row for row in rows(data / "fashion" / "products.jsonl") if row["id"] in held_out]


class _Torch:
    """One space of the product CLIP on torch, with the tokens and pixels of its training."""

    def __init__(self, text: nn.Module, image: nn.Module, space: str, manifest: Manifest) -> None:
        self._text, self._image = text, image
        self.info = manifest.info(space)
        self._output = ("sentence", "joint").index(space)

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        """One by one, so that padding has no part in it."""
        with torch.inference_mode():
            outputs = [self._text(torch.tensor([row])) for row in token_ids(texts)]
        return np.concatenate([output[self._output].numpy() for output in outputs])

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        found = torch.from_numpy(preprocess(images))
        with torch.inference_mode():
            rows: Vectors = self._image(found).numpy()
        return rows

    def close(self) -> None:
        """Nothing to release."""
