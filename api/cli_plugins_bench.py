"""``entrepot plugins bench``: what a ranker, arranger or query processor costs a search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.conformance import (
    EXAMINED,
    Windows,
    a_shop,
    kinds_that_work,
    method_of,
    values_of,
)
from engine.core import Engine
from engine.errors import EntrepotError, InvalidRequest
from engine.guard import DaemonPool, Guard
from engine.manager import PluginManager
from engine.plan import QueryPlan
from engine.settings import Settings
from engine.types import Query, SearchRequest

from .cli_common import config_option, settings_from
from .engines import open_engine
from .plugin_components import Component, find, opened, opened_apart, shop_kinds

SIZES = (50, 200, 1000)
DIM = 384
"""Of the shipped text encoder's vectors."""
CALLS = 300
SECONDS = 2.0
"""A row is measured for so many calls, or so long."""
REAL_QUERIES = 40
PATIENCE_S = 60.0
"""The deadline while measuring: a late call is a figure here, not a failure."""
SHOP = a_shop()
"""What query processors are told of: a small made-up one, always the same."""

Call = Callable[[Any], Any]
"""A call of the component that it is given."""
Mode = tuple[str, Callable[[Call], object]]
"""A way to run calls: its name, and what runs one."""


@click.command("bench")
@click.argument("name")
@config_option
def command(name: str, config: Path | None) -> None:
    """Time the component NAME: bare, guarded on a thread, in a process of its own.

    On made-up windows, and where the settings' shop is indexed on those of real searches.
    """
    settings = settings_from(config)
    manager = PluginManager(settings.plugins)
    chosen = [c for c in find(manager, name) if c.kind in EXAMINED]
    if not chosen:
        raise InvalidRequest(
            f"{name!r} is no ranker, arranger or query processor: nothing to time in a search"
        )
    console = Console(highlight=False)
    for component in chosen:
        _bench(component, manager, settings, console)


def _bench(
    component: Component, manager: PluginManager, settings: Settings, console: Console
) -> None:
    deadline_ms = settings.plugins.deadline_s(component.name) * 1000
    with _modes(component, manager, settings) as (built, modes):
        workloads = _made_up(component.kind, built, shop_kinds(settings, manager))
        real, why_not = _real(component.kind, built, settings)
        notes = [f"no real searches: {why_not}"] if why_not else []
        table = Table("input", "run", "p50", "p95", "p99", "of the deadline", box=None)
        for what, calls in [*workloads, *real]:
            for mode, wrap in modes:
                try:
                    row = quantiles_ms([partial(wrap, call) for call in calls])
                except EntrepotError as error:
                    notes.append(f"{what}, {mode}: {error}")
                    continue
                late = "red" if row[-1] > deadline_ms else None
                shown = (f"{ms:.3f}" for ms in row)
                table.add_row(what, mode, *shown, f"{row[-1] / deadline_ms:.0%}", style=late)
    title = f"{component.kind.removesuffix('s').replace('_', ' ')} {component.name}"
    console.print(f"[b]{title}[/b], milliseconds per call, deadline {deadline_ms:g} ms")
    console.print(table)
    for note in notes:
        console.print(f"– {escape(note)}", style="dim", soft_wrap=True)


def quantiles_ms(calls: Sequence[Callable[[], object]]) -> tuple[float, float, float]:
    """p50, p95 and p99 in milliseconds of calling ``calls`` in turn, each once beforehand;
    :data:`CALLS` times or for :data:`SECONDS`, whichever ends first."""
    for call in calls:
        call()
    took: list[float] = []
    started = time.perf_counter()
    while len(took) < CALLS and time.perf_counter() - started < SECONDS:
        began = time.perf_counter()
        calls[len(took) % len(calls)]()
        took.append((time.perf_counter() - began) * 1000)
    if len(took) == 1:
        return took[0], took[0], took[0]
    shares = quantiles(took, n=100, method="inclusive")
    return shares[49], shares[94], shares[98]


@contextmanager
def _modes(
    component: Component, manager: PluginManager, settings: Settings
) -> Iterator[tuple[Any, list[Mode]]]:
    """The component, and the ways to run a call of it."""
    pool = DaemonPool()
    guard = Guard(component.name, pool, PATIENCE_S, PATIENCE_S)

    def guarded(one: Any, call: Call) -> object:
        return guard.call(partial(call, one), _accept)

    with ExitStack() as stack:
        stack.callback(pool.close)
        built = stack.enter_context(opened(manager, settings, component, PATIENCE_S))
        if manager.is_isolated(component.kind, component.name):
            yield built, [("process", partial(guarded, built))]
            return
        there = stack.enter_context(opened_apart(manager, settings, component, PATIENCE_S))
        yield (
            built,
            [
                ("bare", lambda call: call(built)),
                ("thread", partial(guarded, built)),
                ("process", partial(guarded, there)),
            ],
        )


def _accept(answer: object) -> None:
    """The engine's own checks are the same in all modes, and part of none."""


def _made_up(kind: str, built: Any, kinds: Any) -> list[tuple[str, list[Call]]]:
    if kind == "query_processors":
        texts = ("red leather purse", "mens running shoes size 42 under 50", "zapatos rojos")
        return [("short texts", [_planning(text) for text in texts])]
    method = method_of(kind)
    values = values_of(kinds_that_work(kind, built, kinds))
    windows = Windows(built, method, values, DIM)
    return [(f"{n} made up", [_answering(method, windows.plain(n))]) for n in SIZES]


def _real(kind: str, built: Any, settings: Settings) -> tuple[list[tuple[str, list[Call]]], str]:
    """Windows of searches for this shop's titles, or why there are none."""
    try:
        with open_engine(settings) as engine:
            titles = [str(hit.product["title"]) for hit in _some(engine)]
            if kind == "query_processors":
                return [
                    (f"{len(titles)} titles, small shop", [_planning(title) for title in titles])
                ], ""
            batches = [
                engine.window(
                    SearchRequest(Query(text=title)), built.required_fields, built.required_vectors
                )
                for title in titles
            ]
    except EntrepotError as error:
        return [], str(error)
    method = method_of(kind)
    calls = [_answering(method, batch) for batch in batches if batch.ids]
    sizes = [len(batch.ids) for batch in batches if batch.ids]
    if not calls:
        return [], "the searches found nothing"
    return [(f"{len(calls)} searches, {median(sizes):.0f} each", calls)], ""


def _some(engine: Engine) -> Sequence[Any]:
    return engine.search(SearchRequest(limit=REAL_QUERIES, fields=("title",))).hits


def _answering(method: str, batch: Any) -> Call:
    return lambda component: getattr(component, method)(batch)


def _planning(text: str) -> Call:
    plan = QueryPlan(original=text, text=text, locale="en")
    return lambda component: component.process(plan, SHOP)
