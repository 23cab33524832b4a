"""The road of a query tower: exported as torch computes it, compiled, compared, measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnxruntime import InferenceSession

from engine import InvalidModel, load_manifest, rounds_activations
from engine.manifest import Space, TextTower
from models import evaluation
from models.cli_compile import bench, check
from models.compile import compile_served
from models.query_parity import QUERIES, TorchSession, queries, report
from models.served import QueryPart, TextPart, write_served
from plugins.query_reader import QueryReader
from tests.models import lookup_query
from tests.models.test_export import Constant
from tests.models.tiny import tiny_tokenizer
from tests.models.tiny_query import LONGEST, TOWER, TinyQuery, write_tiny_query

# torch.export and its ONNX exporter warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TEXTS = ["red leather purse", "a", "", "blue running shoes for men", "word " * 60]


@pytest.fixture(scope="module")
def reader(tiny_query: Path) -> QueryReader:
    return QueryReader(tiny_query, threads=1)


@pytest.mark.parametrize(("count", "length"), [(1, 3), (5, 1), (3, 40)])
def test_probabilities_are_torchs(tiny_query: Path, count: int, length: int) -> None:
    ids = torch.randint(4, 100, (count, length), generator=torch.Generator().manual_seed(1))
    ids[-1, 2:] = 0
    session = InferenceSession(tiny_query / TOWER.file, providers=["CPUExecutionProvider"])
    found = session.run(list(TOWER.outputs), {"input_ids": ids.numpy()})
    with torch.inference_mode():
        expected = TinyQuery()(ids)
    for part, torchs in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, torchs.numpy(), atol=1e-5)


def test_the_manifest_says_what_was_exported(tiny_query: Path) -> None:
    manifest = load_manifest(tiny_query)
    assert manifest.query == TOWER
    assert set(manifest.files) == {TOWER.file, TOWER.tokenizer}
    assert (manifest.spaces, manifest.text, manifest.image) == ({}, None, None)
    assert b".py" not in (tiny_query / TOWER.file).read_bytes()


def test_long_texts_are_cut_where_the_model_ends(reader: QueryReader) -> None:
    (tagged,) = reader.tagged(["a " * 60])
    assert len(tagged.words) == LONGEST - 2


def test_a_tower_without_categories(tmp_path: Path) -> None:
    tower = msgspec.structs.replace(TOWER, categories=())
    write_tiny_query(tmp_path / "model", TinyQuery(categories=0), tower)
    reading = QueryReader(tmp_path / "model", threads=1).read("red dress")
    assert reading.categories == {}


def write_both(folder: Path, tokenizer: str) -> Path:
    text = TextTower("text.onnx", "tokenizer.json", 16, ("joint",))
    file = tiny_tokenizer(folder.parent / "tokenizer.json")
    write_served(
        folder,
        name="both",
        version="1",
        licence="CC0-1.0",
        provenance="made up",
        spaces={"joint": Space(4)},
        text=TextPart(Constant(), text, file),
        image=None,
        query=QueryPart(TinyQuery(), msgspec.structs.replace(TOWER, tokenizer=tokenizer), file),
    )
    return folder


def test_a_folder_may_hold_encoders_and_a_query_tower(tmp_path: Path) -> None:
    folder = write_both(tmp_path / "both", TOWER.tokenizer)
    assert QueryReader(folder, threads=1).read("red").categories
    rows = evaluation.served_encoder(folder, "joint").encode_texts(["red"], "query")
    np.testing.assert_allclose(rows, [[0.5] * 4], atol=1e-6)


def test_two_towers_do_not_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"two towers write tokenizer\.json: rename one"):
        write_both(tmp_path / "both", "tokenizer.json")


@pytest.fixture(scope="module")
def variants(tiny_query: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query-variants")
    for precision in ("fp32", "fp16", "int8"):
        compile_served(tiny_query, folder / precision, precision)
    return folder


@pytest.mark.parametrize(("variant", "most"), [("fp32", 1e-5), ("fp16", 0.01), ("int8", 0.25)])
def test_variants_are_near_the_original(
    reader: QueryReader, variants: Path, variant: str, most: float
) -> None:
    other = QueryReader(variants / variant, threads=1)
    for a, b in zip(reader.tagged(TEXTS), other.tagged(TEXTS), strict=True):
        np.testing.assert_allclose(a.tags, b.tags, atol=most)
        np.testing.assert_allclose(a.categories, b.categories, atol=most)


def test_int8_is_stored_as_such_and_rounds_no_activations(tiny_query: Path, variants: Path) -> None:
    """Tags decide between near ties, which rounded activations would tip."""
    file = variants / "int8" / TOWER.file
    operators = {node.op_type for node in onnx.load(file).graph.node}
    assert {"DequantizeLinear", "GatherBlockQuantized"} <= operators
    assert operators.isdisjoint({"MatMulNBits", "QuantizeLinear"})
    assert not rounds_activations(file.read_bytes())
    assert file.stat().st_size < 0.6 * (tiny_query / TOWER.file).stat().st_size
    manifest = load_manifest(variants / "int8")
    assert manifest.query == TOWER
    assert manifest.provenance == "random; int8 for ONNX Runtime"


def test_a_report_of_the_same_tower_is_kept(reader: QueryReader) -> None:
    tags, alone = report(reader, reader.over(TorchSession(TinyQuery())), 0.999, None)
    assert tags.kept
    assert alone.kept
    assert (tags.share, tags.error < 1e-5) == (1.0, True)
    assert tags.words == sum(len(t.words) for t in reader.tagged(QUERIES)) > 60
    assert "100.000% of " in str(tags)
    assert "BROKEN" not in f"{tags}{alone}"


def test_a_report_of_another_tower_is_broken(reader: QueryReader) -> None:
    changed = TinyQuery()
    with torch.no_grad():
        changed.tags.bias[3] += 1.0
    tags, _ = report(reader, reader.over(TorchSession(changed)), 0.999, None)
    assert not tags.kept
    assert tags.share < 0.999 < 1.0
    assert tags.error > 0.01
    assert str(tags).endswith("BROKEN")


class Drifting(TorchSession):
    """Gives other probabilities in a batch than alone, as a tower would that sees padding."""

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        found = super().run(outputs, inputs)
        return [part + 0.001 * (len(part) > 1) for part in found]


def test_a_tower_that_depends_on_its_batch_is_broken(reader: QueryReader) -> None:
    drifting = reader.over(Drifting(TinyQuery()))
    _, alone = report(drifting, reader, 0.999, None)
    assert not alone.kept
    assert alone.error == pytest.approx(0.001, abs=1e-5)


def test_with_the_training_data_entity_f1_is_compared(reader: QueryReader, tmp_path: Path) -> None:
    (tmp_path / "queryner").mkdir()
    line = {"tokens": ["red", "shoes"], "labels": ["B-color", "B-core_product_type"]}
    (tmp_path / "queryner" / "validation.jsonl").write_text(f"{json.dumps(line)}\n" * 3)
    assert queries(tmp_path) == ["red shoes"] * 3
    tags, _, f1 = report(reader, reader, 0.999, tmp_path)
    assert tags.words == 6
    assert str(f1).startswith("query: entity F1 ")
    assert (f1.kept, f1.reference) == (True, f1.served)


def test_the_commands(tiny_query: Path, variants: Path) -> None:
    """As the shop would: through the query processor that reads with the model."""
    arguments = [str(variants / "fp16"), "--against", str(tiny_query)]
    kept = CliRunner().invoke(check, [*arguments, "--tags", "0.9"], catch_exceptions=False)
    assert kept.exit_code == 0, kept.output
    assert "query: tags against the reference" in kept.output
    assert "query: alone against in a batch" in kept.output
    assert "cosine" not in kept.output
    int8 = [str(variants / "int8"), "--against", str(tiny_query), "--tags", "1.0"]
    broken = CliRunner().invoke(check, int8)
    assert broken.exit_code == 1
    assert f"do not serve {variants / 'int8'}" in broken.output
    measured = CliRunner().invoke(bench, [str(variants / "int8"), "--threads", "1"])
    assert measured.exit_code == 0, measured.output
    for length in (8, 16, 32):
        assert f"| reading of {length} tokens p50 ms |" in measured.output


def test_the_tiny_tower_of_other_tests_is_what_its_script_makes(tmp_path: Path, root: Path) -> None:
    lookup_query.write_lookup(tmp_path)
    golden = root / "tests" / "plugins" / "golden" / "query-lookup"
    assert onnx.load(tmp_path / "query.onnx") == onnx.load(golden / "query.onnx")
    assert load_manifest(tmp_path).query == load_manifest(golden).query
