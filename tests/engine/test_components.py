"""Building the components of profiles guarded, their limits, and switching them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import (
    ComponentStatus,
    Engine,
    InvalidSettings,
    NotFound,
    PluginError,
    PluginManager,
    UnknownPlugin,
)
from engine.breaker import FAILURES_TO_OPEN
from engine.settings import LimitSettings, PluginSettings, ProfileSettings, Settings, load_settings

from .installed import FAULTY, install
from .shop import ids, settings_for
from .test_degraded import search

Open = Callable[..., Engine]
NOTHING: dict[str, Any] = {"query_processors": (), "rankers": (), "arrangers": ()}


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install plugins by entry point."""

    def offer(**modules: str | Path) -> None:
        install(tmp_path / "plugins", monkeypatch, "odd", modules)

    return offer


@pytest.fixture
def open_with(folder: Path) -> Iterator[Open]:
    """The small shop with one profile, ``default``, of these plugins."""
    opened: list[Engine] = []

    def open_with(plugins: PluginSettings, **profile: Any) -> Engine:
        profiles = {"default": ProfileSettings(**{**NOTHING, **profile})}
        plain = settings_for(folder)
        settings = msgspec.structs.replace(plain, plugins=plugins, profiles=profiles)
        opened.append(Engine(settings, PluginManager(plugins)))
        return opened[-1]

    yield open_with
    for engine in opened:
        engine.close()


def of_searches(engine: Engine) -> list[ComponentStatus]:
    """The recommenders left out."""
    return [status for status in engine.components() if status.kind != "recommenders"]


def slow(**others: Any) -> PluginSettings:
    return PluginSettings(**{"deadline_ms": 60_000.0, **others})


def test_a_component_that_a_lost_plugin_may_have_had(
    offer: Callable[..., None], open_with: Open
) -> None:
    offer(broken="1 / 0")
    engine = open_with(slow(), rankers=("thrifty", "availability"))
    (degraded,) = search(engine, "default").degraded
    assert degraded.component == "thrifty"
    assert "no ranker named 'thrifty'; registered: " in degraded.reason
    assert "plugin 'broken' was left out: ZeroDivisionError: division by zero" in degraded.reason
    (status,) = [s for s in engine.components() if s.name == "thrifty"]
    assert (status.breaker, status.plugin) == ("open", "")
    assert degraded.reason == status.reason
    assert any(problem.startswith("thrifty: no ranker") for problem in engine.health().problems)
    assert engine.health().ready
    assert engine.enable("rankers", "thrifty").breaker == "open"  # there is nothing to try


def test_strict_stops_the_start(offer: Callable[..., None], open_with: Open) -> None:
    offer(faulty=FAULTY)
    for name in ("unbuilt", "leaves"):
        with pytest.raises(PluginError, match=f"'{name}' cannot be built"):
            open_with(slow(strict=True), rankers=(name,))
    apart = {"unbuilt": LimitSettings(isolation="process")}
    with pytest.raises(PluginError, match="'unbuilt' cannot be built"):
        open_with(slow(strict=True, limits=apart), rankers=("sound", "unbuilt"))


def test_a_misspelt_name_stops_the_start(offer: Callable[..., None], open_with: Open) -> None:
    offer(faulty=FAULTY)
    with pytest.raises(
        UnknownPlugin, match=r"no ranker named 'soudn'; registered: .*; did you mean 'sound'\?$"
    ):
        open_with(slow(), rankers=("soudn",))


def test_a_plugin_that_is_disabled_is_no_excuse(
    offer: Callable[..., None], open_with: Open
) -> None:
    offer(faulty=FAULTY)
    with pytest.raises(UnknownPlugin, match="no ranker named 'sound'"):
        open_with(slow(disabled=("faulty",)), rankers=("sound",))


def test_each_has_its_own_deadline(offer: Callable[..., None], open_with: Open) -> None:
    offer(faulty=FAULTY)
    limits = {
        "sound": LimitSettings(deadline_ms=7.5),
        "turns": LimitSettings(isolation="process", memory_mb=200),
    }
    engine = open_with(slow(limits=limits), rankers=("sound", "raises"), arrangers=("turns",))
    found = {s.name: (s.deadline_ms, s.isolation, s.memory_mb) for s in of_searches(engine)}
    assert found == {
        "sound": (7.5, "thread", None),
        "raises": (60_000, "thread", None),
        "turns": (60_000, "process", 200),
    }


def test_what_promises_to_be_prompt_runs_in_the_search(
    offer: Callable[..., None], open_with: Open
) -> None:
    offer(faulty=FAULTY)
    limits = {
        "availability": LimitSettings(isolation="thread"),
        "sound": LimitSettings(isolation="none"),
    }
    chain = {"query_processors": ("normalize",), "rankers": ("availability", "sound", "raises")}
    engine = open_with(slow(limits=limits), **chain)
    found = {s.name: s.isolation for s in of_searches(engine)}
    assert found == {
        "normalize": "none",
        "availability": "thread",
        "sound": "none",
        "raises": "thread",
    }
    answer = search(engine, "default", explain=True)
    assert [d.component for d in answer.degraded] == ["raises"]
    assert answer.hits[0].explain is not None
    assert set(answer.hits[0].explain.rankers) == {"availability", "sound"}


PROMISES = """
from engine import hookimpl


class Prompt:
    required_fields = required_vectors = ()
    prompt = True

    def __init__(self, options):
        pass

    def rank(self, batch):
        return batch.scores


class AsksAModel(Prompt):
    prompt = "You rank products."


class Fails(Prompt):
    @property
    def prompt(self):
        raise RuntimeError("no")


@hookimpl
def register_rankers(register):
    kinds = {"prompt": Prompt, "asks": AsksAModel, "fails": Fails, "late": Prompt}
    for name, kind in kinds.items():
        register(name, kind)
"""


def test_a_promise_is_the_word_true_and_a_deadline_overrules_it(
    offer: Callable[..., None], open_with: Open
) -> None:
    offer(promises=PROMISES)
    limits = {"late": LimitSettings(deadline_ms=20)}
    engine = open_with(slow(limits=limits), rankers=("prompt", "asks", "fails", "late"))
    found = {s.name: (s.isolation, s.deadline_ms) for s in of_searches(engine)}
    assert found == {
        "prompt": ("none", None),
        "asks": ("thread", 60_000),
        "fails": ("thread", 60_000),
        "late": ("thread", 20),
    }


def test_nothing_keeps_a_deadline_in_the_search_itself(open_with: Open) -> None:
    limits = {"availability": LimitSettings(isolation="none", deadline_ms=20)}
    with pytest.raises(InvalidSettings, match=r"limits\.availability\.deadline_ms: nothing can"):
        open_with(slow(limits=limits), rankers=("availability",))


def test_all_kinds_in_processes_answer_as_in_threads(
    offer: Callable[..., None], open_with: Open
) -> None:
    offer(faulty=FAULTY)
    chain = {"query_processors": ("colours",), "rankers": ("sound",), "arrangers": ("turns",)}
    names = [name for (name,) in chain.values()]
    apart = {name: LimitSettings(isolation="process") for name in names}
    answers = []
    for limits in ({}, apart):
        engine = open_with(slow(limits=limits), **chain)
        answers.append(search(engine, "default", explain=True))
        engine.close()
    one, other = answers
    assert one.hits == other.hits
    assert one.degraded == other.degraded == ()
    assert one.plan.filters == other.plan.filters == {"color": ["black"]}
    assert one.hits[0].explain is not None
    assert set(one.hits[0].explain.reasons) == {"sound"}


def test_memory_can_be_capped_in_a_process_alone(open_with: Open) -> None:
    limits = {"availability": LimitSettings(memory_mb=100)}
    words = r'limits\.availability\.memory_mb: threads share .* isolation = "process"'
    with pytest.raises(InvalidSettings, match=words):
        open_with(slow(limits=limits), rankers=("availability",))


def test_limits_of_what_nobody_runs_are_told(
    open_with: Open, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"availability": LimitSettings(), "understood": LimitSettings()}
    open_with(slow(limits=limits), rankers=("availability",))
    assert "plugins.limits.understood: no profile runs 'understood'\n" in caplog.text
    assert "limits.availability" not in caplog.text


@pytest.mark.parametrize("table", ["options", "limits"])
def test_tables_for_a_name_that_nobody_offers_stop_the_start(open_with: Open, table: str) -> None:
    of = {"options": dict, "limits": LimitSettings}[table]
    words = rf"plugins\.{table}\.availabilty: .*'availabilty'; did you mean 'availability'\?$"
    with pytest.raises(InvalidSettings, match=words) as caught:
        open_with(slow(**{table: {"availabilty": of()}}), rankers=("availability",))
    assert caught.value.field == f"plugins.{table}.availabilty"
    with pytest.raises(InvalidSettings, match=rf"plugins\.{table}\.magic: .* called 'magic'$"):
        open_with(slow(**{table: {"magic": of()}}))


@pytest.mark.parametrize("why", ["disabled", "broken"])
def test_they_are_told_where_a_plugin_was_left_out(
    offer: Callable[..., None], open_with: Open, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    offer(faulty=FAULTY if why == "disabled" else "1 / 0")
    disabled = ("faulty",) if why == "disabled" else ()
    tables = {"options": {"sound": {"strength": 2}}, "limits": {"sound": LimitSettings()}}
    open_with(slow(disabled=disabled, **tables), rankers=("availability",))
    for table in tables:
        told = f"plugins.{table}.sound: no component is called 'sound'"
        assert f"{told}; left out, it may be theirs: faulty\n" in caplog.text


def test_options_of_what_is_offered_may_lie_idle(
    offer: Callable[..., None], open_with: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Of any kind; those of an isolated plugin are known."""
    offer(faulty=FAULTY)
    options: dict[str, Any] = {"sound": {"strength": 2}, "hash": {}, "qdrant-server": {}, "csv": {}}
    open_with(slow(isolated=("faulty",), options=options), rankers=("availability",))
    assert "plugins.options" not in caplog.text


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("deadline_ms = 0", r"Expected `float` > 0.*plugins\.limits\.thrifty\.deadline_ms"),
        ('isolation = "fork"', r"Invalid enum value 'fork'.*isolation"),
        ("memory_mb = 1", r"Expected `int` >= 16.*memory_mb"),
        ("memory = 500", r"unknown field `memory`.*plugins\.limits"),
    ],
)
def test_limits_are_checked(tmp_path: Path, table: str, words: str) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text(f"[plugins.limits.thrifty]\n{table}\n")
    with pytest.raises(InvalidSettings, match=words):
        load_settings(file)


def test_limits_are_read(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text('[plugins.limits.my-ranker]\ndeadline_ms = 5\nisolation = "process"\n')
    settings: Settings = load_settings(file)
    assert settings.plugins.limits == {"my-ranker": LimitSettings(5, "process")}


def test_the_data_folder_is_given_to_whom_it_concerns(
    offer: Callable[..., None], open_with: Open, folder: Path
) -> None:
    source = """
from msgspec import Struct
from engine import hookimpl

class Options(Struct, frozen=True, forbid_unknown_fields=True):
    data_dir: str = ""

class Keeps:
    required_fields = required_vectors = ()
    def __init__(self, options):
        self.where = options.data_dir
    def rank(self, batch):
        return batch.scores
    def explain(self, batch, rows):
        return [{"where": self.where}] * len(rows)

@hookimpl
def register_rankers(register):
    register("keeps", Keeps, Options)
"""
    offer(keeps=source)
    for isolation in ("thread", "process"):
        limits = {"keeps": LimitSettings(isolation=isolation)}
        engine = open_with(slow(limits=limits), rankers=("keeps",))
        answer = search(engine, "default", explain=True)
        assert answer.hits[0].explain is not None
        assert answer.hits[0].explain.reasons == {"keeps": {"where": str(folder / "data")}}
        engine.close()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("query_processors", "colours"), ("rankers", "raises"), ("arrangers", "turns")],
)
def test_what_is_switched_off_is_skipped_silently(
    offer: Callable[..., None], open_with: Open, kind: str, name: str
) -> None:
    offer(faulty=FAULTY)
    engine = open_with(slow(), **{kind: (name,)})
    before = search(engine, "default")
    assert engine.disable(kind, name).enabled is False
    bare = search(engine, "default")
    assert bare.degraded == ()
    assert (ids(bare.hits), bool(before.degraded)) != (ids(before.hits), False)
    assert f"{name}: switched off by hand" in engine.health().problems
    assert [s.enabled for s in of_searches(engine)] == [False]
    assert engine.enable(kind, name).enabled is True
    after = search(engine, "default")
    assert (ids(after.hits), after.degraded) == (ids(before.hits), before.degraded)


def test_switching_on_tries_again(offer: Callable[..., None], open_with: Open) -> None:
    """Whoever mended what a plugin needs does not wait for its breaker."""
    offer(faulty=FAULTY)
    engine = open_with(slow(recovery_s=3600.0), rankers=("raises",))
    for _ in range(4):
        reason = search(engine, "default").degraded[0].reason
    assert reason.startswith("switched off for now")
    assert engine.enable("rankers", "raises").breaker == "half-open"
    assert search(engine, "default").degraded[0].reason.startswith("LookupError")
    assert search(engine, "default").degraded[0].reason.startswith("switched off for now")


def test_what_no_profile_runs_cannot_be_switched(open_with: Open) -> None:
    engine = open_with(slow(), rankers=("availability",))
    with pytest.raises(NotFound, match="no profile runs rankers/x; they run: rankers/availability"):
        engine.disable("rankers", "x")


def test_an_isolated_plugin_is_never_imported_by_the_server(
    offer: Callable[..., None], open_with: Open
) -> None:
    offer(faulty=FAULTY)
    plugins = slow(isolated=("faulty",), options={"sound": {"strength": 2}})
    engine = open_with(plugins, rankers=("sound",), arrangers=("turns",))
    assert "odd_faulty" not in sys.modules
    assert [(s.name, s.isolation) for s in of_searches(engine)] == [
        ("sound", "process"),
        ("turns", "process"),
    ]
    (status,) = [s for s in engine.manager.statuses if s.name == "faulty"]
    assert (status.error, status.distribution) == ("", "odd 1.0")
    assert "turns" in status.provides["arrangers"]
    answer = search(engine, "default")
    assert answer.degraded == ()
    assert ids(answer.hits) == ids(search_without(engine))[::-1]
    with pytest.raises(PluginError, match="plugin 'faulty' is isolated"):
        engine.manager.create("rankers", "sound")
    assert "odd_faulty" not in sys.modules


def search_without(engine: Engine) -> Any:
    engine.disable("arrangers", "turns")
    return search(engine, "default").hits


@pytest.mark.parametrize("import_it", [True, False])
def test_its_wrong_option_stops_the_start(
    offer: Callable[..., None],
    open_with: Open,
    caplog: pytest.LogCaptureFixture,
    import_it: bool,
) -> None:
    """Raised, it is not logged too: the command line would print it twice."""
    offer(faulty=FAULTY)
    plugins = slow(
        isolated=() if import_it else ("faulty",),
        limits={"sound": LimitSettings(isolation="process")},
        options={"sound": {"strong": 2}},
    )
    with pytest.raises(InvalidSettings, match="no option 'strong'; it knows: strength"):
        open_with(plugins, rankers=("sound",))
    assert "strong" not in caplog.text


def test_a_misspelt_isolated_plugin_stops_the_start(offer: Callable[..., None]) -> None:
    offer(faulty=FAULTY)
    with pytest.raises(InvalidSettings, match=r"plugins\.isolated: no plugin 'fauty'; installed"):
        PluginManager(slow(isolated=("fauty",)))


def test_what_cannot_be_isolated_is_left_out(offer: Callable[..., None]) -> None:
    source = """
from engine import hookimpl

@hookimpl
def register_sources(register):
    register("odd-source", lambda options: None)
"""
    offer(source=source)
    manager = PluginManager(slow(isolated=("source",)))
    (status,) = manager.missing
    assert "it offers sources, which cannot run in a process" in status.error
    assert "odd-source" not in manager.names("sources")
    assert "odd-source" in PluginManager(slow()).names("sources")


def test_processes_are_not_started_over_and_over(
    offer: Callable[..., None], open_with: Open
) -> None:
    """Calls that succeed in between do not hide that a process is lost each time."""
    offer(faulty=FAULTY)
    limits = {"dies-second": LimitSettings(isolation="process")}
    engine = open_with(slow(recovery_s=3600.0, limits=limits), rankers=("dies-second",))
    ready = threading.Semaphore(0)
    keeper = engine._components._found["rankers", "dies-second"].part.keeper
    keeper.when_ready(lambda _: ready.release())
    for _ in range(FAILURES_TO_OPEN):
        assert search(engine, "default").degraded == ()
        (lost,) = search(engine, "default").degraded
        assert lost.reason == "its process exited with status 7"
        assert ready.acquire(timeout=60)
    (left_alone,) = search(engine, "default").degraded
    assert left_alone.reason.startswith("switched off for now: its process exited")
    assert keeper.pid is not None
    engine.enable("rankers", "dies-second")
    assert search(engine, "default").degraded == ()
