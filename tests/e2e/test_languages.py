"""The page in the reader's language: texts, numbers, direction, and what it tells the server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NARROWEST

LANGUAGES = ("ar", "de", "en", "es", "fr", "zh")
TABLES = """async languages => {
    const tables = {};
    for (const each of languages) {
        const { texts } = await import(`/strings-${each}.js`);
        const { pluralCategories } = new Intl.PluralRules(each).resolvedOptions();
        tables[each] = { texts, categories: [...pluralCategories].sort() };
    }
    return tables;
}"""


def test_every_language_says_everything(page: Page) -> None:
    page.goto("/")
    tables = page.evaluate(TABLES, LANGUAGES)
    english = tables["en"]["texts"]
    for language, table in tables.items():
        texts = table["texts"]
        assert list(texts) == list(english), language
        for key, text in texts.items():
            where = f"{language}: {key}"
            assert isinstance(text, dict) == isinstance(english[key], dict), where
            if isinstance(text, dict):
                assert sorted(text) == table["categories"], where
            else:
                assert holes(text) == holes(english[key]), where
                assert text.strip() == text != "", where

        # What is said of a button begins with, or holds, what is written on it (WCAG 2.5.3).
        for written, said in (("similar", "similarTo"), ("why", "whyThis")):
            assert words(texts[written]) in words(texts[said]), f"{language}: {said}"


def words(text: str) -> str:
    return re.sub(r"[^\w ]", "", text).strip().casefold()


def holes(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def test_styles_know_no_left_or_right(root: Path) -> None:
    """So that a language from right to left mirrors them."""
    physical = re.compile(r"(?:^|[\s-])(?:left|right)(?:-[\w-]+)?\s*:|float\s*:\s*(?:left|right)")
    for sheet in sorted((root / "api/web").glob("*.css")):
        assert physical.findall(sheet.read_text(encoding="utf-8")) == [], sheet.name


@pytest.mark.parametrize(
    ("locale", "direction", "button", "count", "price"),
    [
        ("de-DE", "ltr", "Suchen", "1 Produkt", "1.245"),
        ("fr-FR", "ltr", "Chercher", "1 produit", "1\u202f245"),
        ("ar", "rtl", "بحث", "منتج واحد", "1,245"),
    ],
)
def test_the_browsers_language(
    speaking: Callable[[str], Page],
    locale: str,
    direction: str,
    button: str,
    count: str,
    price: str,
) -> None:
    page = speaking(locale)
    with page.expect_request("**/v1/search") as sent:
        page.goto("/?q=sofa&min.price=1245&max.price=1245")
    assert sent.value.post_data_json["locale"] == locale
    html = page.locator("html")
    expect(html).to_have_attribute("dir", direction)
    expect(html).to_have_attribute("lang", locale[:2])
    expect(page.get_by_role("button", name=button, exact=True)).to_be_visible()
    expect(page.locator("#count")).to_contain_text(count)
    expect(page.locator(".card .price")).to_have_text(price)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROWEST["width"]
    boxes = [box.bounding_box() for box in page.locator("#home, #settings-open").all()]
    assert (boxes[0]["x"] < boxes[1]["x"]) == (direction == "ltr")


def test_a_language_is_chosen_and_remembered(speaking: Callable[[str], Page]) -> None:
    page = speaking("nl-NL")  # not one of the page's: it speaks English, the shopper does not
    with page.expect_request("**/v1/search") as sent:
        page.goto("/?q=chair")
    assert sent.value.post_data_json["locale"] == "nl-NL"
    page.get_by_role("button", name="Language and privacy").click()
    with page.expect_request("**/v1/search") as sent:
        page.get_by_role("combobox", name="Language").select_option("zh")
    assert sent.value.post_data_json["locale"] == "zh"
    expect(page.get_by_role("heading", name="语言与隐私")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.reload()
    expect(page.get_by_role("combobox", name="搜索商品")).to_have_value("chair")
    # What the catalogue says in another language says so, for voices and fonts.
    expect(page.locator(".card .open bdi").first).to_have_attribute("lang", "en")
