"""``entrepot plugins check``: whether plugins keep the contract, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.markup import escape

from engine.components import is_prompt
from engine.conformance import (
    EXAMINED,
    PLAIN,
    ContractBroken,
    Finding,
    Values,
    Windows,
    a_shop,
    an_occasion,
    answers_alike,
    answers_within_its_deadline,
    examine,
    kinds_that_work,
    method_of,
    title_of,
    values_of,
)
from engine.errors import EntrepotError, InvalidRequest, InvalidSettings
from engine.manager import PROFILE_KINDS, PluginManager
from engine.plan import QueryPlan
from engine.schema import FieldKind
from engine.settings import RecommendationSettings, Settings

from .cli_common import config_option, settings_from
from .plugin_components import Component, opened, opened_apart, shop_kinds, targets
from .plugin_remedies import build_remedy, load_remedy

MISSPELT = "misspelt_option"
DEADLINE_S = 30.0
"""What building it, and its first call, may take: they may load models."""
PROMPT = "prompt: called in the search's own thread, and its deadline holds in this check alone"
QUERY = "red leather purse"
SHOP = a_shop()


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

    def finding(self, finding: Finding) -> bool:
        """A clause's line."""
        broken = finding.broken
        message, hint = (broken.message, broken.hint) if broken else ("", "")
        return self.line(title_of(finding.clause), message, hint, advice=finding.advice)

    def findings(self, findings: Iterable[Finding]) -> None:
        """A line per clause, and at the end a note per cause that broke several."""
        same: dict[str, list[str]] = {}
        for finding in findings:
            if finding.told:
                same.setdefault(finding.told, []).append(title_of(finding.clause))
            else:
                self.finding(finding)
        for first, others in same.items():
            self.note(f"broken by the cause of {title_of(first)!r}, too: {', '.join(others)}")

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
        if kind not in (*EXAMINED, "recommenders", "commands"):
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
            if kind in PROFILE_KINDS and is_prompt(built):
                report.note(PROMPT)
            if kind == "commands":
                wrong = (
                    "" if isinstance(built, click.Command) else f"the factory returned {built!r}"
                )
                hint = "Return a click.Command, such as a click.Group."
                report.line("is a click command", wrong, hint)
                return
            if not self._in_time(component, built):
                report.note("the other clauses are not tried: each asks it many times")
                return
            values = self._values(kind, built)
            report.findings(examine(kind, built, values))
            if kind in EXAMINED and not apart:
                self._compare(component, built, values)

    def _options(self, component: Component) -> None:
        known = self.manager.options_of(component.kind, component.name).__struct_encode_fields__
        if set(self.manager.settings_of(component.name)) - set(known):
            return  # the settings themselves misspell one: that it cannot be built tells of it
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

    def _in_time(self, component: Component, built: Any) -> bool:
        """Whether a call ends before it is a gross overrun: what is slower is not tried further."""
        limit_s = self.settings.plugins.deadline_s(component.name)
        call = partial(ask_once, component.kind, built)
        found = answers_within_its_deadline(component.name, call, limit_s, DEADLINE_S)
        return found is None or self.report.finding(found) or found.advice

    def _values(self, kind: str, built: Any) -> Values | None:
        """What makes the columns of a ranker's or arranger's windows."""
        if kind in PLAIN:
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
    if kind == "recommenders":
        return component.recommend(an_occasion(), RecommendationSettings().depth)
    return getattr(component, method_of(kind))(Windows(component, method_of(kind)).bare(200))


def _field(text: str) -> tuple[str, FieldKind]:
    name, equals, kind = text.partition("=")
    if not (name and equals and kind in list(FieldKind)):
        raise InvalidRequest(f"--field {text!r}: write NAME=KIND, as in margin=number")
    return name, FieldKind(kind)
