"""The multilingual encoder, alone and as a bridge into another encoder's space."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine import (
    Encoder,
    EncoderInfo,
    Engine,
    InvalidModel,
    PluginManager,
    Product,
    Query,
    SearchRequest,
    Settings,
    UnsupportedModality,
)
from engine.assembly import serving_encoders
from engine.encoders import bridge_of
from engine.settings import ComponentSettings, EncoderSettings, ProfileSettings
from engine.testing.encoder_contract import EncoderContract
from plugins.hash_encoder import HashEncoder, HashOptions
from plugins.onnx_encoder import OnnxEncoder, OnnxOptions
from plugins.usem3_encoder import Map, Usem3, Usem3Options, load_maps, save_maps
from tests.engine.shop import build, make_live, settings_for

BAG = (
    "red leather bag",
    "rote Ledertasche",
    "bolso de cuero rojo",
    "sac en cuir rouge",
    "红色皮包",
)
HASH = HashEncoder(HashOptions())


@pytest.fixture(scope="module")
def plain() -> Usem3:
    return Usem3(Usem3Options(threads=1))


class TestContract(EncoderContract):
    @pytest.fixture
    def encoder(self, plain: Usem3) -> Encoder:
        return plain


def test_one_meaning_is_one_place_in_every_language(plain: Usem3) -> None:
    rows = plain.encode_texts([*BAG, "USB cable"], "query")
    cosines = rows @ rows[0]
    assert cosines[1:-1].min() > 0.6
    assert cosines[-1] < 0.3


def test_it_has_no_eyes(plain: Usem3) -> None:
    assert plain.info.modalities == ("text",)
    with pytest.raises(UnsupportedModality):
        plain.encode_images([])


# The shipped maps


@pytest.mark.parametrize("space", ["joint", "sentence"])
def test_the_shipped_maps_lead_into_the_shipped_encoder(space: str) -> None:
    native = OnnxEncoder(OnnxOptions(space=space, threads=1))
    bridge = Usem3(Usem3Options(into=native.info.fingerprint, threads=1))
    assert bridge.info.fingerprint == native.info.fingerprint
    (wanted, other) = native.encode_texts(["red leather handbag", "black sneakers"], "query")
    for text in ("rote Handtasche aus Leder", "bolso de cuero rojo", "红色皮革手提包"):
        (row,) = bridge.encode_texts([text], "query")
        assert row @ wanted > row @ other + 0.1
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


# Maps of our own


def map_into(info: EncoderInfo, seed: int = 0) -> Map:
    rng = np.random.default_rng(seed)
    return Map(info, rng.standard_normal((513, info.dim)).astype(np.float32))


def test_maps_are_kept(plain: Usem3, tmp_path: Path) -> None:
    made = map_into(HASH.info)
    save_maps(tmp_path / "maps.npz", plain.info.fingerprint, [made])
    source, (read,) = load_maps(str(tmp_path / "maps.npz"))
    assert source == plain.info.fingerprint
    assert read.info == msgspec.structs.replace(HASH.info, modalities=("text",))
    np.testing.assert_allclose(read.weights, made.weights, rtol=1e-3, atol=1e-4)


def test_what_leads_nowhere(plain: Usem3, tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    save_maps(path, plain.info.fingerprint, [map_into(HASH.info)])
    with pytest.raises(InvalidModel, match="no map into the space"):
        Usem3(Usem3Options(into="0" * 64, maps=str(path)))
    save_maps(path, "another release", [map_into(HASH.info)])
    with pytest.raises(InvalidModel, match="another release"):
        Usem3(Usem3Options(into=HASH.info.fingerprint, maps=str(path)))
    with pytest.raises(InvalidModel, match="no maps of a bridge"):
        Usem3(Usem3Options(into="x", maps=str(tmp_path / "none.npz")))
    path.write_bytes(b"rubbish")
    with pytest.raises(InvalidModel, match="no maps of a bridge"):
        Usem3(Usem3Options(into="x", maps=str(path)))


def test_into_its_own_space_no_map_is_needed(plain: Usem3) -> None:
    own = Usem3(Usem3Options(into=plain.info.fingerprint, maps="none", threads=1))
    np.testing.assert_array_equal(own.encode_texts(BAG, "query"), plain.encode_texts(BAG, "query"))


# In the engine


def bridged(settings: Settings, maps: Path) -> Settings:
    bridge = ComponentSettings("usem3", {"maps": str(maps), "threads": 1})
    encoders = msgspec.structs.replace(settings.encoders, bridge=bridge)
    return msgspec.structs.replace(settings, encoders=encoders)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, plain: Usem3) -> Iterator[Engine]:
    """A shop on the hash encoder, whose bridge sends German bags to where "bag" is."""
    folder = tmp_path_factory.mktemp("bridged")
    wanted = HASH.encode_texts(["bag"], "query")[0]
    weights = np.zeros((513, HASH.info.dim), np.float32)
    weights[-1] = wanted  # whatever it reads is a bag
    save_maps(folder / "maps.npz", plain.info.fingerprint, [Map(HASH.info, weights)])
    profile = ProfileSettings(
        query_processors=("normalize",), rankers=(), weights={"bm25": 0, "codes": 0}
    )
    settings = bridged(settings_for(folder), folder / "maps.npz")
    settings = msgspec.structs.replace(settings, profiles={"default": profile})
    build(settings, "g1", [Product(id=name, title=name) for name in ("bag", "lamp", "sofa")])
    make_live(settings, "g1")
    with Engine(settings) as engine:
        yield engine


@pytest.mark.parametrize(
    ("locale", "first"), [("de", "bag"), ("zh-CN", "bag"), ("en-GB", "lamp"), (None, "lamp")]
)
def test_foreign_words_go_over_the_bridge(shop: Engine, locale: str | None, first: str) -> None:
    answer = shop.search(SearchRequest(Query(text="lamp"), locale=locale))
    assert answer.hits[0].id == first


def test_writes_do_not(shop: Engine) -> None:
    text, _ = serving_encoders(shop.settings, shop.manager)
    bridge = bridge_of(text)
    assert bridge is not None
    assert bridge.info.dim == text.info.dim
    lamp = HASH.encode_texts(["lamp"], "document")
    np.testing.assert_array_equal(text.encode_texts(["lamp"], "document"), lamp)
    text.close()


def test_a_bridge_of_another_size_is_refused(tmp_path: Path) -> None:
    encoders = EncoderSettings(
        ComponentSettings("hash"), ComponentSettings("hash"), ComponentSettings("wide")
    )

    class Wide(PluginManager):
        def create(self, kind: str, name: str, options: object = None) -> object:
            if name != "wide":
                return super().create(kind, name, None)
            return HashEncoder(HashOptions(dim=7))

    settings = Settings(root=str(tmp_path), encoders=encoders)
    with pytest.raises(InvalidModel, match="gives 7 numbers"):
        serving_encoders(settings, Wide())
