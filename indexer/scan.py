"""Reading a catalogue: choosing its source, and the first of the two passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from msgspec import Struct

from engine.errors import InvalidRequest
from engine.manager import PluginManager
from engine.protocols import CatalogueSource, RawRecord
from engine.schema import IndexSchema
from engine.settings import Settings
from engine.types import Product

from .inference import SchemaInference, conform
from .mapping import Mapper
from .progress import Ticker
from .report import Counts, Issue, IssueLog
from .shopify import merge_variants


class Scan(Struct):
    """What pass 1 found. ``lines`` maps each good product id to its line: the only thing
    that grows with the catalogue. ``languages`` are those of all texts."""

    lines: dict[str, int]
    schema: IndexSchema
    undeclared: dict[str, str]
    languages: tuple[str, ...] = ()


class Catalogue:
    """A catalogue file or folder under one shop's settings; every pass reads it anew.

    Raises:
        InvalidRequest: no such file, or no source reads it.
    """

    def __init__(self, settings: Settings, manager: PluginManager, uri: str) -> None:
        self.uri = uri
        self._settings = settings
        self._source = _source_for(uri, manager)
        path = Path(uri)
        self._stamp_file = path if path.is_file() else None
        self.root = str((path if path.is_dir() else path.parent).resolve())
        self._stamp = self._read_stamp()

    def rows(self) -> Iterator[tuple[int, Product | None, list[Issue]]]:
        """Line, product (``None``: unusable or unpublished) and issues of every row."""
        settings = self._settings
        most, markets = settings.images.max_per_product, settings.localization.markets
        mapper = Mapper(settings.catalogue, most, markets)
        records: Iterator[RawRecord] = merge_variants(self._source.open(self.uri))
        for record in records:
            product, issues = mapper.map(record)
            yield record.line, product, issues

    def scan(self, counts: Counts, log: IssueLog, ticker: Ticker) -> Scan:
        """Pass 1: validate every row, count, find duplicate ids, infer the schema."""
        lines: dict[str, int] = {}
        rates = self._settings.localization.rates
        inference = SchemaInference(self._settings.catalogue.fields, rates)
        for line, product, issues in self.rows():
            counts.read += 1
            if product is not None and product.id in lines:
                first = lines[product.id]
                issues = [Issue(line, product.id, "id", f"duplicate of line {first}")]
                product = None
            if product is None:
                failed = any(issue.severity == "error" for issue in issues)
                counts.failed += failed
                counts.skipped += not failed
            else:
                counts.warned += bool(issues)
                lines[product.id] = line
                inference.add(product)
            log.add(issues)
            ticker.tick(counts.read)
        schema, undeclared = inference.schema()
        return Scan(lines, schema, undeclared, tuple(sorted(inference.languages)))

    def products(self, scan: Scan) -> Iterator[tuple[int, Product, bool]]:
        """Pass 2: line, product and whether pass 1 warned of it, for the good products again;
        attributes are typed as the schema says.

        Raises:
            InvalidRequest: the file has changed since pass 1.
        """
        for line, product, issues in self.rows():
            if product is not None and scan.lines.get(product.id) == line:
                yield line, conform(product, scan.schema), bool(issues)
        if self._read_stamp() != self._stamp:
            raise InvalidRequest(
                f"catalogue {self.uri} changed while it was read; index again", field="source"
            )

    def _read_stamp(self) -> tuple[int, int]:
        if self._stamp_file is None:
            return 0, 0
        stat = self._stamp_file.stat()
        return stat.st_size, stat.st_mtime_ns


def _source_for(uri: str, manager: PluginManager) -> CatalogueSource:
    """The first source that accepts ``uri``, third parties' before built-in ones."""
    names = manager.names("sources")
    builtin = {status.name for status in manager.statuses if status.builtin}
    names.sort(key=lambda name: manager.plugin_of("sources", name) in builtin)
    for name in names:
        source = cast(CatalogueSource, manager.create("sources", name))
        if source.accepts(uri):
            if "://" not in uri and not Path(uri).exists():
                raise InvalidRequest(f"no such catalogue: {uri}", field="source")
            return source
    exists = "" if "://" in uri or Path(uri).exists() else f"no such catalogue: {uri}; "
    raise InvalidRequest(
        f"{exists}no source reads {uri!r}; sources: {', '.join(names) or 'none'} "
        "(files end in .jsonl, .csv or .parquet, or give a folder of photos)",
        field="source",
    )
