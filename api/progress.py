"""A build's progress on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from indexer import OnProgress
from indexer import Progress as Event

STAGES = {"scan": "Reading the catalogue", "embed": "Embedding", "build": "Building the index"}


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """A bar per stage on stderr, with rate and time left; nothing where there is no terminal."""
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}{task.fields[of]}"),
        TextColumn("{task.fields[speed]}"),
    )
    tasks: dict[str, TaskID] = {}
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def show(event: Event) -> None:
            if event.stage not in tasks:
                _finish(bars, tasks)
                tasks[event.stage] = bars.add_task(STAGES[event.stage], of="", speed="")
            # The last stage has no steps: its bar moves to and fro until it is over.
            total = None if event.stage == "build" else event.total or None
            of = f" of {event.total:,}" if event.total else ""
            bars.update(
                tasks[event.stage], completed=event.done, total=total, of=of, speed=_speed(event)
            )

        yield show
        _finish(bars, tasks)


def _finish(bars: Progress, tasks: dict[str, TaskID]) -> None:
    for task in bars.tasks:
        if task.id in tasks.values() and task.total is None:
            bars.update(task.id, total=task.completed or 1, completed=task.completed or 1)


def _speed(event: Event) -> str:
    if not event.rate:
        return ""
    left = f", {event.eta_s:,.0f} s left" if event.eta_s else ""
    return f"{event.rate:,.0f} products/s{left}"
