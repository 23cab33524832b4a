"""The served-model directory: ``manifest.json`` beside ONNX graphs and a tokenizer.

One directory can hold a text tower, an image tower, a query tower and a pair tower. The first two
embed: one may have several output spaces (``joint``: text and images together; ``sentence``: texts
only), so that one pass serves them all. The query tower tells what the words of a query are, the
pair tower how well a product answers one. Every file's hash is in the manifest and is checked when
it is loaded.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from .errors import InvalidModel
from .types import EncoderInfo

FORMAT = 1
FILE_NAME = "manifest.json"
_LATER = {"pad_to": 0, "query_prefix": "", "document_prefix": ""}
"""Fields that the first manifests lack, with the value that says what those always did: it does
not enter a fingerprint, so that their indexes stay good."""


class TextTower(Struct, frozen=True):
    """``file`` takes int64 ``input_ids [n, t]`` (padded with ``pad_id``) and gives one unit
    float32 output ``[n, dim]`` per space. Longer texts are cut to ``max_tokens``.

    ``t`` is any length, and padding changes nothing, unless ``pad_to`` is above 0: such a model
    (SigLIP) looks at its padding, and its graph takes ``pad_to`` tokens of every text. A text
    is tokenized with ``query_prefix`` or ``document_prefix`` before it, by its role: E5 and its
    kin were trained with "query: " and "passage: ".
    """

    file: str
    tokenizer: str
    max_tokens: int
    spaces: tuple[str, ...]
    pad_id: int = 0
    pad_to: int = 0
    query_prefix: str = ""
    document_prefix: str = ""


class ImageTower(Struct, frozen=True):
    """``file`` takes float32 ``pixels [n, 3, size, size]`` and gives unit float32 outputs.

    Pixels are RGB scaled to [0, 1], then ``(x - mean) / std`` per channel. The picture is
    resized by ``resample`` to ``size`` squared: ``squash`` ignores its aspect ratio, ``crop``
    scales the shorter side and cuts the centre out, ``longest`` scales the longer side and
    adds black; both as OpenCLIP does, to the pixel.
    """

    file: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    spaces: tuple[str, ...]
    resize: Literal["squash", "crop", "longest"] = "squash"
    resample: Literal["bicubic", "bilinear"] = "bicubic"


class QueryTower(Struct, frozen=True):
    """``file`` takes int64 ``input_ids [n, t]`` (padded with ``pad_id``, which changes nothing)
    and gives calibrated float32 probabilities: ``tags [n, t, len(labels)]`` and, where there are
    ``categories``, ``categories [n, len(categories)]``.

    ``labels`` are "O", "B-color", "I-color", … in the order of the classes; that of a word is
    the label of its first token. Longer queries are cut to ``max_tokens``.
    """

    file: str
    tokenizer: str
    max_tokens: int
    labels: tuple[str, ...]
    categories: tuple[str, ...] = ()
    pad_id: int = 0

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the graph gives."""
        return ("tags", "categories") if self.categories else ("tags",)


class PairTower(Struct, frozen=True):
    """A cross-encoder, which reads a query and a product's text together.

    ``file`` takes int64 ``input_ids [n, t]`` (padded with ``pad_id``, which changes nothing), the
    two texts as the tokenizer joins a pair, and gives float32 ``relevance [n]``: a logit, higher
    is better. Of longer pairs the longer text is cut until both fit into ``max_tokens``.
    """

    file: str
    tokenizer: str
    max_tokens: int
    pad_id: int = 0


class Space(Struct, frozen=True):
    """An output space. ``min_score`` is the noise floor per query modality: the cosine that
    99 % of pairs of a query and a product of another trade stay below."""

    dim: int
    min_score: dict[str, float] = field(default_factory=dict)


Tower = TextTower | ImageTower | QueryTower | PairTower


class Manifest(Struct, frozen=True):
    """``files`` maps each file to its SHA-256; ``quality`` and ``speed`` are measured figures."""

    format: int
    name: str
    version: str
    licence: str
    provenance: str
    spaces: dict[str, Space]
    files: dict[str, str]
    text: TextTower | None = None
    image: ImageTower | None = None
    query: QueryTower | None = None
    pair: PairTower | None = None
    quality: dict[str, float] = field(default_factory=dict)
    speed: dict[str, float] = field(default_factory=dict)

    @property
    def towers(self) -> tuple[Tower, ...]:
        """Those that it has."""
        every = (self.text, self.image, self.query, self.pair)
        return tuple(tower for tower in every if tower is not None)

    def info(self, space: str) -> EncoderInfo:
        """What an encoder that serves ``space`` is; raises InvalidModel if there is none."""
        if space not in self.spaces:
            known = ", ".join(self.spaces) or "none"
            raise InvalidModel(f"model {self.name!r} has no space {space!r}; it has: {known}")
        text = self.text if self.text and space in self.text.spaces else None
        image = self.image if self.image and space in self.image.spaces else None
        return EncoderInfo(
            name=self.name if space == "joint" else f"{self.name}/{space}",
            version=self.version,
            dim=self.spaces[space].dim,
            modalities=(("text",) if text else ()) + (("image",) if image else ()),
            fingerprint=self._fingerprint(space, text, image),
            max_tokens=text.max_tokens if text else 0,
            image_size=image.size if image else 0,
            min_score=self.spaces[space].min_score,
        )

    def _fingerprint(self, space: str, text: TextTower | None, image: ImageTower | None) -> str:
        """Equal exactly where the embeddings are: weights, tokenizer and preprocessing."""
        digest = hashlib.sha256(space.encode())
        for tower in (text, image):
            if tower is not None:
                names = [tower.file, *([tower.tokenizer] if isinstance(tower, TextTower) else [])]
                for name in names:
                    digest.update(self.files[name].encode())
                plain = msgspec.structs.asdict(tower)
                settings = {
                    k: v
                    for k, v in plain.items()
                    if k not in ("file", "tokenizer") and not (k in _LATER and v == _LATER[k])
                }
                digest.update(msgspec.json.encode(settings, order="sorted"))
        return digest.hexdigest()[:32]


def load_manifest(folder: Path) -> Manifest:
    """Read and verify a served-model directory.

    Raises:
        InvalidModel: no manifest, a newer format, a missing or altered file; the message
            says which and what to do.
    """
    path = folder / FILE_NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidModel(f"no model at {folder}: {FILE_NAME}: {error.strerror}") from error
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format > FORMAT:
            raise InvalidModel(
                f"{path}: format {head.format} is newer than this Entrepot reads ({FORMAT}): "
                "upgrade, or export the model again"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise InvalidModel(f"{path} is not a model manifest: {error}") from error
    for name, digest in manifest.files.items():
        _verify(folder, name, digest)
    _check_references(path, manifest)
    return manifest


def save_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write ``manifest`` with the hashes of its files as they are now; the written one."""
    files = {name: file_digest(folder / name) for name in manifest.files}
    complete = msgspec.structs.replace(manifest, files=files)
    encoded = msgspec.json.format(msgspec.json.encode(complete), indent=2)
    (folder / FILE_NAME).write_bytes(encoded + b"\n")
    return complete


def rounds_activations(graph: bytes) -> bool:
    """Whether an ONNX graph computes in int8 between QuantizeLinear nodes. One that only stores
    weights in int8 (DequantizeLinear alone) is served with these unpacked to float32."""
    return b"QuantizeLinear" in graph


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Head(Struct):
    format: int


def _check_references(path: Path, manifest: Manifest) -> None:
    """Every file and space that a tower names must be described."""
    for tower in manifest.towers:
        missing = _files(tower) - manifest.files.keys()
        if isinstance(tower, TextTower | ImageTower):
            missing |= set(tower.spaces) - manifest.spaces.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise InvalidModel(f"{path} names but does not describe {names}: export it again")


def _files(tower: Tower) -> set[str]:
    return {tower.file} if isinstance(tower, ImageTower) else {tower.file, tower.tokenizer}


def _verify(folder: Path, name: str, digest: str) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidModel(f"{folder}: the file {name!r} lies outside the model's folder")
    try:
        actual = file_digest(path)
    except OSError as error:
        raise InvalidModel(f"{path}: {error.strerror}: copy the model again") from error
    if actual != digest:
        raise InvalidModel(f"{path}: the file is damaged or was changed: copy the model again")
