"""Builds a shop's store and encoders from its settings, by the names plugins registered."""

from __future__ import annotations

from typing import cast

from .encoders import BatchingEncoder, CachingEncoder
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


def open_encoders(settings: Settings, manager: PluginManager) -> tuple[Encoder, Encoder]:
    """The text encoder and the joint image encoder, as the indexer uses them."""
    return (
        _encoder(settings.encoders.text, settings, manager),
        _encoder(settings.encoders.image, settings, manager),
    )


def serving_encoders(settings: Settings, manager: PluginManager) -> tuple[Encoder, Encoder]:
    """The same two with concurrent calls batched and query embeddings cached."""
    text, image = open_encoders(settings, manager)
    size = settings.search.cache
    return (
        CachingEncoder(BatchingEncoder(text), size),
        CachingEncoder(BatchingEncoder(image), size),
    )


def _encoder(component: ComponentSettings, settings: Settings, manager: PluginManager) -> Encoder:
    return cast(Encoder, manager.create("encoders", component.plugin, component.options))
