"""Fine-tuning improves a shop's search or delivers nothing; what it may not touch stays."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from open_clip.model import CustomTextCLIP
from PIL import Image, ImageDraw
from torch.nn.utils.parametrize import is_parametrized

from engine import InvalidRequest, Product, load_manifest
from engine.hookspecs import READ_CATALOGUE
from engine.settings import ImageSettings, Settings
from models.cli_finetune import finetune as command
from models.finetune import Plan, affordable, finetune
from models.lora import adapt, merge
from models.shop import Pairs, Shop, Tally, kinds_of, read_pairs, read_shop
from models.shop_figures import (
    HeldOut,
    compare,
    families,
    hold_out,
    main_figure,
    moved_floor,
    photo_values,
    proven,
    query_values,
    refusal,
    title_values,
)
from models.shop_material import Material, prepare
from models.towers import save_checkpoint, trained_state, upper_layers

COLORS = ("red", "blue", "green", "black", "yellow", "orange", "purple", "white")
SHAPES = ("circle", "square", "triangle", "cross", "ring", "bar", "column", "frame")
HEADS = Plan("heads", minutes=60)
HEAD, TERM = "text.proj.weight", "text.transformer.encoder.layer.5.output.dense.weight"
EXPORTS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def draw(color: str, shape: str) -> Image.Image:
    image = Image.new("RGB", (96, 96), "grey")
    pen = ImageDraw.Draw(image)
    polygons = {
        "square": [(20, 20), (76, 20), (76, 76), (20, 76)],
        "triangle": [(48, 15), (85, 80), (11, 80)],
        "bar": [(5, 38), (91, 38), (91, 58), (5, 58)],
        "column": [(38, 5), (58, 5), (58, 91), (38, 91)],
    }
    if shape in polygons:
        pen.polygon(polygons[shape], fill=color)
    elif shape == "cross":
        pen.line((15, 15, 81, 81), fill=color, width=16)
        pen.line((15, 81, 81, 15), fill=color, width=16)
    elif shape == "frame":
        pen.rectangle((15, 15, 81, 81), outline=color, width=10)
    else:
        fill = color if shape == "circle" else None
        pen.ellipse((15, 15, 81, 81), fill=fill, outline=color, width=12)
    return image


def catalogue(folder: Path) -> list[Product]:
    """64 products, whose photos show what their titles say."""
    products = []
    for i, (color, shape) in enumerate((c, s) for c in COLORS for s in SHAPES):
        draw(color, shape).save(folder / f"{i}.png")
        title, kind = f"{color} {shape}".title(), (shape,)
        attributes = {"color": color, "code": f"x{i}"}
        products.append(
            Product(str(i), title, category=kind, attributes=attributes, images=(f"{i}.png",))
        )
    return products


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def products(folder: Path) -> list[Product]:
    return catalogue(folder)


@pytest.fixture(scope="module")
def data(
    model: CustomTextCLIP,
    folder: Path,
    products: list[Product],
    tmp_path_factory: pytest.TempPathFactory,
) -> Material:
    """The shop after the frozen towers, without pairs."""
    work = tmp_path_factory.mktemp("work")
    return prepare(model, read_shop(products, folder, ImageSettings(), work), Pairs(), 0, work)


def quiet(line: str) -> None:
    assert line


def test_better_heads_are_accepted(model: CustomTextCLIP, data: Material) -> None:
    tuned = copy.deepcopy(model)
    outcome = finetune(tuned, data, HEADS, quiet, {"text": 0.1})
    assert refusal(outcome.changes) == ""
    change = outcome.changes["title → photo MRR"]
    assert change.difference.low > 0.1
    assert set(outcome.changes) >= {"title → photo R@1", "photo → photo P@10 by category"}
    assert -1 < outcome.floors["text"] < 1
    assert changed(model, tuned) == {n for n in trained_state(model) if is_head(n)}


def test_a_worse_model_is_refused(model: CustomTextCLIP, data: Material) -> None:
    """Titles of other products teach nothing about those held out."""
    order = np.random.default_rng(1).permutation(len(data.titles))
    train = ~data.held.products
    wrong = [data.titles[j if train[i] else i] for i, j in enumerate(order)]
    shuffled = replace(data, titles=wrong, kinds=[np.zeros(0, np.intp)] * len(wrong))
    outcome = finetune(copy.deepcopy(model), shuffled, HEADS, quiet)
    assert refusal(outcome.changes)


def test_lora_changes_its_stages_and_keeps_the_form(model: CustomTextCLIP, data: Material) -> None:
    tuned = copy.deepcopy(model)
    plan = Plan("lora", minutes=60, epochs=0, least=3, batch=8)
    assert finetune(tuned, data, plan, quiet).steps == 3
    assert tuned.state_dict().keys() == model.state_dict().keys()
    names = changed(model, tuned)
    assert names < set(trained_state(model))
    terms = {n for n in names if not is_head(n)}
    assert any(n.startswith("text.transformer.encoder.layer.5.") for n in terms)
    assert any(n.startswith("visual.trunk.blocks.5.") for n in terms)
    assert all(n.endswith(".weight") for n in terms)
    assert not [n for n in terms if re.search(r"bn|conv_dw|LayerNorm", n)]


def test_kinds_are_words_that_products_share(products: list[Product]) -> None:
    assert kinds_of(products)[0] == ["circle", "red circle"]  # and not its code
    branded = Product("b", "B", brand="Acme", category=("Home", "Lamps"), attributes={"w": 3.0})
    assert kinds_of([branded, Product("n", "N")]) == [["lamps", "Acme lamps"], []]


def changed(before: CustomTextCLIP, after: CustomTextCLIP) -> set[str]:
    old = before.state_dict()
    return {n for n, tensor in after.state_dict().items() if not torch.equal(tensor, old[n])}


def is_head(name: str) -> bool:
    return name.startswith(("visual.head.", "text.proj."))


def test_the_seed_repeats_a_run(model: CustomTextCLIP, data: Material) -> None:
    plan = Plan("lora", minutes=60, epochs=0, least=2, batch=8)
    weights = []
    for seed in (3, 3, 4):
        tuned = copy.deepcopy(model)
        finetune(tuned, data, replace(plan, seed=seed), quiet)
        weights.append({name: trained_state(tuned)[name].numpy() for name in (HEAD, TERM)})
    for name in (HEAD, TERM):
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=1e-7)
        assert np.abs(weights[0][name] - weights[2][name]).max() > 1e-6


def test_steps_fit_the_minutes() -> None:
    assert affordable(1000, 5, 10.0, 600.0) == 300
    assert affordable(100, 5, 10.0, 600.0) == 100
    assert affordable(100, 5, 10.0, 1.0) == 5
    assert affordable(100, 5, 0.0, 0.0) == 5


@torch.no_grad()
def test_merging_low_rank_terms_changes_no_output(model: CustomTextCLIP) -> None:
    stage = copy.deepcopy(model.visual.trunk.blocks[4])
    layer = copy.deepcopy(upper_layers(model)[0])
    maps = torch.rand(2, stage[0].conv_pw.in_channels, 6, 6)
    states = torch.rand(2, 5, layer.attention.self.query.in_features)
    plain = stage(maps), layer(states)
    terms = [*adapt(stage), *adapt(layer)]
    for before, now in zip(plain, (stage(maps), layer(states)), strict=True):
        torch.testing.assert_close(now, before, rtol=0, atol=0)
    for term in terms:
        term.add_(0.02 * torch.randn_like(term))
    adapted = stage(maps), layer(states)
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(adapted, plain, strict=True))
    for module, x, expected in zip((stage, layer), (maps, states), adapted, strict=True):
        merge(module)
        assert not any(is_parametrized(part) for part in module.modules())
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-5)


class TestPairs:
    def test_judgments_and_clicks(self, tmp_path: Path) -> None:
        file = tmp_path / "pairs.jsonl"
        rows = [
            {"query": "Round  things", "product_id": 0, "grade": 2},
            {"query": "round things", "product_id": "0"},
            {"query": "round things", "product_id": "32", "weight": 0.5},
            {"query": "round things", "product_id": "1", "grade": 0},
            {"query": " ", "product_id": "1"},
            {"query": "square", "product_id": "1", "weight": -1},
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\nnot json\n")
        pairs = read_pairs(file)
        assert pairs.queries == {"round things": {"0": 3.0, "32": 0.5}}
        assert (pairs.invalid, pairs.irrelevant) == (3, 1)

    def test_a_file_without_pairs(self, tmp_path: Path) -> None:
        (tmp_path / "pairs.jsonl").write_text('{"query": "red"}\n')
        with pytest.raises(InvalidRequest, match=r"no pair such as .* line 1: .*product_id"):
            read_pairs(tmp_path / "pairs.jsonl")
        with pytest.raises(InvalidRequest, match="No such file"):
            read_pairs(tmp_path / "nothing.jsonl")


class TestSplit:
    def test_families_are_not_torn(self) -> None:
        """By title whatever its case, by group, and by both in a chain."""
        rows = [("a", ""), ("A", "g"), ("b", "g"), ("c", ""), ("d", "h"), ("e", "h")]
        products = [Product(str(i), t, group_id=g) for i, (t, g) in enumerate(rows)]
        assert sorted(map(sorted, families(products))) == [[0, 1, 2], [3], [4, 5]]

    def test_a_tenth_is_held_out_in_whole_families(self) -> None:
        products = [Product(str(i), f"title {i // 2}") for i in range(300)]
        shop = Shop(products, [], np.arange(300), Tally(), "")
        held = hold_out(shop, Pairs(), 0)
        assert held.products.sum() == 30
        assert (held.products[0::2] == held.products[1::2]).all()
        assert not np.array_equal(held.products, hold_out(shop, Pairs(), 1).products)

    def test_queries_of_held_out_products_alone_are_not_trained(self) -> None:
        products = [Product(str(i), f"title {i}") for i in range(100)]
        shop = Shop(products, [], np.arange(100), Tally(), "")
        pairs = Pairs({f"query {i}": {str(i): 1.0} for i in range(30)})
        held = hold_out(shop, pairs, 0)
        assert held.queries == sorted(f"query {i}" for i in range(30) if held.products[i])
        pairs = Pairs({f"query {i}": {str(i): 1.0} for i in range(90)} | {"?": {"unknown": 1.0}})
        held = hold_out(shop, pairs, 0)
        alone = {f"query {i}" for i in range(90) if held.products[i]}
        assert len(alone) + 20 >= len(held.queries) > len(alone)
        assert alone < set(held.queries)


class TestFigures:
    """Three products of one photo each, in the plane."""

    products = (Product("0", "up", category=("x",)), Product("1", "right", category=("x",)))
    products += (Product("2", "down", category=("y",)),)
    shop = Shop(list(products), [], np.arange(3), Tally(), "")
    photos = np.asarray([[0, 1], [0.6, -0.8], [0, -1]], np.float32)

    def test_titles_are_ranked_among_all_photos(self) -> None:
        held = HeldOut(np.asarray([True, False, True]), [])
        titles = np.asarray([[0, 1], [1, 0], [1, -0.1]], np.float32)
        values = title_values(self.shop, held, titles, self.photos)
        assert values["title → photo MRR"].tolist() == [1.0, 1 / 2]
        assert values["title → photo R@1"].tolist() == [True, False]

    def test_queries_count_any_judged_product(self) -> None:
        held = HeldOut(np.zeros(3, bool), ["low"])
        pairs = Pairs({"low": {"1": 1.0, "2": 1.0, "gone": 1.0}})
        queries = np.asarray([[0, 1]], np.float32)
        values = query_values(self.shop, held, pairs, queries, self.photos)
        assert values["query → photo MRR"].tolist() == [1 / 2]

    def test_photos_look_among_other_products(self) -> None:
        held = HeldOut(np.asarray([True, True, True]), [])
        (values,) = photo_values(self.shop, held, self.photos).values()
        assert values.tolist() == [1.0, 0.0]  # and "down" is alone in its category

    def test_a_floor_keeps_its_share(self) -> None:
        before = np.linspace(-1, 1, 201, dtype=np.float32)
        assert moved_floor(before, before / 2, 0.5) == pytest.approx(0.25, abs=0.01)

    def test_worse_elsewhere_is_refused(self) -> None:
        names = ("title → photo MRR", "photo → photo P@10 by category")
        low, high = np.full(30, 0.2), np.full(30, 0.4)
        changes = compare({names[0]: low, names[1]: high}, {names[0]: high, names[1]: low})
        assert "P@10 by category is worse: 0.400 → 0.200" in refusal(changes)
        assert refusal(compare({names[0]: low}, {names[0]: high})) == ""
        assert proven(compare({names[0]: low}, {names[0]: high}))
        assert "not likely to be better" in refusal(compare({names[0]: low}, {names[0]: low}))

    def test_a_likely_gain_is_enough_and_said_to_be_unproven(self) -> None:
        """Two better and one worse of thirty: 95 % cannot tell it from chance, 80 % can."""
        before, after = np.full(30, 0.2), np.full(30, 0.2)
        after[:3] = (0.9, 0.9, 0.1)
        changes = compare({"title → photo MRR": before}, {"title → photo MRR": after})
        assert refusal(changes) == ""
        assert not proven(changes)

    @pytest.mark.parametrize("after", [np.nan, 0.5])
    def test_a_broken_model_finds_nothing(self, after: float) -> None:
        """All rows alike, or none a number: never better than anything."""
        held = HeldOut(np.asarray([True, True, True]), [])
        same = np.full((3, 2), after, np.float32)
        values = title_values(self.shop, held, same, same)
        assert values["title → photo R@1"].mean() == 0.0

    def test_no_figure_is_no_gain(self) -> None:
        none = {"title → photo MRR": np.full(30, np.nan)}
        assert "not likely to be better" in refusal(compare(none, none))

    def test_few_queries_do_not_decide(self) -> None:
        low, high = np.full(30, 0.2), np.full(30, 0.4)
        for count, main in ((19, "title → photo MRR"), (20, "query → photo MRR")):
            before = {"query → photo MRR": low[:count], "title → photo MRR": low}
            after = {"query → photo MRR": high[:count], "title → photo MRR": high}
            assert main_figure(compare(before, after)) == main


class TestCommand:
    """The command as `entrepot` calls it: with the reader of catalogues in its context."""

    @pytest.fixture(scope="class")
    def checkpoint(self, model: CustomTextCLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("base") / "base.safetensors"
        save_checkpoint(model, path)
        return path

    def run(self, folder: Path, rows: list[Product | None], *args: object) -> Result:
        def read(settings: Settings, uri: str) -> tuple[str, Iterator[Product | None]]:
            assert uri == "feed"
            return str(folder), iter(rows)

        @click.group()
        @click.pass_context
        def main(ctx: click.Context) -> None:
            ctx.meta[READ_CATALOGUE] = read

        main.add_command(command)
        return CliRunner().invoke(main, ["finetune", "feed", *map(str, args)])

    @EXPORTS
    def test_delivers_a_better_model(
        self, folder: Path, products: list[Product], checkpoint: Path, tmp_path: Path
    ) -> None:
        """With queries to learn from, and all kinds of rows that cannot be used."""
        (folder / "broken.png").write_bytes(b"not a picture")
        spoiled = [
            Product("u", "By URL", images=("https://example.org/1.jpg",)),
            Product("b", "Broken", images=("broken.png", "missing.png", "../outside.png")),
        ]
        pairs = tmp_path / "pairs.jsonl"
        judged = [{"query": f"{p.title} please", "product_id": p.id} for p in products]
        lines = [*judged, {"query": "gone", "product_id": "gone"}]
        pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows = [*products, *spoiled, products[0], None]
        options = ("--method=heads", "--minutes=60", f"--pairs={pairs}")
        out = tmp_path / "tuned"
        result = self.run(folder, rows, "--from", checkpoint, "--out", out, *options)
        assert result.exit_code == 0, result.output
        for said in (
            "64 products with 64 photos; 20 products are held out",
            "left out: 1 rows are no products",
            "left out: 1 rows repeat an id",
            "left out: 1 photos are URLs",
            "left out: 3 photos cannot be read",
            "left out: 2 products have no usable photo",
            "65 queries; ",
            "left out: 1 unknown products, 0 lines that are no pairs",
        ):
            assert said in result.output
        manifest = load_manifest(out)
        assert re.fullmatch(r"0\+shop\.[0-9a-f]{8}", manifest.version)
        assert "method heads, seed 0, 100 steps; 64 products" in manifest.provenance
        figure = "query → photo MRR"
        assert manifest.quality[f"shop: {figure}"] > manifest.quality[f"shop, before: {figure}"]

    def test_refuses_and_writes_nothing(
        self,
        folder: Path,
        products: list[Product],
        checkpoint: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A model that did not change is not likely to be better."""
        monkeypatch.setattr("models.finetune._Run.train", lambda self, report: 0)
        out = tmp_path / "tuned"
        result = self.run(folder, [*products], "--from", checkpoint, "--out", out)
        assert result.exit_code == 1
        assert "refused: title → photo MRR is not likely to be better: 0." in result.output
        assert "+0.000 (+0.000 to +0.000, n = 20)" in result.output
        assert not out.exists()

    def test_too_few_products(
        self, folder: Path, products: list[Product], checkpoint: Path, tmp_path: Path
    ) -> None:
        options = ("--from", checkpoint, "--out", tmp_path / "tuned")
        result = self.run(folder, [*products[:49]], *options)
        assert isinstance(result.exception, InvalidRequest)
        assert "49 products have a usable photo; fine-tuning needs 50" in str(result.exception)

    def test_out_must_be_new(self, folder: Path, checkpoint: Path, tmp_path: Path) -> None:
        result = self.run(folder, [], "--from", checkpoint, "--out", tmp_path)
        assert "name a new folder" in str(result.exception)
