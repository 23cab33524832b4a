"""Whole builds on real components: what gets in, what is reported, what is kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from PIL.Image import Image

from engine.core import Engine
from engine.errors import EncoderError, InvalidRequest, StoreLocked
from engine.protocols import Role, Vectors
from engine.settings import ImageSettings, Settings
from engine.types import Product
from indexer import Progress, drop_old_generations, read_report
from indexer.build import build_generation, new_name, peak_rss
from indexer.cache import CACHE_FILE, EmbeddingCache
from indexer.lock import BuildLock
from indexer.report import BuildReport, Counts, Issue, IssueLog
from plugins.hash_encoder import HashEncoder

from .conftest import generations, gif, huge_png_header, picture, points

Write = Callable[[Iterable[dict[str, Any]]], Path]


def build(settings: Settings, source: Path, **options: Any) -> BuildReport:
    return build_generation(settings, str(source), lambda _: None, **options)


def rows(count: int, photos: Path | None = None) -> list[dict[str, Any]]:
    made = []
    for n in range(count):
        row = {"id": f"p{n}", "title": f"product number {n}", "color": "red" if n % 2 else "blue"}
        if photos is not None:
            photos.mkdir(exist_ok=True, parents=True)
            (photos / f"{n}.jpg").write_bytes(picture(n))
            row["image"] = f"{n}.jpg"
        made.append(row)
    return made


def reasons(report: BuildReport) -> dict[int, str]:
    return {
        issue.line: f"{issue.severity} {issue.field}: {issue.reason}" for issue in report.issues
    }


def test_a_catalogue_becomes_a_generation(
    settings: Settings, catalogue: Write, tmp_path: Path
) -> None:
    source = catalogue(rows(300, tmp_path / "shop"))
    events: list[Progress] = []
    report = build_generation(settings, str(source), events.append)
    assert (report.exit_status, report.counts) == (
        0,
        Counts(read=300, indexed=300, photos=300, embedded=600),
    )
    assert report.fields == {"color": "keyword"}
    assert {"scan", "photos", "images", "texts", "store", "build"} == report.stages.keys()
    assert 0 < report.peak_rss_bytes < 2**31
    assert [event.stage for event in events if event.done == event.total > 0] == ["embed", "build"]
    assert read_report(settings.data_path / "reports" / f"{report.generation}.json") == report

    found = points(settings, report.generation)
    assert found.keys() == {f"p{n}" for n in range(300)}
    assert found["p7"].product == Product(
        id="p7", title="product number 7", attributes={"color": "red"}, images=("7.jpg",)
    )
    assert found["p7"].images.shape == (1, 64)
    assert np.linalg.norm(found["p7"].text) == pytest.approx(1, abs=1e-3)
    with Engine(settings) as engine:
        engine.promote(report.generation)
        assert engine.get("p9").title == "product number 9"
        assert engine.image_root == str(source.parent)


def test_every_bad_photo_is_reported_and_nothing_else_is_lost(
    settings: Settings, catalogue: Write, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (tmp_path / "secret.jpg").write_bytes(picture())
    (shop / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    files = {
        "cut.jpg": picture(size=(200, 200))[:-300],
        "bomb.png": huge_png_header(),
        "text.jpg": b"this is not a picture",
        "moving.gif": gif(),
        "print.jpg": picture(mode="CMYK"),
        "good.webp": picture(kind="WEBP"),
        "empty.jpg": b"",
    }
    for name, data in files.items():
        (shop / name).write_bytes(data)
    refs = [
        *files,
        *("../secret.jpg", "link.jpg", str(tmp_path / "secret.jpg"), "absent.jpg", "a\0b.jpg"),
        *("https://127.0.0.1/x.jpg", "file:///etc/passwd"),
    ]
    before = peak_rss()
    report = build(
        settings,
        catalogue({"id": str(n), "title": "t", "image": ref} for n, ref in enumerate(refs)),
    )
    assert (report.exit_status, report.counts.indexed) == (0, len(refs))
    found = points(settings, report.generation)
    usable = {"moving.gif", "print.jpg", "good.webp"}
    assert {refs[int(id)] for id, point in found.items() if len(point.images)} == usable
    # URLs stay, for a page can show them; nothing else unusable does.
    kept = {ref for point in found.values() for ref in point.product.images}
    assert kept == usable | {"https://127.0.0.1/x.jpg", "file:///etc/passwd"}
    problems = reasons(report)
    assert "damaged" in problems[1]
    assert "more than 50,000,000 pixels" in problems[2]
    assert "not a picture" in problems[3]
    assert all("outside" in problems[n] for n in (8, 9, 10))
    assert "No such file" in problems[11]
    assert "2 photos are URLs" in problems[0]
    assert all(problem.startswith("warning images: ") for problem in problems.values())
    assert report.counts.warned == len(refs) - len(usable) - 2
    assert report.peak_rss_bytes < before + 2**29


def test_urls_are_refused_one_by_one_where_fetching_is_on(
    settings: Settings, catalogue: Write
) -> None:
    settings = structs.replace(settings, images=ImageSettings(urls=True, schemes=("http",)))
    refs = ["http://127.0.0.1:9/x.jpg", "http://[::1]/x.jpg", "https://example.com/x.jpg"]
    report = build(
        settings,
        catalogue({"id": str(n), "title": "t", "image": ref} for n, ref in enumerate(refs)),
    )
    problems = reasons(report)
    assert "127.0.0.1, which is not a public address" in problems[1]
    assert "::1, which is not a public address" in problems[2]
    assert "allowed: http" in problems[3]
    assert all(not point.product.images for point in points(settings, report.generation).values())


def test_bad_rows(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "shop.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["id", "title", "description", "price"],
                ["1", "one", "two\nlines", "1.00"],
                ["2", "", "no title", "2.00"],
                ["1", "again", "", "3.00"],
                ["4", "long", "x" * 5_000_000, "4.00"],
                ["5", "five", "", "dear"],
                ["6", "six", "", ""],
            ]
        )
    report = build(settings, source)
    assert (report.exit_status, report.issue_count) == (1, 4)
    assert report.counts == Counts(read=6, indexed=4, failed=2, warned=2, embedded=4)
    assert reasons(report) == {
        4: "error title: missing or empty",
        5: "error id: duplicate of line 2",
        6: "warning description: 5,000,000 characters; cut to 200,000",
        7: "warning price: 'dear' is not one price",
    }
    lines = Path(report.issue_file).read_text().splitlines()
    assert json.loads(lines[0]) == {
        "line": 4,
        "id": "2",
        "field": "title",
        "reason": "missing or empty",
        "severity": "error",
    }
    assert "2 failed, 2 with warnings" in report.summary()
    found = points(settings, report.generation)
    assert (found["1"].product.title, found["5"].product.price) == ("one", None)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ([], "no usable product"),
        ([{"id": "1"}], "no usable product"),
        ([{"id": "1", "title": "t"}, {"id": "2"}, {"id": "3"}], "2 of 3 products failed"),
        ([{"id": "1", "title": "t", "published": False}], "no usable product"),
    ],
)
def test_too_little_is_not_built(
    settings: Settings, catalogue: Write, made: list[dict[str, Any]], reason: str
) -> None:
    report = build(settings, catalogue(made))
    assert (report.exit_status, report.generation) == (2, "")
    assert reason in report.reason
    assert reason in report.summary()
    assert generations(settings) == []
    assert not list(settings.data_path.glob("generations/*"))
    (saved,) = (settings.data_path / "reports").glob("failed-*.json")
    assert read_report(saved) == report


def test_unreadable_catalogues(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "shop.xlsx").touch()
    for name, words in [("shop.xlsx", "no source reads"), ("absent.csv", "no such catalogue")]:
        with pytest.raises(InvalidRequest, match=words):
            build(settings, tmp_path / name)


def test_a_catalogue_that_changes_meanwhile(settings: Settings, catalogue: Write) -> None:
    source = catalogue(rows(10))

    def meddle(progress: Progress) -> None:
        if progress.stage == "embed":
            source.write_text(source.read_text() + "\n")

    with pytest.raises(InvalidRequest, match="changed while it was read"):
        build_generation(settings, str(source), meddle)
    assert not list(settings.data_path.glob("generations/*"))
    assert build(settings, source).exit_status == 0


def test_a_folder_of_photos(settings: Settings, tmp_path: Path) -> None:
    for number, name in enumerate(("shoes/red-shoe.jpg", "plants/orchid.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(picture(number, "PNG" if name.endswith("png") else "JPEG"))
    report = build(settings, tmp_path / "photos")
    found = points(settings, report.generation)
    assert found["shoes/red-shoe"].product.category == ("shoes",)
    assert report.counts.photos == 2


def test_unchanged_products_are_not_embedded_again(
    settings: Settings, catalogue: Write, tmp_path: Path
) -> None:
    made = rows(40, tmp_path / "shop")
    first = build(settings, catalogue(made))
    made[3]["title"] = "another title"
    (tmp_path / "shop" / "5.jpg").write_bytes(picture(99))
    second = build(settings, catalogue(made))
    assert (second.counts.embedded, second.counts.reused) == (2, 78)
    before, after = points(settings, first.generation), points(settings, second.generation)
    for id in before.keys() - {"p3", "p5"}:
        assert before[id].product == after[id].product
        assert np.array_equal(before[id].text, after[id].text)
        assert np.array_equal(before[id].images, after[id].images)
    third = build(settings, catalogue(made))
    with EmbeddingCacheOf(settings) as cache:
        # What only the first build used is forgotten once two newer ones stand.
        assert len(cache) == 80
    assert generations(settings) == [first.generation, second.generation, third.generation]


class EmbeddingCacheOf:
    def __init__(self, settings: Settings) -> None:
        self.cache = EmbeddingCache(settings.data_path / CACHE_FILE, "none")

    def __enter__(self) -> EmbeddingCache:
        return self.cache

    def __exit__(self, *_: object) -> None:
        self.cache.close()


def test_one_bad_product_never_fails_its_batch(
    settings: Settings, catalogue: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder that refuses one text, one picture, and gives nonsense for another."""
    texts, images = HashEncoder.encode_texts, HashEncoder.encode_images

    def picky_texts(self: HashEncoder, some: Sequence[str], role: Role) -> Vectors:
        if any("forbidden" in text for text in some):
            raise RuntimeError("I will not")
        return texts(self, some, role)

    def picky_images(self: HashEncoder, some: Sequence[Image]) -> Vectors:
        if any(image.size == (50, 10) for image in some):
            raise EncoderError("too wide")
        rows = images(self, some)
        rows[[image.size == (10, 50) for image in some]] = np.nan
        return rows

    monkeypatch.setattr(HashEncoder, "encode_texts", picky_texts)
    monkeypatch.setattr(HashEncoder, "encode_images", picky_images)
    made = rows(50, tmp_path / "shop")
    made[11]["title"] = "forbidden"
    (tmp_path / "shop" / "20.jpg").write_bytes(picture(size=(50, 10)))
    (tmp_path / "shop" / "30.jpg").write_bytes(picture(size=(10, 50)))
    report = build(settings, catalogue(made))
    assert reasons(report) == {
        12: "error title: cannot be embedded: RuntimeError: I will not",
        21: "warning images: 20.jpg: too wide",
        31: "warning images: 30.jpg: the vector is not finite",
    }
    assert (report.exit_status, report.counts.failed, report.counts.warned) == (1, 1, 2)
    found = points(settings, report.generation)
    assert found.keys() == {f"p{n}" for n in range(50) if n != 11}
    assert (found["p20"].product.images, len(found["p20"].images)) == ((), 0)


def test_a_broken_encoder_stops_the_build(
    settings: Settings, catalogue: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Vectors:
        raise RuntimeError("no device")

    monkeypatch.setattr(HashEncoder, "encode_texts", broken)
    with pytest.raises(EncoderError, match="64 items in a row: RuntimeError: no device"):
        build(settings, catalogue(rows(100)))
    assert not list(settings.data_path.glob("generations/*"))


def test_two_builds_at_once(settings: Settings, catalogue: Write) -> None:
    source = catalogue(rows(3))
    with BuildLock(settings.data_path) as lock:
        lock.record("20260101-000000-0000")
        with pytest.raises(StoreLocked, match=r"another build is under way \(process \d+"):
            build(settings, source)
        lock.record("")
    assert build(settings, source).exit_status == 0


def test_old_generations_are_dropped(settings: Settings, catalogue: Write) -> None:
    source = catalogue(rows(3))
    names = [build(settings, source).generation for _ in range(4)]
    with Engine(settings) as engine:
        engine.promote(names[0])
        assert drop_old_generations(engine) == [names[1]]
        with BuildLock(settings.data_path):
            assert drop_old_generations(engine, keep=1) == []  # not while a build runs
        engine.promote(names[3])
        assert drop_old_generations(engine) == []
        assert engine.rollback() == names[0], "the one that was live"
        engine.promote(names[2])
        assert drop_old_generations(engine) == []
        engine.promote(names[3])
        assert drop_old_generations(engine) == [names[0]]
        assert engine.rollback() == names[2]
    assert generations(settings) == names[2:]
    reports = {path.stem for path in (settings.data_path / "reports").glob("*.json")}
    assert reports == set(names[2:])


def test_names_sort_by_time() -> None:
    names = [new_name() for _ in range(1000)]
    assert names == sorted(names)
    assert peak_rss() > 2**20


def test_an_issue_log_keeps_a_few_and_writes_all(tmp_path: Path) -> None:
    log = IssueLog(tmp_path / "reports" / "issues.jsonl")
    log.add(Issue(n, f"p{n}", "title", "missing") for n in range(1, 1001))
    log.close()
    assert (log.count, len(log.kept)) == (1000, 200)
    assert len((tmp_path / "reports" / "issues.jsonl").read_text().splitlines()) == 1000
    report = BuildReport("s", "g", issues=log.kept, issue_count=log.count, issue_file="f")
    assert report.summary().endswith("… 1,000 in all: f")
