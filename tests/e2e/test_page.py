"""The web page in a browser: what a shopper does, and what they then see."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps
from playwright.sync_api import Locator, Page, expect

SHOE = "vnd-runx-running-shoe"
ORCHID = "vnd-orchid"


@pytest.fixture(scope="session")
def categories(root: Path) -> dict[str, str]:
    """The demo products' categories, in lower case, by id."""
    lines = (root / "api/demo/products.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row["category"].lower() for row in map(json.loads, lines)}


@pytest.fixture
def shoe_photo(root: Path) -> dict[str, object]:
    """A shoe as a shopper might have it: mirrored, a little turned, darker, smaller, a PNG."""
    with Image.open(root / f"api/demo/images/{SHOE}.jpg") as image:
        turned = ImageOps.mirror(image).rotate(4, fillcolor="white", expand=True)
    darker = ImageEnhance.Brightness(turned).enhance(0.85)
    darker.thumbnail((320, 320))
    data = io.BytesIO()
    darker.save(data, "PNG")
    return {"name": "shoe.png", "mimeType": "image/png", "buffer": data.getvalue()}


def cards(page: Page) -> Locator:
    """The results, once they belong to what was asked last."""
    expect(page.locator("body:not(.busy)")).to_be_visible()
    found = page.locator("#grid .card:not(.ghost)")
    expect(found.first).to_be_visible()
    return found


def ids(page: Page, most: int = 4) -> list[str]:
    return [str(c.get_attribute("data-id")) for c in cards(page).all()[:most]]


def ask(page: Page, words: str) -> None:
    page.get_by_role("combobox", name="Search products").fill(words)
    with page.expect_response("**/v1/search*"):
        page.keyboard.press("Enter")


def test_it_is_never_empty(page: Page) -> None:
    page.goto("/")
    assert cards(page).count() == 24
    expect(page.get_by_role("status").first).to_contain_text("219 products")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".card")).to_have_count(48)
    expect(page.get_by_text("48 of 219 shown")).to_be_visible()


def test_words(page: Page) -> None:
    page.goto("/")
    ask(page, "red leather purse")
    first = cards(page).first
    expect(first.get_by_role("heading")).to_have_text("Red Leather Purse")
    expect(first.locator("mark").first).to_be_visible()
    photo = first.get_by_role("img", name="Red Leather Purse")
    expect(photo).to_be_in_viewport()
    expect(photo).not_to_have_js_property("naturalWidth", 0)
    expect(page).to_have_url(re.compile(r"\?q=red\+leather\+purse$"))
    expect(page).to_have_title("red leather purse – Entrepot")


def test_words_while_typing(page: Page, categories: dict[str, str]) -> None:
    page.goto("/")
    cards(page)
    with page.expect_response("**/v1/search"):
        page.get_by_role("combobox", name="Search products").press_sequentially("house plant")
    expect(page).to_have_url(re.compile(r"q=house\+plant$"))
    plants = ["plants" in categories[id] for id in ids(page)]
    assert sum(plants) >= 3
    page.go_back()
    expect(page.get_by_role("combobox", name="Search products")).to_have_value("")
    expect(page.get_by_role("status").first).to_contain_text("219 products")


def test_a_photo(page: Page, shoe_photo: dict[str, object], categories: dict[str, str]) -> None:
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by photo").click()
    with page.expect_response("**/v1/search/image"):
        chooser.value.set_files(shoe_photo)
    expect(page.get_by_text("Your photo").first).to_be_visible()
    found = ids(page)
    assert found[0] == SHOE
    assert sum("footwear" in categories[id] for id in found) >= 3


def test_words_and_a_part_of_a_photo(page: Page, shoe_photo: dict[str, object]) -> None:
    page.goto("/")
    ask(page, "red leather purse")
    slider = page.get_by_role("slider", name="What counts more")
    expect(slider).to_be_hidden()
    with page.expect_response("**/v1/search/image"):
        page.locator("#file").set_input_files(shoe_photo)
    expect(slider).to_be_visible()
    with page.expect_response("**/v1/search/image"):
        slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "100% words, 0% picture")
    expect(cards(page).first).to_have_attribute("data-id", "rds-25")

    page.get_by_role("button", name="Search a part of the photo").click()
    box = page.get_by_role("group", name="Part of the photo to search with")
    expect(box).to_be_focused()
    box.press("Shift+ArrowRight")
    with page.expect_response("**/v1/search/image") as answer:
        page.get_by_role("button", name="Search this part").click()
    assert answer.value.ok
    expect(page.get_by_text("Part of your photo")).to_be_visible()
    with page.expect_response("**/v1/search"):
        page.get_by_role("button", name="Remove the photo").click()
    expect(slider).to_be_hidden()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_dropped_or_pasted(page: Page, way: str) -> None:
    page.goto("/")
    cards(page)
    with page.expect_response("**/v1/search/image"):
        page.evaluate(
            """async ([way, url]) => {
                const blob = await (await fetch(url)).blob();
                const data = new DataTransfer();
                data.items.add(new File([blob], "photo.jpg", { type: "image/jpeg" }));
                const init = { bubbles: true, cancelable: true };
                document.body.dispatchEvent(way === "drop"
                    ? new DragEvent("drop", { ...init, dataTransfer: data })
                    : new ClipboardEvent("paste", { ...init, clipboardData: data }));
            }""",
            [way, f"/v1/products/{SHOE}/images/0"],
        )
    expect(cards(page).first).to_have_attribute("data-id", SHOE)


def test_find_similar(page: Page, categories: dict[str, str]) -> None:
    page.goto("/?q=orchid")
    with page.expect_response("**/v1/search"):
        page.get_by_role("link", name="Find similar to Orchid").click()
    expect(page.get_by_text("Similar to Orchid")).to_be_visible()
    found = ids(page)
    assert ORCHID not in found
    assert sum("plants" in categories[id] for id in found) >= 3
    page.reload()
    expect(page.get_by_text("Similar to Orchid")).to_be_visible()
    assert ids(page) == found


def test_what_goes_with_a_product(page: Page) -> None:
    page.goto("/?q=red+leather+purse")
    opener = cards(page).first.get_by_role("button", name="Red Leather Purse", exact=True)
    opener.click()
    dialog = page.get_by_role("dialog")
    others = dialog.get_by_role("list", name="You may also like").get_by_role("button")
    expect(others.first).to_contain_text(re.compile("Similar|Looks like it"))
    title = str(others.first.locator(".name").text_content())
    others.first.focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(title)
    expect(page.locator("#drawer-body")).to_be_focused()
    expect(others.filter(has_text="Red Leather Purse")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_it_says_when_nothing_matches_well(page: Page) -> None:
    page.goto("/?q=quantum+mechanics+textbook")
    cards(page)
    expect(page.get_by_text("Nothing matches well.")).to_be_visible()
    ask(page, "red leather purse")
    expect(cards(page).first).to_have_attribute("data-id", "rds-25")
    expect(page.get_by_text("Nothing matches well.")).to_have_count(0)


def test_the_explanation(page: Page) -> None:
    page.goto("/?q=red+leather+purse")
    why = cards(page).first.get_by_role("button", name="Why Red Leather Purse is here")
    why.click()
    drawer = page.get_by_role("dialog", name="Why it is here")
    expect(drawer).to_contain_text(re.compile(r"Place 1 of \d+"))
    bars = drawer.locator(".bars").first.locator("li")
    assert bars.count() >= 2
    for bar in bars.all():
        expect(bar.locator("rect").last).to_be_visible()
    drawer.get_by_text("All figures").click()
    lanes = drawer.get_by_role("row", name=re.compile("words"))
    expect(lanes).to_have_count(bars.count())
    expect(drawer.get_by_role("row", name=re.compile("Final score"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(why).to_be_focused()


def test_filters(page: Page, categories: dict[str, str]) -> None:
    page.goto("/")
    cards(page)
    with page.expect_response("**/v1/search"):
        page.get_by_role("checkbox", name=re.compile("^Fruit")).check()
    expect(page).to_have_url(re.compile(r"\?f\.category=Fruit$"))
    expect(page.get_by_role("status").first).to_contain_text("28 products")
    # Other values of the same field can still be added: their counts ignore this filter.
    with page.expect_response("**/v1/search"):
        page.get_by_role("checkbox", name=re.compile("^Vegetables")).check()
    expect(page.get_by_role("status").first).to_contain_text("50 products")
    assert all(re.match("fruit|vegetables", categories[id]) for id in ids(page, 24))
    page.go_back()
    expect(page.get_by_role("status").first).to_contain_text("28 products")
    with page.expect_response("**/v1/search"):
        page.get_by_role("button", name="Remove filter Category: Fruit").click()
    expect(page.get_by_role("status").first).to_contain_text("219 products")


def test_price_range_and_sort(page: Page) -> None:
    page.goto("/?min.price=60&max.price=120&sort=price:desc")
    cards(page)
    prices = [float(text) for text in page.locator(".card .price").all_inner_texts()]
    assert prices == sorted(prices, reverse=True)
    assert 60 <= prices[-1] <= prices[0] <= 120
    expect(page.get_by_label("From")).to_have_value("60")
    with page.expect_response("**/v1/search"):
        page.get_by_label("Sort by").select_option("Price: low to high")
    expect(page).to_have_url(re.compile("sort=price%3Aasc"))
    assert float(page.locator(".card .price").first.inner_text()) >= 60


def test_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/")
    cards(page)
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search products")).to_be_focused()
    with page.expect_response("**/v1/search"):
        page.keyboard.type("red leather purse\n")
    expect(cards(page).first.get_by_role("heading")).to_have_text("Red Leather Purse")
    page.get_by_role("combobox", name="Sort by").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    product = page.get_by_role("dialog", name="Red Leather Purse")
    expect(product.get_by_role("heading", name="Description")).to_be_visible()
    for _ in range(6):  # the focus stays inside
        page.keyboard.press("Tab")
        expect(page.locator(":focus:not(dialog *)")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(product).to_be_hidden()


def test_an_error_says_what_is_wrong(page: Page, complaints: list[str]) -> None:
    page.goto("/?f.colour=red")
    expect(page.get_by_text("unknown field 'colour'; did you mean 'color'?")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert [c for c in complaints if "400" not in c] == []
    complaints.clear()
    page.get_by_role("button", name="See everything").click()
    assert cards(page).count() == 24


def test_a_file_that_is_no_photo(page: Page, complaints: list[str]) -> None:
    page.goto("/")
    cards(page)
    page.locator("#file").set_input_files(
        {"name": "list.txt", "mimeType": "text/plain", "buffer": b"milk, eggs"}
    )
    expect(page.get_by_text("“list.txt” is not a photo.")).to_be_visible()
    with page.expect_response("**/v1/search/image"):
        page.locator("#file").set_input_files(
            {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"milk, eggs"}
        )
    expect(page.get_by_text("image: not a picture; send JPEG")).to_be_visible()
    assert [c for c in complaints if "400" not in c] == []
    complaints.clear()
    page.get_by_role("button", name="Remove the photo").click()
    assert cards(page).count() == 24


def test_a_camera_photo_travels_small(page: Page) -> None:
    page.goto("/")
    size = page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(3000, 4000);
            canvas.getContext("2d").fillRect(0, 0, 900, 900);
            const blob = await canvas.convertToBlob({ type: "image/png" });
            const { readPhoto } = await import("/photo.js");
            const photo = await readPhoto(new File([blob], "p.png", { type: "image/png" }));
            return [photo.width, photo.height, photo.blob.type];
        }"""
    )
    assert size == [768, 1024, "image/jpeg"]


def test_nothing_found_offers_a_way_out(page: Page) -> None:
    page.goto("/?min.price=1000000")
    expect(page.get_by_role("heading", name="Nothing matches all of this")).to_be_visible()
    page.get_by_role("button", name="Remove the filters").click()
    assert cards(page).count() == 24


def test_on_a_phone(phone: Page) -> None:
    phone.goto("/?q=running+shoe")
    cards(phone)
    width = "document.documentElement.scrollWidth"
    assert phone.evaluate(width) == 360
    phone.get_by_role("button", name="Filters").tap()
    panel = phone.get_by_role("dialog", name="Filters")
    with phone.expect_response("**/v1/search"):
        panel.get_by_role("checkbox", name=re.compile("^Sports")).check()
    panel.get_by_role("button", name=re.compile("Show .* products?")).tap()
    expect(panel).to_be_hidden()
    expect(phone.get_by_role("button", name="Filters (1)")).to_be_visible()
    cards(phone).first.get_by_text("Why?").tap()
    expect(phone.get_by_role("dialog", name="Why it is here")).to_be_in_viewport(ratio=1)
    phone.set_viewport_size({"width": 320, "height": 640})
    assert phone.evaluate(width) == 320


def test_what_the_catalogue_says_never_becomes_markup(page: Page) -> None:
    page.goto("/")
    hostile = "&lt;img src=x&gt; <mark>a &amp; b</mark><img src=x onerror=alert(1)><b>c</b>"
    shown = page.evaluate(
        """async text => {
            const { h, highlighted } = await import("/dom.js");
            const el = h("p", {}, ...highlighted(text));
            return [el.querySelectorAll("*").length, el.textContent];
        }""",
        hostile,
    )
    assert shown == [1, "<img src=x> a & b<img src=x onerror=alert(1)><b>c</b>"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "?q=red+leather+purse",
        "?like=a%2Fb&like=c",
        "?q=x&like=a&weight=0.3",
        "?q=x&ignore=color%3Anavy+blue&ignore=price%3A60",
        "?f.color=red&f.color=blue&is.in_stock=true&min.price=1.5&max.price=20&sort=price%3Adesc",
        "?f.caf%C3%A9+%26+bar=%D7%A9%D7%9C%D7%95%D7%9D",
    ],
)
def test_an_address_survives_its_reading(page: Page, address: str) -> None:
    page.goto("/")
    again = page.evaluate(
        """async text => {
            const { parse, serialize } = await import("/state.js");
            return serialize(parse(text));
        }""",
        address,
    )
    assert again == address
