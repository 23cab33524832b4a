"""Query processor ``normalize``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import PluginManager, QueryPlan, QueryProcessor
from engine.testing.query_processor_contract import QueryProcessorContract, empty_shop


def make() -> QueryProcessor:
    processor: QueryProcessor = PluginManager().create("query_processors", "normalize")
    return processor


def normalized(text: str) -> str:
    return make().process(QueryPlan(original=text, text=text), empty_shop()).text


class TestContract(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        return make()


@pytest.mark.parametrize(
    ("typed", "searched"),
    [
        ("  red \t\n purse ", "red purse"),
        ("ｒｅｄ　ｐｕｒｓｅ", "red purse"),  # full-width letters and space
        ("ﬁne ½ sofa", "fine 1⁄2 sofa"),
        ("Cafe\u0301", "Café"),
        ("red\x00pur\u200bse", "red pur se"),
        ("\ufeffred", "red"),
        ("red\ud800", "red"),  # a lone surrogate breaks every encoder
        ("Nike AIR", "Nike AIR"),
        ("👩\u200d🚀 poster", "👩\u200d🚀 poster"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u202eabc\u202c", "abc"),
        ("\x01\x02\u200b", ""),
    ],
)
def test_texts(typed: str, searched: str) -> None:
    assert normalized(typed) == searched


@given(st.text())
def test_twice_is_once(text: str) -> None:
    once = normalized(text)
    assert normalized(once) == once
    assert once == once.strip()
