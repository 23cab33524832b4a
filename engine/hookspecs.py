"""All hooks a plugin can implement. Each is called once, at start, with ``register``.

``register(name, factory, options)``: ``factory(options_instance)`` builds the component,
``options`` is the :class:`msgspec.Struct` type that its table in ``entrepot.toml`` must fit
(unknown keys are refused).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import pluggy
from msgspec import Struct

from .evaluation.measures import Measures
from .events import EventStore
from .protocols import (
    CatalogueSource,
    Encoder,
    QueryProcessor,
    VectorStores,
)
from .recommenders import Recommender
from .settings import Settings
from .translators import Translator
from .types import Product
from .window import Arranger, Ranker

PROJECT = "entrepot"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T_contra = TypeVar("T_contra", contravariant=True)

ReadCatalogue = Callable[[Settings, str], tuple[str, Iterator[Product | None]]]
"""Reads a catalogue as `entrepot index` does: the folder that relative photo paths start from,
and one product per row, ``None`` for a row that is unusable or unpublished. Raises
InvalidRequest for a catalogue that cannot be read."""
READ_CATALOGUE = "entrepot.read_catalogue"
"""Where a command finds its :data:`ReadCatalogue`: a key of its click context's ``meta``."""


class NoOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """For a component without options."""


class Register(Protocol[T_contra]):
    """What a hook calls, once per component it offers."""

    def __call__(
        self, name: str, factory: Callable[[Any], T_contra], options: type[Struct] = NoOptions
    ) -> None:
        """Offer a component.

        ``name`` is how settings refer to it, one of its kind. ``factory`` gets an instance of
        ``options`` and returns the component; import a heavy vendor in there, so that a shop
        that does not use it does not load it. ``options`` is a frozen struct that the settings'
        table must fit.
        """
        ...


class Registry(Protocol):
    """What all plugins registered, for a component that is made of others'. Ask it in the
    factory: while hooks are called, others have yet to register."""

    @property
    def missing(self) -> Sequence[object]:
        """The plugins that failed to load: what they would have offered, nobody knows."""
        ...

    def names(self, kind: str) -> Sequence[str]:
        """Of all components of a kind ("translators"), sorted."""
        ...

    def settings_of(self, name: str) -> Mapping[str, Any]:
        """The table ``[plugins.options.NAME]``, not validated; empty where there is none."""
        ...

    def create(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """Build a component with its table in the settings, in which ``options`` replace what
        they name. Its owner closes it.

        Raises:
            UnknownPlugin: nobody registered ``name``.
            InvalidSettings: its options do not fit.
            PluginError: it cannot be built.
        """
        ...


@hookspec
def register_encoders(register: Register[Encoder]) -> None:
    """Offer encoders: texts and images to vectors."""


@hookspec
def register_stores(register: Register[VectorStores]) -> None:
    """Offer vector stores; their options begin with ``data_dir`` and ``shop``."""


@hookspec
def register_sources(register: Register[CatalogueSource]) -> None:
    """Offer catalogue sources."""


@hookspec
def register_query_processors(register: Register[QueryProcessor], registry: Registry) -> None:
    """Offer steps of query understanding. Name ``registry`` where one is made of components that
    other plugins register, as ``translate`` is of translators, and leave it out otherwise."""


@hookspec
def register_translators(register: Register[Translator]) -> None:
    """Offer translators, for queries and for catalogues."""


@hookspec
def register_rankers(register: Register[Ranker]) -> None:
    """Offer rankers."""


@hookspec
def register_arrangers(register: Register[Arranger]) -> None:
    """Offer arrangers."""


@hookspec
def register_event_stores(register: Register[EventStore]) -> None:
    """Offer event stores; their options begin with ``data_dir``, ``shop`` and
    ``popularity_half_life_days``."""


@hookspec
def register_recommenders(register: Register[Recommender]) -> None:
    """Offer recommenders: reasons to recommend products. An option ``data_dir`` is filled in."""


@hookspec
def register_measures(register: Register[Measures]) -> None:
    """Offer measures of rankings, for evaluation and the gate before a promotion."""


@hookspec
def register_commands(register: Register[Any]) -> None:
    """Offer command groups: the factory returns a :class:`click.Command`."""
