"""MarianMT models on CTranslate2: any folder that ``ct2-transformers-converter`` has made.

    ct2-transformers-converter --model Helsinki-NLP/opus-mt-de-en --output_dir de-en \\
        --copy_files source.spm target.spm --quantization int8

The folder holds ``model.bin``, ``source.spm`` and ``target.spm``. One folder per pair.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine import PluginError, Register, Translator, hookimpl

MOST_TOKENS = 256
"""Tokens of one text and of its translation."""
_END = "</s>"


class CTranslateOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``models`` maps "de-en" to the folder of that pair's model."""

    models: dict[str, str]
    threads: Annotated[int, Meta(ge=1, le=64)] = 2
    beam: Annotated[int, Meta(ge=1, le=8)] = 1


class _Pair(Struct, frozen=True, eq=False):
    translator: Any
    source: Any
    target: Any


class CTranslate:
    """Texts by downloaded MarianMT models. Raises PluginError for a folder that is none."""

    def __init__(self, options: CTranslateOptions) -> None:
        self._beam = options.beam
        self._models: Mapping[tuple[str, str], _Pair] = {
            _pair(name): _open(Path(folder), options.threads)
            for name, folder in options.models.items()
        }

    def pairs(self) -> Collection[tuple[str, str]]:
        return self._models.keys()

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        model = self._models.get((source, target))
        if model is None:
            raise PluginError(f"ctranslate has no model from {source!r} to {target!r}")
        pieces = [model.source.encode(text, out_type=str)[:MOST_TOKENS] for text in texts]
        some = [i for i, piece in enumerate(pieces) if piece]
        translated = list(texts)
        if not some:
            return translated
        try:
            results = model.translator.translate_batch(
                [[*pieces[i], _END] for i in some],
                beam_size=self._beam,
                max_decoding_length=MOST_TOKENS,
            )
        except (RuntimeError, ValueError) as error:
            raise PluginError(f"ctranslate failed: {error}") from error
        for i, result in zip(some, results, strict=True):
            translated[i] = str(model.target.decode(result.hypotheses[0]))
        return translated

    def close(self) -> None:
        self._models = {}


def _pair(name: str) -> tuple[str, str]:
    source, dash, target = name.partition("-")
    if not (source and dash and target):
        raise PluginError(f"ctranslate: {name!r} is no pair of languages such as 'de-en'")
    return source, target


def _open(folder: Path, threads: int) -> _Pair:
    try:
        import ctranslate2
        import sentencepiece
    except ImportError as error:
        raise PluginError(
            "ctranslate needs ctranslate2 and sentencepiece: pip install ctranslate2 sentencepiece"
        ) from error
    for name in ("model.bin", "source.spm", "target.spm"):
        if not (folder / name).is_file():
            raise PluginError(f"{folder}: no {name}: convert the model as plugins/translators says")
    try:
        return _Pair(
            ctranslate2.Translator(str(folder), inter_threads=1, intra_threads=threads),
            sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm")),
            sentencepiece.SentencePieceProcessor(model_file=str(folder / "target.spm")),
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise PluginError(f"{folder}: not a model for CTranslate2: {error}") from error


@hookimpl
def register_translators(register: Register[Translator]) -> None:
    register("ctranslate", CTranslate, CTranslateOptions)
