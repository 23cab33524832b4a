"""What a search finds out about the shopper before it ranks, and who ranks for a stranger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from .behaviour import Behaviour
from .guard import PluginFailed
from .live import Pipeline
from .profiles import UserProfile
from .protocols import Vectors, VectorStore
from .types import Degraded, SearchRequest


@dataclass(slots=True)
class Known:
    """What was found out about the shopper and the products, where somebody wants to know."""

    profile: UserProfile | None = None
    popularity: Vectors | None = None


def find_out(
    ids: list[str],
    pipeline: Pipeline,
    request: SearchRequest,
    store: VectorStore,
    behaviour: Behaviour | None,
    degraded: list[Degraded],
) -> Known:
    """The search goes on with what there is where the event store fails."""
    known = Known()
    plugins = [plugin for _, plugin in (*pipeline.rankers, *pipeline.arrangers)]
    wanted = {name for plugin in plugins for name in getattr(plugin, "required_behaviour", ())}
    if behaviour is None or not wanted:
        return known
    ask, who = behaviour.guard, (request.user_id, request.session_id)
    try:
        if "profile" in wanted and any(who):
            history = ask.call(partial(behaviour.history, *who), _anything)
            known.profile = behaviour.profile_of(history, request.session_id, store)
        if "popularity" in wanted:
            known.popularity = ask.call(partial(behaviour.popularity, ids), _anything)
            known.popularity.flags.writeable = False
    except PluginFailed as error:
        degraded.append(Degraded(ask.name, str(error)))
    return known


def for_strangers(pipeline: Pipeline) -> Pipeline:
    """Without those that only have something to say about shoppers who are known."""

    def stays(pair: tuple[object, object]) -> bool:
        return not getattr(pair[1], "for_known_shoppers", False)

    return replace(
        pipeline,
        rankers=[pair for pair in pipeline.rankers if stays(pair)],
        arrangers=[pair for pair in pipeline.arrangers if stays(pair)],
    )


def _anything(answer: object) -> None:
    """The engine's own store adapters need no check."""
