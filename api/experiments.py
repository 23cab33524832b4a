"""Reports of a shop's experiments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.errors import InvalidRequest, NotFound
from engine.evaluation.experiment import ExperimentReport, analyse
from engine.events import EventStore
from engine.settings import Settings


def report_of(settings: Settings, store: EventStore, name: str, days: float) -> ExperimentReport:
    """What the events of the last ``days`` say of an experiment.

    Raises:
        NotFound: no such experiment in the settings. InvalidRequest: ``days``.
    """
    experiment = settings.experiments.get(name)
    if experiment is None:
        known = ", ".join(settings.experiments) or "none"
        raise NotFound(f"no experiment {name!r}; the settings have: {known}", field="name")
    if not 0 < days <= 3650:
        raise InvalidRequest("days: must be above 0 and at most 3650", field="days")
    since = datetime.now(UTC) - timedelta(days=days)
    return analyse(store.iterate(since), name, experiment, settings.events.anonymity)
