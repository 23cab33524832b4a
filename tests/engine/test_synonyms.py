"""What synonyms are, how they are written, and the book of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InvalidRequest, InvalidSynonyms, Synonym, SynonymSet
from engine.book import ANY
from engine.synonyms import SYNONYMS, SynonymBook, key_of, make_id, read_lines


def synonym(**fields: Any) -> Synonym:
    return msgspec.convert({"id": "a", **fields}, Synonym)


def test_two_ways_and_one_way() -> None:
    both = synonym(words=["Sofa", "couch", "settee"])
    one = synonym(**{"from": ["tablet"], "to": ["iPad", "galaxy tab"]})
    assert SynonymSet((both, one)).of("en") == {
        "sofa": ("couch", "settee"),
        "couch": ("Sofa", "settee"),
        "settee": ("Sofa", "couch"),
        "tablet": ("iPad", "galaxy tab"),
    }


def test_only_what_is_active_counts_and_in_its_language() -> None:
    found = SynonymSet(
        (
            synonym(words=["a", "b"], status="candidate"),
            synonym(words=["c", "d"], status="rejected"),
            synonym(words=["e", "f"], locale="de-AT"),
        )
    )
    assert found.of("en") == {}
    assert found.of("de") == {"e": ("f",), "f": ("e",)}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "give words that mean the same, or from and to"),
        ({"words": ["a", "b"], "from": ["c"]}, "give words"),
        ({"words": ["a"]}, "give two at least"),
        ({"from": ["a"]}, "both from and to"),
        ({"words": ["a", "!"]}, "has no letter or digit"),
        ({"words": ["Sofa", "sofa"]}, "there twice"),
        ({"words": ["a", "b"], "locale": "x"}, "locale: 'x' is no language tag"),
        ({"words": [str(n) for n in range(51)]}, "at most 50"),
        ({"words": ["a", "b"], "status": "maybe"}, "status"),
        ({"wrods": ["a", "b"]}, "wrods"),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        synonym(**fields)
    path = tmp_path / "synonyms.json"
    path.write_text(json.dumps({"synonyms": [{"id": "a", **fields}]}))
    book = SynonymBook(path)
    assert "synonym 'a'" in book.problem
    assert "the synonyms before it stay in force" in book.problem
    with pytest.raises(InvalidSynonyms, match=r"synonyms\.json must be mended first"):
        book.put(synonym(words=["a", "b"]))


words = st.text(alphabet="abcé ß-1", min_size=1, max_size=12).filter(key_of)
groups = st.lists(words, min_size=2, max_size=6, unique_by=key_of)


@given(groups, st.sampled_from(["", "de", "pt-BR"]), st.booleans())
def test_files_and_lines_round_trip(phrases: list[str], locale: str, one_way: bool) -> None:
    phrases = [" ".join(phrase.split()) for phrase in phrases]
    if one_way:
        made = synonym(**{"from": phrases[:1], "to": phrases[1:]}, locale=locale)
        line = f"{phrases[0]} => {', '.join(phrases[1:])}"
    else:
        made = synonym(words=phrases, locale=locale)
        line = ", ".join(phrases)
    assert SYNONYMS.decode(SYNONYMS.encode([made])) == (made,)
    (read,) = read_lines(f"# shop\n\n  {line}  # note\n{line}\n", locale)
    assert msgspec.structs.replace(read, id="a") == made


def test_solrs_lines_are_read() -> None:
    text = "ipod, i-pod, i pod => ipod\nsea biscuit, sea biscit => seabiscuit\nGB,gib\n"
    found = read_lines(text)
    assert [s.typed for s in found] == [("i-pod",), ("sea biscuit", "sea biscit"), ()]
    assert found[2].words == ("GB", "gib")
    assert len({s.id for s in found}) == 3


@pytest.mark.parametrize("line", ["sofa", "=> sofa", "sofa =>", "sofa => Sofa", "!, ?", ","])
def test_a_line_that_is_none_is_told_by_its_number(line: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^line 3: "):
        read_lines(f"a, b\n# c\n{line}\n")


def test_a_phrase_that_no_file_may_hold_is_told_by_its_line() -> None:
    with pytest.raises(InvalidRequest, match=r"^line 2: .*101 characters; at most 100"):
        read_lines(f"a, {'b' * 100}\n{'c' * 101} => d\n")


def test_ids_are_short_and_by_all_words() -> None:
    assert make_id(["Sofa bed", "couch"]).startswith("sofa-bed-")
    assert make_id(["a", "b"]) != make_id(["a", "c"])
    assert make_id(["鞋", "靴"]).startswith("synonym-")


def test_the_book_adds_what_is_new_in_one_write(tmp_path: Path) -> None:
    book = SynonymBook(tmp_path / "data" / "synonyms.json")
    before = book.current()
    assert before.synonyms == ()
    first = synonym(words=["a", "b"], status="rejected")
    assert book.put(first)
    again = synonym(words=["a", "b"], status="candidate")
    other = msgspec.structs.replace(again, id="other")
    assert book.extend([again, other, other]) == [other]
    assert book.entries() == (first, other)
    assert SynonymBook(book.path).entries() == (first, other)
    assert book.current() is not before
    book.delete("a", ANY)
    assert [s.id for s in book.current().synonyms] == ["other"]
