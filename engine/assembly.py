"""Builds a shop's store and encoders from its settings, by the names plugins registered."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from .behaviour import Behaviour, Lease
from .encoders import BatchingEncoder, CachingEncoder
from .errors import InvalidModel
from .events import EventStore
from .guard import DaemonPool, Guard
from .labels import load_labels
from .localize import Localization
from .manager import PluginManager
from .protocols import Encoder, VectorStores
from .settings import ComponentSettings, Settings


def open_stores(settings: Settings, manager: PluginManager) -> VectorStores:
    """The shop's vector store backend; nothing is opened for writing yet."""
    options = {
        **settings.store.options,
        "data_dir": str(settings.data_path),
        "shop": settings.shop,
    }
    return cast(VectorStores, manager.create("stores", settings.store.plugin, options))


def open_localization(settings: Settings) -> Localization:
    """What the shop offers shoppers elsewhere; raises InvalidSettings for a labels file that
    cannot be read."""
    files = [Path(settings.root, name).resolve() for name in settings.localization.labels]
    markets = settings.localization.markets
    return Localization(
        load_labels(files), {name.casefold(): currency for name, currency in markets.items()}
    )


def open_events(settings: Settings, manager: PluginManager | None = None) -> EventStore | None:
    """The shop's event store, if it keeps events; the caller closes it. The built-in ones may be
    open in several processes at once."""
    events = settings.events
    manager = manager or PluginManager(settings.plugins)
    if not events.plugin:
        return None
    options = {
        **events.options,
        "data_dir": str(settings.data_path),
        "shop": settings.shop,
        "popularity_half_life_days": events.popularity_half_life_days,
    }
    return cast(EventStore, manager.create("event_stores", events.plugin, options))


def open_behaviour(
    settings: Settings, manager: PluginManager, pool: DaemonPool, lease: Lease
) -> Behaviour:
    """What the shop knows of its shoppers; ``lease`` gives the live bundle."""
    limits = settings.plugins
    guard = Guard("events", pool, limits.deadline_ms / 1000, limits.recovery_s)
    return Behaviour(open_events(settings, manager), settings.events, lease, guard)


def open_encoders(settings: Settings, manager: PluginManager) -> tuple[Encoder, Encoder]:
    """The text encoder and the joint image encoder, as the indexer uses them."""
    return (
        _encoder(settings.encoders.text, settings, manager),
        _encoder(settings.encoders.image, settings, manager),
    )


def serving_encoders(settings: Settings, manager: PluginManager) -> tuple[Encoder, Encoder]:
    """The same two with concurrent calls batched, query embeddings cached, and their bridges.

    Raises:
        InvalidModel: the bridge does not lead into the space of one of them.
    """

    def serving(encoder: Encoder) -> Encoder:
        size = settings.search.cache
        bridge = _bridge(encoder, settings, manager)
        cached = CachingEncoder(BatchingEncoder(bridge), size) if bridge else None
        return CachingEncoder(BatchingEncoder(encoder), size, cached)

    text, image = open_encoders(settings, manager)
    return serving(text), serving(image)


def _encoder(component: ComponentSettings, settings: Settings, manager: PluginManager) -> Encoder:
    return cast(Encoder, manager.create("encoders", component.plugin, component.options))


def _bridge(encoder: Encoder, settings: Settings, manager: PluginManager) -> Encoder | None:
    bridge = settings.encoders.bridge
    if bridge is None:
        return None
    options = {**bridge.options, "into": encoder.info.fingerprint}
    made = cast(Encoder, manager.create("encoders", bridge.plugin, options))
    if made.info.dim != encoder.info.dim:
        raise InvalidModel(
            f"encoders.bridge: {bridge.plugin!r} gives {made.info.dim} numbers where "
            f"{encoder.info.name} has {encoder.info.dim}"
        )
    return made
