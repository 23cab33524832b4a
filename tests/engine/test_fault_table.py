"""The fault table of docs/plugin-isolation.md, row by row, in the modes it applies to.

One shop per mode runs all faults, each in a profile of its own. Every row asserts that the search
answers with the ranking it would have without the plugin, that ``degraded`` says why, and what
happened to the plugin: in a thread the breaker is open after the first overrun, a process is
killed and another one started.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import pytest

from engine import Engine, InvalidSettings, PluginManager, Settings
from engine.process_keeper import Keeper
from engine.settings import LimitSettings, PluginSettings, ProfileSettings

from .conftest import copy_shop
from .installed import FAULTY, install
from .shop import ids, settings_for
from .test_degraded import search

Mode = Literal["thread", "process"]
Setting = dict[str, Any]
GENEROUS_S = 30.0
LATE_MS = 50.0


class Row(NamedTuple):
    """``reason`` by mode; a mode that is not there does not apply. ``lost``: the plugin is
    switched off at once, and its process has to be replaced."""

    component: str
    reason: dict[Mode, str]
    lost: bool = False
    deadline_ms: float = 60_000
    kind: str = "rankers"


def both(reason: str) -> dict[Mode, str]:
    return {"thread": reason, "process": reason}


def late(thread: str = f"deadline of {LATE_MS:g} ms") -> dict[Mode, str]:
    """In a thread a busy machine may make any overrun a gross one, which has other words."""
    return {"thread": thread, "process": f"killed at its deadline of {LATE_MS:g} ms"}


def apart(reason: str) -> dict[Mode, str]:
    return {"process": reason}


TABLE = {
    "raises in a call": Row("raises", both("LookupError: the price list is gone")),
    "exits in a call": Row("exits", both("SystemExit: 3")),
    "raises on construction": Row("unbuilt", both("cannot be built: OSError: no such price list")),
    "exits on construction": Row("leaves", both("cannot be built: SystemExit: not licensed")),
    "wrong length": Row("short", both("must return 48 scores")),
    "NaN": Row("nan", both("not finite")),
    "no numbers": Row(
        "words",
        {"thread": "could not convert string", "process": "expected numbers, not <U4"},
    ),
    "an index twice": Row("a-twice", both("an index twice"), kind="arrangers"),
    "an index outside": Row("a-outside", both("an index outside"), kind="arrangers"),
    "no indices": Row("a-floats", both("flat array of indices"), kind="arrangers"),
    "no plan": Row("p-no-plan", both("must return a QueryPlan"), kind="query_processors"),
    "sleeps 10 s": Row("sleeps", late(), True, LATE_MS),
    "an arranger sleeps": Row("a-sleeps", late(), True, LATE_MS, "arrangers"),
    "a processor sleeps": Row("p-sleeps", late(), True, LATE_MS, "query_processors"),
    "spins the CPU": Row("spins", late(), True, LATE_MS),
    "catastrophic regex": Row(
        "regex", late(f"with a deadline of {LATE_MS:g} ms that no thread"), True, LATE_MS
    ),
    "allocates without end": Row("allocates", apart("needs more than memory_mb = 64"), True),
    "ends the interpreter": Row("dies", apart("its process exited with status 7"), True),
    "an arranger ends it": Row("a-dies", apart("exited with status 7"), True, kind="arrangers"),
    "a processor ends it": Row("p-dies", apart("status 7"), True, kind="query_processors"),
    "segmentation fault": Row("segfaults", apart("its process died of SIGSEGV"), True),
    "garbage instead of an answer": Row("garbage", apart("killed, for its process sent"), True),
    "endless answer": Row("floods", apart("an answer of 1,152,921,504,606,846,976"), True),
    "ends the interpreter on construction": Row(
        "dies-unbuilt", apart("its process exited with status 9")
    ),
    "raises on import": Row("of-broken", both("plugin 'broken' was left out: ZeroDivisionError")),
    "exits on import": Row("of-exiting", both("plugin 'exiting' was left out: SystemExit: 4")),
    "ends the interpreter on import": Row(
        "of-dying", apart("plugin 'dying' was left out: its process exited with")
    ),
    "incompatible API": Row("of-future", both("made for plugin API 7 to 9, this is 1")),
}
CASES = [(mode, name) for mode in ("thread", "process") for name in TABLE]
CASES = [(mode, name) for mode, name in CASES if mode in TABLE[name].reason]

REGISTERS = """
from engine import hookimpl

@hookimpl
def register_rankers(register):
    register("{name}", lambda options: None)
"""
MODULES = {
    "faulty": FAULTY,
    "broken": "1 / 0",
    "exiting": "import sys\nsys.exit(4)",
    "dying": "import os, sys\n'engine.isolated_child' in sys.orig_argv and os._exit(5)",
    "future": "ENTREPOT_API = (7, 9)\n" + REGISTERS.format(name="of-future"),
}


def profiles() -> dict[str, ProfileSettings]:
    nothing: Setting = {"query_processors": (), "rankers": (), "arrangers": ()}
    bare = {"bare": ProfileSettings(**nothing)}
    return bare | {
        row.component: ProfileSettings(**{**nothing, row.kind: (row.component,)})
        for row in TABLE.values()
    }


def shop_settings(folder: Path, mode: Mode) -> Settings:
    rows = [row for row in TABLE.values() if mode in row.reason]
    plugins = PluginSettings(
        deadline_ms=60_000,
        recovery_s=3600,
        isolated=("broken", "dying") if mode == "process" else (),
        limits={
            row.component: LimitSettings(
                deadline_ms=row.deadline_ms,
                isolation=mode,
                memory_mb=64 if mode == "process" else None,
            )
            for row in rows
        },
    )
    used = profiles()
    kept = {"bare": used["bare"]} | {row.component: used[row.component] for row in rows}
    return msgspec.structs.replace(settings_for(folder), plugins=plugins, profiles=kept)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        install(tmp_path_factory.mktemp("plugins"), patch, "faults", MODULES)
        yield


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    """Threads that hang or spin in the server end with their test."""
    yield
    if faulty := sys.modules.get("faults_faulty"):
        faulty.stop.set()


@pytest.fixture(scope="module")
def shops(
    installed: None, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Mode, Engine]]:
    """A shop by mode, with every fault that applies to it."""
    with ExitStack() as stack:
        opened: dict[Mode, Engine] = {}
        modes: tuple[Mode, ...] = ("thread", "process")
        for mode in modes:
            folder = copy_shop(built, tmp_path_factory.mktemp(mode) / "shop")
            settings = shop_settings(folder, mode)
            engine = Engine(settings, PluginManager(settings.plugins))
            opened[mode] = stack.enter_context(engine)
        yield opened


def keeper_of(engine: Engine, row: Row) -> Keeper:
    keeper = engine._components._found[row.kind, row.component].part.keeper
    assert isinstance(keeper, Keeper)
    return keeper


def breaker_of(engine: Engine, row: Row) -> str:
    (status,) = [s for s in engine.components() if s.name == row.component]
    return status.breaker


@pytest.mark.parametrize(("mode", "name"), CASES)
def test_row(shops: dict[Mode, Engine], mode: Mode, name: str) -> None:
    row, engine = TABLE[name], shops[mode]
    sys.modules["faults_faulty"].stop.clear()
    unplugged = ids(search(engine, "bare").hits)
    replaced = threading.Event()
    before = None
    if mode == "process" and row.lost:
        before = keeper_of(engine, row).pid
        keeper_of(engine, row).when_ready(lambda _: replaced.set())
    began = time.perf_counter()
    answer = search(engine, row.component, explain=True)
    assert time.perf_counter() - began < GENEROUS_S  # and what sleeps or spins has no end
    assert ids(answer.hits) == unplugged
    assert len(unplugged) == 48
    (degraded,) = answer.degraded
    assert degraded.component == row.component
    assert row.reason[mode] in degraded.reason
    for hit in answer.hits:
        assert hit.explain is not None
        assert hit.explain.rankers == hit.explain.arrangers == {}
    assert any(row.reason[mode] in problem for problem in engine.health().problems) or not row.lost
    if mode == "thread" and row.lost:
        assert breaker_of(engine, row) == "open"
        (again,) = search(engine, row.component).degraded
        assert again.reason.startswith("switched off for now: ")
    if before is not None:
        assert replaced.wait(GENEROUS_S)
        assert keeper_of(engine, row).pid not in (None, before)
        with pytest.raises(ProcessLookupError):
            os.kill(before, 0)


def test_what_holds_the_gil_stays_out_and_says_what_it_cost(shops: dict[Mode, Engine]) -> None:
    """Its call came back long ago: any other late one might try again."""
    engine, row = shops["thread"], TABLE["catastrophic regex"]
    search(engine, row.component)
    (status,) = [s for s in engine.components() if s.name == row.component]
    assert status.breaker == "open"
    assert f'set isolation = "process" under [plugins.limits.{row.component}]' in status.reason
    assert status.figures.failures["deadline"] == 1
    assert status.figures.calls == 1
    assert status.figures.p95_s > 5 * LATE_MS / 1000


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_reordered_ids(installed: None, folder: Path, mode: Mode) -> None:
    """A ranker's scores are for ``batch.ids`` by position: it has no ids to return. Where it
    turns those that it was given, the next plugin sees them as they were."""
    plain = settings_for(folder)
    limits = {"reorders": LimitSettings(isolation=mode)}
    chain: Setting = {"query_processors": (), "arrangers": ("seen",)}
    settings = msgspec.structs.replace(
        plain,
        plugins=msgspec.structs.replace(plain.plugins, limits=limits),
        profiles={
            "with": ProfileSettings(rankers=("reorders",), **chain),
            "without": ProfileSettings(rankers=(), **chain),
        },
    )
    with Engine(settings, PluginManager(settings.plugins)) as engine:
        answer = search(engine, "with")
        assert answer.degraded == ()
        assert ids(answer.hits) == ids(search(engine, "without").hits)
        assert all(hit.id.startswith("shoe") for hit in answer.hits)
        assert len(answer.hits) == 8


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_a_wrong_option_stops_the_start(installed: None, folder: Path, mode: Mode) -> None:
    plain = settings_for(folder)
    settings = msgspec.structs.replace(
        plain,
        plugins=PluginSettings(
            limits={"sound": LimitSettings(isolation=mode)}, options={"sound": {"strenght": 2}}
        ),
        profiles={"default": ProfileSettings(query_processors=(), rankers=("sound",))},
    )
    with pytest.raises(InvalidSettings, match="no option 'strenght'; it knows: strength"):
        Engine(settings, PluginManager(settings.plugins))


def test_the_table_is_in_the_documentation() -> None:
    """Row by row, with those that have tests of their own."""
    page = Path(__file__).parents[2] / "docs" / "plugin-isolation.md"
    section = page.read_text(encoding="utf-8").split("\n## Fault table\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", section, re.MULTILINE)[1:]
    own = {"reordered ids", "wrong option", "two plugins, or two components, with one name"}
    assert {name for name, _ in rows} - {"---"} == {*TABLE, *own}
    for name, thread in rows:
        if name in TABLE:
            applies = "thread" in TABLE[name].reason
            assert applies == (thread not in ("not protected", "cannot be")), name


def test_two_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Plugins, and components: the first stays, the other is reported, searches go on."""
    one = REGISTERS.format(name="thrifty").replace("None", "__import__('ark_thrifty').Sound()")
    one += "class Sound:\n    required_fields = required_vectors = ()\n"
    one += "    def rank(self, batch):\n        return batch.scores * 2\n"
    install(tmp_path / "ark", monkeypatch, "ark", {"thrifty": one})
    install(tmp_path / "zoo", monkeypatch, "zoo", {"thrifty": REGISTERS.format(name="other")})
    install(tmp_path / "zed", monkeypatch, "zed", {"z-last": REGISTERS.format(name="thrifty")})
    profile = ProfileSettings(query_processors=(), rankers=("thrifty",))
    settings = msgspec.structs.replace(settings_for(folder), profiles={"default": profile})
    with Engine(settings, PluginManager(settings.plugins)) as engine:
        answer = search(engine, "default", explain=True)
        assert answer.degraded == ()
        assert answer.hits[0].explain is not None
        assert answer.hits[0].explain.rankers["thrifty"] > 0
        problems = "\n".join(engine.health().problems)
        assert "plugin thrifty: a plugin of ark 1.0 is called 'thrifty'" in problems
        assert "plugin z-last: rankers: 'thrifty' is already registered" in problems
