"""What query processors must do, one function per clause, and the shops and plans to try them
with. :mod:`engine.conformance.ranking` says how clauses are written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from msgspec import structs
from PIL.Image import Image

from engine.errors import UnsupportedModality
from engine.plan import PlanStep, QueryPlan
from engine.protocols import QueryProcessor, Role, ShopView, Vectors
from engine.schema import FieldKind, IndexSchema
from engine.types import MAX_QUERY_CHARS, EncoderInfo
from engine.understanding import plan_check

from .broken import ContractBroken, accepted, called
from .spoken import Reading, spans_of

PlanClause = Callable[[QueryProcessor], None]

THREADS = 4
LOCALES = (None, "en", "es-MX")
TEXTS = (
    "red leather purse",
    "",  # a photo's query has no words
    " ",
    "zapatos rojos para niños",
    "كرسي خشبي",
    "防水トレッキングシューズ",
    "👩‍🚀 🙂",
    "\x00\x07\u200b",
    "x" * MAX_QUERY_CHARS,
    "word " * (MAX_QUERY_CHARS // 5),
    "<script>alert('x')</script> & \"quotes\"",
    "size:42 -red +blue (shoe OR boot)*",
)
PLAN_HINT = (
    "Return a changed copy, msgspec.structs.replace(plan, …). Filters name declared fields of "
    "shop.schema; spans are positions in plan.read."
)


def copes_with_any_text(processor: QueryProcessor) -> None:
    """A usable plan for words of any alphabet, none, and as many as a search may have."""
    for locale in LOCALES:
        for text in TEXTS:
            plan = QueryPlan(original=text, text=text, locale=locale)
            planned(processor, plan, a_shop(), f"text {text!r:.40}, locale {locale}")


def copes_with_what_others_planned(processor: QueryProcessor) -> None:
    """The same on top of earlier processors' work, and in a shop nothing is known of."""
    planned(processor, full_plan(), a_shop(), "a plan that others worked on")
    planned(processor, full_plan(), empty_shop(), "a shop without fields or values")


def returns_a_copy(processor: QueryProcessor) -> None:
    """The plan that was given, its lists and dicts too, stays as it was."""
    plan = full_plan()
    before = copy.deepcopy(plan)
    planned(processor, plan, a_shop(), "a plan that others worked on")
    if plan != before:
        hint = "Do not change plan.filters or another of its dicts in place: {**plan.filters, …}."
        raise ContractBroken("the given plan is another one afterwards", hint)


def plans_the_same_again(processor: QueryProcessor) -> None:
    """Equal plans for equal texts in one shop, on any thread."""
    plans = [QueryPlan(original=text, text=text, locale="en") for text in TEXTS]
    shop = a_shop()
    expected = [planned(processor, plan, shop, "one by one") for plan in plans]
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(
            lambda plan: planned(processor, plan, shop, "four threads at once"), plans * THREADS
        )
        for plan, answer, alone in zip(plans * THREADS, found, expected * THREADS, strict=True):
            if answer != alone:
                hint = "Keep what a call works with in local variables, not on self."
                raise ContractBroken(f"{plan.text!r:.40} is planned another way", hint)


def leaves_out_what_was_taken_back(processor: QueryProcessor) -> None:
    """A reading that is in `plan.ignored` is not given again."""
    for text in TEXTS:
        plan = QueryPlan(original=text, text=text, locale="en")
        first = planned(processor, plan, a_shop(), f"text {text!r:.40}")
        ignored = tuple(span.key for span in first.spans)
        again = planned(processor, structs.replace(plan, ignored=ignored), a_shop(), "ignored")
        if back := {span.key for span in again.spans} & set(ignored):
            hint = "Leave out spans whose span.key is in plan.ignored."
            raise ContractBroken(f"{sorted(back)} came back though the shopper said no", hint)


QUERY_PROCESSOR: tuple[PlanClause, ...] = (
    copes_with_any_text,
    copes_with_what_others_planned,
    returns_a_copy,
    plans_the_same_again,
    leaves_out_what_was_taken_back,
)


def planned(processor: QueryProcessor, plan: QueryPlan, shop: ShopView, what: str) -> QueryPlan:
    """What the processor makes of a plan.

    Raises:
        ContractBroken: where the engine, or the answer's reader, would be misled.
    """
    found = called(lambda: processor.process(plan, shop), f"process(): {what}", PLAN_HINT)
    accepted(plan_check(shop.schema), found, what, PLAN_HINT)
    for span in found.spans:
        if not 0 <= span.start < span.end <= len(found.read):
            raise ContractBroken(f"{span} lies outside plan.read ({what})", PLAN_HINT)
    shares = [*(span.confidence for span in found.spans), *found.categories.values()]
    if not all(0 <= share <= 1 for share in shares):
        raise ContractBroken(f"a confidence outside 0…1 ({what})", "Clip it to 0…1.")
    return found


class _Unit:
    """Texts as unit vectors that say nothing."""

    info = EncoderInfo("unit", "1", 4, ("text",), "unit")

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        return np.full((len(texts), 4), 0.5, dtype=np.float32)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        raise UnsupportedModality("the unit encoder has no image tower")

    def close(self) -> None: ...


def empty_shop() -> ShopView:
    """A shop that nothing is known of."""
    return ShopView(IndexSchema(), {}, _Unit())


def a_shop() -> ShopView:
    """A small shop of clothes; each call gives another object."""
    kinds = {"color": FieldKind.KEYWORD, "size": FieldKind.KEYWORD}
    vocabulary = {
        "brand": {"Nike": 3, "Acme": 1},
        "category": {"Shoes": 4, "Shoes > Boots": 1},
        "color": {"Red": 2, "Navy Blue": 1},
        "size": {"42": 2},
    }
    return ShopView(IndexSchema(kinds), vocabulary, _Unit(), prices={"EUR": 4})


def full_plan() -> QueryPlan:
    """A plan that earlier processors have worked on: of one field two values are wanted, of
    another one is not, and a word stands for nothing in the shop."""
    text = "red nike or acme shoes rare not boots"
    readings: tuple[Reading, ...] = (
        ("red", "color", "color", ("Red",), "boost"),
        ("nike", "creator", "brand", ("Nike",), "boost"),
        ("acme", "creator", "brand", ("Acme",), "boost"),
        ("shoes", "core_product_type", "category", ("Shoes",), "boost"),
        ("rare", "modifier", "", (), "note"),
        ("not boots", "negation", "category", ("Shoes > Boots",), "exclude"),
    )
    return QueryPlan(
        original="red nikee or acme shoes rare not boots",
        text="red nike or acme shoes rare",
        read=text,
        spans=tuple(spans_of(text, readings)),
        locale="en",
        translations={"es": "zapatos nike rojos"},
        categories={"Shoes": 0.9},
        filters={"brand": ["Nike", "Acme"], "category": {"not": ["Shoes > Boots"]}},
        corrections=("nikee → nike",),
        steps=(PlanStep("spelling", ("text", "corrections"), 0.3),),
    )
