"""Catalogues for commands that plugins bring: they may not import the indexer, which reads them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.manager import PluginManager
from engine.settings import Settings
from engine.types import Product
from indexer.scan import Catalogue


def read_catalogue(settings: Settings, uri: str) -> tuple[str, Iterator[Product | None]]:
    """See :data:`engine.hookspecs.ReadCatalogue`, which this is."""
    catalogue = Catalogue(settings, PluginManager(settings.plugins), uri)
    return catalogue.root, (product for _, product, _ in catalogue.rows())
