"""The conformance kit: per protocol a pytest class to inherit. ``pip install "entrepot[test]"``
brings what it runs on.

:mod:`engine.conformance` holds what it checks of rankers, arrangers and query processors, and makes
the windows and shops that tests of one's own need, too.
"""

from __future__ import annotations

from engine.conformance import make_batch

from .arranger_contract import ArrangerContract
from .encoder_contract import EncoderContract
from .event_store_contract import EventStoreContract
from .measures_contract import MeasuresContract
from .query_processor_contract import QueryProcessorContract, a_shop
from .ranker_contract import RankerContract
from .recommender_contract import RecommenderContract
from .source_contract import SourceContract
from .store_contract import StoreContract
from .translator_contract import TranslatorContract

__all__ = [
    "ArrangerContract",
    "EncoderContract",
    "EventStoreContract",
    "MeasuresContract",
    "QueryProcessorContract",
    "RankerContract",
    "RecommenderContract",
    "SourceContract",
    "StoreContract",
    "TranslatorContract",
    "a_shop",
    "make_batch",
]
