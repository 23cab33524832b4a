"""Loading plugins: each alone and guarded, mistakes told, nothing half registered."""

from __future__ import annotations

import importlib
import logging
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec import Struct

from engine import (
    API_VERSION,
    InvalidSettings,
    NoIndex,
    PluginError,
    PluginManager,
    PluginStatus,
    UnknownPlugin,
    hookimpl,
)
from engine import manager as manager_module
from engine.hookspecs import PROJECT, Registry
from engine.manager import BUILTINS, ENTRY_POINT_GROUP, KINDS
from engine.settings import PluginSettings
from engine.wire import Offer


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    strength: float = 1.0
    name: str = "mild"


class Lax(Struct, frozen=True):
    strength: float = 1.0


class Entry:
    """Stands for an installed distribution's entry point."""

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.name, self.load = name, load


def module(**hooks: Callable[..., None]) -> ModuleType:
    made = ModuleType("thirdparty")
    for name, function in hooks.items():
        setattr(made, name, hookimpl(function) if name.startswith("register") else function)
    return made


def ranker(name: str, factory: Callable[..., Any] = lambda options: options) -> ModuleType:
    return module(register_rankers=lambda register: register(name, factory, Options))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PluginManager]:
    """A manager that finds only these: name to module, or to an exception on import."""

    def make(settings: PluginSettings | None = None, **plugins: Any) -> PluginManager:
        def loader(plugin: Any) -> Callable[[], Any]:
            def load() -> Any:
                if isinstance(plugin, BaseException):
                    raise plugin
                return plugin

            return load

        entries = [Entry(name, loader(plugin)) for name, plugin in plugins.items()]
        monkeypatch.setattr(manager_module, "BUILTINS", ())
        monkeypatch.setattr(manager_module, "entry_points", lambda group: entries)
        return PluginManager(settings)

    return make


def status(manager: PluginManager, name: str) -> PluginStatus:
    (found,) = [s for s in manager.statuses if s.name == name]
    return found


Make = Callable[..., PluginManager]


def test_the_built_ins_load() -> None:
    manager = PluginManager(PluginSettings(strict=True, disabled=_optional()))
    assert {s.name for s in manager.statuses if s.builtin} == set(BUILTINS)
    assert {"normalize"} <= set(manager.names("query_processors"))
    assert manager.names("rankers") == sorted(manager.names("rankers"))
    assert manager.plugin_of("arrangers", "variants") == "plugins.variants"


def _optional() -> tuple[str, ...]:
    """Built-ins whose vendor this environment may lack."""
    return tuple(s.name for s in PluginManager().statuses if "ModuleNotFoundError" in s.error)


def test_what_a_plugin_offers(install: Make) -> None:
    manager = install(thrifty=ranker("thrifty"))
    assert status(manager, "thrifty") == PluginStatus("thrifty", False, {"rankers": ("thrifty",)})
    assert manager.names("rankers") == ["thrifty"]
    assert manager.plugin_of("rankers", "thrifty") == "thrifty"
    assert [manager.names(kind) for kind in KINDS if kind != "rankers"] == [[]] * (len(KINDS) - 1)


def test_options(install: Make) -> None:
    settings = PluginSettings(options={"thrifty": {"strength": 0.5, "name": "hot"}})
    manager = install(settings, thrifty=ranker("thrifty"))
    assert manager.create("rankers", "thrifty") == Options(0.5, "hot")
    assert manager.create("rankers", "thrifty", {"strength": "2"}) == Options(2.0, "hot")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strenght": 2}, "options of 'thrifty': no option 'strenght'; it knows: strength, name"),
        ({"strength": "much"}, r"options of 'thrifty': Expected `float`.*strength"),
    ],
)
def test_bad_options(install: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as caught:
        install(thrifty=ranker("thrifty")).create("rankers", "thrifty", options)
    assert caught.value.field == "thrifty"


def test_unknown_options_are_refused_for_a_lax_struct_too(install: Make) -> None:
    def hook(register: Any) -> None:
        register("lax", lambda options: options, Lax)
        register("none", lambda options: options)

    manager = install(lax=module(register_rankers=hook))
    with pytest.raises(InvalidSettings, match="no option 'x'; it knows: strength"):
        manager.create("rankers", "lax", {"x": 1})
    with pytest.raises(InvalidSettings, match="it knows: none"):
        manager.create("rankers", "none", {"x": 1})


def test_unknown_components(install: Make) -> None:
    manager = install(thrifty=ranker("thrifty"))
    with pytest.raises(UnknownPlugin, match="no ranker named 'trifty'; registered: thrifty"):
        manager.create("rankers", "trifty")
    with pytest.raises(UnknownPlugin, match="no query processor named 'x'; registered: none"):
        manager.plugin_of("query_processors", "x")


def test_a_factorys_errors(install: Make) -> None:
    def ours(options: Options) -> None:
        raise NoIndex("nothing there")

    def theirs(options: Options) -> None:
        raise ImportError("No module named 'torch'")

    manager = install(ours=ranker("ours", ours), theirs=ranker("theirs", theirs))
    with pytest.raises(NoIndex, match="nothing there"):
        manager.create("rankers", "ours")
    with pytest.raises(PluginError, match="'theirs' cannot be built: ImportError: No module"):
        manager.create("rankers", "theirs")


BROKEN: dict[str, tuple[Any, str]] = {
    "import": (ImportError("no vendor"), "ImportError: no vendor"),
    "exit": (SystemExit(2), "SystemExit: 2"),
    "misspelt": (
        module(register_rankesr=lambda register: None),
        "unknown hook 'register_rankesr'",
    ),
    "signature": (module(register_rankers=lambda: None), "TypeError"),
    "raises": (module(register_rankers=lambda register: 1 / 0), "ZeroDivisionError"),
    "twice": (
        module(register_rankers=lambda register: [register("x", list), register("x", list)]),
        "rankers: 'x' is already registered by 'twice'",
    ),
    "taken": (ranker("good"), "rankers: 'good' is already registered by 'a_good'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_reported_and_the_rest_runs(
    install: Make, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    plugin, reason = BROKEN[case]
    plugins = {"a_good": ranker("good"), case: plugin, "z_good": ranker("other")}
    with caplog.at_level(logging.WARNING):
        manager = install(**plugins)
    assert reason in status(manager, case).error
    assert status(manager, case).provides == {}
    assert f"plugin {case!r} is left out" in caplog.text
    assert manager.names("rankers") == ["good", "other"]
    with pytest.raises(PluginError, match=f"plugin {case!r}"):
        install(PluginSettings(strict=True), **plugins)


def test_a_plugin_that_fails_offers_nothing(install: Make) -> None:
    def good(register: Any) -> None:
        register("half", list)

    def bad(register: Any) -> None:
        raise OSError("gone")

    manager = install(half=module(register_arrangers=good, register_rankers=bad))
    assert manager.names("arrangers") == []


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (API_VERSION + 1, str(API_VERSION + 1)),
        (0, "0"),
        ((API_VERSION + 1, API_VERSION + 2), f"{API_VERSION + 1} to {API_VERSION + 2}"),
        ((API_VERSION - 2, API_VERSION - 1), f"{API_VERSION - 2} to {API_VERSION - 1}"),
    ],
)
def test_another_api_is_refused(install: Make, wanted: Any, named: str) -> None:
    plugin = ranker("future")
    plugin.ENTREPOT_API = wanted  # type: ignore[attr-defined]
    manager = install(future=plugin)
    assert f"made for plugin API {named}, this is {API_VERSION}" in status(manager, "future").error


@pytest.mark.parametrize(
    "wanted", [API_VERSION, (API_VERSION, API_VERSION), (API_VERSION - 1, API_VERSION + 5)]
)
def test_a_range_of_apis_includes_its_ends(install: Make, wanted: Any) -> None:
    plugin = ranker("patient")
    plugin.ENTREPOT_API = wanted  # type: ignore[attr-defined]
    assert status(install(patient=plugin), "patient").error == ""


@pytest.mark.parametrize("wanted", ["1", 1.0, True, (1,), (1, 2, 3), [1, 2], (2, 1), None])
def test_an_api_that_is_no_version_is_refused(install: Make, wanted: Any) -> None:
    plugin = ranker("odd")
    plugin.ENTREPOT_API = wanted  # type: ignore[attr-defined]
    assert "give one version, such as 1, or the first" in status(install(odd=plugin), "odd").error


def test_two_plugins_with_one_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever order they are found in, the distribution whose name comes first stays."""

    class Dist:
        version = "1.0"

        def __init__(self, name: str) -> None:
            self.name = name

    entries = []
    for origin in ("zoo", "ark"):
        entry = Entry("thrifty", lambda origin=origin: ranker(f"of-{origin}"))
        entry.dist = Dist(origin)  # type: ignore[attr-defined]
        entries.append(entry)
    monkeypatch.setattr(manager_module, "BUILTINS", ())
    monkeypatch.setattr(manager_module, "entry_points", lambda group: entries)
    manager = PluginManager()
    first, second = manager.statuses
    assert first == PluginStatus("thrifty", False, {"rankers": ("of-ark",)}, "", "ark 1.0")
    assert second.distribution == "zoo 1.0"
    assert "a plugin of ark 1.0 is called 'thrifty', too, and came first" in second.error
    assert manager.names("rankers") == ["of-ark"]
    assert manager.missing == [second]
    # A child process is told the name alone: it, too, takes the first.
    assert PluginManager(PluginSettings(strict=True), only="thrifty").statuses == [first]


def test_only_one_is_loaded(install: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    install(a=ranker("a"), b=SystemExit("never loaded"))
    assert [s.name for s in PluginManager(only="a").statuses] == ["a"]


def test_disabled(install: Make) -> None:
    manager = install(PluginSettings(disabled=("thrifty",)), thrifty=SystemExit("never loaded"))
    assert status(manager, "thrifty").error == "disabled in the settings"


def test_one_module_under_two_names_counts_once(install: Make) -> None:
    plugin = ranker("thrifty")
    manager = install(a=plugin, b=plugin)
    assert "ValueError" in status(manager, "b").error
    assert manager.plugin_of("rankers", "thrifty") == "a"


def test_plugins_see_only_their_own_hooks_called(install: Make) -> None:
    calls: list[str] = []

    def hook(name: str) -> Callable[..., None]:
        def register_rankers(register: Any) -> None:
            calls.append(name)

        return register_rankers

    install(**{name: module(register_rankers=hook(name)) for name in ("a", "b", "c")})
    assert calls == ["a", "b", "c"]


def composed(register: Any, registry: Registry) -> None:
    def made(options: Any) -> Any:
        return [registry.create("translators", name) for name in registry.names("translators")]

    register("made-of-others", made)


def test_a_component_is_made_of_what_others_register(install: Make) -> None:
    """Whoever registers first; the options are those of each."""
    other = module(
        register_translators=lambda register: register("mild", lambda options: options, Options)
    )
    given = {"mild": {"strength": 2}}
    settings = PluginSettings(disabled=("x",), options=given)
    manager = install(settings, a=module(register_query_processors=composed), b=other)
    assert manager.create("query_processors", "made-of-others") == [Options(strength=2.0)]
    apart = manager.registry_settings("query_processors", "made-of-others")
    assert apart == PluginSettings(disabled=("x",), options=given)
    assert manager.registry_settings("translators", "mild") is None


def test_what_must_not_be_imported_is_not_in_a_process_of_others_either(
    install: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_module, "offers_of", lambda plugin: {})
    settings = PluginSettings(isolated=("b",))
    manager = install(
        settings, a=module(register_query_processors=composed), b=SystemExit("never loaded")
    )
    apart = manager.registry_settings("query_processors", "made-of-others")
    assert apart is not None
    assert status(PluginManager(apart), "b").error == "disabled in the settings"


def test_of_what_is_isolated_whole_its_own_process_imports_it(
    install: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = {"query_processors": {"made-of-others": Offer(("strength",), composed=True)}}
    monkeypatch.setattr(manager_module, "offers_of", lambda plugin: offer if plugin == "a" else {})
    never = SystemExit("never loaded")
    manager = install(PluginSettings(isolated=("a", "b")), a=never, b=never)
    apart = manager.registry_settings("query_processors", "made-of-others")
    assert apart == PluginSettings(disabled=("b",))


def test_a_translator_has_no_process_of_its_own(
    install: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        manager_module, "offers_of", lambda plugin: {"translators": {"t": Offer(())}}
    )
    manager = install(PluginSettings(isolated=("a",)), a=SystemExit("never loaded"))
    assert "it offers translators, which cannot run in a process" in status(manager, "a").error


def test_an_installed_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one on the path, metadata and all."""
    (tmp_path / "thrifty_test_plugin.py").write_text(
        textwrap.dedent(
            """
            from engine import hookimpl

            @hookimpl
            def register_rankers(register):
                register("thrifty-test", lambda options: "built")
            """
        )
    )
    info = tmp_path / "thrifty_test-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thrifty-test\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\nthrifty-test = thrifty_test_plugin\nlost = no_such_module_here\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    monkeypatch.setattr(manager_module, "BUILTINS", ())
    manager = PluginManager()
    assert manager.create("rankers", "thrifty-test") == "built"
    assert "ModuleNotFoundError" in status(manager, "lost").error
    assert PROJECT in ENTRY_POINT_GROUP
