"""An evaluation as one HTML page: tables and plots, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from engine.evaluation.comparison import MeasureResult, QueryResult, Report
from engine.evaluation.sweep import Sweep

from .evaluation_plots import differences_plot, intervals_plot, points_plot, values_plot

MOST_ROWS = 500
"""Of a table; JSON has all queries."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1a17; --soft: #5e5850; --line: #ddd8ce;
  --ground: #fbfaf7; --win: #0b6e5f; --loss: #b3392f; --flat: #8d867a; }
@media (prefers-color-scheme: dark) { :root { --ink: #f3f0ea; --soft: #b3aca0; --line: #3a3631;
  --ground: #151413; --win: #62cdb7; --loss: #f08a7f; --flat: #7d766b; } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { max-width: 45rem; } .soft, caption { color: var(--soft); }
code { font-size: .9em; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
thead th { border-bottom: 1px solid var(--edge, var(--line)); font-weight: 600; }
td { border-bottom: 1px solid var(--line); }
.win { color: var(--win); } .loss { color: var(--loss); }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--soft);
  font: 12px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .zero { stroke: var(--flat); }
svg .win { fill: var(--win); } svg .loss { fill: var(--loss); } svg .flat { fill: var(--flat); }
svg line.win { stroke: var(--win); } svg line.loss { stroke: var(--loss); }
svg line.flat { stroke: var(--flat); }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--soft); }
"""


def page(found: Report | Sweep, command: str) -> str:
    """The whole document; ``command`` is what was asked for."""
    report = found.held_out if isinstance(found, Sweep) else found
    parts = [
        "<h1>Search quality</h1>",
        f'<p class="soft"><code>entrepot {escape(command)}</code></p>',
        f"<p>{_introduction(report)}</p>",
    ]
    if isinstance(found, Sweep):
        parts += _sweep(found)
    parts += _measures(report)
    parts += _queries(report)
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Search quality</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _introduction(report: Report) -> str:
    said = (
        f"{len(report.queries):,} judged queries. Intervals are {report.confidence:.0%} percentile "
        f"bootstraps over the queries ({report.resamples:,} resamples, seed {report.seed})"
    )
    if len(report.configurations) > 1:
        before, after = (escape(one.name) for one in report.configurations)
        said += (
            f"; a change is <b>{after}</b> minus <b>{before}</b>, paired by query, with p of a "
            "two-sided randomization test"
        )
    return f"{said}. What nobody judged counts as irrelevant, but in condensed measures."


def _measures(report: Report) -> list[str]:
    names = [one.name for one in report.configurations]
    head = ["", *map(escape, names)]
    if len(names) > 1:
        head += ["change", "interval", "p", "won", "lost", "even"]
    rows = [_measure_row(found, names) for found in report.measures]
    state = [
        [
            escape(one.name),
            f"{one.coverage:.1%}",
            f"{one.zero_results:.1%}",
            f"{one.p50_ms:.1f}",
            f"{one.p95_ms:.1f}",
            escape(", ".join(f"{name} {n}" for name, n in one.degraded.items())) or "–",
        ]
        for one in report.configurations
    ]
    return [
        "<h2>Measures</h2>",
        _table(head, rows),
        intervals_plot(report),
        "<h2>Answers</h2>",
        _table(
            ["", "judged among the first 10", "no results", "p50 ms", "p95 ms", "degraded"], state
        ),
    ]


def _measure_row(found: MeasureResult, names: Sequence[str]) -> list[str]:
    row = [escape(found.measure)]
    for name in names:
        mean = found.means[name]
        row.append(f"{mean.value:.4f}")
        if len(names) == 1:
            row[-1] += f' <span class="soft">({mean.low:.4f} to {mean.high:.4f})</span>'
    if change := found.change:
        row += [
            _signed(change.value),
            f"{change.low:+.4f} to {change.high:+.4f}",
            f"{change.p:.4f}",
            str(change.wins),
            str(change.losses),
            str(change.ties),
        ]
    return row


def _queries(report: Report) -> list[str]:
    measure = report.measures[0].measure
    if len(report.configurations) == 1:
        (name,) = (one.name for one in report.configurations)
        ordered = sorted(report.queries, key=lambda q: q.values[measure][name])
        rows = [[escape(q.text or q.id), f"{q.values[measure][name]:.3f}"] for q in ordered]
        return [
            f"<h2>{escape(measure)} by query</h2>",
            values_plot([query.values[measure][name] for query in ordered]),
            *_folded(
                f"the {min(MOST_ROWS, len(rows)):,} worst queries",
                ["query", escape(measure)],
                rows[:MOST_ROWS],
            ),
        ]
    pairs = report.differences(measure)
    changed = [pair for pair in pairs if pair[0]]
    return [
        f"<h2>{escape(measure)} by query</h2>",
        differences_plot([difference for difference, _ in pairs]),
        "<h2>Greatest losses</h2>",
        _changes(measure, [pair for pair in changed[:15] if pair[0] < 0]),
        "<h2>Greatest wins</h2>",
        _changes(measure, [pair for pair in changed[:-16:-1] if pair[0] > 0]),
        *_folded(
            f"the {min(MOST_ROWS, len(changed)):,} queries that changed most",
            ["query", "before", "after", "change"],
            [_change_row(measure, *pair) for pair in _most(changed)],
        ),
    ]


def _most(pairs: list[tuple[float, QueryResult]]) -> list[tuple[float, QueryResult]]:
    """The greatest changes, losses first."""
    chosen = sorted(pairs, key=lambda pair: -abs(pair[0]))[:MOST_ROWS]
    return sorted(chosen, key=lambda pair: pair[0])


def _changes(measure: str, pairs: Iterable[tuple[float, QueryResult]]) -> str:
    rows = [_change_row(measure, *pair) for pair in pairs]
    return _table(["query", "before", "after", "change"], rows) if rows else "<p>None.</p>"


def _change_row(measure: str, difference: float, query: QueryResult) -> list[str]:
    before, after = query.values[measure].values()
    text = escape(query.text or query.id)
    return [text, f"{before:.3f}", f"{after:.3f}", _signed(difference)]


def _sweep(sweep: Sweep) -> list[str]:
    names = list(sweep.tried[0].values)
    rows = [
        [*(f"{value:g}" for value in one.values.values()), f"{one.mean:.4f}"] for one in sweep.tried
    ]
    best = ", ".join(f"{name} = {value:g}" for name, value in sweep.tried[0].values.items())
    return [
        "<h2>What was tried</h2>",
        f"<p>{len(sweep.tried)} combinations on the {sweep.development:,} queries of the "
        f"development half. The best is <b>{escape(best)}</b>. Everything below is about the "
        "<b>held-out half</b>, which had no part in choosing it.</p>",
        points_plot([one.mean for one in sweep.tried], sweep.measure),
        *_folded("all combinations", [*map(escape, names), escape(sweep.measure)], rows),
    ]


def _folded(summary: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"<details><summary>{summary}</summary>", _table(head, rows), "</details>"]


def _signed(value: float) -> str:
    kind = "win" if value > 0 else "loss" if value < 0 else "soft"
    return f'<span class="{kind}">{value:+.4f}</span>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th scope=col>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    table = f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'
