"""Recommenders: bought or viewed together, content, collaborative filtering, popularity, trends.

What each computes is in its module; ``docs/recommendations.md`` says what they are good for. The
package ``implicit`` (the extra ``recommend``) is loaded when a model is trained, not to serve one.
"""

from __future__ import annotations

from typing import Any

from engine import NoOptions, Recommender, Register, hookimpl

from .cli import recommend
from .collaborative import Collaborative, CollaborativeOptions
from .content import Content
from .cooccurrence import BoughtTogether, ViewedTogether
from .newest import Newest
from .popularity import Popularity, PopularityOptions, Trending, TrendingOptions


@hookimpl
def register_recommenders(register: Register[Recommender]) -> None:
    register("bought_together", lambda options: BoughtTogether(), NoOptions)
    register("viewed_together", lambda options: ViewedTogether(), NoOptions)
    register("collaborative", Collaborative, CollaborativeOptions)
    register("content", lambda options: Content(), NoOptions)
    register("trending", Trending, TrendingOptions)
    register("popularity", Popularity, PopularityOptions)
    register("newest", lambda options: Newest(), NoOptions)


@hookimpl
def register_commands(register: Register[Any]) -> None:
    register("recommend", lambda options: recommend)
