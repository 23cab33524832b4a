"""The switch that lets the shop see what is looked at: off, on, and forgotten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

ON = "Remember what I look at in this visit"


class Sent:
    """What a page sent: the events, and the sessions that searches named."""

    def __init__(self, page: Page) -> None:
        self.events: list[dict[str, Any]] = []
        self.sessions: list[str | None] = []
        self.paths: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        path = request.url.partition("//")[2].partition("/")[2].partition("?")[0]
        self.paths.append(f"{request.method} {path}")
        if path == "v1/events":
            self.events += json.loads(request.post_data or "[]")
        elif path == "v1/search":
            self.sessions.append(json.loads(request.post_data or "{}").get("session_id"))


@pytest.fixture
def sent(page: Page) -> Iterator[Sent]:
    return Sent(page)


def cards(page: Page) -> Any:
    expect(page.locator("body:not(.busy)")).to_be_visible()
    return page.locator("#grid .card:not(.ghost)")


def shop_around(page: Page) -> None:
    """Look for something, open it, see more, and leave."""
    cards(page).first.get_by_role("button").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Description")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".card")).to_have_count(48)


def leave(page: Page) -> None:
    """What a browser says as a page goes, without a page that would be gone."""
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")


def test_nothing_is_sent_while_it_is_off(page: Page, sent: Sent) -> None:
    page.goto("/?q=chair")
    shop_around(page)
    page.get_by_role("button", name="Language and privacy").click()
    expect(page.get_by_role("switch", name=ON)).not_to_be_checked()
    leave(page)
    page.goto("/?q=lamp")
    expect(cards(page).first).to_be_visible()
    assert sent.events == []
    assert {path for path in sent.paths if path.startswith("POST")} == {"POST v1/search"}
    assert set(sent.sessions) == {None}
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [
        *(0, 0),
        "",
    ]


def test_a_visit_is_told_and_forgotten(page: Page, sent: Sent) -> None:
    page.goto("/?q=chair")
    page.get_by_role("button", name="Language and privacy").click()
    with page.expect_request("**/v1/search") as search:
        page.get_by_role("switch", name=ON).check()
    session = search.value.post_data_json["session_id"]
    assert re.fullmatch("[0-9a-f]{32}", session)
    page.keyboard.press("Escape")
    shop_around(page)
    with page.expect_response("**/v1/events") as answer:
        leave(page)
    assert answer.value.json()["accepted"] == len(sent.events)
    assert [event["type"] for event in sent.events] == ["impression", "click", "view", "impression"]
    assert {event["session_id"] for event in sent.events} == {session}
    assert not any("user_id" in event for event in sent.events)
    first, click, view, further = sent.events
    assert (first["query"], click["query"]) == ("chair", "chair")
    assert click["products"] == first["products"][:1] == [{**view["products"][0], "position": 1}]
    assert click["search_id"] == first["search_id"] != further["search_id"] != ""
    assert [each["position"] for each in further["products"]] == list(range(25, 49))
    kept = page.request.get(f"/v1/users/{session}").json()
    assert len(kept["events"]) == len(sent.events)

    page.get_by_role("button", name="This visit is remembered").click()
    page.get_by_role("button", name="Forget this visit").click()
    expect(page.get_by_text("Forgotten, here and in the shop.")).to_be_visible()
    expect(page.get_by_role("switch", name=ON)).not_to_be_checked()
    expect(page.locator("body:not(.busy)")).to_be_visible()
    assert sent.sessions[-1] is None
    assert page.request.get(f"/v1/users/{session}").json()["events"] == []
    assert page.evaluate("sessionStorage.length") == 0


def test_words_being_typed_are_no_searches(page: Page, sent: Sent) -> None:
    page.goto("/")
    page.get_by_role("button", name="Language and privacy").click()
    page.get_by_role("switch", name=ON).check()
    page.keyboard.press("Escape")
    for words in ("cha", "chair"):
        with page.expect_response("**/v1/search"):
            page.get_by_role("combobox", name="Search products").fill(words)
        expect(page.locator("body:not(.busy)")).to_be_visible()
    with page.expect_response("**/v1/events"):
        leave(page)
    assert [event["query"] for event in sent.events if event["query"]] == ["chair"]


def test_a_shop_that_takes_none_says_so(page: Page, sent: Sent, complaints: list[str]) -> None:
    page.goto("/")
    page.route("**/v1/events", lambda route: route.fulfill(status=403, json={"title": "no"}))
    page.get_by_role("button", name="Language and privacy").click()
    page.get_by_role("switch", name=ON).click()
    expect(page.get_by_text("This shop does not take that from its page.")).to_be_visible()
    expect(page.get_by_role("switch", name=ON)).not_to_be_checked()
    assert [c for c in complaints if "403" not in c] == []
    complaints.clear()
    assert page.evaluate("sessionStorage.length") == 0
    assert set(sent.sessions) == {None}
