"""Whether a shop can answer, and what of it is off or degraded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from .components import Components, ComponentStatus
from .encoders import fallback_of
from .errors import StoreError
from .filters import Filter
from .live import Live, LiveSlot
from .manager import PluginManager
from .markets import unpriced
from .protocols import Encoder
from .rulebook import RuleBook
from .synonyms import SynonymBook


class Health(Struct, frozen=True):
    """Whether searches can be answered; ``problems`` lists what is off or degraded."""

    ready: bool
    generation: str
    products: int
    encoders: dict[str, str]
    problems: tuple[str, ...]


class Watched:
    """The part of an :class:`engine.Engine` that operators look at and switch."""

    manager: PluginManager
    rules: RuleBook
    synonyms: SynonymBook
    _components: Components
    _slot: LiveSlot
    _text: Encoder
    _image: Encoder
    _refusal: str

    def health(self) -> Health:
        """Whether searches can be answered, and what is off or degraded."""
        encoders = {"text": self._text, "image": self._image}
        problems = [f"plugin {s.name}: {s.error}" for s in self.manager.statuses if s.error]
        problems += self._components.problems()
        with self._slot.lease() as live:
            problems += self.rules.problems(live.store.spec.schema if live else None)
            problems += [self.synonyms.problem] if self.synonyms.problem else []
            problems += _prices(live) if live else []
            return health_of(live, self._refusal, encoders, problems)

    def components(self) -> list[ComponentStatus]:
        """The query processors, rankers and arrangers of the profiles, with what they cost."""
        return self._components.statuses()

    def disable(self, kind: str, name: str) -> ComponentStatus:
        """Leave a component out of all searches that begin from now on, until :meth:`enable` or
        the end of this engine; ``kind`` is "rankers", "arrangers" or "query_processors".

        Raises:
            NotFound: no profile runs it.
        """
        return self._components.switch(kind, name, on=False)

    def enable(self, kind: str, name: str) -> ComponentStatus:
        """Take it in again, though its breaker were open; raises NotFound."""
        return self._components.switch(kind, name, on=True)


def _prices(live: Live) -> list[str]:
    """What an index from before products had prices in several currencies, or markets these
    settings, lacks."""
    sold_in = {*live.shop.current.prices, *live.localization.markets.values()}
    if not (lacking := unpriced(live.store.spec.schema, sold_in)):
        return []
    return [
        f"prices in {', '.join(lacking)}: a search by such a currency, or in a market that pays in "
        "it, filters and sorts by no price, for the index was built without; give products these "
        "prices, or rates under [localization], and build it again (entrepot index)"
    ]


def health_of(
    live: Live | None, refusal: str, encoders: Mapping[str, Encoder], problems: Iterable[str]
) -> Health:
    """``refusal`` is why there is no live generation, where there is one that cannot be used."""
    found = list(problems)
    for kind, encoder in encoders.items():
        if reason := fallback_of(encoder):
            found.append(f"encoder {kind}: {reason}")
    generation, count, trouble = "", 0, refusal or "nothing is indexed yet"
    if live is not None:
        generation, trouble = live.generation, ""
        try:
            count = live.store.count(Filter())
        except StoreError as error:
            trouble = str(error)
    told = tuple(dict.fromkeys([trouble, *found] if trouble else found))
    names = {kind: encoder.info.name for kind, encoder in encoders.items()}
    return Health(not trouble, generation, count, names, told)
