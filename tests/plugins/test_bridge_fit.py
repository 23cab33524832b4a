"""Command ``entrepot bridge``: the map it fits is the map there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine import InvalidRequest, PluginManager, Vectors
from plugins.bridge_fit import bridge, fit
from plugins.usem3_encoder import load_maps, unit


def rows(n: int, dim: int, seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((n, dim)))


def test_a_linear_map_is_found_again() -> None:
    source = rows(2000, 16, 0)
    truth = np.random.default_rng(1).standard_normal((16, 8))
    target = unit(source @ truth + 0.5)
    fitted = fit(source, target)
    assert fitted.weights.shape == (17, 8)
    assert fitted.cosine > 0.99
    fresh = rows(50, 16, 2)
    mapped = unit(fresh @ fitted.weights[:-1] + fitted.weights[-1])
    assert (mapped * unit(fresh @ truth + 0.5)).sum(axis=1).min() > 0.95


def test_what_has_no_map_has_a_low_cosine() -> None:
    assert fit(rows(2000, 16, 0), rows(2000, 8, 1)).cosine < 0.2


def test_the_command(tmp_path: Path) -> None:
    config, texts, out = (tmp_path / name for name in ("entrepot.toml", "texts.txt", "maps.npz"))
    config.write_text(
        '[encoders]\ntext = { plugin = "hash", options = { dim = 64 } }\n'
        'image = { plugin = "hash", options = { dim = 128, salt = "x" } }\n'
    )
    texts.write_text("\n".join(f"{a} {b}" for a in range(40) for b in range(40)))
    command = [str(texts), str(out), "--config", str(config), "--source", "hash"]
    result = CliRunner().invoke(bridge, command, catch_exceptions=False)
    assert "on held-out texts" in result.output
    source, maps = load_maps(str(out))
    hash_encoder = PluginManager().create("encoders", "hash")
    assert source == hash_encoder.info.fingerprint
    assert [m.info.dim for m in maps] == [64, 128]
    read = maps[0](hash_encoder.encode_texts(["3 7"], "query"))
    np.testing.assert_allclose(np.linalg.norm(read), 1, atol=1e-5)


def test_too_few_texts(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\n")
    with pytest.raises(InvalidRequest, match="at least 1000"):
        CliRunner().invoke(bridge, [str(texts), str(tmp_path / "x.npz")], catch_exceptions=False)
