"""Tokenizers of OpenCLIP and transformers as ``tokenizer.json``: the same ids, without torch.

OpenCLIP cleans texts in Python before it tokenizes them: ftfy, HTML entities, white space,
lower case, for SigLIP no punctuation. :func:`cleaning` says the same as normalizers of the
``tokenizers`` library, so that they travel in the file. Left out, for they are programs and not
tables: ftfy's repair of text decoded wrongly ("Ã©" for "é"), terminal escapes, and HTML entities
but the five of XML, ``&nbsp;`` and ``&#39;``. A catalogue should not hold any of these.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

from msgspec import Struct
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from engine import InvalidModel

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How ``SimpleTokenizer`` splits a text."""

_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "nbsp": "\xa0"}
_LIGATURES = (
    "ĲIJ ĳij ŉʼn ǱDZ ǲDz ǳdz ǄDŽ ǅDž ǆdž ǇLJ ǈLj ǉlj ǊNJ ǋNj ǌnj ﬀff ﬁfi ﬂfl ﬃffi ﬄffl ﬅſt ﬆst"
)
_CONTROLS = "[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]"


class TokenizerFile(Struct, frozen=True):
    """A tokenizer ready to be saved, and how texts are cut and padded for it."""

    tokenizer: Any
    max_tokens: int
    pad_id: int

    def save(self, file: Path) -> Path:
        """Write ``tokenizer.json``, without the cutting and padding that a server sets."""
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.save(str(file))
        return file


def open_clip_tokenizer(tokenizer: Any) -> TokenizerFile:
    """OpenCLIP's ``SimpleTokenizer``, ``HFTokenizer`` or ``SigLipTokenizer``.

    Raises:
        InvalidModel: cut at random, the CLIPS layout, or no fast tokenizer behind it.
    """
    if hasattr(tokenizer, "bpe_ranks"):
        return _simple(tokenizer)
    if getattr(tokenizer, "tokenizer_mode", ""):
        raise InvalidModel(
            f"tokenizer mode {tokenizer.tokenizer_mode!r} (a token after the padding) cannot be "
            "served: use encoder 'open_clip'",
            field="source",
        )
    # SigLipTokenizer, which has no setting for it, always canonicalizes.
    clean = getattr(getattr(tokenizer, "clean_fn", None), "__name__", "_clean_canonicalize")
    fast = _fast(tokenizer.tokenizer)
    before = cleaning(clean.removeprefix("_clean_"))
    fast.normalizer = normalizers.Sequence(
        [*before, *([fast.normalizer] if fast.normalizer else [])]
    )
    pad = tokenizer.tokenizer.pad_token_id
    length = int(tokenizer.context_length)
    if getattr(tokenizer, "strip_sep_token", False):
        # OpenCLIP writes 0, its padding, over the token that ends a text (CLIPA).
        if pad != 0:
            raise InvalidModel("strip_sep_token with a padding other than 0", field="source")
        start = tokenizer.tokenizer.cls_token
        fast.post_processor = TemplateProcessing(
            single=[start, "$A"], special_tokens=[(start, tokenizer.tokenizer.cls_token_id)]
        )
        return TokenizerFile(fast, length - 1, 0)
    return TokenizerFile(fast, length, int(pad or 0))


def encoder_tokenizer(tokenizer: Any, max_tokens: int, *, lower: bool = False) -> TokenizerFile:
    """A transformers tokenizer; ``lower`` is sentence-transformers' ``do_lower_case``.

    Raises:
        InvalidModel: there is no fast tokenizer behind it, or nothing to pad with.
    """
    fast = _fast(tokenizer)
    if tokenizer.pad_token_id is None:
        raise InvalidModel("the tokenizer has no padding token", field="source")
    if lower:
        own = [fast.normalizer] if fast.normalizer else []
        fast.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    return TokenizerFile(fast, max_tokens, int(tokenizer.pad_token_id))


def cleaning(kind: str) -> list[Any]:
    """Normalizers for OpenCLIP's ``lower``, ``whitespace`` or ``canonicalize`` cleaning."""
    replace = normalizers.Replace
    steps = [*_unescaped(), *(replace(c, text) for c, text in _characters().items())]
    steps += [
        replace(Regex("[“-‟]"), '"'),
        replace(Regex("[ʼ‘-‛]"), "'"),
        replace(Regex(_CONTROLS), ""),
        normalizers.NFC(),
        *_unescaped(),
        *_unescaped(),
    ]
    if kind == "canonicalize":
        steps += [replace("_", " "), replace(Regex(r"[!-/:-@\[-`{-~]"), "")]
    steps.append(replace(Regex(r"[\s\x1c-\x1f]+"), " "))
    if kind != "whitespace":
        # Python lowers a sigma by its place in the word, the tokenizers library does not.
        steps += [replace(Regex(r"(?<=\p{L})Σ(?!\p{L})"), "ς"), normalizers.Lowercase()]
    return [*steps, normalizers.Strip()]


def _unescaped() -> list[Any]:
    """One round of ``html.unescape`` for the entities of :data:`_ENTITIES`; ``&amp;`` last."""
    named = [normalizers.Replace(f"&{name};", text) for name, text in _ENTITIES.items()]
    return [*named, normalizers.Replace("&amp;", "&")]


def _characters() -> dict[str, str]:
    """ftfy's tables: C1 controls as Windows-1252, Latin ligatures, half- and full-width forms."""
    table = {chr(code): bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
    table = {control: text for control, text in table.items() if text}
    table |= {pair[0]: pair[1:] for pair in _LIGATURES.split()} | {"\u3000": " "}
    for code in range(0xFF01, 0xFFF0):
        plain = unicodedata.normalize("NFKC", chr(code))
        if plain != chr(code):
            table[chr(code)] = plain
    return table


def _simple(tokenizer: Any) -> TokenizerFile:
    """OpenAI's byte-level BPE with OpenCLIP's own start and end tokens."""
    if tokenizer.reduction_fn is not None:
        raise InvalidModel(
            "texts are cut at random for this model (reduction_mask): use encoder 'open_clip'",
            field="source",
        )
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    fast = Tokenizer(
        models.BPE(tokenizer.encoder, merges, end_of_word_suffix="</w>", fuse_unk=False)
    )
    kind = tokenizer.clean_fn.__name__.removeprefix("_clean_")
    fast.normalizer = normalizers.Sequence(cleaning(kind))
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    special = [tokenizer.decoder[i] for i in tokenizer.all_special_ids]
    fast.add_special_tokens([AddedToken(token, normalized=True) for token in special])
    start, end = special[:2]
    fast.post_processor = TemplateProcessing(
        single=[start, "$A", end],
        special_tokens=[(token, tokenizer.encoder[token]) for token in (start, end)],
    )
    return TokenizerFile(fast, int(tokenizer.context_length), 0)


def _fast(tokenizer: Any) -> Tokenizer:
    """A copy of what a transformers tokenizer has of the ``tokenizers`` library."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise InvalidModel(
            f"{type(tokenizer).__name__} has no tokenizer.json: convert it with transformers "
            "(AutoTokenizer.from_pretrained, save_pretrained) and import that folder",
            field="source",
        )
    # transformers makes an empty one, without a word, of a folder that has only a config.
    if backend.get_vocab_size() <= len(tokenizer.all_special_ids):
        raise InvalidModel("there are no tokenizer files: copy them beside it", field="source")
    return Tokenizer.from_str(backend.to_str())
