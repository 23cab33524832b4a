"""The slot that a request reads once: swapped whole, the old one closed after its last reader."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from engine import StoreError
from engine.live import Live, LiveSlot


class Store:
    def __init__(self, *, breaks: bool = False) -> None:
        self.closed = 0
        self.breaks = breaks

    def close(self) -> None:
        self.closed += 1
        if self.breaks:
            raise StoreError("disk gone")


def bundle(name: str, store: Store) -> Live:
    anything = cast(Any, None)
    return Live(name, cast(Any, store), anything, anything, {}, anything)


def test_an_empty_slot() -> None:
    slot = LiveSlot()
    with slot.lease() as live:
        assert live is None
    assert slot.swap(None).is_set()


def test_a_replaced_store_closes_after_its_last_reader() -> None:
    slot, old, new = LiveSlot(), Store(), Store()
    assert slot.swap(bundle("old", old)).is_set()
    with slot.lease() as first:
        with slot.lease() as second:
            closed = slot.swap(bundle("new", new))
            assert first is second
        assert first is not None
        assert first.generation == "old"
        with slot.lease() as third:
            assert third is not None
            assert third.generation == "new"
        assert (old.closed, closed.is_set()) == (0, False)
    assert (old.closed, closed.is_set()) == (1, True)
    assert slot.swap(None).is_set()
    assert (old.closed, new.closed) == (1, 1)


def test_a_reader_that_fails_lets_go(caplog: pytest.LogCaptureFixture) -> None:
    slot, old = LiveSlot(), Store()
    slot.swap(bundle("old", old))

    def fail() -> None:
        with slot.lease():
            slot.swap(None)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert old.closed == 1


def test_a_store_that_does_not_close_spoils_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    slot = LiveSlot()
    slot.swap(bundle("old", Store(breaks=True)))
    with caplog.at_level(logging.ERROR), slot.lease():
        closed = slot.swap(None)
    assert closed.is_set()
    assert "generation 'old' did not close" in caplog.text
