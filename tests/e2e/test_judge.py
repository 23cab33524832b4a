"""The page to rate products on, by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def test_products_are_rated_by_keys(page: Page) -> None:
    page.goto("/judge.html")
    page.get_by_label("Search").fill("running shoe")
    page.get_by_label("Your alias").fill("ada")
    page.keyboard.press("Enter")
    cards = page.locator("#products > li")
    expect(cards).to_have_count(10)
    expect(cards.first).to_be_focused()
    for key in ("3", "0", "2"):
        page.keyboard.press(key)
    expect(cards.nth(3)).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("3 of 10 rated, all stored")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Backspace")
    expect(page.get_by_role("status")).to_have_text("2 of 10 rated, all stored")
    rated = [cards.nth(n).get_attribute("data-id") for n in range(2)]

    kept = page.request.get("/v1/judgments").json()
    (query,) = (q for q in kept["queries"] if q["text"] == "running shoe")
    assert kept["qrels"][query["id"]] == {rated[0]: 3.0, rated[1]: 0.0}

    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.press("Enter")
    expect(cards.nth(2)).to_be_focused()
    assert [cards.nth(n).get_attribute("data-id") for n in range(2)] == rated, "the same order"
    expect(cards.first.get_by_role("radio", name="3 exactly right")).to_be_checked()


def test_a_search_without_products_says_so(page: Page, complaints: list[str]) -> None:
    page.goto("/judge.html")
    page.get_by_label("Search").fill("lamp")
    page.get_by_label("Profiles").fill("nothing-like-it")
    page.get_by_role("button", name="Show products").click()
    expect(page.get_by_role("status")).to_contain_text("no profile 'nothing-like-it'")
    complaints.clear()  # the browser's own line about the answer of 400


def test_what_was_not_stored_outlives_the_next_search(page: Page, complaints: list[str]) -> None:
    page.goto("/judge.html")
    page.get_by_label("Search").fill("red dress")
    page.get_by_label("Your alias").fill("eve")
    page.keyboard.press("Enter")
    cards = page.locator("#products > li")
    expect(cards.first).to_be_focused()
    page.route("**/v1/judgments", lambda route: route.abort())
    page.keyboard.press("3")
    expect(page.get_by_role("status")).to_contain_text("Not stored")
    page.unroute("**/v1/judgments")
    page.get_by_label("Search").fill("desk lamp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("0 of 10 rated")
    page.keyboard.press("1")
    expect(page.get_by_role("status")).to_have_text("1 of 10 rated, all stored")
    kept = {query["text"] for query in page.request.get("/v1/judgments").json()["queries"]}
    assert {"red dress", "desk lamp"} <= kept
    complaints.clear()  # the browser's own line about the request that was cut off
