"""Language tags, and who reads what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.locales import MAX_TAG, best_locale, language_code, parse_locale

LANGUAGES = st.sampled_from(["de", "en", "es", "pt", "zh", "sr", "nb", "no", "fil"])
SCRIPTS = st.sampled_from(["", "-Hans", "-Hant", "-Latn", "-Cyrl"])
REGIONS = st.sampled_from(["", "-AT", "-BR", "-TW", "-CN", "-419"])
VARIANTS = st.sampled_from(["", "-1996", "-valencia", "-u-nu-thai", "-x-shop"])
TAGS = st.tuples(LANGUAGES, SCRIPTS, REGIONS, VARIANTS).map("".join)
OFFERS = st.lists(TAGS, max_size=5, unique=True).map(tuple)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("de", "de"),
        ("DE_at", "de-AT"),
        ("pt-br", "pt-BR"),
        ("ZH-hANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-1996", "de-1996"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("en-US-u-HC-h12", "en-US-u-hc-h12"),
        ("de-x-ABCD", "de-x-abcd"),
    ],
)
def test_tags_in_their_usual_spelling(text: str, tag: str) -> None:
    assert parse_locale(text) == tag


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "klingon", "de-", "en us", "de-AT-DE", "C", "en_US.UTF-8", "dé", "default"),
        *(" de", "de ", "de\n"),
    ],
)
def test_what_is_no_tag(text: str) -> None:
    with pytest.raises(ValueError, match="BCP 47"):
        parse_locale(text)


@given(TAGS, st.sampled_from([str.lower, str.upper, str.title]))
def test_a_spelling_is_kept_and_case_does_not_matter(tag: str, change: object) -> None:
    assert parse_locale(tag) == tag
    assert callable(change)
    assert parse_locale(change(tag).replace("-", "_")) == tag


@given(st.text(max_size=MAX_TAG + 5))
def test_any_text_is_a_tag_or_refused(text: str) -> None:
    try:
        tag = parse_locale(text)
    except ValueError:
        return
    assert parse_locale(tag) == tag


@pytest.mark.parametrize(
    ("wanted", "offered", "best"),
    [
        ("de-AT", ("en", "de", "de-CH"), "de"),
        ("de-AT", ("en", "de-CH", "de-DE"), "de-CH"),
        ("de", ("de-AT", "en"), "de-AT"),
        ("fr", ("en", "de"), None),
        ("pt-BR", ("pt", "pt-br"), "pt-br"),
        ("zh-TW", ("zh-Hans", "zh-Hant"), "zh-Hant"),
        ("zh-TW", ("zh-Hans", "en"), "zh-Hans"),
        ("zh-Hant-HK", ("zh-Hans", "zh", "zh-Hant"), "zh-Hant"),
        ("zh", ("zh-Hant", "zh-Hans"), "zh-Hans"),
        ("nb-NO", ("en", "no"), "no"),
        ("no", ("nn", "en"), "nn"),
        ("de-u-co-phonebk", ("de-CH", "de"), "de"),
        ("en_GB", ("en-US", "en_gb"), "en_gb"),
        ("d", ("de",), None),
    ],
)
def test_who_reads_what(wanted: str, offered: tuple[str, ...], best: str | None) -> None:
    assert best_locale(wanted, offered) == best


@given(TAGS, OFFERS)
def test_the_best_is_in_the_language_if_any_is(wanted: str, offered: tuple[str, ...]) -> None:
    def same(tag: str) -> bool:
        codes = {language_code(tag), language_code(wanted)}
        return len(codes) == 1 or codes <= {"no", "nb", "nn"}

    best = best_locale(wanted, offered)
    assert (best is None) == (not any(map(same, offered)))
    assert best is None or (best in offered and same(best))


@given(TAGS, OFFERS)
def test_the_very_tag_is_best(wanted: str, offered: tuple[str, ...]) -> None:
    assert best_locale(wanted, (*offered, wanted)) == wanted


@given(TAGS, OFFERS, OFFERS)
def test_other_languages_change_nothing(
    wanted: str, offered: tuple[str, ...], others: tuple[str, ...]
) -> None:
    foreign = tuple(t for t in others if best_locale(wanted, (t,)) is None)
    assert best_locale(wanted, (*foreign, *offered)) == best_locale(wanted, offered)
