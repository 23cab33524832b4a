"""Settings of one shop: ``entrepot.toml`` plus ``ENTREPOT_…`` variables, read once at start.

A variable names its setting by path, ``__`` between levels: ``ENTREPOT_DATA_DIR``,
``ENTREPOT_STORE__OPTIONS__URL``, ``ENTREPOT_SEARCH__RRF_K``. A value is a plain string, read
as its setting's type asks; TOML arrays and inline tables are read as such. Variables that
name no setting are left alone (a cluster sets ``ENTREPOT_PORT`` and the like for a service of
this name), with a word in the log where one looks misspelt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from .errors import InvalidSettings
from .locales import parse_locale
from .schema import FieldKind
from .settings_tables import overlay, read_toml, with_keys
from .types import MAX_WINDOW

ENV_PREFIX = "ENTREPOT_"
FILE_NAME = "entrepot.toml"
Positive = Annotated[int, Meta(ge=1)]


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table: unknown keys are errors, for a misspelt setting must not pass silently."""


class CatalogueSettings(_Table, frozen=True):
    """How catalogue rows become products.

    ``columns`` maps product fields to catalogue columns (``title = "name"``); unmapped
    fields are guessed from well-known names. ``ignore`` lists columns, and keys of a nested
    ``attributes`` column, to drop. ``fields`` overrules the inferred kind of an attribute.
    """

    source: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    fields: dict[str, FieldKind] = field(default_factory=dict)
    category_separator: str = ""
    locale: str = "en"
    currency: str = ""

    def __post_init__(self) -> None:
        try:
            msgspec.structs.force_setattr(self, "locale", parse_locale(self.locale))
        except ValueError as error:
            raise ValueError(f"locale: {error}") from None


class ImageSettings(_Table, frozen=True):
    """Caps on every picture, shopper's or catalogue's. URLs are fetched only if ``urls``."""

    urls: bool = False
    schemes: tuple[str, ...] = ("https",)
    max_bytes: Positive = 20_000_000
    max_pixels: Positive = 50_000_000
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    max_per_product: Positive = 8


class ComponentSettings(_Table, frozen=True):
    """A registered component by name and its options."""

    plugin: str
    options: dict[str, Any] = field(default_factory=dict)


class EncoderSettings(_Table, frozen=True):
    """``text`` embeds product texts and queries for the text lane; ``image`` is the joint
    image-text encoder of the image lanes. ``bridge`` embeds queries in other languages than the
    catalogue's for both: a component that takes an option ``into``, the fingerprint of the
    encoder in whose space it answers."""

    text: ComponentSettings = ComponentSettings("onnx", {"space": "sentence"})
    image: ComponentSettings = ComponentSettings("onnx")
    bridge: ComponentSettings | None = None


class SearchSettings(_Table, frozen=True):
    """Retrieval and fusion. ``fusion`` is by normalised "scores" (decision 0014) or by ranks,
    "rrf"; ``rrf_k`` = 60 is the constant of Cormack, Clarke and Büttcher,
    SIGIR 2009; ``depth`` is how far down each lane is read (200: decision 0005); ``cache``
    counts query embeddings kept (0: none)."""

    fusion: Literal["scores", "rrf"] = "scores"
    rrf_k: Annotated[int, Meta(ge=0)] = 60
    depth: Annotated[int, Meta(ge=1, le=MAX_WINDOW)] = 200
    rerank_window: Annotated[int, Meta(ge=1, le=MAX_WINDOW)] = 200
    cache: Annotated[int, Meta(ge=0)] = 4096
    facet_values: Positive = 50


class ProfileSettings(_Table, frozen=True):
    """A named pipeline: component names in the order they run, lane weights (a lane not named
    keeps its default; 0 switches it off), ``cutoffs``, the raw scores below which a lane's hits are
    left out, instead of its encoder's noise floor, and ``group_by``, a keyword field whose values
    show once each in a result, as "group_id" does for variants ("": none)."""

    query_processors: tuple[str, ...] = (
        "normalize",
        "spelling",
        "understand",
        "synonyms",
        "rules",
    )
    rankers: tuple[str, ...] = ("understood", "personal", "availability", "rules")
    arrangers: tuple[str, ...] = ()
    weights: dict[str, Annotated[float, Meta(ge=0)]] = field(default_factory=dict)
    cutoffs: dict[str, float] = field(default_factory=dict)
    group_by: str = ""


Isolation = Literal["none", "thread", "process"]
"""Where a component runs: in the search's own thread, on another, or in a process."""


class LimitSettings(_Table, frozen=True):
    """One component's limits, by its name under ``[plugins.limits]``.

    ``isolation = "process"`` runs it in a process of its own, which is killed at its deadline and
    may use ``memory_mb`` of memory; ``"thread"`` on a thread of the server, ``"none"`` right in the
    search, without a deadline (``docs/plugin-isolation.md``). Where nothing is said, neither that
    nor a deadline, ``"none"`` is for those that promise to be prompt, and a thread for all others.
    """

    deadline_ms: Annotated[float, Meta(gt=0)] | None = None
    isolation: Isolation | None = None
    memory_mb: Annotated[int, Meta(ge=16)] | None = None


class PluginSettings(_Table, frozen=True):
    """Third-party loading and limits.

    ``strict`` stops the start at the first plugin that is broken, and at the first component that
    cannot be built; ``disabled`` names plugins to leave out, ``isolated`` those that the server
    must not even import: their components run in processes of their own. ``deadline_ms`` bounds
    each call of a ranker, arranger or query processor, unless its own table in ``limits`` says
    otherwise; ``recovery_s`` is how long one that fails is left alone. ``options`` are per
    component name.
    """

    strict: bool = False
    disabled: tuple[str, ...] = ()
    isolated: tuple[str, ...] = ()
    deadline_ms: Annotated[float, Meta(gt=0)] = 50.0
    recovery_s: Annotated[float, Meta(ge=0)] = 30.0
    limits: dict[str, LimitSettings] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def limits_of(self, name: str) -> LimitSettings:
        """A component's limits; the defaults where it has none of its own."""
        return self.limits.get(name, LimitSettings())

    def deadline_s(self, name: str) -> float:
        """The seconds that one call of a component may take."""
        return (self.limits_of(name).deadline_ms or self.deadline_ms) / 1000


class EventSettings(_Table, frozen=True):
    """What shoppers do. ``plugin`` keeps it (empty: nothing is kept); ``public`` takes events
    without ``server.api_key``. An event is deleted ``retention_days`` after it happened.

    Half-lives say when an event counts half. Exponential decay is the usual time weight (Ding
    and Li, CIKM 2005); the figures are ours, untuned: a session's intent lasts minutes, a taste
    a season, and for popularity a week, which makes all weekdays alike. Three half-lives of
    taste leave an eighth of an event: it is kept no longer than that (storage limitation, GDPR
    Art. 5(1)(e)). ``history`` is how many events a profile is made of; ``anonymity`` how many
    shoppers must have asked a query before analytics show it.
    """

    plugin: str = "sqlite"
    options: dict[str, Any] = field(default_factory=dict)
    public: bool = False
    retention_days: Annotated[float, Meta(gt=0, le=3650)] = 90.0
    session_half_life_minutes: Annotated[float, Meta(gt=0)] = 15.0
    half_life_days: Annotated[float, Meta(gt=0)] = 30.0
    popularity_half_life_days: Annotated[float, Meta(ge=0.1)] = 7.0
    history: Annotated[int, Meta(ge=1, le=1000)] = 50
    anonymity: Annotated[int, Meta(ge=2)] = 10


class LocalizationSettings(_Table, frozen=True):
    """Shoppers elsewhere (``docs/localization.md``). ``labels`` are files with names of fields and
    values by language, the first one that has a name counts; ``markets`` says in which currency
    shoppers of a market pay; ``rates`` are units of each currency that are worth the same, taken
    into the index when it is built."""

    labels: tuple[str, ...] = ()
    markets: dict[str, Annotated[str, Meta(pattern="^[A-Z]{3}$")]] = field(default_factory=dict)
    rates: dict[Annotated[str, Meta(pattern="^[A-Z]{3}$")], Annotated[float, Meta(gt=0)]] = field(
        default_factory=dict
    )


Place = Literal["product", "cart", "user"]
"""What products are recommended for."""
RECOMMENDER_WEIGHTS: Mapping[Place, Mapping[str, float]] = {
    "product": {"bought_together": 0.25, "content": 0.25, "popularity": 0.0},
    "cart": {"viewed_together": 0.05, "collaborative": 0.05, "content": 0.05, "popularity": 0.0},
    "user": {"viewed_together": 0.25, "content": 0.1},
}
"""Defaults in the mix; 1 where there is none. With a cart goes what is bought with it, not what
would do in its place. Chosen, to a factor of about two, on half of the simulated shoppers of
``benchmarks/recommendations.py``."""


class RecommendationSettings(_Table, frozen=True):
    """``recommenders`` are mixed; ``weights`` say what each weighs by what is recommended for (one
    that is not named keeps its default; 0 leaves it out). Each gives ``depth`` products. Where
    they name too few, ``fallback`` fills the list, one after the other. ``in_stock`` leaves out
    what is sold out; ``bought_again`` recommends what the shopper bought before, as for groceries.
    """

    recommenders: tuple[str, ...] = (
        "bought_together",
        "viewed_together",
        "collaborative",
        "content",
        "popularity",
    )
    fallback: tuple[str, ...] = ("popularity", "trending", "newest")
    weights: dict[Place, dict[str, Annotated[float, Meta(ge=0)]]] = field(default_factory=dict)
    depth: Annotated[int, Meta(ge=1, le=MAX_WINDOW)] = 50
    in_stock: bool = True
    bought_again: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be asked, each once."""
        return tuple(dict.fromkeys((*self.recommenders, *self.fallback)))

    def weight(self, place: Place, recommender: str) -> float:
        """What a recommender weighs in the mix."""
        default = RECOMMENDER_WEIGHTS[place].get(recommender, 1.0)
        return self.weights.get(place, {}).get(recommender, default)


class GenerationSettings(_Table, frozen=True):
    """``gate`` is a file with rules and judgments that a generation must pass before it goes live
    (``docs/evaluation.md``); empty: none."""

    gate: str = ""


class ExperimentSettings(_Table, frozen=True):
    """Profiles that shoppers try. "split" gives each shopper one of ``profiles``, by their shares
    (any numbers above 0); "interleave" mixes the results of exactly two, whose shares do not
    matter. A search takes part by naming the experiment as its profile."""

    profiles: dict[str, Annotated[float, Meta(gt=0)]]
    method: Literal["split", "interleave"] = "split"


class ServerSettings(_Table, frozen=True):
    """The HTTP server. ``workers`` is how many requests are at work at once; of
    searches, those beyond one for every two cores wait for their turn (:mod:`engine.turns`)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    workers: Positive = 4
    max_upload_bytes: Positive = 20_000_000
    api_key: str = ""


class Settings(_Table, frozen=True):
    """Everything about one shop; relative paths start at ``root``, the file's folder."""

    shop: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = "shop"
    data_dir: str = "entrepot-data"
    rules_file: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    catalogue: CatalogueSettings = CatalogueSettings()
    images: ImageSettings = ImageSettings()
    encoders: EncoderSettings = EncoderSettings()
    store: ComponentSettings = ComponentSettings("qdrant-edge")
    search: SearchSettings = SearchSettings()
    profiles: dict[str, ProfileSettings] = field(
        default_factory=lambda: {"default": ProfileSettings()}
    )
    plugins: PluginSettings = PluginSettings()
    events: EventSettings = EventSettings()
    recommendations: RecommendationSettings = RecommendationSettings()
    localization: LocalizationSettings = LocalizationSettings()
    generations: GenerationSettings = GenerationSettings()
    experiments: dict[str, ExperimentSettings] = field(default_factory=dict)
    server: ServerSettings = ServerSettings()
    root: str = "."

    @property
    def data_path(self) -> Path:
        """The folder of the embedded store, journal and caches, absolute."""
        return Path(self.root, self.data_dir).resolve()

    @property
    def rules_path(self) -> Path:
        """The file of business rules, absolute; in the data folder unless the settings name one,
        for it is written over the API and settings are often mounted read-only."""
        if self.rules_file:
            return Path(self.root, self.rules_file).resolve()
        return self.data_path / "rules.json"

    @property
    def synonyms_path(self) -> Path:
        """The file of synonyms, absolute."""
        return self.data_path / "synonyms.json"

    @property
    def gate_path(self) -> Path | None:
        """The file of the gate before a promotion, absolute."""
        gate = self.generations.gate
        return Path(self.root, gate).resolve() if gate else None


def load_settings(path: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Read ``path`` (default: ``entrepot.toml`` here, if there is one), then ``env``.

    Raises:
        InvalidSettings: no such file, bad TOML, or a value of the wrong type, by its path.
    """
    file = path or Path(FILE_NAME)
    table: dict[str, Any] = {}
    if path is not None or file.exists():
        table = read_toml(file)
    table["root"] = str(file.parent.resolve())
    settings = _convert(table, str(file), strict=True)
    if overlay(table, env or {}, ENV_PREFIX, _TOP_LEVEL):
        settings = _convert(table, f"the environment's {ENV_PREFIX}… variables", strict=False)
    return settings


def _convert(table: dict[str, Any], source: str, *, strict: bool) -> Settings:
    try:
        return msgspec.convert(table, Settings, strict=strict)
    except msgspec.ValidationError as error:
        raise InvalidSettings(
            f"{source}: {with_keys(str(error), table, Settings, strict)}"
        ) from error


_TOP_LEVEL = frozenset(Settings.__struct_fields__) - {"root"}
