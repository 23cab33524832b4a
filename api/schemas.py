"""What goes over the wire and is not already one of the engine's own types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar.datastructures import UploadFile
from msgspec import Meta, Struct

from engine.breaker import State
from engine.evaluation.gate import Evidence, Gate
from engine.events import EventStatus, QueryCount
from engine.manager import PluginStatus
from engine.plan import AppliedRule, QueryPlan
from engine.rules import Moment, Rule
from engine.schema import FieldKind
from engine.settings import Isolation
from engine.suggest import Suggestion
from engine.synonyms import Synonym
from engine.types import Degraded, ImageWeight, Locale, SortBy
from indexer.writer import LineResult

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Crop = tuple[Fraction, Fraction, Fraction, Fraction]
"""x, y, width, height as fractions of the upright picture; (0, 0) is its top left corner."""


class SearchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search as JSON. Give any mix of ``text``, one picture (``image`` or ``image_url``) and
    ``like``; or none of them and ``filters`` (``{}`` for everything) to browse."""

    text: str | None = None
    image: Annotated[str, Meta(description="A picture as base64 or as a data: URI.")] | None = None
    image_url: (
        Annotated[str, Meta(description="Fetched by the server; off unless images.urls is set.")]
        | None
    ) = None
    crop: (
        Annotated[Crop, Meta(description="x, y, width, height as fractions of the picture.")] | None
    ) = None
    like: Annotated[tuple[str, ...], Meta(description="Product ids to be like.")] = ()
    image_weight: ImageWeight = 0.5
    filters: (
        Annotated[
            dict[str, Any],
            Meta(description="Declared field → value, list, range or {not}; all must hold."),
        ]
        | None
    ) = None
    facets: Annotated[
        tuple[str, ...],
        Meta(description='Declared fields to count; "*": those most useful for this result.'),
    ] = ()
    group_by: (
        Annotated[str, Meta(description="A keyword field whose values show once; empty: none.")]
        | None
    ) = None
    sort: SortBy | None = None
    ignore: Annotated[
        tuple[str, ...], Meta(description='Readings to take back: "label:value" of a span.')
    ] = ()
    limit: int = 20
    offset: int = 0
    locale: Locale | None = None
    market: str | None = None
    currency: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    profile: str = "default"
    fields: (
        Annotated[tuple[str, ...], Meta(description="Product fields to return; all if absent.")]
        | None
    ) = None
    highlight: bool = False
    explain: bool = False


class ImageForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search as a form. Lists are comma-separated or repeated; empty fields count as absent."""

    image: UploadFile
    crop: Annotated[str, Meta(description="x,y,width,height as fractions of the picture.")] = ""
    text: str = ""
    like: tuple[str, ...] = ()
    image_weight: ImageWeight = 0.5
    filters: Annotated[str, Meta(description="A JSON object, as in POST /v1/search.")] = ""
    facets: tuple[str, ...] = ()
    group_by: str = ""
    sort: Annotated[str, Meta(description="A declared field; -field for descending.")] = ""
    ignore: tuple[str, ...] = ()
    limit: int = 20
    offset: int = 0
    locale: str = ""
    market: str = ""
    currency: str = ""
    user_id: str = ""
    session_id: str = ""
    profile: str = "default"
    fields: tuple[str, ...] = ()
    highlight: bool = False
    explain: bool = False


class Understood(Struct, frozen=True):
    """How a search would read the words, and which processors failed to."""

    plan: QueryPlan
    degraded: tuple[Degraded, ...] = ()


class Suggestions(Struct, frozen=True):
    """Completions of what was typed, best first; ``took_ms`` is the server's time."""

    suggestions: list[Suggestion]
    took_ms: float


class UploadResult(Struct, frozen=True):
    """A product upload; ``items`` are in the order of the lines."""

    stored: int
    failed: int
    items: list[LineResult]


class EventItem(Struct, frozen=True):
    """What became of one event; ``index`` is its place in the request, from 0."""

    index: int
    id: str
    status: EventStatus
    error: str = ""
    warning: str = ""


class EventsResult(Struct, frozen=True):
    """Recorded events; ``items`` are in the order of the request."""

    accepted: int
    duplicates: int
    ignored: int
    rejected: int
    items: list[EventItem]


class Erased(Struct, frozen=True):
    """How many events of a shopper there were."""

    events: int


class Analytics(Struct, frozen=True):
    """Queries that at least ``at_least`` shoppers asked in the last ``days``."""

    days: float
    at_least: int
    queries: list[QueryCount]


class ComponentInfo(Struct, frozen=True):
    """A query processor, ranker or arranger that a profile runs. ``enabled`` is false where it is
    switched off by hand. ``breaker`` is "open" while it is left out for ``reason``, "half-open"
    where the next search tries it again. ``calls`` and ``failures`` (by cause) count from the
    start, the quantiles are of the last 512 calls; none before the first. A search that asks for
    explanations makes two calls of a component that gives reasons: one to rank, one to explain."""

    kind: str
    name: str
    plugin: str
    isolation: Isolation
    deadline_ms: float | None
    memory_mb: int | None
    enabled: bool
    breaker: State
    reason: str
    calls: int
    failures: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None


class Plugins(Struct, frozen=True):
    """Every plugin, loaded or broken, the component names on offer by kind, and those that the
    profiles run, in the order of the stages."""

    plugins: list[PluginStatus]
    components: dict[str, list[str]]
    running: list[ComponentInfo]


class FieldInfo(Struct, frozen=True):
    """A field that can be filtered, faceted and sorted."""

    name: str
    kind: FieldKind
    core: bool


class Fields(Struct, frozen=True):
    """The declared fields of the live generation, core fields first."""

    fields: list[FieldInfo]


class RuleView(Struct, frozen=True, omit_defaults=True):
    """A business rule, its version for ``If-Match``, and why it does not apply to this shop."""

    rule: Rule
    etag: str
    problem: str = ""


class Rules(Struct, frozen=True):
    """All business rules in the order of their file; ``problems`` says why the file as it stands
    is not in force, and which rules do not fit the shop."""

    rules: list[RuleView]
    problems: list[str]


class SynonymView(Struct, frozen=True):
    """An entry of the synonyms, and its version for ``If-Match``."""

    synonym: Synonym
    etag: str


class Synonyms(Struct, frozen=True):
    """All synonyms in the order of their file; ``problems`` says why the file as it stands is not
    in force."""

    synonyms: list[SynonymView]
    problems: list[str]


class SynonymLines(Struct, frozen=True, forbid_unknown_fields=True):
    """Synonyms as lines: ``sofa, couch`` of words that mean the same, ``tablet => ipad``; with a
    ``locale`` for queries in that language alone."""

    text: str
    locale: str = ""


class SynonymsAdded(Struct, frozen=True):
    """What was added; so many others were ``known`` already."""

    added: list[Synonym]
    known: int = 0


class RuleTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search to try the rules on; without ``text`` it browses, without ``at`` it is now."""

    text: str | None = None
    filters: dict[str, Any] = {}
    sort: SortBy | None = None
    locale: Locale | None = None
    market: str | None = None
    profile: str = "default"
    at: Moment | None = None


class RuleTested(Struct, frozen=True):
    """What each rule would do, the strongest first; those that would do nothing say why
    (``skipped``), and pins that lost say to which rule. ``text`` is what would be searched."""

    at: datetime
    text: str
    rules: tuple[AppliedRule, ...]
    degraded: tuple[Degraded, ...] = ()


class Promotion(Struct, frozen=True, forbid_unknown_fields=True):
    """How a generation is promoted: through ``gate`` instead of the one that the settings name, if
    any; ``force`` takes it in whatever the gate finds, which is logged."""

    gate: Gate | None = None
    force: bool = False


class Promoted(Struct, frozen=True, omit_defaults=True):
    """The generation that is live now, and what its gate found."""

    live: str
    evidence: Evidence | None = None


class Live(Struct, frozen=True):
    """The process runs."""

    status: Literal["live"] = "live"


class ShopHealth(Struct, frozen=True):
    """One shop's readiness; ``problems`` lists what is off or degraded."""

    ready: bool
    generation: str
    products: int
    encoders: dict[str, str]
    problems: tuple[str, ...]


class Readiness(Struct, frozen=True):
    """Ready when every shop is; answered with 503 otherwise."""

    ready: bool
    shops: dict[str, ShopHealth]


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error by RFC 9457. ``type`` is stable; ``detail`` says what is wrong and what helps;
    ``field`` names the offending input; ``request_id`` finds the entry in the server's log;
    ``evidence`` is what a gate found that refuses a generation."""

    type: str
    title: str
    status: int
    detail: str
    field: str = ""
    errors: list[dict[str, str]] = []
    request_id: str = ""
    evidence: Evidence | None = None
