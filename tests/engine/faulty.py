"""A plugin module with one component per fault; copied beside a ``dist-info`` by the tests, for a
child process can only load what is installed.

What runs without end runs until ``stop`` is set, which only the server's copy of this module ever
sees: in a child it never ends by itself.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from engine import NoOptions, hookimpl

stop = threading.Event()
HOLD_S = 1.0


class Mild(Struct, frozen=True, forbid_unknown_fields=True):
    strength: float = 1.0


def _sleep(given: Any) -> Any:
    stop.wait(10)


def _spin(given: Any) -> Any:
    while not stop.is_set():
        pass


def _regex(given: Any) -> Any:
    """Holds the GIL for about a second on any machine: each letter more doubles the steps."""
    few = 14
    began = time.perf_counter()
    _backtrack(few)
    _backtrack(few + math.ceil(math.log2(HOLD_S / (time.perf_counter() - began))))
    return given.scores


def _backtrack(size: int) -> None:
    re.match(r"(a+)+$", "a" * size + "b")


def _allocate(given: Any) -> Any:
    held = []
    while True:
        held.append(bytearray(1 << 20))


def _segfault(given: Any) -> Any:
    ctypes.string_at(0)


def _garbage(given: Any) -> Any:
    """Speaks out of turn on the socket that its process was given."""
    os.write(int(sys.argv[1]), b"all the very best wishes")
    time.sleep(60)


def _flood(given: Any) -> Any:
    """Says that a very long answer follows."""
    os.write(int(sys.argv[1]), (2).to_bytes(8, "big") + (1 << 60).to_bytes(8, "big"))
    time.sleep(60)


_calls: list[None] = []


def _every_second(batch: Any) -> Any:
    """Ends its process with every second call; a new process begins to count anew."""
    _calls.append(None)
    if len(_calls) == 2:
        os._exit(7)
    return batch.scores


def _reorder(batch: Any) -> Any:
    batch.ids.reverse()
    for column in batch.columns.values():
        column.reverse()
    return batch.scores


def _raise(given: Any) -> Any:
    raise LookupError("the price list is gone")


def _fast(batch: Any) -> Any:
    return batch.scores


RANKERS: dict[str, Callable[[Any], Any]] = {
    "sound": _fast,
    "raises": _raise,
    "exits": lambda batch: sys.exit(3),
    "short": lambda batch: batch.scores[:-1],
    "nan": lambda batch: batch.scores * np.nan,
    "words": lambda batch: ["high"] * len(batch.ids),
    "reorders": _reorder,
    "sleeps": _sleep,
    "spins": _spin,
    "regex": _regex,
    "allocates": _allocate,
    "dies": lambda batch: os._exit(7),
    "dies-second": _every_second,
    "segfaults": _segfault,
    "garbage": _garbage,
    "floods": _flood,
}
ARRANGERS: dict[str, Callable[[Any], Any]] = {
    "turns": lambda batch: np.arange(len(batch.ids))[::-1],
    "a-twice": lambda batch: [0, 0],
    "a-outside": lambda batch: [len(batch.ids)],
    "a-floats": lambda batch: [0.0, 1.0],
    "a-sleeps": _sleep,
    "a-dies": lambda batch: os._exit(7),
    "seen": lambda batch: [i for i, id in enumerate(batch.ids) if id.startswith("shoe")],
}
PROCESSORS: dict[str, Callable[[Any, Any], Any]] = {
    "shouts": lambda plan, shop: msgspec.structs.replace(plan, text=plan.text.upper()),
    "colours": lambda plan, shop: msgspec.structs.replace(
        plan, filters={"color": sorted(shop.vocabulary["color"])[:1]}
    ),
    "p-same": lambda plan, shop: plan,
    "p-no-plan": lambda plan, shop: "a plan",
    "p-sleeps": lambda plan, shop: _sleep(plan) if plan.text else plan,
    "p-dies": lambda plan, shop: os._exit(7) if plan.text else plan,
    "p-encodes": lambda plan, shop: shop.text_encoder.encode_texts(["a"], "query"),
}


class Ranker:
    required_fields: Sequence[str] = ("price",)
    required_vectors: Sequence[str] = ("image",)

    def __init__(self, name: str) -> None:
        self.rank = RANKERS[name]

    def explain(self, batch: Any, rows: Any) -> Any:
        return [{"price": float(batch.columns["price"][row] or 0)} for row in rows]


class Arranger:
    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()

    def __init__(self, name: str) -> None:
        self.arrange = ARRANGERS[name]


class Processor:
    def __init__(self, name: str) -> None:
        self._process = PROCESSORS[name]

    def process(self, plan: Any, shop: Any) -> Any:
        return self._process(plan, shop)


def _unbuilt(options: Any) -> Any:
    raise OSError("no such price list")


def _leaves(options: Any) -> Any:
    sys.exit("not licensed")


@hookimpl
def register_rankers(register: Any) -> None:
    for name in RANKERS:
        register(name, lambda options, name=name: Ranker(name), Mild)
    register("unbuilt", _unbuilt)
    register("leaves", _leaves)
    register("dies-unbuilt", lambda options: os._exit(9), NoOptions)


@hookimpl
def register_arrangers(register: Any) -> None:
    for name in ARRANGERS:
        register(name, lambda options, name=name: Arranger(name))


@hookimpl
def register_query_processors(register: Any) -> None:
    for name in PROCESSORS:
        register(name, lambda options, name=name: Processor(name))
