"""Components by the names a command line gives, built as the shop of the settings would."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from engine.assembly import open_stores
from engine.components import shop_options
from engine.conformance import EXAMINED
from engine.errors import EntrepotError, UnknownPlugin
from engine.isolation import isolated
from engine.manager import KINDS, PluginManager, PluginStatus
from engine.plan import QueryPlan
from engine.protocols import ShopView
from engine.schema import FieldKind, IndexSchema
from engine.settings import Settings


class Component(NamedTuple):
    """One registered component: its kind (``rankers``), its name, its plugin."""

    kind: str
    name: str
    plugin: str


def find(manager: PluginManager, name: str) -> list[Component]:
    """The components that ``name`` means: a plugin's, or those called so.

    Raises:
        UnknownPlugin: neither; the message lists what there is.
    """
    for status in manager.statuses:
        if status.name == name:
            return list(components_of(status))
    found = [
        Component(kind, name, manager.plugin_of(kind, name))
        for kind in KINDS
        if name in manager.names(kind)
    ]
    if not found:
        offered = sorted({name for kind in EXAMINED for name in manager.names(kind)})
        raise UnknownPlugin(
            f"no plugin or component {name!r}; installed: {', '.join(offered)} "
            "(`entrepot plugins list` shows all)",
            field=name,
        )
    return found


def components_of(status: PluginStatus) -> Iterator[Component]:
    """All that one plugin provides."""
    for kind, names in status.provides.items():
        for name in names:
            yield Component(kind, name, status.name)


def targets(
    manager: PluginManager, names: Sequence[str]
) -> list[tuple[PluginStatus, list[Component]]]:
    """What ``names`` mean: of a plugin all it provides (nothing where it is broken), of a
    component itself and its plugin. Without names all that third parties made."""
    if not names:
        others = [status for status in manager.statuses if not status.builtin]
        return [(status, list(components_of(status))) for status in others]
    named = [status for status in manager.statuses if status.name in names]
    found = {status.name: (status, list(components_of(status))) for status in named}
    by_name = {status.name: status for status in manager.statuses}
    for name in (name for name in names if name not in found):
        for component in find(manager, name):
            status = by_name[component.plugin]
            found.setdefault(status.name, (status, []))[1].append(component)
    return list(found.values())


@contextmanager
def opened(
    manager: PluginManager, settings: Settings, component: Component, deadline_s: float
) -> Iterator[Any]:
    """The component as the shop would build it: here, unless its plugin is isolated whole."""
    kind, name, _ = component
    if manager.is_isolated(kind, name):
        with opened_apart(manager, settings, component, deadline_s) as there:
            yield there
    else:
        yield manager.create(kind, name, shop_options(settings, manager, kind, name))


@contextmanager
def opened_apart(
    manager: PluginManager, settings: Settings, component: Component, deadline_s: float
) -> Iterator[Any]:
    """The same in a process of its own, for as long as the block lasts."""
    kind, name, _ = component
    with isolated(
        manager,
        kind,
        name,
        deadline_s=deadline_s,
        memory_mb=settings.plugins.limits_of(name).memory_mb,
        options=shop_options(settings, manager, kind, name),
    ) as there:
        yield _Taught(there) if kind == "query_processors" else there


class _Taught:
    """An isolated query processor that answers when its process knows the shop, where in a
    search it would be left out meanwhile."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._shop: ShopView | None = None
        self._lock = threading.Lock()

    def process(self, plan: QueryPlan, shop: ShopView) -> Any:
        with self._lock:
            if shop is not self._shop:
                self._processor.warm_up(shop)
                self._shop = shop
        return self._processor.process(plan, shop)


def shop_kinds(settings: Settings, manager: PluginManager) -> dict[str, FieldKind]:
    """The attributes of the settings' shop by kind; none where nothing is indexed or the store
    cannot be asked."""
    try:
        with closing(open_stores(settings, manager)) as stores:
            live = stores.current()
            schema = stores.describe(live).schema if live else IndexSchema()
    except EntrepotError:
        return {}
    return dict(schema.attributes)
