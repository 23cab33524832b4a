"""Personal results over HTTP: for whom, from when on, and no longer once a shopper is erased."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from engine import Engine
from tests.api.harness import build, make_settings, serving

QUERIES = ("shoe", "red shoe", "acme mug", "umbra", "blue", "zzz")
USER, SESSION, WORDS = "shopper-1815", "visit-77", "what only they typed"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def client(data: Path, photo_root: Path) -> Iterator[httpx.Client]:
    """Of a shop that personalizes by default, and not with the profile "plain"."""
    settings = make_settings(data)
    build(settings, photo_root)
    plain = settings.profiles["default"]
    personal = structs.replace(plain, rankers=(*plain.rankers, "personal"))
    settings = structs.replace(settings, profiles={"default": personal, "plain": plain})
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client


def search(client: httpx.Client, text: str = "shoe", **request: Any) -> dict[str, Any]:
    answer = client.post("/v1/search", json={"text": text, **request})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def timeless(client: httpx.Client, text: str, **request: Any) -> bytes:
    """The answer to the byte, but for how long it took."""
    answer = search(client, text, explain=True, facets=["color"], **request)
    del answer["took_ms"], answer["timings"]
    for step in answer["plan"]["steps"]:
        del step["ms"]
    return json.dumps(answer).encode()


def strangers_answers(client: httpx.Client, **request: Any) -> list[bytes]:
    return [timeless(client, text, **request) for text in QUERIES]


def did(client: httpx.Client, *products: str, type: str = "click", **changes: Any) -> None:
    events = [
        {
            "id": f"{USER}-{type}-{id}",
            "type": type,
            "user_id": USER,
            "session_id": SESSION,
            "query": WORDS,
            "products": [{"id": id}],
            **changes,
        }
        for id in products
    ]
    answer = client.post("/v1/events", json=events).json()
    assert answer["accepted"] == len(events), answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def found_in(folder: Path, *words: str) -> list[str]:
    """The files that hold one of ``words``."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    ]


def test_who_left_no_event_gets_the_plain_answer_to_the_byte(client: httpx.Client) -> None:
    did(client, "blue-mug", "blue-lamp", type="purchase")  # somebody else is known
    plain = strangers_answers(client, profile="plain")
    assert strangers_answers(client) == plain
    assert strangers_answers(client, user_id="new", session_id="new") == plain
    assert strangers_answers(client, session_id="new") == plain


def test_the_very_next_search_is_theirs(client: httpx.Client) -> None:
    before = search(client, user_id=USER, limit=50)
    last = [hit for hit in before["hits"] if hit["id"].endswith("-shoe")][-1]["id"]
    color = last.split("-")[0]
    did(client, f"{color}-mug", f"{color}-lamp", type="cart")
    after = search(client, user_id=USER, session_id=SESSION, limit=50, explain=True)
    assert ids(after).index(last) < ids(before).index(last)
    assert sorted(ids(after)) == sorted(ids(before))
    (hit,) = [hit for hit in after["hits"] if hit["id"] == last]
    assert hit["explain"]["rankers"]["personal"] > 0
    told = hit["explain"]["reasons"]["personal"]
    assert told["color"] == f"{color}: 100% of what was looked at in this session"
    assert ids(search(client, user_id="somebody-else", limit=50)) == ids(before)


def test_a_visitor_is_known_by_the_session_alone(client: httpx.Client) -> None:
    plain = timeless(client, "shoe", limit=50)
    did(client, "blue-mug", "blue-lamp", type="cart", user_id=None)
    assert timeless(client, "shoe", limit=50, session_id=SESSION) != plain
    assert timeless(client, "shoe", limit=50, session_id="another") == plain


def test_an_erased_shopper_is_a_stranger(client: httpx.Client, data: Path) -> None:
    plain = strangers_answers(client)
    did(client, "blue-mug", "blue-lamp", type="cart")
    who = {"user_id": USER, "session_id": SESSION}
    assert strangers_answers(client, **who) != plain
    assert found_in(data, USER)
    client.delete(f"/v1/users/{USER}")
    assert strangers_answers(client, **who) == plain
    assert strangers_answers(client, session_id=SESSION) == plain
    assert found_in(data, USER, SESSION, WORDS) == []


def test_who_opts_out_is_a_stranger(client: httpx.Client, data: Path) -> None:
    plain = strangers_answers(client)
    did(client, "blue-mug", type="cart")
    client.put(f"/v1/users/{USER}/opt-out")
    assert strangers_answers(client, user_id=USER, session_id=SESSION) == plain
    answer = client.post(
        "/v1/events",
        json=[{"id": "late", "type": "cart", "user_id": USER, "products": [{"id": "blue-mug"}]}],
    )
    assert answer.json()["ignored"] == 1
    assert strangers_answers(client, user_id=USER) == plain
    assert found_in(data, USER, SESSION, WORDS) == []


def test_the_log_names_nobody(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):  # the client's own log
        caplog.set_level(logging.WARNING, name)
    did(client, "blue-mug")
    search(client, WORDS, user_id=USER, session_id=SESSION, explain=True)
    client.delete(f"/v1/users/{USER}")
    assert not any(word in caplog.text for word in (USER, SESSION, WORDS))
