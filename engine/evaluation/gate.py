"""Whether a new generation may go live: by the shop's own judgments it must not be worse.

The change of one measure, new minus live, is taken query by query with a bootstrap interval. A
generation passes when the whole interval lies above ``-tolerance``: then it is shown not to be
worse by more than that (a non-inferiority test). Else it is refused: as worse when the whole
interval lies below 0, for want of evidence in between. ``docs/evaluation.md`` has the road.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta, Struct

from ..core import Engine
from ..errors import GateRefused, InvalidRequest, InvalidSettings
from ..images import decode_base64, decode_image, read_local
from ..settings import ImageSettings
from .comparison import COVERAGE_DEPTH, Configuration, MeasureResult, QueryResult, Report, evaluate
from .judgments import JudgedSearch, measurable, read_qrels, read_queries
from .measures import Measures
from .running import Answers, LoadImage, answers_by_turns

log = logging.getLogger(__name__)

MEASURES = "ir-measures"
WORST = 10
NEW, LIVE = "new", "live"

Verdict = Literal["passed", "worse", "unproven", "guardrail", "nothing live"]


class Guardrails(Struct, frozen=True, forbid_unknown_fields=True):
    """What may not get worse beside the measure; ``None`` is not looked at.

    ``zero_results``: by how much the share of queries without results may rise. ``latency``: how
    many times as long the 95th percentile of the new answers may take.
    """

    zero_results: Annotated[float, Meta(ge=0, le=1)] | None = None
    latency: Annotated[float, Meta(ge=1)] | None = None


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """What decides. ``tolerance`` is the loss of the measure that is put up with; ``min_queries``
    and ``min_coverage`` (judged share of the new generation's first ten) are the evidence that
    there must be: with fewer than 30 queries a bootstrap interval is too short, and below a fifth
    of judged products the measure mostly counts what nobody looked at. Both defaults are ours."""

    measure: str = "nDCG@10"
    tolerance: Annotated[float, Meta(ge=0, le=1)] = 0.01
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    min_queries: Annotated[int, Meta(ge=1)] = 30
    min_coverage: Annotated[float, Meta(ge=0, le=1)] = 0.2
    relevant: Annotated[float, Meta(gt=0)] = 1.0
    profile: str = "default"
    seed: int = 0
    guardrails: Guardrails = Guardrails()


class Gate(Struct, frozen=True):
    """Rules and the judgments they go by, with nothing left to read but pictures."""

    rules: Rules
    queries: list[JudgedSearch]
    qrels: dict[str, dict[str, float]]


class Worst(Struct, frozen=True):
    """A query that lost: before, after, and what is first now and was first."""

    id: str
    text: str
    live: float
    new: float
    first_live: list[str]
    first_new: list[str]


class Evidence(Struct, frozen=True, omit_defaults=True):
    """What the gate found. ``reasons`` say in words why a generation is refused."""

    generation: str
    verdict: Verdict
    reasons: list[str] = []
    live: str = ""
    queries: int = 0
    tolerance: float = 0.0
    confidence: float = 0.0
    measures: list[MeasureResult] = []
    configurations: list[Configuration] = []
    worst: list[Worst] = []

    @property
    def passed(self) -> bool:
        return self.verdict in ("passed", "nothing live")

    def summary(self) -> str:
        """One sentence for logs and errors."""
        if self.verdict == "nothing live":
            return f"{self.generation}: nothing is live to compare it with"
        (found, *_) = self.measures
        before, after = found.means[LIVE].value, found.means[NEW].value
        said = f"{found.measure} {before:.4f} (live: {self.live}) to {after:.4f} (new)"
        if change := found.change:
            said += f", {change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"
        said += f" over {self.queries} queries"
        return f"{self.generation}: {'; '.join([*self.reasons, said])}"


class _File(Rules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    queries: str
    qrels: str


def load_gate(path: Path) -> Gate:
    """The gate of a TOML file: :class:`Rules`, and the paths ``queries`` and ``qrels`` from the
    file's folder.

    Raises:
        InvalidSettings: no such file, or what it says. InvalidRequest: the judgments.
    """
    try:
        text = path.read_text(encoding="utf-8")
        said = msgspec.convert(tomllib.loads(text), _File)
    except OSError as error:
        raise InvalidSettings(f"cannot read {path}: {error.strerror}", field="gate") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidSettings(f"{path}: {error}", field="gate") from error
    folder = path.parent
    rules = {name: getattr(said, name) for name in Rules.__struct_fields__}
    return Gate(
        Rules(**rules), read_queries(folder / said.queries), read_qrels(folder / said.qrels)
    )


def examine(engine: Engine, generation: str, gate: Gate, folder: Path | None = None) -> Evidence:
    """Compare a built generation with the live one. Pictures of queries are paths in ``folder``,
    or base64 without one.

    Raises:
        NotFound, IndexMismatch, StoreLocked: as :meth:`engine.core.Engine.trial` does.
        InvalidRequest: the rules name a measure or profile that there is not.
        PluginError: the library of measures is missing.
    """
    rules, queries = gate.rules, measurable(gate.queries, gate.qrels)
    measures = cast(Measures, engine.manager.create("measures", MEASURES))
    if rules.profile not in engine.settings.profiles:
        raise InvalidRequest(f"gate: no profile {rules.profile!r}", field="gate.profile")
    if not any(one.live and one.usable for one in engine.generations()):
        return Evidence(generation, "nothing live")
    with engine.trial(generation) as new, engine.trial() as live:
        load = _loader(engine.settings.images, folder)
        sides = answers_by_turns((live.search, new.search), queries, rules.profile, load_image=load)
        answers = dict(zip((LIVE, NEW), sides, strict=True))
        was = live.generation
    report = evaluate(
        measures,
        [rules.measure],
        queries,
        gate.qrels,
        answers,
        relevant=rules.relevant,
        confidence=rules.confidence,
        seed=rules.seed,
    )
    verdict, reasons = decide(report, rules)
    return Evidence(
        generation,
        verdict,
        reasons,
        was,
        len(queries),
        rules.tolerance,
        rules.confidence,
        report.measures,
        report.configurations,
        _worst(report, answers),
    )


def _loader(limits: ImageSettings, folder: Path | None) -> LoadImage:
    if folder is None:
        return partial(decode_base64, limits=limits)
    root = folder
    return lambda path: decode_image(read_local(root, path, limits), limits)


def decide(report: Report, rules: Rules) -> tuple[Verdict, list[str]]:
    """The verdict on a report of the live and the new answers, and why it is not "passed"."""
    (found,) = report.measures
    live, new = report.configurations
    change = found.change
    assert change is not None
    lacking = []
    if len(report.queries) < rules.min_queries:
        lacking.append(
            f"too little evidence: {len(report.queries)} judged queries, the gate asks for "
            f"{rules.min_queries}"
        )
    if new.coverage < rules.min_coverage:
        lacking.append(
            f"too little evidence: {new.coverage:.0%} of the first {COVERAGE_DEPTH} products of "
            f"the new generation are judged, the gate asks for {rules.min_coverage:.0%}"
        )
    if crossed := list(_crossed(live, new, rules.guardrails)):
        return "guardrail", [*crossed, *lacking]
    loss = f"the {found.measure} of judged queries changes by {change.value:+.4f}"
    if change.high < 0 and change.low < -rules.tolerance:
        return "worse", [f"worse than the live one: {loss}"]
    if lacking:
        return "unproven", lacking
    if change.low >= -rules.tolerance:
        return "passed", []
    return "unproven", [
        f"too little evidence: {loss}, which may be a loss of {-change.low:.4f}; tolerated are "
        f"{rules.tolerance:g}: judge more queries"
    ]


def _crossed(live: Configuration, new: Configuration, limits: Guardrails) -> list[str]:
    found = []
    rise = new.zero_results - live.zero_results
    if limits.zero_results is not None and rise > limits.zero_results:
        found.append(
            f"queries without results rise from {live.zero_results:.1%} to {new.zero_results:.1%}"
        )
    if limits.latency is not None and new.p95_ms > limits.latency * live.p95_ms:
        found.append(f"95 % of answers took up to {live.p95_ms:.0f} ms, now {new.p95_ms:.0f} ms")
    return found


def _worst(report: Report, answers: Mapping[str, Answers]) -> list[Worst]:
    (found,) = report.measures

    def first(name: str, query: QueryResult) -> list[str]:
        return answers[name].rankings[query.id][:3]

    return [
        Worst(
            query.id,
            query.text,
            query.values[found.measure][LIVE],
            query.values[found.measure][NEW],
            first(LIVE, query),
            first(NEW, query),
        )
        for difference, query in report.differences(found.measure)[:WORST]
        if difference < 0
    ]


def pass_gate(
    engine: Engine, generation: str, gate: Gate, *, force: bool = False, folder: Path | None = None
) -> Evidence:
    """Examine a generation before its promotion; what was found is logged.

    Raises:
        GateRefused: it may not go live; ``force`` says so and lets it pass.
        What :func:`examine` raises.
    """
    evidence = examine(engine, generation, gate, folder)
    if evidence.passed:
        log.info("the gate lets %s pass", evidence.summary())
    elif force:
        log.warning("the gate was forced: %s", evidence.summary())
    else:
        log.warning("the gate refuses %s", evidence.summary())
        raise GateRefused(evidence.summary(), field="generation", evidence=evidence)
    return evidence
