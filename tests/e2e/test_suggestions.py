"""Suggestions below the search box: a combobox that the keyboard works, and no stale answers."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search products")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def active(page: Page) -> Locator:
    """What the box says that arrow keys stand on."""
    return page.locator(f"#{box(page).get_attribute('aria-activedescendant')}")


def test_with_the_keyboard(page: Page) -> None:
    page.goto("/")
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    box(page).press_sequentially("leather")
    expect(options(page).first).to_be_visible()
    expect(box(page)).to_have_attribute("aria-expanded", "true")
    first, last = (str(one.text_content()) for one in (options(page).first, options(page).last))
    box(page).press("ArrowDown")
    expect(active(page)).to_have_text(first)
    expect(active(page)).to_have_attribute("aria-selected", "true")
    box(page).press("ArrowUp")
    expect(box(page)).not_to_have_attribute("aria-activedescendant", re.compile("."))
    box(page).press("ArrowUp")  # round to the last
    expect(active(page)).to_have_text(last)
    box(page).press("Escape")
    expect(options(page)).to_have_count(0)
    expect(box(page)).to_have_value("leather")
    expect(box(page)).to_be_focused()
    box(page).press("Alt+ArrowDown")
    expect(options(page).first).to_be_visible()
    box(page).press("ArrowDown")
    expect(active(page)).to_have_text(first)
    with page.expect_response("**/v1/search"):
        box(page).press("Enter")
    expect(box(page)).to_have_value(first)
    expect(options(page)).to_have_count(0)


def test_a_product_and_a_category_are_taken_as_such(page: Page) -> None:
    page.goto("/")
    box(page).press_sequentially("red grapef")
    options(page).filter(has_text="Product").first.click()
    product = page.get_by_role("dialog", name=re.compile("Red Grapefruit"))
    expect(product.get_by_role("heading", name="Details")).to_be_visible()
    page.keyboard.press("Escape")
    expect(box(page)).to_be_focused()
    box(page).press_sequentially("r")
    options(page).filter(has_text="Category").first.click()
    expect(page).to_have_url(re.compile(r"\?f\.category=Fruit\+%3E\+Red-Grapefruit$"))
    expect(box(page)).to_have_value("")


def test_other_words_end_the_question(page: Page) -> None:
    """The first request is never answered; typing on gives it up, so no answer can come late."""
    ended: list[str] = []

    def answer(route: Route) -> None:
        if "q=orange&" in route.request.url:
            route.fulfill(json={"suggestions": [suggestion("orange juice")], "took_ms": 1})

    page.on("requestfailed", lambda request: ended.append(request.url.partition("?")[2]))
    page.route("**/v1/suggest?*", answer)
    page.goto("/")
    with page.expect_request("**/v1/suggest?q=ora&*"):
        box(page).fill("ora")
    box(page).fill("orange")
    expect(options(page)).to_have_text(["orange juice"])
    assert [query for query in ended if query.startswith("q=ora")] == ["q=ora&limit=7&locale=en-US"]


def test_on_a_phone_results_stay_in_sight(phone: Page) -> None:
    phone.goto("/?q=chair")
    count = phone.locator("#count")
    before = count.bounding_box()
    box(phone).fill("leather")
    expect(options(phone).first).to_be_visible()
    row = phone.get_by_role("listbox", name="Suggestions").bounding_box()
    after = count.bounding_box()
    assert before
    assert row
    assert after
    assert row["height"] < 80
    assert after["y"] == before["y"]
    with phone.expect_response("**/v1/search"):
        options(phone).first.tap()
    expect(options(phone)).to_have_count(0)


def suggestion(text: str) -> dict[str, Any]:
    return {"text": text, "kind": "query", "highlight": f"<mark>ora</mark>{text[3:]}"}
