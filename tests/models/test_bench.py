"""The table of quality and speed: complete, honest about the machine, saved only when asked."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from tokenizers import Tokenizer

from engine import load_manifest
from models.bench import table, texts_of
from models.cli_compile import bench
from models.evaluation import Figure

SPEEDS = {
    *("load ms", "memory when loaded MB", "memory after large batches MB", "size MB"),
    "texts of 16 tokens per second",
    *(f"query of {n} tokens {p} ms" for n in (8, 16, 32) for p in ("p50", "p95")),
    *("photo p50 ms", "photos per second"),
}


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "mine"))


def test_speeds_of_every_folder_are_printed_and_kept_only_when_asked(
    tiny: Path, folder: Path
) -> None:
    result = CliRunner().invoke(bench, [str(tiny), str(folder), "--threads", "1"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "1 threads; ONNX Runtime " in lines[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0] == ["", "fp32", "mine"]
    assert {row[0] for row in cells[2:]} == SPEEDS
    assert all(float(cell) >= 0 for row in cells[2:] for cell in row[1:])
    assert load_manifest(folder).speed == {}


def test_speeds_are_saved_and_quality_is_compared(folder: Path, data: Path) -> None:
    arguments = [str(folder), str(folder), "--threads", "1", "--save", "--data", str(data)]
    result = CliRunner().invoke(bench, arguments)
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.output.splitlines() if "title → photo R@10 (all)" in line)
    assert "%" in line.split("|")[3]
    assert set(load_manifest(folder).speed) == SPEEDS
    assert load_manifest(folder).speed["query of 8 tokens p50 ms"] > 0


def test_texts_have_the_length_that_is_measured(tiny: Path) -> None:
    """Whatever the tokenizer pads and cuts to."""
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(4)
    texts = texts_of(tokenizer, 16, 20)
    assert len(texts) == 20
    assert all(text != before for text, before in pairwise(texts))
    # A word of this tokenizer has as many tokens as letters, at most seven.
    assert all(16 <= len(tokenizer.encode(text).ids) < 16 + 7 for text in texts)


def test_losses_are_relative_to_the_first() -> None:
    """And a model of texts alone has no figures of photos."""
    quality = [{"R@1": Figure(0.5, 0.4, 0.6, 9)}, {"R@1": Figure(0.49, 0.39, 0.59, 9)}, {}]
    lines = table([Path("a"), Path("b"), Path("c")], [{"size MB": 2.0}, {}, {}], quality)
    assert lines == [
        "| | a | b | c |",
        "|---|---|---|---|",
        "| size MB | 2 | – | – |",
        "| R@1 | 0.500 (0.400 to 0.600) | 0.490 (0.390 to 0.590), -2.0% | – |",
    ]
    assert table([Path("c"), Path("a")], [{}, {}], [{}, quality[0]])[2:] == [
        "| R@1 | – | 0.500 (0.400 to 0.600) |"
    ]
