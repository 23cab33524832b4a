"""The model of characters: its data, its edges, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from models.cli import models as commands
from models.query_chinese import (
    RECIPE,
    CharacterTagger,
    characters_of,
    exchanged,
    requests,
)
from models.query_fit import read
from models.query_tags import LABELS, spans_of

CONLL = (
    "我\tO\n买\tO\n牧\tB-pp\n王\tI-pp\n大\tB-cp\n衣\tI-cp\n\n买\tO\n棉\tI-yl\n鞋\tB-cp\n \tO\n\n"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chinese")
    (folder / "dsner_zh").mkdir()
    for part, times in (("train", 8), ("dev", 1)):
        (folder / "dsner_zh" / f"{part}.conll").write_text(CONLL * times, encoding="utf-8")
    return folder


def test_requests_have_queryners_types_and_lawful_tags(data: Path) -> None:
    first, second = requests(data / "dsner_zh" / "dev.conll")
    assert "".join(first.words) == "我买牧王大衣"
    assert [(s.kind, s.start, s.end) for s in spans_of(first.tags)] == [
        ("creator", 2, 4),
        ("core_product_type", 4, 6),
    ]
    assert [LABELS[tag] for tag in second.tags] == ["O", "B-material", "B-core_product_type"]


def test_exchanged_spans_keep_their_types(data: Path) -> None:
    own = requests(data / "dsner_zh" / "dev.conll")
    found = exchanged(own, 30)
    assert found == exchanged(own, 30)
    assert {query.words for query in found} - {query.words for query in own}
    for query in found:
        kinds = [span.kind for span in spans_of(query.tags)]
        assert kinds in (["creator", "core_product_type"], ["material", "core_product_type"])


def test_padding_and_batches_change_nothing(data: Path) -> None:
    model = CharacterTagger(characters_of(requests(data / "dsner_zh" / "train.conll"))).eval()
    short, long = ("我", "买", "鞋"), tuple("我买牧王大衣" * 3)
    alone = read(model, [short], batch=1)[0][0]
    with torch.inference_mode():
        pieces = model.word_pieces()
        ids, _ = pieces.batch(pieces.encode([short, long]))
        together = model.logits(ids)[0][0, :3].numpy()
        served = model(ids)
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(served.sum(dim=-1), 1.0, atol=1e-5)


def test_a_character_never_seen_is_unknown_and_has_a_place() -> None:
    model = CharacterTagger(["鞋"])
    (found,) = model.word_pieces().encode([("鞋", "龘", "a")])
    assert found.ids == [2, 1, 1]
    assert found.firsts == [0, 1, 2]


def test_it_learns_and_its_f1_is_printed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.query_chinese.EXCHANGED", 50)
    monkeypatch.setattr("models.query_chinese.RECIPE", replace(RECIPE, epochs=20))
    result = CliRunner().invoke(
        commands, ["query", "chinese", "--data", str(data)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    value = float(result.output.splitlines()[-1].split("part)")[1].split()[0])
    assert value > 0.9
