"""What every translator must do. Inherit the class, say what is tested and which pair it does::

class TestMine(TranslatorContract):
    pair = ("es", "en")

    @pytest.fixture
    def translator(self):
        return MyTranslator(MyOptions())

How good its translations are is another question; these are of their form.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import PluginError
from engine.translators import KnowsTheShop, Translator

TEXTS = (
    "zapatos rojos",
    "",
    "  ",
    "Zyxorn Air 90",
    "a[b]^c$ {d} <e> @f /g\\ *h #i",
    "😀 50 €",
    "ñ",
)


class TranslatorContract:
    """The tests of one translator. ``words`` is a text in its source language."""

    pair: tuple[str, str]
    words = "zapatos rojos"

    @pytest.fixture
    def translator(self) -> Translator:
        """The translator under test; override it."""
        raise NotImplementedError

    def test_says_what_it_does(self, translator: Translator) -> None:
        assert self.pair in translator.pairs()
        assert all(source and target for source, target in translator.pairs())

    def test_one_translation_for_each_text(self, translator: Translator) -> None:
        found = translator.translate(TEXTS, *self.pair)
        assert isinstance(found, list)
        assert len(found) == len(TEXTS)
        assert all(isinstance(text, str) for text in found)
        assert [text.strip() for text in found[1:3]] == ["", ""]
        assert translator.translate([], *self.pair) == []

    def test_alone_as_in_a_batch(self, translator: Translator) -> None:
        batch = translator.translate(TEXTS, *self.pair)
        assert [translator.translate([text], *self.pair)[0] for text in TEXTS] == batch

    def test_a_long_text(self, translator: Translator) -> None:
        (found,) = translator.translate([f"{self.words} " * 140], *self.pair)
        assert found.strip()

    def test_from_several_threads(self, translator: Translator) -> None:
        texts = [f"{self.words} {n}" for n in range(24)]
        alone = translator.translate(texts, *self.pair)
        with ThreadPoolExecutor(4) as pool:
            together = pool.map(lambda text: translator.translate([text], *self.pair)[0], texts)
        assert list(together) == alone

    def test_what_the_shop_sells_changes_no_form(self, translator: Translator) -> None:
        """Of one that chooses by it."""
        if isinstance(translator, KnowsTheShop):
            for wanted in (lambda phrase: True, lambda phrase: False):
                found = translator.translate_for(TEXTS, *self.pair, wanted)
                assert isinstance(found, list)
                assert [isinstance(text, str) for text in found] == [True] * len(TEXTS)

    def test_another_pair_is_refused(self, translator: Translator) -> None:
        with pytest.raises(PluginError):
            translator.translate(["x"], "tlh", "en")

    def test_closes_twice(self, translator: Translator) -> None:
        translator.translate([self.words], *self.pair)
        translator.close()
        translator.close()
