"""Builds in a child process: progress, death, resuming, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs

from engine.core import Engine
from engine.errors import EntrepotError, InvalidRequest, InvalidSettings, StoreLocked
from engine.settings import CatalogueSettings, ComponentSettings, EncoderSettings, Settings
from indexer import Progress, run_build
from indexer.lock import LOCK_FILE

from .conftest import generations, picture, points

Write = Callable[[Iterable[dict[str, Any]]], Path]

PLUGIN = '''
"""The hash encoder, with accidents."""

import os
import signal
import threading

from msgspec import Struct

from engine import hookimpl
from plugins.hash_encoder import HashEncoder, HashOptions


class Options(Struct, frozen=True):
    kill_after: int = 0
    hang_at: str = ""


class Unlucky(HashEncoder):
    def __init__(self, options):
        super().__init__(HashOptions(dim=64))
        self.options = options
        self.photos = 0

    def encode_images(self, images):
        self.photos += len(images)
        if self.options.kill_after and self.photos > self.options.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.options.hang_at:
            self.pipe = os.open(self.options.hang_at, os.O_WRONLY)
            threading.Event().wait()
        print("a library that prints to standard output")
        return super().encode_images(images)


@hookimpl
def register_encoders(register):
    register("unlucky", Unlucky, Options)
'''


@pytest.fixture
def unlucky(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Callable[..., Settings]:
    """Installs the plugin as a third party's, and gives settings that use it."""
    site = tmp_path / "site"
    info = site / "unlucky-1.dist-info"
    info.mkdir(parents=True)
    (site / "unlucky_encoder.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unlucky\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[entrepot.plugins]\nunlucky = unlucky_encoder\n")
    monkeypatch.syspath_prepend(str(site))

    def made(data_dir: str = "data", **options: Any) -> Settings:
        encoder = ComponentSettings("unlucky", options)
        return structs.replace(
            settings, data_dir=data_dir, encoders=EncoderSettings(encoder, encoder)
        )

    return made


def rows(count: int, photos: Path) -> list[dict[str, Any]]:
    photos.mkdir(exist_ok=True, parents=True)
    for n in range(count):
        (photos / f"{n}.png").write_bytes(picture(n, "PNG"))
    return [
        {"id": f"p{n}", "title": f"product {n}", "size": n % 7, "image": f"{n}.png"}
        for n in range(count)
    ]


def test_a_build_in_a_child(settings: Settings, catalogue: Write, tmp_path: Path) -> None:
    source = catalogue([*rows(40, tmp_path / "shop"), {"id": "bad"}])
    events: list[Progress] = []
    report = run_build(settings, str(source), events.append)
    assert (report.exit_status, report.counts.indexed, report.counts.failed) == (1, 40, 1)
    assert events[0] == Progress("scan", 0, 0)
    assert events[-1] == Progress("build", 40, 40)
    assert len(points(settings, report.generation)) == 40
    named = run_build(settings, str(source), generation="20990101-000000-0000")
    assert generations(settings) == [report.generation, named.generation]
    assert named.counts.embedded == 0


def test_killed_at_a_third_it_resumes_and_ends_the_same(
    unlucky: Callable[..., Settings], catalogue: Write, tmp_path: Path
) -> None:
    count = 900
    source = str(catalogue(rows(count, tmp_path / "shop")))
    with pytest.raises(EntrepotError, match=r"killed by SIGKILL .*index again to go on"):
        run_build(unlucky(kill_after=count // 3), source)
    settings = unlucky()
    half_built = [path.name for path in (settings.data_path / "generations").iterdir()]
    assert len(half_built) == 1

    resumed = run_build(settings, source)
    kept = resumed.counts.reused
    assert kept >= count // 3 - 32  # all photos up to the batch in flight, and their texts
    assert resumed.counts.embedded == 2 * count - kept
    assert generations(settings) == [resumed.generation]
    assert not (settings.data_path / "generations" / half_built[0]).exists()

    other = unlucky("other")
    whole = run_build(other, source)
    assert whole.counts.embedded == 2 * count
    one, two = points(settings, resumed.generation), points(other, whole.generation)
    assert one.keys() == two.keys()
    for id, point in one.items():
        assert point.product == two[id].product
        assert point.fields == two[id].fields
        # Stored at half precision.
        np.testing.assert_allclose(point.text, two[id].text, atol=1e-3)
        assert point.images.shape == two[id].images.shape
        np.testing.assert_allclose(point.images, two[id].images, atol=1e-3)


def test_a_write_during_a_build_is_not_lost(
    settings: Settings, catalogue: Write, tmp_path: Path
) -> None:
    source = str(catalogue(rows(30, tmp_path / "shop")))
    with Engine(settings) as engine:
        engine.promote(run_build(settings, source).generation)
        product = structs.replace(engine.get("p3"), title="written meanwhile")

        def write(progress: Progress) -> None:
            if progress.stage == "build":
                engine.put([(product, [])])
                engine.delete("p4")

        second = run_build(settings, source, write)
        engine.promote(second.generation)
        assert engine.get("p3").title == "written meanwhile"
        with pytest.raises(EntrepotError, match="p4"):
            engine.get("p4")


def test_the_child_dies_with_its_parent_and_others_are_refused_meanwhile(
    unlucky: Callable[..., Settings], catalogue: Write, tmp_path: Path
) -> None:
    source = str(catalogue(rows(40, tmp_path / "shop")))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    settings = unlucky(hang_at=str(pipe))
    (tmp_path / "settings.json").write_bytes(msgspec.json.encode(settings))
    program = "\n".join(
        [
            "import msgspec, sys",
            "from engine.settings import Settings",
            "from indexer import run_build",
            "text = open(sys.argv[1]).read()",
            "run_build(msgspec.json.decode(text, type=Settings), sys.argv[2])",
        ]
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "settings.json"), source],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # Opening waits for the child to hang in its first batch; the file ends when the child does.
    with pipe.open("rb") as reached:
        builder = json.loads((settings.data_path / LOCK_FILE).read_bytes())["pid"]
        with pytest.raises(StoreLocked, match=f"process {builder}"):
            run_build(unlucky(), source)
        parent.kill()
        parent.wait()
        assert reached.read() == b""
    assert run_build(unlucky(), source).exit_status == 0


def test_an_interrupted_caller_takes_the_child_along(
    settings: Settings, catalogue: Write, tmp_path: Path
) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    source = str(catalogue(rows(10, tmp_path / "shop")))
    with pytest.raises(KeyboardInterrupt):
        run_build(settings, source, interrupt)
    assert run_build(settings, source).exit_status == 0


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("absent.jsonl", InvalidRequest, "no such catalogue"),
        ("", InvalidRequest, "name a catalogue"),
    ],
)
def test_errors_arrive_as_they_are(
    settings: Settings, source: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run_build(settings, source)


def test_a_missing_encoder_is_named(settings: Settings, catalogue: Write) -> None:
    wrong = structs.replace(
        settings,
        encoders=EncoderSettings(ComponentSettings("hash", {"dims": 3}), settings.encoders.image),
    )
    with pytest.raises(InvalidSettings, match="dims"):
        run_build(wrong, str(catalogue([{"id": "1", "title": "t"}])))


def test_a_crash_shows_what_the_child_said(
    settings: Settings, catalogue: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sabotage").mkdir()
    (tmp_path / "sabotage" / "sitecustomize.py").write_text(
        "import indexer.build\nindexer.build.new_name = lambda: 1 / 0"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "sabotage"))
    with pytest.raises(EntrepotError, match=r"(?s)exit status 1.*ZeroDivisionError"):
        run_build(settings, str(catalogue([{"id": "1", "title": "t"}])))


COMMAND = [sys.executable, "-m", "indexer"]


def worker(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_worker_by_hand(catalogue: Write, tmp_path: Path) -> None:
    shop = catalogue([{"id": "1", "title": "t"}, {"id": "2", "title": ""}]).parent
    (shop / "entrepot.toml").write_text(
        'encoders.text.plugin = "hash"\nencoders.image.plugin = "hash"\n'
        'catalogue.source = "products.jsonl"\n'
    )
    status, lines = worker(shop)
    assert (status, lines[-1]["type"]) == (1, "report")
    assert lines[-1]["report"]["counts"]["indexed"] == 1
    assert {line["type"] for line in lines[:-1]} == {"progress"}
    status, lines = worker(tmp_path, "--config", "shop/entrepot.toml", "--source", "shop/x.csv")
    assert (status, lines[-1]["kind"]) == (2, "InvalidRequest")
    status, lines = worker(tmp_path, "--config", "absent.toml")
    assert (status, lines[-1]["kind"]) == (2, "InvalidSettings")


def test_settings_travel_whole(settings: Settings) -> None:
    full = structs.replace(settings, catalogue=CatalogueSettings(columns={"id": "ref"}))
    assert msgspec.json.decode(msgspec.json.encode(full), type=Settings) == full
