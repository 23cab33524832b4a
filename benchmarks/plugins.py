"""What the plugin platform costs: four rankers that do nothing, on 200 candidates.

``bare`` calls them in a loop. ``guarded`` calls them as a search does, with breaker, figures and
check of the answer: in place, or each on a thread and with a deadline; ``processes`` the same with
each in a process of its own, where the window is sent to. ``stage`` is the whole ranking stage of
a search, which besides makes the window's arrays, records what each ranker changed and puts it in
order. ``bare`` is part of each; all take turns in one run.

    OMP_NUM_THREADS=2 python -m benchmarks.plugins
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine import Candidate, LaneHit, PluginManager, Query, QueryPlan, RankingBatch, SearchRequest
from engine.guard import DaemonPool, Guard
from engine.isolation import isolated
from engine.live import Pipeline
from engine.ranking import rank, score_check
from engine.window import Ranker

N, RANKERS, DIM = 200, 4, 384
NO_ROWS = np.zeros((0, 1), np.float32)
GENEROUS_S = 60.0
LANES = ("text", "image", "bm25")
PLUGIN = """
from engine import hookimpl

class Nothing:
    required_fields, required_vectors = {needs}
    def rank(self, batch):
        return batch.scores

@hookimpl
def register_rankers(register):
    for i in range({rankers}):
        register(f"nothing-{{i}}", lambda options: Nothing())
"""
NEEDS = ("price", "color", "title"), ("text",)
"""What the rankers declare; it is there in the heavy window alone."""
Work = Callable[[], object]


class NoStore:
    """Knows no values and has no vectors."""

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        return {field: [None] * len(ids) for field in fields}

    def vectors(self, ids: Sequence[str], using: str) -> list[Any]:
        return [NO_ROWS] * len(ids)


def window() -> list[Candidate]:
    found = {lane: np.random.default_rng(0).permutation(N) + 1 for lane in LANES}
    return [
        Candidate(
            f"sku-{i}",
            {lane: LaneHit(int(ranks[i]), 0.5) for lane, ranks in found.items()},
            sum(1 / (60 + int(ranks[i])) for ranks in found.values()),
        )
        for i in range(N)
    ]


def batch(*, heavy: bool) -> RankingBatch:
    """A window; ``heavy``: with three columns and one vector space."""
    rng = np.random.default_rng(0)
    words = [f"colour {i % 40}" for i in range(N)]
    columns: dict[str, list[Any]] = {
        "price": [float(i) for i in range(N)],
        "color": [[word] for word in words],
        "title": [f"A thing of the house number {i} in {word}" for i, word in enumerate(words)],
    }
    return RankingBatch(
        ids=[f"sku-{i}" for i in range(N)],
        scores=rng.random(N, dtype=np.float32),
        lane_ranks={lane: rng.permutation(N).astype(np.int32) for lane in LANES},
        lane_scores={lane: rng.random(N, dtype=np.float32) for lane in LANES},
        plan=QueryPlan(original="red shoe", text="red shoe"),
        request=SearchRequest(Query("red shoe")),
        columns=columns if heavy else {},
        vectors={"text": rng.random((N, DIM), dtype=np.float32)} if heavy else {},
    )


def install(folder: Path) -> None:
    """The rankers as a child process can load them."""
    info = folder / "nothing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[entrepot.plugins]\nnothing = nothing_ranker\n")
    (folder / "nothing_ranker.py").write_text(PLUGIN.format(rankers=RANKERS, needs=NEEDS))
    sys.path.insert(0, str(folder))


def guarded(rankers: Sequence[Ranker], pool: DaemonPool | None) -> list[tuple[Guard, Ranker]]:
    made = (Guard(f"nothing-{i}", pool, GENEROUS_S, 30.0) for i in range(len(rankers)))
    return list(zip(made, rankers, strict=True))


def call_all(lined: Sequence[tuple[Guard, Ranker]], given: RankingBatch) -> None:
    for guard, ranker in lined:
        guard.call(partial(ranker.rank, given), score_check(N))


def stage(lined: Sequence[tuple[Guard, Ranker]]) -> Work:
    """Ranking only writes to the candidates' ``deltas``: each time the same ones will do."""
    pipeline, store, candidates = Pipeline((), lined, ()), NoStore(), window()
    plan, request = QueryPlan(text="red shoe"), SearchRequest(Query("red shoe"))
    return lambda: rank(list(candidates), pipeline, plan, request, store)  # type: ignore[arg-type]


def measure(works: Mapping[str, Work], rounds: int) -> dict[str, np.ndarray[Any, Any]]:
    """Milliseconds of each, in turns."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            taken[name].append((time.perf_counter() - began) * 1000)
    return {name: np.asarray(times[rounds // 10 :]) for name, times in taken.items()}


def memory_mb(pid: int) -> float:
    """Resident memory that no other process shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    private = (line.split()[1] for line in text.splitlines() if line.startswith("Private"))
    return sum(map(int, private)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    rounds = parser.parse_args().rounds
    with ExitStack() as stack:
        install(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        manager, pool = PluginManager(), DaemonPool()
        stack.callback(pool.close)
        names = [f"nothing-{i}" for i in range(RANKERS)]
        here = [manager.create("rankers", name) for name in names]
        began = time.perf_counter()
        apart = [
            stack.enter_context(isolated(manager, "rankers", name, deadline_s=GENEROUS_S))
            for name in names
        ]
        started = (time.perf_counter() - began) / RANKERS
        inline, threads = guarded(here, None), guarded(here, pool)
        processes = guarded(apart, None)
        light, heavy = batch(heavy=False), batch(heavy=True)
        times = measure(
            {
                "bare": lambda: [ranker.rank(light) for ranker in here],
                "guarded, in place": lambda: call_all(inline, light),
                "guarded, on threads": lambda: call_all(threads, light),
                "processes": lambda: call_all(processes, light),
                f"processes, 3 columns and {DIM}-d": lambda: call_all(processes, heavy),
                "stage, 1 ranker": stage(threads[:1]),
                "stage, 4 rankers": stage(threads),
                "stage, 4 in processes": stage(processes),
            },
            rounds,
        )
        private = [memory_mb(ranker.keeper.pid) for ranker in apart]
    report(times, started, private, rounds)


def report(
    times: Mapping[str, np.ndarray[Any, Any]], started: float, private: list[float], rounds: int
) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          f"NumPy {np.__version__}, msgspec {version('msgspec')}; {RANKERS} rankers that do "
          f"nothing, {N} candidates, {rounds} rounds\n")  # fmt: skip
    print(f"{'':34}{'p50':>8}{'p95':>8}{'p99':>8}{'p50 over bare':>16}   ms")
    bare = float(np.median(times["bare"]))
    for name, taken in times.items():
        p50, p95, p99 = np.percentile(taken, (50, 95, 99))
        print(f"{name:34}{p50:8.3f}{p95:8.3f}{p99:8.3f}{p50 - bare:16.3f}")
    print(f"\na process: ready after {started:.2f} s, {np.mean(private):.0f} MB of its own")


if __name__ == "__main__":
    main()
