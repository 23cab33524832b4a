"""Query processor ``normalize``: one spelling for one text.

Unicode NFKC (full-width letters, ligatures), control and invisible formatting characters
out, runs of white space to one space. Case is kept: the encoders and BM25 fold it as they
were trained to.
"""

from __future__ import annotations

import unicodedata

import msgspec

from engine import QueryPlan, QueryProcessor, Register, ShopView, hookimpl

# Zero-width joiner and non-joiner carry meaning in emoji, Persian and Indic scripts.
_KEPT = "\u200c\u200d"


class Normalize:
    prompt = True

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        text = unicodedata.normalize("NFKC", plan.text)
        visible = (c if c in _KEPT or not _invisible(c) else " " for c in text)
        plain = " ".join("".join(visible).split())
        return plan if plain == plan.text else msgspec.structs.replace(plan, text=plain)


def _invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn")


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("normalize", lambda options: Normalize())
