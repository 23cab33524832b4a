"""Profiles tried on shoppers: who meets which, and two rankings mixed fairly.

A search takes part by naming an experiment as its profile. Nothing is stored: a shopper's arm is a
hash of the experiment's name and the shopper's pseudonym, so every server and every visit gives
the same. The answer says the arm, and events about it carry that as ``variant``; what came of it is
counted by :mod:`engine.evaluation.experiment`.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import structs

from .errors import InvalidSettings
from .settings import ExperimentSettings, Settings
from .types import MAX_WINDOW, Hit, SearchRequest, SearchResponse

Search = Callable[[SearchRequest], SearchResponse]
_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,60}$")


def label(experiment: str, profile: str) -> str:
    """An arm as answers and events name it."""
    return f"{experiment}:{profile}"


def check_experiments(settings: Settings) -> None:
    """Raises InvalidSettings for an experiment that cannot be run, by its name."""
    for name, experiment in settings.experiments.items():
        where = f"experiments.{name}"
        unknown = [p for p in experiment.profiles if p not in settings.profiles]
        problem = ""
        if not _NAME.match(name) or not all(map(_NAME.match, experiment.profiles)):
            problem = "names of experiments and their profiles are of A-Z a-z 0-9 _ . -"
        elif name in settings.profiles:
            problem = "a profile has this name already"
        elif unknown:
            problem = f"no profile {unknown[0]!r}; there are: {', '.join(settings.profiles)}"
        elif len(experiment.profiles) < 2:
            problem = "profiles: name two or more with their shares"
        elif experiment.method == "interleave" and len(experiment.profiles) > 2:
            problem = "profiles: two are interleaved, not more"
        if problem:
            raise InvalidSettings(f"{where}: {problem}", field=where)


def arm_of(name: str, experiment: ExperimentSettings, shopper: str) -> str:
    """The profile that a shopper meets, always the same."""
    shares = experiment.profiles
    point = _fraction(f"{name}:{shopper}") * sum(shares.values())
    for profile, share in shares.items():
        if point < share:
            return profile
        point -= share
    return profile


def met(request: SearchRequest, settings: Settings) -> SearchRequest:
    """The request with a profile in place of an experiment: the shopper's, or the first one."""
    experiment = settings.experiments.get(request.profile)
    if experiment is None:
        return request
    shopper = request.user_id or request.session_id
    profile, *_ = experiment.profiles
    if shopper is not None and experiment.method == "split":
        profile = arm_of(request.profile, experiment, shopper)
    return structs.replace(request, profile=profile)


def take_part(
    name: str, settings: Settings, request: SearchRequest, search: Search
) -> SearchResponse:
    """The answer of an experiment. A shopper is a user id or else a session id; without either, the
    first profile answers and the search counts for nothing, and so does a sorted one where two
    are interleaved: sorted they are alike.

    Raises:
        What ``search`` raises.
    """
    experiment = settings.experiments[name]
    first, *_ = experiment.profiles
    shopper = request.user_id or request.session_id
    alone = experiment.method == "interleave" and request.sort is not None
    if shopper is None or alone:
        return search(structs.replace(request, profile=first))
    if experiment.method == "split":
        profile = arm_of(name, experiment, shopper)
        answer = search(structs.replace(request, profile=profile))
        return structs.replace(answer, arm=label(name, profile))
    return _interleaved(name, experiment, shopper, request, search)


def _interleaved(
    name: str,
    experiment: ExperimentSettings,
    shopper: str,
    request: SearchRequest,
    search: Search,
) -> SearchResponse:
    """One page of two rankings mixed; all but the hits is the first profile's. Both are asked for
    everything down to the page's end, for the mix of a page hangs on what stands above it."""
    end = request.offset + request.limit
    asked = structs.replace(request, offset=0, limit=min(end, MAX_WINDOW))
    answers = {p: search(structs.replace(asked, profile=p)) for p in experiment.profiles}
    words = request.query.text if request.query else ""
    seed = f"{name}:{shopper}:{words}:{sorted(request.filters)}"
    mixed = list(team_draft({p: answer.hits for p, answer in answers.items()}, seed))
    first, second = answers.values()
    hits = tuple(
        structs.replace(hit, arm=label(name, team)) for team, hit in mixed[request.offset : end]
    )
    times = Counter(first.timings)
    times.update(second.timings)
    lost = {each.component: each for each in (*first.degraded, *second.degraded)}
    return structs.replace(
        first,
        hits=hits,
        arm=name,
        took_ms=first.took_ms + second.took_ms,
        timings=dict(times),
        degraded=tuple(lost.values()),
    )


def team_draft(rankings: Mapping[str, Sequence[Hit]], seed: str) -> Iterator[tuple[str, Hit]]:
    """Each hit once with the team that it counts for: in every round the teams choose in an order
    thrown anew, each the best of its ranking that is left (Radlinski, Kurup and Joachims, CIKM
    2008)."""
    # Not for secrets: the same search must be mixed alike on its every page.
    dice = random.Random(seed)
    left = {team: iter(hits) for team, hits in rankings.items()}
    taken: set[str] = set()
    while left:
        for team in dice.sample(sorted(left), len(left)):
            hit = next((hit for hit in left[team] if hit.id not in taken), None)
            if hit is None:
                del left[team]
                continue
            taken.add(hit.id)
            yield team, hit


def _fraction(key: str) -> float:
    """In [0, 1), even over all keys."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
