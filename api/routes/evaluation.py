"""Answers to judged queries, from any built generation and under settings that are not live."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from engine.evaluation.experiment import ExperimentReport
from engine.evaluation.running import Answers

from ..evaluating import Asked, answer_all
from ..experiments import report_of
from ..guards import may_write, takes_json
from ..openapi import NEEDS_KEY, problems
from ..shops import Shop

TAGS = ["evaluation"]


@post(
    "/v1/generations/{name:str}/evaluate",
    status_code=200,
    guards=[may_write, takes_json],
    responses=problems(400, 401, 403, 404, 409, 413, 415, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="evaluateGeneration",
)
async def evaluate(
    name: FromPath[str], data: JSONBody[Asked], shop: NamedDependency[Shop]
) -> list[Answers]:
    """Rankings of a batch of queries in one generation (``live`` for the one that is), one set
    per variant, while searches and writes go on. One batch at a time; others wait."""
    return await shop.workers.try_out(answer_all, shop.engine, name, data)


@get(
    "/v1/experiments/{name:str}/report",
    guards=[may_write],
    responses=problems(400, 401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="reportExperiment",
)
async def report_experiment(
    name: FromPath[str], shop: NamedDependency[Shop], days: FromQuery[float] = 30.0
) -> ExperimentReport:
    """What came of an experiment in the last days, by the events that carry its arms. Arms of few
    shoppers (``events.anonymity``) are left out."""
    engine = shop.engine
    return await shop.workers.review(report_of, engine.settings, engine.behaviour.store, name, days)


HANDLERS = [evaluate, report_experiment]
