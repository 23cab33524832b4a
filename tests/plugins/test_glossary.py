"""Terms that are kept, or translated in one way only, whatever the translator does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InvalidSettings
from plugins.translators.glossary import SHOP_WORDS, Glossary, load_glossary

GLOSSARY = Glossary(
    ["Nike", "Rosa & Sol", "L'Oréal", "7 For All Mankind"],
    {"gafas de sol": "sunglasses", "手提包": "handbag", "女士": "women"},
)


def shouting(texts: Sequence[str]) -> list[str]:
    """A translator that leaves nothing as it was."""
    return ["".join(reversed(text.upper())) for text in texts]


def leaving(texts: Sequence[str]) -> list[str]:
    return list(texts)


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("zapatos nike rojos", ["nike"]),
        ("GAFAS  de sol", []),
        ("gafas de sol Nike", ["sunglasses", "Nike"]),
        ("nikes niken", []),
        ("rosa & sol, L'Oréal", ["rosa & sol", "L'Oréal"]),
        ("7 for all mankind", ["7 for all mankind"]),
        ("女士黑色手提包", ["women", "handbag"]),
        ("Nike女士鞋", ["Nike", "women"]),
        ("", []),
        ("İNike nike", ["nike"]),
    ],
)
def test_terms_are_found_as_whole_words(text: str, outputs: list[str]) -> None:
    assert [term.output for term in GLOSSARY.find(text)] == outputs


def test_terms_survive_any_translator() -> None:
    found = GLOSSARY.translated("rojas gafas de sol Nike ya", shouting)
    assert found == "SAJOR sunglasses Nike AY"
    assert GLOSSARY.translated("女士黑色手提包", leaving) == "women 黑色 handbag"
    assert GLOSSARY.translated("nike", shouting) == "nike"
    assert GLOSSARY.translated("azul", shouting) == "LUZA"


def test_a_translator_that_keeps_them_sees_the_whole_text() -> None:
    seen: list[str] = []

    def translate(texts: Sequence[str]) -> list[str]:
        seen.extend(texts)
        return [text.replace("rojos", "red") for text in texts]

    assert GLOSSARY.translated("zapatos Nike rojos", translate) == "zapatos Nike red"
    assert seen == ["zapatos Nike rojos"]


@given(st.lists(st.sampled_from(["Nike", "rojo", "gafas de sol", "&", "手提包", "ñ", "7"])))
def test_each_term_comes_out_as_often_as_it_went_in(words: list[str]) -> None:
    text = " ".join(words)
    outputs = [term.output for term in GLOSSARY.find(text)]
    found = GLOSSARY.translated(text, shouting)
    assert all(found.count(output) >= outputs.count(output) for output in outputs)


def test_a_shops_file(tmp_path: Path) -> None:
    path = tmp_path / "glossary.toml"
    path.write_text('keep = ["Zyxorn"]\n[de]\nturnschuhe = "sneakers"\n', encoding="utf-8")
    assert load_glossary(path) == {"": {"Zyxorn": "Zyxorn"}, "de": {"turnschuhe": "sneakers"}}


@pytest.mark.parametrize(
    "text", ["keep = 1", "[de]\nx = 1", "x = 'y'", "[de", "keep = [1]\nde = 2"]
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "glossary.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSettings, match="glossary"):
        load_glossary(path)
    with pytest.raises(InvalidSettings, match="glossary"):
        load_glossary(tmp_path / "none.toml")


def test_shop_words_are_what_they_say() -> None:
    words = load_glossary(SHOP_WORDS)
    assert set(words) - {""} == {"de", "es", "fr", "it", "nl", "pt", "zh"}
    for language, table in words.items():
        for term, output in table.items():
            assert term == term.lower().strip(), (language, term)
            assert output.isascii(), (language, term)
    assert words["es"]["gafas de sol"] == "sunglasses"
