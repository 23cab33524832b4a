"""Whether a shop can answer, and what of it is off or degraded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from .encoders import fallback_of
from .errors import StoreError
from .filters import Filter
from .live import Live
from .protocols import Encoder


class Health(Struct, frozen=True):
    """Whether searches can be answered; ``problems`` lists what is off or degraded."""

    ready: bool
    generation: str
    products: int
    encoders: dict[str, str]
    problems: tuple[str, ...]


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
