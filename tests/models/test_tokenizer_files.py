"""Tokenizers of OpenCLIP as files: the same ids, for whatever a shopper may type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from tokenizers import Tokenizer

from engine import InvalidModel
from models.tokenizer_files import TokenizerFile, encoder_tokenizer, open_clip_tokenizer

from . import checkpoints

TEXTS = (
    "",
    "   \n\t ",
    "Red  Leather\tPURSE",
    "It's a dog's life: we'LL see, I'M",
    "🎉👟🏽 für 50%-off!!! (new) #1 @home a_b",
    "男士黑色皮鞋，特价！",
    "حذاء رياضي أسود",
    "ΟΔΟΣ ΣΑΣ Σ",
    "İstanbul ISPARTA ẞ ß ǅ",
    "“quoted” ‘s ’t ʼn „low‟ don’t",
    "ＬＯＵＤ　ＮＯＩＳＥＳ ﾀｰﾝ",
    "ﬂuﬃeﬆ Ĳssel",
    "e\u0301 A\u030a",
    "x\u00ad y\u200b z\u2028w\x85v \x00\x1f\x7f\ufeff",
    "a &amp; b &lt;p&gt; &quot;x&quot; &nbsp; y &#39;t",
    "½ ²  Ⅷ ٣ 12345",
    "word " * 300,
    "x" * 5000,
)


def files(kind: str, folder: Path) -> tuple[Any, TokenizerFile]:
    """OpenCLIP's own tokenizer and ours."""
    if kind == "simple":
        own: Any = SimpleTokenizer()
    elif kind == "whitespace":
        own = SimpleTokenizer(clean="whitespace", context_length=32)
    elif kind == "siglip":
        checkpoints.sentencepiece(folder, start="", pad="</s>", max_tokens=16)
        own = HFTokenizer(str(folder), context_length=16, clean="canonicalize")
    else:
        checkpoints.word_piece(folder)
        own = HFTokenizer(str(folder), context_length=16, strip_sep_token=kind == "clipa")
    return own, open_clip_tokenizer(own)


def reload(file: TokenizerFile, folder: Path) -> Tokenizer:
    """As a server reads it."""
    tokenizer = Tokenizer.from_file(str(file.save(folder / "served.json")))
    tokenizer.enable_truncation(file.max_tokens)
    return tokenizer


def check(own: Any, file: TokenizerFile, tokenizer: Tokenizer, text: str) -> None:
    expected = own([text])[0].tolist()
    ids = tokenizer.encode(text).ids
    assert ids + [file.pad_id] * (len(expected) - len(ids)) == expected, text


@pytest.mark.parametrize("kind", ["simple", "whitespace", "siglip", "bert", "clipa"])
def test_the_same_ids(kind: str, tmp_path: Path) -> None:
    own, file = files(kind, tmp_path)
    tokenizer = reload(file, tmp_path)
    for text in TEXTS:
        check(own, file, tokenizer, text)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, TokenizerFile, Tokenizer]:
    folder = tmp_path_factory.mktemp("clip")
    own, file = files("simple", folder)
    return own, file, reload(file, folder)


# Alphabets of what shops sell in, but for sequences that ftfy takes for wrongly decoded text
# ("Ã©"): that repair is left out, as the module says.
LETTERS = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12),
    st.text("äöüßéèçñÄÉ “”‘’½²€", max_size=2),
    st.text(st.characters(min_codepoint=0x391, max_codepoint=0x3C9, categories=["L"]), max_size=8),
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x4E60), max_size=8),
    st.text("👟🏽🎉\u200d\ufe0f ", max_size=6),
)


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(LETTERS, max_size=5))
def test_the_same_ids_for_any_text(
    parts: list[str], clip: tuple[Any, TokenizerFile, Tokenizer]
) -> None:
    # "&" may start an entity that is left out; "<" switches ftfy's first unescaping off.
    check(*clip, " ".join(parts).replace("&", ""))


def test_tokenizers_that_cannot_be_served(tmp_path: Path) -> None:
    checkpoints.word_piece(tmp_path)
    clips = HFTokenizer(str(tmp_path), tokenizer_mode="clips")
    with pytest.raises(InvalidModel, match="'clips'"):
        open_clip_tokenizer(clips)
    with pytest.raises(InvalidModel, match="at random"):
        open_clip_tokenizer(SimpleTokenizer(reduction_mask="simple"))
    with pytest.raises(InvalidModel, match=r"has no tokenizer\.json: convert it"):
        encoder_tokenizer(object(), 16)
