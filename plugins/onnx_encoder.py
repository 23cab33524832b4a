"""Encoder ``onnx``: serves any exported model directory on ONNX Runtime, without torch.

Two encoders over one directory (the text lane's ``sentence`` space and the ``joint`` space)
share its sessions, and a query's text runs through the trunk once for both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import onnxruntime
from msgspec import Meta, Struct
from PIL import Image
from tokenizers import Tokenizer

from engine import (
    Encoder,
    EncoderInfo,
    ImageTower,
    InvalidModel,
    Manifest,
    Register,
    Role,
    TextTower,
    UnsupportedModality,
    Vectors,
    hookimpl,
    load_manifest,
    pixels,
    rounds_activations,
)

T = TypeVar("T")
WEIGHTS = Path(__file__).parent / "weights"
TOKEN_BUDGET = 4096
"""Padded tokens per run: 64 texts of 64 tokens; larger batches gain nothing on two cores."""
IMAGE_BATCH = 32


class OnnxOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``model`` names a shipped model or a directory; ``space`` one of its output spaces."""

    model: str = "product-clip"
    space: str = "joint"
    threads: Annotated[int, Meta(ge=1, le=64)] = 2


class Session(Protocol):
    """What runs a graph: ONNX Runtime, or an engine compiled from it."""

    def run(self, outputs: list[str], inputs: dict[str, npt.NDArray[Any]]) -> list[Vectors]:
        """The named outputs for a batch of any size."""
        ...


OpenSession = Callable[[Path], Session]
"""Opens the graph in a file."""


class _Texts:
    """The text tower: one pass gives the rows of all its spaces."""

    def __init__(
        self, folder: Path, manifest: Manifest, tower: TextTower, session: Session
    ) -> None:
        self._dims = {space: manifest.spaces[space].dim for space in tower.spaces}
        self._tower = tower
        self.prefixes = {"query": tower.query_prefix, "document": tower.document_prefix}
        self._session = session
        self._tokenizer = load_tokenizer(folder / tower.tokenizer, tower.max_tokens)
        self._last: tuple[tuple[str, ...], dict[str, Vectors]] | None = None

    def encode(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Rows per space. The last batch is remembered, for the lanes ask one after the other
        for the same query; a stale read in a race only costs a pass."""
        key = tuple(texts)
        last = self._last
        if last is None or last[0] != key:
            self._last = last = key, self._run(key)
        return last[1]

    def _run(self, texts: tuple[str, ...]) -> dict[str, Vectors]:
        encoded = [e.ids for e in self._tokenizer.encode_batch_fast(list(texts))]
        rows = {s: np.empty((len(texts), d), dtype=np.float32) for s, d in self._dims.items()}
        for batch, ids in token_batches(encoded, self._tower.pad_id, self._tower.pad_to):
            outputs = self._session.run(list(rows), {"input_ids": ids})
            for space, output in zip(rows, outputs, strict=True):
                rows[space][batch] = output
        return rows


class _Images:
    """The image tower."""

    def __init__(self, tower: ImageTower, session: Session) -> None:
        self._tower = tower
        self._session = session

    def encode(self, images: Sequence[Image.Image], space: str) -> Vectors:
        rows = [
            self._session.run([space], {"pixels": pixels(images[i : i + IMAGE_BATCH], self._tower)})
            for i in range(0, len(images), IMAGE_BATCH)
        ]
        return np.concatenate([row for (row,) in rows])


class ServedModel:
    """A directory's towers, shared by the encoders over it."""

    def __init__(self, folder: Path, manifest: Manifest, open_session: OpenSession) -> None:
        self.manifest = manifest
        text, image = manifest.text, manifest.image
        self.texts = self.images = None
        if text:
            self.texts = _Texts(folder, manifest, text, open_session(folder / text.file))
        if image:
            self.images = _Images(image, open_session(folder / image.file))


class ServedEncoder:
    """One output space of a served model; see :class:`engine.Encoder`."""

    def __init__(self, model: ServedModel, space: str) -> None:
        self._model = model
        self._space = space
        self._info = model.manifest.info(space)

    @property
    def info(self) -> EncoderInfo:
        return self._info

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        tower = self._model.texts
        if tower is None or "text" not in self._info.modalities:
            raise UnsupportedModality(f"encoder {self._info.name!r} has no text tower")
        prefix = tower.prefixes[role]
        prompts = [prefix + text for text in texts] if prefix else texts
        return tower.encode(prompts)[self._space].copy() if texts else self._empty()

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        tower = self._model.images
        if tower is None or "image" not in self._info.modalities:
            raise UnsupportedModality(f"encoder {self._info.name!r} has no image tower")
        return tower.encode(images, self._space) if images else self._empty()

    def close(self) -> None:
        """Nothing to release: sessions go with the last encoder that uses them."""

    def _empty(self) -> Vectors:
        return np.zeros((0, self._info.dim), dtype=np.float32)


class OnnxEncoder(ServedEncoder):
    """A served model on ONNX Runtime.

    Raises:
        InvalidModel: the directory is missing, damaged, newer, or lacks the space.
    """

    def __init__(self, options: OnnxOptions) -> None:
        folder, threads = model_folder(options.model), options.threads
        super().__init__(
            shared_model(("onnx", folder, threads), lambda: _on_onnx_runtime(folder, threads)),
            options.space,
        )


def _on_onnx_runtime(folder: Path, threads: int) -> ServedModel:
    return ServedModel(folder, load_manifest(folder), partial(onnx_session, threads=threads))


_models: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
_models_lock = threading.Lock()


def shared_model(key: Hashable, load: Callable[[], T]) -> T:
    """The model under ``key``, loaded where nobody uses it yet."""
    with _models_lock:
        model: T | None = _models.get(key)
        if model is None:
            model = _models[key] = load()
        return model


def model_folder(model: str) -> Path:
    """The folder of a shipped model's name, or the path that ``model`` is."""
    shipped = WEIGHTS / model
    return (shipped if shipped.is_dir() else Path(model)).resolve()


def onnx_session(path: Path, threads: int) -> Session:
    """ONNX Runtime on the graph in ``path``. Raises InvalidModel where it cannot load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning makes a lone query faster (2.5 ms instead of 3.8 on two cores) and a search not
    # at all, for the store waits for its turn; on a busy machine it doubles the p95.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        graph = path.read_bytes()
        if not rounds_activations(graph):
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        elif not _has_vnni():
            # Sums of products of uint8 and int8 can overflow there: use uint8 for both.
            options.add_session_config_entry("session.x64quantprecision", "1")
        session: Session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        return session
    except Exception as error:  # ONNX Runtime's errors share no base of their own
        raise InvalidModel(f"{path}: ONNX Runtime cannot load it: {error}") from error


def _has_vnni() -> bool:
    """Whether Linux says that the processor multiplies int8 exactly. Where it has no say, the
    remedy is taken: it costs half the speed of int8 convolutions on x64, and nothing on ARM."""
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def load_tokenizer(path: Path, max_tokens: int) -> Any:
    """The tokenizer in ``path``, which cuts to ``max_tokens`` and pads nothing.

    Raises:
        InvalidModel: the file is none.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers package raises bare Exceptions
        raise InvalidModel(f"{path}: not a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def token_batches(
    encoded: Sequence[Sequence[int]], pad_id: int, pad_to: int = 0
) -> Iterator[tuple[list[int], npt.NDArray[np.int64]]]:
    """Batches of similar length within the token budget: which texts, and their padded ids."""
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    for batch in _batches(order, encoded, pad_to):
        ids = np.full((len(batch), pad_to or len(encoded[batch[-1]])), pad_id, dtype=np.int64)
        for row, i in enumerate(batch):
            ids[row, : len(encoded[i])] = encoded[i]
        yield batch, ids


def _batches(
    order: Sequence[int], encoded: Sequence[Sequence[int]], pad_to: int
) -> list[list[int]]:
    """Consecutive runs of ``order`` (ascending length) that stay within the token budget."""
    batches: list[list[int]] = []
    for i in order:
        width = pad_to or max(len(encoded[i]), 1)
        if not batches or (len(batches[-1]) + 1) * width > TOKEN_BUDGET:
            batches.append([])
        batches[-1].append(i)
    return batches


@hookimpl
def register_encoders(register: Register[Encoder]) -> None:
    register("onnx", OnnxEncoder, OnnxOptions)
