"""What every catalogue source must do. Inherit the class, say how a catalogue is written::

class TestMine(SourceContract):
    @pytest.fixture
    def source(self):
        return MySource()

    def write(self, folder):
        file = folder / "catalogue.mine"
        file.write_text("a;Mug\\nb;Sofa\\n")
        return str(file), [{"id": "a", "title": "Mug"}, {"id": "b", "title": "Sofa"}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidRequest
from engine.protocols import CatalogueSource, RawRecord


class SourceContract:
    """The tests of one catalogue source."""

    @pytest.fixture
    def source(self) -> CatalogueSource:
        """The source under test; override it."""
        raise NotImplementedError

    def write(self, folder: Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
        """Write a catalogue of two or more rows into ``folder``: its uri and the rows' data."""
        raise NotImplementedError

    def write_broken(self, folder: Path) -> str | None:
        """A catalogue with one unreadable row between readable ones; ``None`` where the
        format has no such thing."""
        return None

    def test_reads_rows_in_order(self, source: CatalogueSource, tmp_path: Path) -> None:
        uri, rows = self.write(tmp_path)
        assert len(rows) >= 2
        records = list(source.open(uri))
        assert [record.error for record in records] == [""] * len(rows)
        assert [dict(record.data) for record in records] == [dict(row) for row in rows]

    def test_lines_rise_from_one(self, source: CatalogueSource, tmp_path: Path) -> None:
        lines = [record.line for record in source.open(self.write(tmp_path)[0])]
        assert lines[0] >= 1
        assert lines == sorted(set(lines))

    def test_reads_again_from_the_start(self, source: CatalogueSource, tmp_path: Path) -> None:
        uri, _ = self.write(tmp_path)
        assert list(source.open(uri)) == list(source.open(uri))

    def test_two_readers_do_not_disturb_each_other(
        self, source: CatalogueSource, tmp_path: Path
    ) -> None:
        uri, _ = self.write(tmp_path)
        both = [list(pair) for pair in zip(source.open(uri), source.open(uri), strict=True)]
        assert all(one == other for one, other in both)

    def test_may_be_left_half_read(self, source: CatalogueSource, tmp_path: Path) -> None:
        uri, _ = self.write(tmp_path)
        records = iter(source.open(uri))
        assert isinstance(next(records), RawRecord)
        if close := getattr(records, "close", None):
            close()

    def test_accepts_by_name(self, source: CatalogueSource, tmp_path: Path) -> None:
        uri, _ = self.write(tmp_path)
        assert source.accepts(uri)
        assert not source.accepts(str(tmp_path / "something.unheard-of"))

    def test_a_missing_catalogue_is_the_callers_mistake(
        self, source: CatalogueSource, tmp_path: Path
    ) -> None:
        uri = self.write(tmp_path)[0] + "-that-is-not-there"
        with pytest.raises(InvalidRequest, match="not-there"):
            list(source.open(uri))

    def test_a_broken_row_is_reported_and_the_rest_is_read(
        self, source: CatalogueSource, tmp_path: Path
    ) -> None:
        uri = self.write_broken(tmp_path)
        if uri is None:
            return
        records = list(source.open(uri))
        failed = [i for i, record in enumerate(records) if record.error]
        assert len(failed) == 1
        assert 0 < failed[0] < len(records) - 1
