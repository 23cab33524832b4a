"""What a build did and what was wrong with the catalogue, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from msgspec import Struct, field

Severity = Literal["error", "warning"]
KEPT_ISSUES = 200
SHOWN_ISSUES = 20
"""Issues inside a report, and in its summary; all of them are in its JSON-lines file."""


class Issue(Struct, frozen=True):
    """Something wrong with a row. ``line`` is 1-based in the catalogue (0: not from a file);
    ``error`` means that the product is not in the index, ``warning`` that it is, without the
    part in question."""

    line: int
    id: str
    field: str
    reason: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "product"
        name = f" ({self.id})" if self.id else ""
        what = f"{self.field}: " if self.field else ""
        return f"{self.severity}: {where}{name}: {what}{self.reason}"


class Counts(Struct):
    """Products, but ``photos`` (photos indexed), ``embedded`` and ``reused`` (vectors of texts
    and photos that were computed, or found in the cache). ``skipped`` are unpublished rows."""

    read: int = 0
    indexed: int = 0
    failed: int = 0
    warned: int = 0
    skipped: int = 0
    photos: int = 0
    embedded: int = 0
    reused: int = 0


class BuildReport(Struct):
    """One build. ``generation`` is empty and ``reason`` says why when nothing was built;
    ``stages`` and ``seconds`` are wall seconds; ``rate`` is products per second from the end of
        the scan to the last write, and ``cpu_seconds`` the processor time from the start of the
        scan to there; ``peak_rss_bytes`` is the builder process's."""

    source: str
    generation: str = ""
    reason: str = ""
    started_at: str = ""
    seconds: float = 0.0
    rate: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    counts: Counts = field(default_factory=Counts)
    stages: dict[str, float] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    undeclared: dict[str, str] = field(default_factory=dict)
    encoders: dict[str, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    issue_count: int = 0
    issue_file: str = ""

    @property
    def built(self) -> bool:
        return bool(self.generation)

    @property
    def exit_status(self) -> int:
        """0: every product is in the index; 1: some failed; 2: nothing was built."""
        if not self.built:
            return 2
        return 1 if self.counts.failed else 0

    def summary(self) -> str:
        """A few lines for a terminal: what was done, then the first issues."""
        return "\n".join(_summary(self))


class IssueLog:
    """Counts issues, keeps the first few, writes all of them to a JSON-lines file (which the
    first one creates). Memory does not grow with their number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept: list[Issue] = []
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, issues: Iterable[Issue]) -> None:
        for issue in issues:
            self.count += 1
            if len(self.kept) < KEPT_ISSUES:
                self.kept.append(issue)
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb")
            self._file.write(msgspec.json.encode(issue) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def write_report(report: BuildReport, folder: Path) -> Path:
    """Save ``report`` as ``<generation or start time>.json`` in ``folder``; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.generation or 'failed-' + report.started_at.replace(':', '')}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return path


def read_report(path: Path) -> BuildReport:
    """A report that :func:`write_report` saved."""
    return msgspec.json.decode(path.read_bytes(), type=BuildReport)


def _summary(report: BuildReport) -> Iterator[str]:
    c = report.counts
    if report.built:
        yield f"generation {report.generation}: {c.indexed:,} of {c.read:,} products, " + (
            f"{c.photos:,} photos; {c.embedded:,} vectors computed, {c.reused:,} reused"
        )
    else:
        yield f"nothing was built: {report.reason}"
    yield f"{c.failed:,} failed, {c.warned:,} with warnings" + (
        f", {c.skipped:,} not published" if c.skipped else ""
    )
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.stages.items())
    yield f"{report.seconds:.1f} s ({stages}); {report.rate:,.0f} products/s; " + (
        f"peak memory {report.peak_rss_bytes / 2**20:,.0f} MiB"
    )
    errors_first = sorted(report.issues, key=lambda issue: issue.severity)
    yield from (f"  {issue}" for issue in errors_first[:SHOWN_ISSUES])
    if report.issue_count > SHOWN_ISSUES:
        yield f"  … {report.issue_count:,} in all: {report.issue_file}"
