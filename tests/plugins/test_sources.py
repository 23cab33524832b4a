"""The built-in catalogue sources, through the plugin manager as the indexer finds them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidRequest
from engine.manager import PluginManager
from engine.protocols import CatalogueSource, RawRecord
from engine.testing.source_contract import SourceContract
from plugins.sources import files, photos
from plugins.sources.delimited import CsvSource, delimiter_of
from plugins.sources.jsonl import JsonLinesSource

CELL = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
NAMES = ["csv", "jsonl", "parquet", "photos"]


@pytest.fixture(scope="module")
def sources() -> dict[str, CatalogueSource]:
    manager = PluginManager()
    return {name: manager.create("sources", name) for name in NAMES}


def read(source: CatalogueSource, path: Path) -> list[RawRecord]:
    return list(source.open(str(path)))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("shop.jsonl", "jsonl"),
        ("SHOP.NDJSON", "jsonl"),
        ("shop.jsonl.gz", "jsonl"),
        ("shop.csv", "csv"),
        ("shop.tsv.gz", "csv"),
        ("shop.parquet", "parquet"),
        ("", "photos"),
        ("shop.xlsx", None),
    ],
)
def test_each_name_has_one_source(
    sources: dict[str, CatalogueSource], tmp_path: Path, name: str, source: str | None
) -> None:
    accepting = [n for n, s in sources.items() if s.accepts(str(tmp_path / name))]
    assert accepting == ([source] if source else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_a_clear_error(
    sources: dict[str, CatalogueSource], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidRequest, match="absent"):
        read(sources[name], tmp_path / "absent")


def test_jsonl_with_bom_blank_lines_and_faults(
    sources: dict[str, CatalogueSource], tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "1"}\n\n{"id": \n[1]\n{"id": "\xff"}\n{"id": "5"}')
    found = read(sources["jsonl"], path)
    assert [record.line for record in found] == [1, 3, 4, 5, 6]
    assert [record.data.get("id") for record in found if not record.error] == ["1", "5"]
    assert [bool(record.error) for record in found] == [False, True, True, True, False]


def test_jsonl_gzipped_and_broken_off(sources: dict[str, CatalogueSource], tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl.gz"
    rows = "".join(json.dumps({"id": str(n), "title": f"product {n}"}) + "\n" for n in range(2000))
    path.write_bytes(gzip.compress(rows.encode()))
    assert len(read(sources["jsonl"], path)) == 2000
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidRequest, match=r"shop\.jsonl\.gz"):
        read(sources["jsonl"], path)


def test_a_row_too_long_to_hold_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    with path.open("wb") as file:
        file.write(b'{"id": "1"}\n{"id": "2", "description": "')
        file.write(b"x" * (2 * files.MAX_ROW))
        file.write(b'"}\n{"id": "3"}\n')
    found = read(JsonLinesSource(), path)
    assert [(r.line, r.data.get("id")) for r in found] == [(1, "1"), (2, None), (3, "3")]
    assert "16,777,216 bytes" in found[1].error
    path = path.rename(tmp_path / "shop.csv")
    with pytest.raises(InvalidRequest, match="line 2"):
        read(CsvSource(), path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_dialects(sources: dict[str, CatalogueSource], tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "shop.csv"
    rows = [["id", "title", "note, or; not"], ["1", 'a "b" c', "x\ny"], ["2", "é, ü", ""]]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    first, second = read(sources["csv"], path)
    assert first == RawRecord(2, {"id": "1", "title": 'a "b" c', "note, or; not": "x\ny"})
    assert second == RawRecord(4, {"id": "2", "title": "é, ü"})  # after a cell of two lines


def test_csv_faults_name_their_line(sources: dict[str, CatalogueSource], tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(
        b"id,title,tag,tag\r\n1,one,a,b\r\n2,two,a,b,c,d\r\n\r\n3,\xff,,\r\n4\r\n5,five,,x\r\n"
        b'6,"six\r\n7,seven\r\n'
    )
    found = {record.line: record for record in read(sources["csv"], path)}
    assert found[2].data == {"id": "1", "title": "one", "tag": ["a", "b"]}
    assert found[3].error == "6 cells, but the header has 4 columns"
    assert "not UTF-8" in found[5].error
    assert found[6].data == {"id": "4"}
    assert found[7].data == {"id": "5", "title": "five", "tag": "x"}
    assert "never closed" in found[8].error
    assert sorted(found) == [2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize("text", ["", "\n", '"a'])
def test_csv_without_a_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.csv").write_text(text)
    with pytest.raises(InvalidRequest, match="header"):
        read(CsvSource(), tmp_path / "shop.csv")


def test_a_five_megabyte_cell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("id,title,description\n1,one," + "x" * 5_000_000 + "\n")
    assert len(read(CsvSource(), path)[0].data["description"]) == 5_000_000


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=5))
def test_csv_reads_what_csv_writes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "shop.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "title"], *rows])
    expected = [
        {k: v.strip() for k, v in zip(("id", "title"), row, strict=True) if v.strip()}
        for row in rows
    ]
    assert [record.data for record in read(CsvSource(), path)] == expected


def test_delimiters_inside_quotes_do_not_count() -> None:
    assert delimiter_of('"a,b,c,d";e;f') == ";"
    assert delimiter_of("id") == ","


def test_parquet(sources: dict[str, CatalogueSource], tmp_path: Path) -> None:
    path = tmp_path / "shop.parquet"
    rows = [
        {"id": n, "title": f"t{n}", "tags": ["a", "b"], "seen": datetime(2026, 1, 2), "none": None}
        for n in range(700)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=300)
    found = read(sources["parquet"], path)
    assert [record.line for record in found] == list(range(1, 701))
    expected = {"id": 0, "title": "t0", "tags": ["a", "b"], "seen": datetime(2026, 1, 2)}
    assert found[0].data == expected
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InvalidRequest, match=r"shop\.parquet"):
        read(sources["parquet"], path)


def test_folder_of_photos(sources: dict[str, CatalogueSource], tmp_path: Path) -> None:
    for name in ("shoes/men/red_sneaker-01.JPG", "plant.png", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.jpg").touch()
    assert [record.data for record in read(sources["photos"], tmp_path)] == [
        {"id": "plant", "title": "plant", "category": [], "image": "plant.png"},
        {
            "id": "shoes/men/red_sneaker-01",
            "title": "red sneaker 01",
            "category": ["shoes", "men"],
            "image": "shoes/men/red_sneaker-01.JPG",
        },
    ]
    assert ".avif" in photos.SUFFIXES


class TestJsonLines(SourceContract):
    @pytest.fixture
    def source(self, sources: dict[str, CatalogueSource]) -> CatalogueSource:
        return sources["jsonl"]

    def write(self, folder: Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
        rows = [{"id": "1", "tags": ["a"]}, {"id": "2", "price": 1.5}]
        path = folder / "shop.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        return str(path), rows

    def write_broken(self, folder: Path) -> str:
        path = folder / "broken.ndjson"
        path.write_text('{"id": "1"}\n{"id"\n{"id": "3"}\n')
        return str(path)


class TestCsv(SourceContract):
    @pytest.fixture
    def source(self, sources: dict[str, CatalogueSource]) -> CatalogueSource:
        return sources["csv"]

    def write(self, folder: Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
        path = folder / "shop.csv"
        path.write_text("id;title\n1;Mug\n2;Sofa\n")
        return str(path), [{"id": "1", "title": "Mug"}, {"id": "2", "title": "Sofa"}]

    def write_broken(self, folder: Path) -> str:
        path = folder / "broken.csv"
        path.write_text("id,title\n1,Mug\n2,Sofa,blue\n3,Lamp\n")
        return str(path)


class TestParquet(SourceContract):
    @pytest.fixture
    def source(self, sources: dict[str, CatalogueSource]) -> CatalogueSource:
        return sources["parquet"]

    def write(self, folder: Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
        rows = [{"id": 1, "title": "Mug"}, {"id": 2, "title": "Sofa"}]
        pq.write_table(pa.Table.from_pylist(rows), folder / "shop.parquet")
        return str(folder / "shop.parquet"), rows


class TestPhotoFolder(SourceContract):
    @pytest.fixture
    def source(self, sources: dict[str, CatalogueSource]) -> CatalogueSource:
        return sources["photos"]

    def write(self, folder: Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
        (folder / "photos").mkdir(exist_ok=True)
        for name in ("mug.jpg", "sofa.png"):
            (folder / "photos" / name).touch()
        rows = [
            {"id": "mug", "title": "mug", "category": [], "image": "mug.jpg"},
            {"id": "sofa", "title": "sofa", "category": [], "image": "sofa.png"},
        ]
        return str(folder / "photos"), rows
