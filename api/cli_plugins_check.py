"""``entrepot plugins check``: whether plugins keep the contract, line by line."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.markup import escape

from engine.conformance import (
    ContractBroken,
    Values,
    Windows,
    a_shop,
    answers_alike,
    examine,
    kinds_that_work,
    method_of,
    title_of,
    values_of,
)
from engine.errors import EntrepotError, InvalidRequest, InvalidSettings
from engine.guard import DaemonPool, Guard, PluginFailed
from engine.manager import PluginManager
from engine.plan import QueryPlan
from engine.schema import FieldKind
from engine.settings import Settings

from .cli_common import config_option, settings_from
from .plugin_components import Component, limits_of, opened, opened_apart, shop_kinds, targets
from .plugin_remedies import build_remedy, load_remedy

MISSPELT = "misspelt_option"
DEADLINE_S = 30.0
"""A check is no search: a slow component is not a wrong one."""
QUERY = "red leather purse"
SHOP = a_shop()
CALLS = 3
"""The best of so many counts: the first may load what the others find."""


@click.command("check")
@click.argument("names", nargs=-1)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=KIND",
    help="Repeatable: an attribute's kind, keyword, number or boolean [default: the shop's, "
    "else the first that the component can read].",
)
@config_option
@click.pass_context
def command(
    ctx: click.Context, names: tuple[str, ...], fields: tuple[str, ...], config: Path | None
) -> None:
    """Check plugins or components by NAME; without one, all that third parties made.

    Exit status 1 where one breaks its contract; advice does not count.
    """
    settings = settings_from(config)
    manager = PluginManager(settings.plugins)
    report = Report()
    kinds = {**shop_kinds(settings, manager), **dict(map(_field, fields))}
    checks = Checks(manager, settings, kinds, report)
    chosen = targets(manager, names)
    for status, components in chosen:
        report.heading(f"plugin {status.name}", status.distribution or "Entrepot")
        report.line("loads", status.error, load_remedy(status) if status.error else "")
        for component in components:
            checks.component(component)
    if not chosen:
        report.note("No plugins of third parties are installed; `entrepot plugins new` writes one.")
    report.total()
    ctx.exit(1 if report.broken else 0)


class Report:
    """Prints lines as they come and counts those that are red."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self.kept = self.broken = self.advised = 0

    def heading(self, title: str, origin: str = "") -> None:
        shown = f"  [dim]{escape(origin)}[/dim]" if origin else ""
        self._console.print(f"[b]{escape(title)}[/b]{shown}")

    def note(self, text: str) -> None:
        self._console.print(f"  [dim]– {escape(text)}[/dim]")

    def line(self, what: str, wrong: str = "", hint: str = "", *, advice: bool = False) -> bool:
        """Green without ``wrong``, else red, or yellow for advice; whether it was green."""
        if not wrong:
            self.kept += 1
            self._console.print(f"  [green]✓[/green] {escape(what)}")
            return True
        mark, colour = ("!", "yellow") if advice else ("✗", "red")
        self.advised += advice
        self.broken += not advice
        self._console.print(f"  [{colour}]{mark} {escape(what)}[/{colour}]")
        self._console.print(f"      {escape(wrong)}")
        if hint:
            self._console.print(f"      → {escape(hint)}")
        return False

    def total(self) -> None:
        parts = [f"{self.kept} kept", f"{self.broken} broken", f"{self.advised} not as advised"]
        colour = "red" if self.broken else "green"
        self._console.print(f"[{colour}]{', '.join(parts)}[/{colour}]")


class Checks(NamedTuple):
    """What one component after the other is checked with; ``kinds`` are those of attributes."""

    manager: PluginManager
    settings: Settings
    kinds: Mapping[str, FieldKind]
    report: Report

    def component(self, component: Component) -> None:
        """All lines of one component."""
        kind, name, _ = component
        report = self.report
        report.heading(f"{kind.removesuffix('s').replace('_', ' ')} {name}")
        self._options(component)
        if kind in ("encoders", "stores", "sources"):
            report.note("nothing more is tried here: tests inherit its class of engine.testing")
            return
        apart = self.manager.is_isolated(kind, name)
        with ExitStack() as stack:
            try:
                built = stack.enter_context(
                    opened(self.manager, self.settings, component, DEADLINE_S)
                )
            except EntrepotError as error:
                report.line("can be built", str(error), build_remedy(error, name))
                return
            report.line("can be built" + " in a process of its own" * apart)
            if kind == "commands":
                wrong = (
                    "" if isinstance(built, click.Command) else f"the factory returned {built!r}"
                )
                hint = "Return a click.Command, such as a click.Group."
                report.line("is a click command", wrong, hint)
                return
            if not self._comes_back(component, built):
                return
            values = self._values(kind, built)
            for finding in examine(kind, built, values):
                broken = finding.broken
                message, hint = (broken.message, broken.hint) if broken else ("", "")
                report.line(title_of(finding.clause), message, hint, advice=finding.advice)
            if not apart:
                self._compare(component, built, values)

    def _options(self, component: Component) -> None:
        try:
            self.manager.create(component.kind, component.name, {MISSPELT: 1})
        except InvalidSettings as error:
            wrong = "" if MISSPELT in str(error) else str(error)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        else:
            wrong = "it was accepted"
        hint = "Register a frozen msgspec.Struct with forbid_unknown_fields=True."
        self.report.line("options: a misspelt one is refused by name", wrong, hint)

    def _comes_back(self, component: Component, built: Any) -> bool:
        """Whether a call ends at all; that it is late here is advice, for this is one machine."""
        limit_ms = limits_of(self.settings, component.name).deadline_ms or 0.0
        call = partial(ask_once, component.kind, built)
        pool = DaemonPool()
        guard = Guard(component.name, pool, DEADLINE_S, DEADLINE_S)
        best_ms = math.inf
        try:
            for _ in range(CALLS):
                began = time.perf_counter()
                guard.call(call, lambda answer: None)
                best_ms = min(best_ms, (time.perf_counter() - began) * 1000)
        except PluginFailed as error:
            wrong = str(error) if guard.open_reason else ""
            hint = "Bound what a call may do: a search cannot wait for it."
            return not wrong or self.report.line("comes back", wrong, hint)
        finally:
            pool.close()
        wrong = f"{best_ms:.1f} ms, its deadline is {limit_ms:g} ms" if best_ms > limit_ms else ""
        hint = f"Do less, or raise deadline_ms under [plugins.limits.{component.name}]."
        self.report.line("answers within its deadline", wrong, hint, advice=True)
        return True

    def _values(self, kind: str, built: Any) -> Values | None:
        """What makes the columns of a ranker's or arranger's windows."""
        if kind == "query_processors":
            return None
        known = kinds_that_work(kind, built, self.kinds)
        for field in sorted(set(known) - set(self.kinds)):
            if self.kinds:
                self.report.note(f"this shop has no field {field!r}: its column will be empty")
        return values_of(known)

    def _compare(self, component: Component, built: Any, values: Values | None) -> None:
        wrong = hint = ""
        threads_only = False
        try:
            with opened_apart(self.manager, self.settings, component, DEADLINE_S) as there:
                answers_alike(component.kind, built, there, values)
        except ContractBroken as broken:
            wrong, hint = broken.message, broken.hint
            # The shop's text encoder cannot be sent there; a processor may yet want it.
            threads_only = "UnsupportedModality" in wrong
        except EntrepotError as error:
            wrong = str(error)
        what = "answers alike in a process of its own"
        self.report.line(what, wrong, hint, advice=threads_only)


def ask_once(kind: str, component: Any) -> object:
    """A call as large as searches make by default: 200 candidates, or a few words."""
    if kind == "query_processors":
        plan = QueryPlan(original=QUERY, text=QUERY, locale="en")
        return component.process(plan, SHOP)
    return getattr(component, method_of(kind))(Windows(component, method_of(kind)).bare(200))


def _field(text: str) -> tuple[str, FieldKind]:
    name, equals, kind = text.partition("=")
    if not (name and equals and kind in list(FieldKind)):
        raise InvalidRequest(f"--field {text!r}: write NAME=KIND, as in margin=number")
    return name, FieldKind(kind)
