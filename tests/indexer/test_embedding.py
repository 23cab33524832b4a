"""The cache of vectors, and batching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from indexer.cache import EmbeddingCache, pack, photo_key, text_key, unpack
from indexer.embedding import TEXT_BATCH, TOKEN_BUDGET, text_batches

UNIT = hn.arrays(np.float32, 64, elements=st.floats(-1, 1, width=32)).filter(
    lambda row: float(np.linalg.norm(row)) > 0.1
)


@given(UNIT)
def test_half_precision_keeps_the_direction(row: np.ndarray) -> None:
    unit = row / np.linalg.norm(row)
    kept = unpack(pack(unit))
    assert kept.dtype == np.float32
    assert float(kept @ unit) >= 0.99999
    assert np.array_equal(unpack(pack(kept)), kept) or float(unpack(pack(kept)) @ kept) > 0.999999


def test_keys_tell_apart_what_must_not_be_mixed() -> None:
    keys = {
        text_key("a", "red"),
        text_key("b", "red"),
        text_key("a", "blue"),
        photo_key("a", b"red"),
        photo_key("b", b"red"),
    }
    assert len(keys) == 5


def test_what_no_kept_generation_uses_is_pruned(tmp_path: Path) -> None:
    path = tmp_path / "data" / "embeddings.sqlite"
    row = np.ones(4, dtype=np.float32) / 2
    keys = [text_key("f", str(n)) for n in range(4)]
    old = EmbeddingCache(path, "20260101")
    old.put(dict.fromkeys(keys, pack(row)))
    new = EmbeddingCache(path, "20260102")  # beside the first, as after a crash
    assert new.get(text_key("f", "unknown")) is None
    found = new.get(keys[0])
    assert found is not None
    assert np.allclose(found, row)
    new.put({keys[1]: pack(row)})
    assert new.prune("20260101") == 0
    assert new.prune("20260102") == 2
    assert [old.get(key) is None for key in keys] == [False, False, True, True]
    old.close()
    new.close()


@given(
    st.dictionaries(st.binary(min_size=4, max_size=4), st.integers(0, 4000), max_size=300),
    st.integers(16, 512),
)
def test_batches_hold_everything_once_within_bounds(
    lengths: dict[bytes, int], max_tokens: int
) -> None:
    texts = {key: "x" * length for key, length in lengths.items()}
    batches = list(text_batches(texts, max_tokens))
    assert sorted(key for batch in batches for key in batch) == sorted(texts)
    for batch in batches:
        longest = max(min(max_tokens, len(texts[key]) // 4 + 2) for key in batch)
        assert len(batch) <= TEXT_BATCH
        assert len(batch) == 1 or len(batch) * longest <= TOKEN_BUDGET
    ordered = [len(texts[key]) for batch in batches for key in batch]
    assert ordered == sorted(ordered)
