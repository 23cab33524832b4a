"""The public surface of ``engine``, pinned: adding or losing a name is a decision."""

from __future__ import annotations

import inspect

import pytest

import engine

PUBLIC = {
    "search": [
        *("Engine", "Query", "SearchRequest", "SortBy"),
        *("SearchResponse", "Hit", "FacetResult", "FacetValue", "Degraded"),
        *("Explanation", "LaneContribution", "LaneHit", "Candidate"),
        *("QueryPlan", "PlanStep", "Span"),
        *("AppliedRule", "Boost", "LostPin", "Selection", "OWN_PRICE"),
    ],
    "products and writes": ["Product", "Translation", "WriteResult"],
    "languages": ["best_locale", "language_code", "parse_locale"],
    "running a shop": [
        *("Settings", "load_settings", "GenerationStatus", "Health"),
        "ComponentStatus",
        *("PluginManager", "PluginStatus"),
    ],
    "plugins": [
        *("API_VERSION", "NoOptions", "Register", "Registry", "hookimpl", "READ_CATALOGUE"),
        *("Encoder", "EncoderInfo", "Role", "Vectors"),
        *("Manifest", "TextTower", "ImageTower", "QueryTower", "PairTower"),
        *("load_manifest", "pixels", "rounds_activations", "TagDecoder", "word_offsets"),
        *("CompiledGraph", "Profile", "agreement", "load_compiled", "read_compiled"),
        *("VectorStore", "VectorStores", "GenerationSpec", "Point", "LaneQuery", "Scored"),
        "FieldText",
        *("Filter", "Range", "Terms", "FieldKind", "IndexSchema"),
        *("CatalogueSource", "RawRecord"),
        *("Translator", "KnowsTheShop"),
        *("Rule", "When", "RuleSet", "NO_RULES", "texts", "unfit", "selector", "unit"),
        *("QueryProcessor", "ShopView", "Ranker", "Arranger", "RankingBatch"),
        *("Lexicon", "Term", "fold", "terms", "write_atomically", "aside"),
        *("Synonym", "SynonymSet", "NO_SYNONYMS"),
        *("Explains", "Reasons", "Move"),
    ],
    "evaluation": [
        *("JudgedSearch", "Measures", "read_qrels", "read_queries", "write_qrels"),
        *("bootstrap_interval", "dcg", "ndcg"),
    ],
    "shoppers": [
        *("Event", "EventProduct", "EventResult", "EventStatus", "EventType", "EVENT_WEIGHTS"),
        *("EventStore", "QueryCount", "from_micros", "to_micros"),
        *("Taste", "UserProfile", "NeedsBehaviour", "ForKnownShoppers", "Prompt"),
        *("RecommendationRequest", "RecommendationResponse", "RecommendedItem"),
        *("RecommendationReason", "Recommender", "Learns", "Occasion", "Assortment"),
        *("Recommended", "Interactions", "INTERACTIONS", "read_interactions", "open_events"),
    ],
    "errors": [
        *("EntrepotError", "InvalidRequest", "InvalidFilter", "InvalidProduct", "InvalidImage"),
        *("ImageTooLarge", "ForbiddenUrl", "NotFound", "NoIndex", "InvalidSettings"),
        *("InvalidBook", "InvalidRules", "InvalidSynonyms", "EditConflict"),
        *("PluginError", "UnknownPlugin", "EncoderError", "InvalidModel", "UnsupportedModality"),
        *("NoAccelerator", "CompiledMismatch"),
        *(
            "StoreError",
            "StoreUnavailable",
            "StoreLocked",
            "GateRefused",
            "GenerationLive",
            "IndexMismatch",
        ),
    ],
}
NAMES = sorted(name for names in PUBLIC.values() for name in names)


def test_the_surface_is_what_is_written_here() -> None:
    assert sorted(engine.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_ours_and_explained(name: str) -> None:
    value = getattr(engine, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__module__.partition(".")[0] == "engine"
        is_error = inspect.isclass(value) and issubclass(value, engine.EntrepotError)
        # The tree at the top of engine/errors.py explains each error.
        assert is_error or value.__doc__, "no docstring"


def test_every_error_is_public() -> None:
    found = {engine.EntrepotError}
    while more := {sub for each in found for sub in each.__subclasses__()} - found:
        found |= more
    ours = {each.__name__ for each in found if each.__module__ == "engine.errors"}
    assert ours == set(PUBLIC["errors"])
