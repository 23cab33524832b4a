"""Lists that shoppers saw and what they clicked in them, from the shop's own event store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from engine import Event, EventStore, InvalidRequest, Settings, open_events

from .judgments import Impression, normal


@contextmanager
def opened_events(settings: Settings) -> Iterator[EventStore]:
    """The event store, also while a server writes to it.

    Raises:
        InvalidRequest: the shop keeps no events.
    """
    store = open_events(settings)
    if store is None:
        raise InvalidRequest("this shop keeps no events: events.plugin", field="events.plugin")
    try:
        yield store
    finally:
        store.close()


def impressions(batches: Iterable[Sequence[Event]], at_least: int) -> list[Impression]:
    """Every list with words that was shown, with the clicks that name it: by ``search_id``, or
    without one by shopper and words. Queries that fewer than ``at_least`` shoppers asked are left
    out, for they may tell who asked.

    Raises:
        InvalidRequest: nothing is left, or nothing was clicked where it was shown.
    """
    shown: dict[tuple[str, ...], Impression] = {}
    clicked: dict[tuple[str, ...], list[str]] = defaultdict(list)
    shoppers: dict[str, set[str]] = defaultdict(set)
    for event in (event for batch in batches for event in batch):
        shopper, words = event.user_id or event.session_id or "", normal(event.query)
        key = ("id", event.search_id) if event.search_id else ("words", shopper, words)
        if event.type == "impression" and words and event.products:
            places = sorted(enumerate(event.products), key=lambda p: p[1].position or p[0] + 1)
            shown[key] = Impression(words, [product.id for _, product in places])
            shoppers[words].add(shopper)
        elif event.type == "click" and key in shown:
            clicked[key] += [product.id for product in event.products]
    found = [
        Impression(seen.query, seen.shown, clicked[key])
        for key, seen in shown.items()
        if len(shoppers[seen.query]) >= at_least
    ]
    if not any(set(seen.clicked) & set(seen.shown) for seen in found):
        raise InvalidRequest(
            f"no query that {at_least} shoppers asked (events.anonymity) has a click on a product "
            "that was shown",
            field="events",
        )
    return found
