"""The query BERT reads with its own pieces, does not see padding, and comes back as saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine import InvalidModel
from models.query_fit import read
from models.query_model import (
    MAX_TOKENS,
    QueryBert,
    base_tokenizer,
    build_query_bert,
    load_query_bert,
    save_query_bert,
)
from models.query_pieces import chosen_pieces, first_pieces
from models.query_tags import LABELS

TEXTS = ["red nike running shoes", "zapatillas naranjas"]


@pytest.fixture(scope="module")
def model() -> QueryBert:
    kept = chosen_pieces(base_tokenizer(), TEXTS, 5000)
    return build_query_bert(kept, ("A > B", "C > D"), layers=2).eval()


def test_the_vocabulary_is_cut_and_writes_every_latin_word(model: QueryBert) -> None:
    vocabulary = model.spec["model"]["vocab"]
    assert 2500 < len(vocabulary) < 3500
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert model.bert.config.vocab_size == len(vocabulary)
    assert not any(piece.startswith("[unused") for piece in vocabulary)
    ids = model.word_pieces().encode([["pomegranate", "überzug"], ["nike"]])
    unknown = vocabulary["[UNK]"]
    assert unknown not in ids[0].ids
    assert len(ids[1].ids) == 3


def test_kept_pieces_have_minilms_embeddings(model: QueryBert) -> None:
    whole = base_tokenizer()["model"]["vocab"]
    full = build_query_bert(list(whole), (), layers=1)
    for piece in ("nike", "##s", "[CLS]"):
        mine = model.bert.embeddings.word_embeddings.weight[model.spec["model"]["vocab"][piece]]
        theirs = full.bert.embeddings.word_embeddings.weight[whole[piece]]
        torch.testing.assert_close(mine, theirs)


def test_words_have_the_tag_of_their_first_piece(model: QueryBert) -> None:
    pieces = model.word_pieces()
    (found,) = pieces.encode([["red", "\u200b", "pomegranate", "x"]])
    assert found.firsts[:3] == [1, -1, 2]
    assert found.firsts[3] == len(found.ids) - 2 > 3
    values = torch.arange(len(found.ids)).float().reshape(1, -1, 1)
    _, firsts = pieces.batch([found])
    assert first_pieces(values, firsts)[0, [0, 2], 0].tolist() == [1.0, 2.0]
    tags, _ = read(model, [["red", "\u200b"]])
    assert LABELS[int(tags[0][1].argmax())] == "O"


def test_padding_changes_nothing(model: QueryBert) -> None:
    pieces = model.word_pieces()
    short, long = pieces.encode([["red", "shoes"], ["red"] * 20])
    with torch.inference_mode():
        alone = model(pieces.batch([short])[0])
        padded = model(pieces.batch([short, long])[0])
    count = len(short.ids)
    np.testing.assert_allclose(alone[0][0], padded[0][0, :count], atol=1e-5)
    np.testing.assert_allclose(alone[1][0], padded[1][0], atol=1e-5)
    np.testing.assert_allclose(alone[0].sum(dim=-1), 1.0, atol=1e-5)


def test_what_is_beyond_the_longest_query_has_no_piece(model: QueryBert) -> None:
    (found,) = model.word_pieces().encode([["red"] * 600])
    assert len(found.ids) == MAX_TOKENS
    assert found.firsts.count(-1) == 600 - (MAX_TOKENS - 2)


def test_temperatures_flatten_what_is_served(model: QueryBert, tmp_path: Path) -> None:
    save_query_bert(model, tmp_path / "m.safetensors")
    hot = load_query_bert(tmp_path / "m.safetensors")
    hot.tag_temperature.fill_(4.0)
    ids, _ = model.word_pieces().batch(model.word_pieces().encode([["red", "shoes"]]))
    with torch.inference_mode():
        assert hot(ids)[0].max() < model(ids)[0].max()


def test_a_checkpoint_comes_back(model: QueryBert, tmp_path: Path) -> None:
    model.category_temperature.fill_(1.25)
    save_query_bert(model, tmp_path / "m.safetensors")
    again = load_query_bert(tmp_path / "m.safetensors")
    model.category_temperature.fill_(1.0)
    assert again.names == model.names
    assert again.names.categories == ("A > B", "C > D", "other")
    assert again.spec == model.spec
    assert float(again.category_temperature) == 1.25
    for a, b in zip(read(again, [TEXTS[0].split()]), read(model, [TEXTS[0].split()]), strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=0.05)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(InvalidModel, match="not a checkpoint"):
        load_query_bert(tmp_path / "x.safetensors")
    with pytest.raises(InvalidModel, match="not a checkpoint"):
        load_query_bert(tmp_path / "missing.safetensors")
