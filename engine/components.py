"""The rankers, arrangers and query processors of a shop: built guarded, switched on and off."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from .breaker import State
from .errors import EntrepotError, InvalidSettings, NotFound, UnknownPlugin, did_you_mean
from .guard import DaemonPool, Guard
from .isolation import IsolatedComponent, isolate
from .lanes import LANE_WEIGHTS
from .live import Pipeline
from .manager import PROFILE_KINDS, PluginManager
from .offers import MEMORY_MB, START_S
from .recommenders import Recommender
from .settings import Isolation, LimitSettings, ProfileSettings, Settings
from .tally import Figures

log = logging.getLogger(__name__)

RECOMMENDERS = "recommenders"
RUNNING_KINDS = (*PROFILE_KINDS, RECOMMENDERS)


class ComponentStatus(Struct, frozen=True):
    """One component that profiles run. ``breaker`` is "open" while it is left out for ``reason``,
    "half-open" where the next search tries it again."""

    kind: str
    name: str
    plugin: str
    isolation: Isolation
    deadline_ms: float | None
    enabled: bool
    breaker: State
    reason: str
    figures: Figures
    memory_mb: int | None = None


@dataclass(slots=True)
class _Component:
    kind: str
    name: str
    plugin: str
    limits: LimitSettings
    isolation: Isolation
    guard: Guard
    part: Any
    enabled: bool = True

    def status(self) -> ComponentStatus:
        breaker = self.guard.breaker
        memory = self.limits.memory_mb or MEMORY_MB
        return ComponentStatus(
            kind=self.kind,
            name=self.name,
            plugin=self.plugin,
            isolation=self.isolation,
            deadline_ms=None if self.isolation == "none" else self.guard.deadline_s * 1000,
            enabled=self.enabled,
            breaker=breaker.state,
            reason=breaker.reason,
            figures=self.guard.tally.figures(),
            memory_mb=memory if self.isolation == "process" else None,
        )


class _Missing:
    """Stands where a component could not be built; its guard lets no call through."""

    required_fields = required_vectors = ()

    def rank(self, *given: object) -> Any:
        raise AssertionError("the breaker is open for good")

    arrange = process = recommend = rank


class Components:
    """All components of a shop's profiles and its recommenders, each built once, and the
    pipelines made of them.

    What cannot be built is left out, and every search says so, unless ``plugins.strict`` is set.

    Raises:
        UnknownPlugin: nobody registered a name, and no plugin failed to load that may have: a
            misspelt setting must not pass silently.
        InvalidSettings: options, limits or weights are wrong, or are for a name that nobody
            registered, with all plugins loaded.
        PluginError: a component cannot be built, and ``plugins.strict`` is set.
    """

    def __init__(self, settings: Settings, manager: PluginManager, pool: DaemonPool) -> None:
        self._settings = settings
        self._manager = manager
        self._pool = pool
        self._switching = threading.Lock()
        self._found: dict[tuple[str, str], _Component] = {}
        self.pipelines: dict[str, Pipeline] = {}
        """By profile. An entry is replaced whole when a component is switched on or off."""
        self.recommenders: Sequence[tuple[Guard, Recommender]] = ()
        """Those of the settings that are switched on, in their order; replaced whole, too."""
        _check_lanes(settings)
        _check_limits(settings)
        _check_names(settings, manager)
        try:
            for kind, name in _named(settings):
                self._found[kind, name] = self._open(kind, name)
            for component in self._isolated():
                self._await(component)
        except BaseException:
            self.close()
            raise
        self._line_up()

    def statuses(self) -> list[ComponentStatus]:
        """In the order they run: query processors, rankers, arrangers; then the recommenders."""
        found = sorted(self._found.values(), key=lambda c: RUNNING_KINDS.index(c.kind))
        return [component.status() for component in found]

    def problems(self) -> list[str]:
        """What is left out of searches, and why."""
        told = []
        for component in self._found.values():
            if not component.enabled:
                told.append(f"{component.name}: switched off by hand")
            elif reason := component.guard.breaker.reason:
                told.append(f"{component.name}: {reason}")
        return told

    def switch(self, kind: str, name: str, *, on: bool) -> ComponentStatus:
        """Leave a component out of all searches that begin from now on, or take it in again; then
        its breaker, too, is ready to try it. Forgotten when the engine closes.

        Raises:
            NotFound: no profile runs it.
        """
        component = self._found.get((kind, name))
        if component is None:
            there = ", ".join(f"{kind}/{name}" for kind, name in self._found) or "none"
            raise NotFound(f"no profile runs {kind}/{name}; they run: {there}", field="name")
        with self._switching:
            component.enabled = on
            if on:
                component.guard.breaker.retry()
            self._line_up()
        log.info("%s %s is switched %s", kind, name, "on" if on else "off")
        return component.status()

    def close(self) -> None:
        """End all processes, side by side."""
        for component in self._isolated():
            component.part.keeper.begin_close()
        for component in self._isolated():
            component.part.keeper.close()

    def all_recommenders(self) -> list[tuple[Guard, object]]:
        """Those that are switched off as well."""
        found = self._found.values()
        return [(each.guard, each.part) for each in found if each.kind == RECOMMENDERS]

    def _isolated(self) -> Iterator[_Component]:
        for component in self._found.values():
            if isinstance(component.part, IsolatedComponent):
                yield component

    def _line_up(self) -> None:
        for profile, settings in self._settings.profiles.items():
            self.pipelines[profile] = self._pipeline(settings)
        self.recommenders = self._chosen(RECOMMENDERS, self._settings.recommendations.names)

    def _pipeline(self, profile: ProfileSettings) -> Pipeline:
        chosen = {kind: self._chosen(kind, getattr(profile, kind)) for kind in PROFILE_KINDS}
        return Pipeline(
            **chosen, weights=profile.weights, cutoffs=profile.cutoffs, group_by=profile.group_by
        )

    def _chosen(self, kind: str, names: Iterable[str]) -> list[tuple[Guard, Any]]:
        found = (self._found[kind, name] for name in names)
        return [(component.guard, component.part) for component in found if component.enabled]

    def _open(self, kind: str, name: str) -> _Component:
        plugins = self._settings.plugins
        limits = plugins.limits_of(name)
        if self._manager.is_isolated(kind, name):
            limits = msgspec.structs.replace(limits, isolation="process")
        pool = None if limits.isolation == "process" else self._pool
        guard = Guard(name, pool, plugins.deadline_s(name), plugins.recovery_s)
        plugin = ""
        try:
            plugin = self._manager.plugin_of(kind, name)
            part = self._built(kind, name, limits, guard)
        except InvalidSettings:
            raise
        except EntrepotError as error:
            part = self._left_out(error, guard)
        isolation = limits.isolation or "thread"
        if limits == LimitSettings() and kind in PROFILE_KINDS and is_prompt(part):
            isolation = "none"
        if isolation == "none":
            guard.call_in_place()
        return _Component(kind, name, plugin, limits, isolation, guard, part)

    def _built(self, kind: str, name: str, limits: LimitSettings, guard: Guard) -> Any:
        options = shop_options(self._settings, self._manager, kind, name)
        if limits.isolation != "process":
            return self._manager.create(kind, name, options)
        part = isolate(
            self._manager,
            kind,
            name,
            deadline_s=guard.deadline_s,
            memory_mb=limits.memory_mb,
            options=options,
        )
        recovery_s = self._settings.plugins.recovery_s

        def back(_: object) -> None:
            # Its calls succeed now and then, but starting a process for each costs too much.
            if not part.keeper.lost_often(recovery_s):
                guard.breaker.came_back()

        part.keeper.when_ready(back)
        part.keeper.start()
        return part

    def _left_out(self, error: EntrepotError, guard: Guard) -> _Missing:
        """For good, or, where the settings say so, not at all."""
        missing = self._manager.missing
        if self._settings.plugins.strict or (isinstance(error, UnknownPlugin) and not missing):
            raise error
        reason = str(error)
        if isinstance(error, UnknownPlugin):
            reason += "".join(f"; plugin {s.name!r} was left out: {s.error}" for s in missing)
        log.error("%s is left out: %s", guard.name, reason)
        guard.breaker.jam(reason)
        return _Missing()

    def _await(self, component: _Component) -> None:
        """Its first child, or why there is none: then it is tried again as after a failure."""
        keeper = component.part.keeper
        keeper.settled.wait(START_S)
        if keeper.refusal is None:
            return
        if isinstance(keeper.refusal, InvalidSettings) or self._settings.plugins.strict:
            raise keeper.refusal
        component.guard.breaker.failed(str(keeper.refusal), trial=False, opens=True)


def is_prompt(part: object) -> bool:
    """Whether it is a :class:`engine.window.Prompt`; one that fails to say so is none."""
    with suppress(Exception):
        return getattr(part, "prompt", False) is True
    return False


def shop_options(
    settings: Settings, manager: PluginManager, kind: str, name: str
) -> dict[str, Any]:
    """Where the shop keeps its data, for a component that has an option for it, as stores do."""
    known = manager.options_of(kind, name).__struct_encode_fields__
    return {"data_dir": str(settings.data_path)} if "data_dir" in known else {}


def _named(settings: Settings) -> dict[tuple[str, str], None]:
    """Kind and name of every component that a profile names and of the recommenders, in order,
    once."""
    named: dict[tuple[str, str], None] = {
        (kind, name): None
        for profile in settings.profiles.values()
        for kind in PROFILE_KINDS
        for name in getattr(profile, kind)
    }
    return named | {(RECOMMENDERS, name): None for name in settings.recommendations.names}


def _check_lanes(settings: Settings) -> None:
    for name, profile in settings.profiles.items():
        for table in ("weights", "cutoffs"):
            for lane in getattr(profile, table):
                if lane.partition(":")[0] not in LANE_WEIGHTS:
                    raise InvalidSettings(
                        f"profiles.{name}.{table}: no lane {lane!r}; there are: "
                        f"{', '.join(LANE_WEIGHTS)} (translated: text:es)",
                        field=f"profiles.{name}.{table}",
                    )


def _check_limits(settings: Settings) -> None:
    for name, limits in settings.plugins.limits.items():
        field = f"plugins.limits.{name}.memory_mb"
        if limits.memory_mb is not None and limits.isolation != "process":
            raise InvalidSettings(
                f"{field}: threads share the server's memory; set "
                'isolation = "process" beside it, or leave it out',
                field=field,
            )
        if limits.deadline_ms is not None and limits.isolation == "none":
            field = f"plugins.limits.{name}.deadline_ms"
            raise InvalidSettings(
                f"{field}: nothing can interrupt what the search calls itself; set "
                'isolation = "thread" or "process" beside it, or leave it out',
                field=field,
            )
        if name in settings.recommendations.names and limits.isolation in ("none", "process"):
            field = f"plugins.limits.{name}.isolation"
            raise InvalidSettings(
                f"{field}: recommenders ask the store, which a process of their own cannot, and "
                "which takes its time",
                field=field,
            )


def _check_names(settings: Settings, manager: PluginManager) -> None:
    """Tables for a name that nobody offers; one that a profile names is told of when built."""
    run = {name for _, name in _named(settings)}
    offered = manager.all_names()
    lost = [status.name for status in manager.statuses if status.error]
    for table in ("options", "limits"):
        for name in getattr(settings.plugins, table):
            field = f"plugins.{table}.{name}"
            if name in offered | run:
                if table == "limits" and name not in run:
                    log.warning("%s: no profile runs %r", field, name)
                continue
            problem = f"{field}: no component is called {name!r}"
            if not lost:
                raise InvalidSettings(problem + did_you_mean(name, offered), field=field)
            log.warning("%s; left out, it may be theirs: %s", problem, ", ".join(lost))
