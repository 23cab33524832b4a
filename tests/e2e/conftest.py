"""The demo shop, served as a newcomer starts it, and a headless Chromium to look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.server import serving

# The last four keep Chromium from calling home; a test speaks to loopback only.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 360, "height": 740}
NARROWEST = {"width": 320, "height": 700}
DESKTOP = {"width": 1280, "height": 900}
WAIT_MS = 60_000
"""How long a test waits for what must happen: the page's speed is not what it tests."""

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the demo shop."""
    folder = tmp_path_factory.mktemp("demo")
    with serving("demo", folder=folder, env={"ENTREPOT_DATA_DIR": str(folder)}) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Skips without Chromium, unless ENTREPOT_REQUIRE_BROWSER says that it must be there."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        why = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("ENTREPOT_REQUIRE_BROWSER"):
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What a page logged as an error, CSP violations among it; a test fails on any of it that
    it does not clear."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def page(browser: Browser, shop: str, complaints: list[str]) -> Iterator[Page]:
    """A fresh profile on a desktop-sized screen, before the page is opened."""
    with browser.new_context(base_url=shop, viewport=DESKTOP) as context:
        yield _watched(context, complaints)


@pytest.fixture
def phone(browser: Browser, shop: str, complaints: list[str]) -> Iterator[Page]:
    """The same on a small phone, with touch."""
    with browser.new_context(
        base_url=shop, viewport=PHONE, has_touch=True, is_mobile=True
    ) as context:
        yield _watched(context, complaints)


@pytest.fixture
def speaking(browser: Browser, shop: str, complaints: list[str]) -> Iterator[Callable[[str], Page]]:
    """Opens the page, as narrow as it may be, in a browser whose reader prefers a language."""
    opened: list[BrowserContext] = []

    def speak(locale: str) -> Page:
        opened.append(browser.new_context(base_url=shop, locale=locale, viewport=NARROWEST))
        return _watched(opened[-1], complaints)

    yield speak
    for context in opened:
        context.close()


def _watched(context: BrowserContext, complaints: list[str]) -> Page:
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    return page
