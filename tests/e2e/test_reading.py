"""What the words were understood to mean, on the page: chips that a shopper can take back.

The shop reads words with :mod:`tests.e2e.fixed_reader`, so no model has a say in what it sees.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.e2e.server import run_entrepot, serving

SETTINGS = """
shop = "reading"
[catalogue]
source = "products.jsonl"
[encoders]
text = { plugin = "hash" }
image = { plugin = "hash" }
[profiles.default]
query_processors = ["normalize", "fixed-reader"]
rankers = ["cheaper"]
arrangers = ["last-first"]
[localization]
labels = ["labels.toml"]
"""
LABELS = """
[de.fields]
color = "Farbton"
[de.values.color]
Navy = "Marineblau"
[de.values.category]
Shoes = "Schuhe"
"""
PLUGIN = Path(__file__).parent / "fixed_reader.py"
GERMAN = {"de": {"title": "Marineblaue Schuhe", "machine": ["title"]}}
ALL = "nike shoes under 60 not black"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a small shop of shoes whose words are read by a third party's plugin."""
    folder = tmp_path_factory.mktemp("reading")
    (folder / "entrepot.toml").write_text(SETTINGS)
    (folder / "labels.toml").write_text(LABELS)
    (folder / "products.jsonl").write_text("\n".join(json.dumps(row) for row in rows()))
    site = folder / "site"
    info = site / "fixed_reader-1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(PLUGIN, site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fixed-reader\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[entrepot.plugins]\nfixed-reader = fixed_reader\n")
    env = {"PYTHONPATH": str(site)}
    run_entrepot("index", folder=folder, env=env)
    with serving("serve", folder=folder, env=env) as address:
        yield address


def rows() -> list[dict[str, Any]]:
    """Twelve shoes of two brands, three colours and prices from 30 to 95."""
    return [
        {
            "id": f"{brand}-{color}-{n}".lower(),
            "title": f"{color} {brand} shoes {n}",
            "brand": brand,
            "category": "Shoes",
            "price": 30 + 40 * b + 5 * (2 * c + n),
            "color": color,
            **({"translations": GERMAN} if color == "Navy" else {}),
        }
        for b, brand in enumerate(("Nike", "Acme"))
        for c, color in enumerate(("Black", "Navy", "Red"))
        for n in range(2)
    ]


def chips(page: Page) -> Locator:
    """The chips, once they belong to what was asked last."""
    expect(page.locator("body:not(.busy)")).to_be_visible()
    return page.get_by_role("list", name="Understood").get_by_role(
        "button", name=re.compile("^Remove ")
    )


def remove(page: Page, reading: str) -> Locator:
    return page.get_by_role("button", name=f"Remove {reading}", exact=True)


def ask(page: Page, words: str) -> None:
    page.get_by_role("combobox", name="Search products").fill(words)
    with page.expect_response("**/v1/search*"):
        page.keyboard.press("Enter")


def count(page: Page) -> Locator:
    return page.get_by_role("status").first


def test_chips_show_what_acts(page: Page) -> None:
    page.goto("/")
    expect(count(page)).to_contain_text("12 products")
    expect(page.locator("#reading")).to_be_hidden()
    ask(page, f"👟 {ALL}")
    expect(chips(page)).to_have_text(["Brand: Nike", "Price: under 60", "Color: not Black"])
    # In words for those who do not see it, by its sign and its border for those who do.
    expect(remove(page, "Brand: Nike")).to_have_accessible_description("Listed first: Nike")
    expect(remove(page, "Brand: Nike")).to_have_css("border-style", "dashed")
    expect(remove(page, "Brand: Nike").locator("use")).to_have_count(1)
    limit, exclusion = remove(page, "Price: under 60"), remove(page, "Color: not Black")
    expect(limit).to_have_accessible_description("Shown only: under 60")
    expect(exclusion).to_have_accessible_description("Left out: Black")
    for chip, sign in ((limit, "#i-filter"), (exclusion, "#i-not")):
        expect(chip).to_have_css("border-style", "solid")
        expect(chip.locator("use").first).to_have_attribute("href", sign)
    expect(page.locator("#announce")).to_have_text(
        "Understood as limits: Price: under 60, Color: not Black"
    )


def test_a_reading_is_taken_back_and_brought_back(page: Page) -> None:
    page.goto("/")
    ask(page, ALL)
    expect(count(page)).to_contain_text("4 products")
    with page.expect_request("**/v1/search") as sent:
        remove(page, "Color: not Black").click()
    assert sent.value.post_data_json["ignore"] == ["negation:black"]
    expect(chips(page)).to_have_text(["Brand: Nike", "Price: under 60"])
    expect(count(page)).to_contain_text("6 products")
    expect(page).to_have_url(re.compile(r"\?q=nike.*&ignore=negation%3Ablack$"))
    page.reload()
    expect(chips(page)).to_have_text(["Brand: Nike", "Price: under 60"])
    expect(count(page)).to_contain_text("6 products")
    page.get_by_role("button", name="Bring back what was removed").click()
    expect(chips(page)).to_have_count(3)
    expect(count(page)).to_contain_text("4 products")
    page.go_back()
    expect(chips(page)).to_have_count(2)


def test_other_words_are_read_anew(page: Page) -> None:
    page.goto("/?q=nike+under+60&ignore=price%3A60&ignore=creator%3Anike")
    expect(page.get_by_role("button", name="Bring back what was removed")).to_be_visible()
    expect(chips(page)).to_have_count(0)
    ask(page, "nike shoes under 60")
    expect(chips(page)).to_have_text(["Brand: Nike", "Price: under 60"])
    expect(page).to_have_url(re.compile(r"\?q=nike\+shoes\+under\+60$"))


def test_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/")
    ask(page, ALL)
    expect(chips(page)).to_have_count(3)
    page.get_by_role("combobox", name="Sort by").focus()
    for reading in ("Brand: Nike", "Price: under 60"):
        page.keyboard.press("Tab")
        expect(remove(page, reading)).to_be_focused()
    page.keyboard.press("Enter")
    expect(remove(page, "Color: not Black")).to_be_focused()
    page.keyboard.press("Space")
    restore = page.get_by_role("button", name="Bring back what was removed")
    expect(restore).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(remove(page, "Brand: Nike")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(remove(page, "Price: under 60")).to_be_focused()


def test_no_chip_for_what_does_nothing(page: Page) -> None:
    page.goto(f"/?q={ALL.replace(' ', '+')}&sort=price:asc")
    expect(chips(page)).to_have_text(["Price: under 60", "Color: not Black"])
    page.goto(f"/?q={ALL.replace(' ', '+')}&max.price=80")
    expect(chips(page)).to_have_text(["Brand: Nike", "Color: not Black"])
    expect(page.get_by_role("button", name="Remove filter Price: Price up to 80")).to_be_visible()


def test_words_with_a_photo(page: Page) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(data, "PNG")
    page.goto("/?q=nike+not+black")
    with page.expect_response("**/v1/search/image"):
        page.locator("#file").set_input_files(
            {"name": "blue.png", "mimeType": "image/png", "buffer": data.getvalue()}
        )
    expect(chips(page)).to_have_text(["Brand: Nike", "Color: not Black"])
    with page.expect_response("**/v1/search/image") as answer:
        remove(page, "Color: not Black").click()
    assert answer.value.json()["plan"]["ignored"] == ["negation:black"]
    expect(chips(page)).to_have_text(["Brand: Nike"])
    expect(page.get_by_text("Your photo").first).to_be_visible()


def test_a_limit_that_leaves_nothing_is_left_out(page: Page) -> None:
    page.goto("/?q=acme+under+60&f.brand=Acme")
    expect(count(page)).to_contain_text("6 products")
    expect(page.get_by_text("Nothing matches all of it. Left out: Price up to 60.")).to_be_visible()
    expect(chips(page)).to_have_count(0)
    # What the shopper chose is left to the shopper.
    page.goto("/?q=shoes&f.brand=Acme&max.price=60")
    page.get_by_role("button", name="Without Price: 6 products").click()
    expect(count(page)).to_contain_text("6 products")
    expect(page).to_have_url(re.compile(r"\?q=shoes&f.brand=Acme$"))


def test_what_was_searched_instead(page: Page) -> None:
    page.goto("/?q=navvy+shoes")
    expect(page.get_by_text("Showing results for navy shoes.")).to_be_visible()
    page.get_by_role("button", name="Search instead for navvy shoes").click()
    expect(page).to_have_url(re.compile("ignore=spelling%3Anavvy"))
    expect(page.locator("#wording")).to_be_empty()
    page.get_by_role("button", name="Bring back what was removed").click()
    expect(page.get_by_text("Showing results for navy shoes.")).to_be_visible()
    ask(page, "blaue Schuhe")
    said = page.get_by_text("Understood from German:")
    expect(said).to_have_text("Understood from German: blaue Schuhe → navy shoes")
    expect(said.locator("bdi")).to_have_attribute("lang", "de")
    expect(said.locator("strong")).not_to_have_attribute("lang", re.compile("."))


def test_products_in_the_readers_language(speaking: Callable[[str], Page]) -> None:
    page = speaking("de-AT")
    page.goto("/?f.color=Navy")
    card = page.locator("#grid .card").first
    expect(card.get_by_role("heading")).to_have_text("Marineblaue Schuhe")
    expect(card.get_by_role("img", name="Maschinell übersetzt")).to_be_visible()
    expect(card.locator(".open bdi")).not_to_have_attribute("lang", re.compile("."))
    expect(
        page.get_by_role("button", name="Filter entfernen – Farbton: Marineblau")
    ).to_be_visible()
    card.get_by_role("button", name="Marineblaue Schuhe", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("term").filter(has_text="Farbton")).to_be_visible()
    expect(dialog.get_by_role("definition")).to_have_text(
        [re.compile("Nike|Acme"), "Schuhe", "Marineblau"]
    )
    expect(dialog.get_by_text("Maschinell übersetzt")).to_be_visible()
    page.goto("/?f.color=Red")
    title = page.locator("#grid .card .open bdi").first
    expect(title).to_have_attribute("lang", "en")
    expect(page.get_by_role("img", name="Maschinell übersetzt")).to_have_count(0)


def test_the_narrowest_screen_either_way_round(phone: Page) -> None:
    phone.set_viewport_size({"width": 320, "height": 640})
    phone.goto(f"/?q=navy+{ALL.replace(' ', '+')}")
    expect(chips(phone)).to_have_count(4)
    for direction in ("ltr", "rtl"):
        phone.evaluate("to => { document.documentElement.dir = to; }", direction)
        assert phone.evaluate("document.documentElement.scrollWidth") == 320
        for box in (chip.bounding_box() for chip in chips(phone).all()):
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 320
            assert box["height"] >= 24  # WCAG 2.2, 2.5.8
    remove(phone, "Color: navy").tap()
    expect(chips(phone)).to_have_count(3)


def test_the_explanation_says_what_plugins_did(page: Page) -> None:
    page.goto("/?q=shoes")
    expect(count(page)).to_contain_text("12 products")
    page.get_by_role("button", name=re.compile("^Why .* is here$")).nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Last first moved it from place 1 to 2.")
    raised = dialog.get_by_role("listitem").filter(has_text="Cheaper")
    expect(raised.locator(".gain")).to_be_visible()
    expect(raised.locator("dt")).to_have_text(["below 50", "asks"])
    expect(raised.locator("dd").first).to_have_text(re.compile(r"^\+\d(\.\d+)?$"))
    expect(raised.locator("dd").last).to_have_text(re.compile(r"^only \d\d$"))


def test_how_a_span_is_written(page: Page) -> None:
    page.goto("/")
    several = {"label": "color", "value": "Navy", "field": "color", "effect": "boost"}
    spans = [
        {"start": 5, "end": 9, "label": "price", "value": "9", "effect": "filter"},
        {**several, "start": 0, "end": 4, "values": ["Navy", "Navy Blue"]},
        {**several, "start": 5, "end": 9, "values": ["Navy", "Navy Blue"]},
        {"start": 0, "end": 4, "label": "material", "value": "x", "effect": "note"},
        {"start": 0, "end": 4, "label": "material", "value": "y"},
    ]
    shown = page.evaluate(
        """async spans => {
            const { readings } = await import("/reading.js");
            const { EMPTY } = await import("/state.js");
            return readings({ read: "navy <b>!", spans }, EMPTY);
        }""",
        spans,
    )
    assert [(r["key"], r["effect"], r["text"], r["title"]) for r in shown] == [
        ("color:navy", "boost", "Color: Navy", "Listed first: Navy or Navy Blue"),
        ("price:9", "filter", "<b>!", "Shown only: <b>!"),
    ]
