"""``entrepot models import-cross-encoder``: a cross-encoder of Hugging Face to a served folder.

Whatever ``AutoModelForSequenceClassification`` loads that takes ids and a mask: BERT, MiniLM,
DistilBERT, RoBERTa, XLM-R, ELECTRA, MPNet, DeBERTa, ModernBERT and their kin, with one label (its
logit is the relevance) or two (that of the second over the first). What torch answers is compared
with what is served before the folder gets its name.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from engine import InvalidModel
from engine.manifest import PairTower

from .hub import card_licence
from .hugging_face import (
    load_config,
    load_tokenizer,
    load_weights,
    model_folder,
    model_name,
    most_tokens,
    provenance,
)
from .new_folder import new_folder
from .pair_parity import PAIRS, Gap, gaps, relevances
from .served import PAIR_FILE, PAIR_TOKENIZER_FILE, PairPart, write_served
from .tokenizer_files import encoder_tokenizer


class PairOptions(Struct, frozen=True):
    """What the source does not say, or says otherwise; a licence is required if its model card
    names none."""

    name: str = ""
    version: str = "1"
    licence: str = ""
    provenance: str = ""


class _Source(Struct, frozen=True):
    """A cross-encoder read from its source; ``tokens`` and ``relevance`` are torch's own answers
    for one pair."""

    root: Path
    kind: str
    part: PairPart
    tokens: Callable[[str, str], list[int]]
    relevance: Callable[[str, str], float]


def import_cross_encoder(source: str, out: Path, options: PairOptions) -> list[Gap]:
    """Write ``source``, a folder or a hub id, to the folder ``out``; what the comparison found.

    Raises:
        InvalidModel: ``out`` is taken, ``source`` cannot be read or served, its licence is not
            known, or what is served is not what torch gives. Nothing is written then.
    """
    with new_folder(out) as partial, tempfile.TemporaryDirectory() as scratch:
        model = _load(source, Path(scratch) / "tokenizer.json")
        licence = options.licence or card_licence(model.root / "README.md")
        if not licence:
            raise InvalidModel(
                f"{source}: no model card names its licence: say it with --licence",
                field="licence",
            )
        _check_tokens(source, model)
        write_served(
            partial,
            name=options.name or model_name(source, model.root),
            version=options.version,
            licence=licence,
            provenance=options.provenance or f"{provenance(source, model.root)}, {model.kind}",
            spaces={},
            text=None,
            image=None,
            pair=model.part,
        )
        expected = [model.relevance(query, text) for query, text in PAIRS]
        found = gaps(expected, relevances(partial))
        if worse := [str(gap) for gap in found if not gap.kept]:
            raise InvalidModel(
                f"{source}: not written, for what is served is not what torch gives: "
                + "; ".join(worse)
            )
    return found


class PairGraph(nn.Module):
    """Ids of pairs ``[n, t]`` to their relevance ``[n]``. The mask follows from the padding id;
    where the model knows segments, the second begins after the first ``separator``."""

    def __init__(self, model: Any, pad_id: int, separator: int | None) -> None:
        super().__init__()
        self.model, self.pad_id, self.separator = model, pad_id, separator

    def forward(self, input_ids: Tensor) -> Tensor:
        more = {}
        if self.separator is not None:
            ends = (input_ids == self.separator).long()
            more["token_type_ids"] = (ends.cumsum(dim=1) - ends).clamp(max=1)
        mask = (input_ids != self.pad_id).long()
        return relevance(self.model(input_ids=input_ids, attention_mask=mask, **more).logits)


def relevance(logits: Tensor) -> Tensor:
    """``[n, 1 or 2]`` → ``[n]``: what a sigmoid, or a softmax, makes the probability of."""
    return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


def _load(source: str, tokenizer_file: Path) -> _Source:
    root = model_folder(source)
    config = load_config(root)
    if (labels := int(config.num_labels)) > 2:
        raise InvalidModel(
            f"{source}: {labels} labels: a cross-encoder has one, or two (no, yes)", field="source"
        )
    model = _classifier(root)
    tokenizer = load_tokenizer(root)
    limit = most_tokens(model, tokenizer)
    pairs = encoder_tokenizer(tokenizer, limit)
    segments = int(getattr(config, "type_vocab_size", 0) or 0) > 1
    segments = segments and "token_type_ids" in tokenizer.model_input_names
    graph = PairGraph(model, pairs.pad_id, tokenizer.sep_token_id if segments else None)
    tower = PairTower(PAIR_FILE, PAIR_TOKENIZER_FILE, limit, pairs.pad_id)

    def encode(query: str, text: str) -> Any:
        """transformers' own tokens, mask and segments."""
        return tokenizer(
            [query],
            [text],
            truncation=True,
            max_length=limit,
            return_tensors="pt",
            return_token_type_ids=segments,
        )

    def answer(query: str, text: str) -> float:
        with torch.inference_mode():
            return float(relevance(model(**encode(query, text)).logits)[0])

    return _Source(
        root=root,
        kind=str(config.model_type),
        part=PairPart(graph, tower, pairs.save(tokenizer_file)),
        tokens=lambda query, text: encode(query, text)["input_ids"][0].tolist(),
        relevance=answer,
    )


def _classifier(root: Path) -> Any:
    """Raises InvalidModel for weights that hold none: transformers would make up random ones."""
    try:
        return load_weights(AutoModelForSequenceClassification, root)
    except InvalidModel as error:
        if re.search(r"as (classifier|score|head)\b", str(error)):
            raise InvalidModel(
                f"{root}: the weights hold no classifier, so this is no cross-encoder: train one, "
                "or import a text encoder with `entrepot models import`",
                field="source",
            ) from error
        raise


def _check_tokens(source: str, model: _Source) -> None:
    """Served ids are torch's, and none is beyond the model's table of embeddings."""
    tokenizer = Tokenizer.from_file(str(model.part.tokenizer))
    highest = max(tokenizer.get_vocab().values())
    embedded = int(model.part.module.model.get_input_embeddings().num_embeddings)
    if highest >= embedded:
        raise InvalidModel(
            f"{source}: its tokenizer has the id {highest}, the model embeds {embedded}: "
            "they do not belong together",
            field="source",
        )
    tokenizer.enable_truncation(model.part.tower.max_tokens)
    for query, text in PAIRS:
        served, expected = tokenizer.encode(query, text).ids, model.tokens(query, text)
        if served != expected:
            raise InvalidModel(
                f"{source}: its tokenizer cannot be served: {query[:20]!r} with {text[:20]!r} "
                f"becomes {served[:12]}, in torch {expected[:12]}",
                field="source",
            )
