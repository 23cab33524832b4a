"""Builds one generation, in this process. Callers use :func:`indexer.run_build`, which does
it in a child: the embedded store would stop every other thread for the length of the build.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from engine.assembly import open_encoders, open_stores
from engine.documents import FIELD_WEIGHTS
from engine.errors import NotFound
from engine.journal import JOURNAL_FILE, Journal
from engine.manager import PluginManager
from engine.protocols import Encoder, GenerationSpec, VectorStores
from engine.settings import Settings

from .cache import CACHE_FILE, EmbeddingCache
from .lock import BuildLock
from .pipeline import Pipeline
from .progress import OnProgress, Progress, Ticker
from .report import BuildReport, Issue, IssueLog, write_report
from .retention import kept_generations
from .scan import Catalogue, Scan

REPORTS = "reports"
MAX_FAILED_SHARE = 0.5
"""A catalogue of which more than this fails is read wrongly; an index of the rest would only
hide it."""


def build_generation(
    settings: Settings, source: str, on_progress: OnProgress, generation: str = ""
) -> BuildReport:
    """Read ``source``, build a generation beside the live one, save the report.

    Nothing is promoted: that is the caller's, in the process that holds the store.

    Raises:
        StoreLocked: another build runs. InvalidRequest: the catalogue cannot be read.
        InvalidSettings, UnknownPlugin, EncoderError, StoreError: as they say.
    """
    name = generation or new_name()
    report = BuildReport(source, started_at=datetime.now(UTC).isoformat(timespec="seconds"))
    started = time.perf_counter()
    reports = settings.data_path / REPORTS
    log = IssueLog(reports / f"{name}.issues.jsonl")
    manager = PluginManager(settings.plugins)
    with BuildLock(settings.data_path) as lock, _opened(settings, manager) as (stores, encoders):
        _drop(lock.leftover, stores, settings)
        try:
            _Build(settings, manager, stores, encoders, report, log, on_progress).run(name, lock)
        finally:
            log.close()
            report.seconds = round(time.perf_counter() - started, 3)
            report.peak_rss_bytes = peak_rss()
            report.issues, report.issue_count = log.kept, log.count
            report.issue_file = str(log.path) if log.count else ""
        write_report(report, reports)
    return report


class _Build:
    """One build under the lock."""

    def __init__(
        self,
        settings: Settings,
        manager: PluginManager,
        stores: VectorStores,
        encoders: tuple[Encoder, Encoder],
        report: BuildReport,
        log: IssueLog,
        on_progress: OnProgress,
    ) -> None:
        self.settings = settings
        self.manager = manager
        self.stores = stores
        self.encoders = encoders
        self.report = report
        self.log = log
        self.on_progress = on_progress
        self.cpu_start = 0.0
        text, image = (encoder.info for encoder in encoders)
        report.encoders = {
            "text": f"{text.name} {text.version}",
            "image": f"{image.name} {image.version}",
        }

    def run(self, name: str, lock: BuildLock) -> None:
        lock.record(name)
        _begin(name, self.settings)
        self.cpu_start = time.process_time()
        try:
            catalogue = Catalogue(self.settings, self.manager, self.report.source)
            with self._stage("scan"):
                scan = self._scan(catalogue)
            if not self._refused():
                self._fill(name, catalogue, scan)
        except BaseException:
            _drop(name, self.stores, self.settings)
            lock.record("")
            raise
        if self.report.reason:
            _drop(name, self.stores, self.settings)
        else:
            self.report.generation = name
        lock.record("")

    def _scan(self, catalogue: Catalogue) -> Scan:
        ticker = Ticker("scan", 0, self.on_progress)
        scan = catalogue.scan(self.report.counts, self.log, ticker)
        ticker.finish(self.report.counts.read)
        self.report.fields = {name: str(kind) for name, kind in scan.schema.attributes.items()}
        self.report.undeclared = scan.undeclared
        return scan

    def _refused(self) -> bool:
        """Whether too little is left to build; the report says why."""
        counts = self.report.counts
        left = counts.read - counts.failed - counts.skipped
        if left == 0:
            self.report.reason = "the catalogue has no usable product"
        elif counts.failed > MAX_FAILED_SHARE * counts.read:
            self.report.reason = f"{counts.failed:,} of {counts.read:,} products failed"
        return bool(self.report.reason)

    def _fill(self, name: str, catalogue: Catalogue, scan: Scan) -> None:
        report, settings = self.report, self.settings
        text, image = (encoder.info for encoder in self.encoders)
        spec = GenerationSpec(
            schema=scan.schema,
            text_encoder=text,
            image_encoder=image,
            image_root=catalogue.root,
            bm25_locale=settings.catalogue.locale,
            bm25_languages=scan.languages,
            bm25_weights=dict(FIELD_WEIGHTS),
            products=len(scan.lines),
            created_at=report.started_at,
            precision="float16",
        )
        cache = EmbeddingCache(settings.data_path / CACHE_FILE, name)
        store = self.stores.create(name, spec)
        try:
            start = time.perf_counter()
            pipe = Pipeline(settings, catalogue.root, self.encoders, cache, report.counts, self.log)
            ticker = Ticker("embed", len(scan.lines), self.on_progress)
            pipe.run(catalogue.products(scan), store, ticker)
            ticker.finish(len(scan.lines))
            cache.put({})  # the last marks
            report.stages |= {stage: round(spent, 3) for stage, spent in pipe.seconds.items()}
            report.cpu_seconds = round(time.process_time() - self.cpu_start, 3)
            report.rate = round(report.counts.indexed / (time.perf_counter() - start), 2)
            self._note_urls(pipe.photos_by_url)
            if self._refused():
                return
            done = report.counts.indexed
            self.on_progress(Progress("build", done, done))
            with self._stage("build"):
                store.build(scan.schema, report.counts.indexed)
            cache.prune(min(kept_generations(self.stores.generations(), self.stores.current())))
        finally:
            store.close()
            cache.close()

    def _note_urls(self, count: int) -> None:
        if count:
            reason = f"{count:,} photos are URLs and are not searched; set images.urls = true"
            self.log.add([Issue(0, "", "images", reason, "warning")])

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.report.stages[name] = round(time.perf_counter() - start, 3)


def new_name() -> str:
    """``YYYYMMDD-HHMMSS-xxxx``, UTC: names sort by time, to 1/65,536 s."""
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}-{int(now % 1 * 65536):04x}"


def peak_rss() -> int:
    """The most memory this process has held, in bytes; 0 where the system does not say."""
    # Not getrusage: its figure begins with the parent's at the time of the fork.
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


def _begin(name: str, settings: Settings) -> None:
    """From here on the journal keeps every write for this generation."""
    journal = Journal(settings.data_path / JOURNAL_FILE)
    journal.begin(name)
    journal.close()


def _drop(name: str, stores: VectorStores, settings: Settings) -> None:
    """Remove a half-built generation, if there is anything of it."""
    if not name or name in stores.generations():
        return
    with suppress(NotFound):
        stores.drop(name)
    journal = Journal(settings.data_path / JOURNAL_FILE)
    journal.forget(name)
    journal.close()


@contextmanager
def _opened(
    settings: Settings, manager: PluginManager
) -> Iterator[tuple[VectorStores, tuple[Encoder, Encoder]]]:
    stores = open_stores(settings, manager)
    try:
        encoders = open_encoders(settings, manager)
        try:
            yield stores, encoders
        finally:
            for encoder in encoders:
                encoder.close()
    finally:
        stores.close()
