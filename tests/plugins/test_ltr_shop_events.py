"""Clicks in the shop's own events become judgments, and tell of no shopper."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from engine import Event, EventProduct, InvalidRequest, load_settings, read_qrels, read_queries
from plugins.ltr.shop_events import impressions, opened_events

SHOWN = tuple(EventProduct(id, place) for place, id in enumerate(("a", "b", "c"), 1))


def visits(query: str, shoppers: int, clicked: str, search_ids: bool = True) -> list[Event]:
    """Each of so many shoppers sees three products and clicks one."""
    found = []
    for n in range(shoppers):
        who = {"session_id": f"s{n}", "time": datetime.now(UTC), "query": query}
        if search_ids:
            who["search_id"] = f"{query}-{n}"
        id = f"{query}-{n}".replace(" ", "-")
        found.append(Event(f"i-{id}", "impression", products=SHOWN[::-1], **who))
        product = (EventProduct(clicked),)
        found.append(Event(f"c-{id}", "click", products=product, **who))
    return found


@pytest.mark.parametrize("search_ids", [True, False])
def test_lists_and_their_clicks(search_ids: bool) -> None:
    events = visits("Red  mug", 3, "b", search_ids)
    found = impressions([events[:1], events[1:]], at_least=3)
    assert [(seen.query, seen.shown, seen.clicked) for seen in found] == [
        ("red mug", ["a", "b", "c"], ["b"])
    ] * 3, "by place, not by the order they were sent in"


def test_queries_of_few_shoppers_are_left_out() -> None:
    events = [*visits("red mug", 3, "b"), *visits("my own name", 2, "c")]
    assert {seen.query for seen in impressions([events], at_least=3)} == {"red mug"}
    with pytest.raises(InvalidRequest, match=r"events\.anonymity"):
        impressions([events], at_least=4)


def test_the_shops_events_are_exported(tmp_path: Path) -> None:
    config = tmp_path / "entrepot.toml"
    config.write_text("[events]\nanonymity = 4\n")
    with opened_events(load_settings(config)) as store:
        store.append([*visits("red mug", 8, "b"), *visits("rare", 3, "c")])
        files = [str(tmp_path / "q.jsonl"), str(tmp_path / "r.tsv")]
        result = CliRunner().invoke(main, ["ltr", "judgments", *files, "--config", str(config)])
        assert result.exit_code == 0, result.output
    (query,) = read_queries(tmp_path / "q.jsonl")
    assert query.text == "red mug"
    assert read_qrels(tmp_path / "r.tsv") == {query.id: {"a": 0.0, "b": 3.0, "c": 0.0}}


def test_a_shop_without_events_says_so(tmp_path: Path) -> None:
    config = tmp_path / "entrepot.toml"
    config.write_text('[events]\nplugin = ""\n')
    result = CliRunner().invoke(main, ["ltr", "judgments", "q", "r", "--config", str(config)])
    assert (result.exit_code, "keeps no events" in result.stderr) == (2, True)
