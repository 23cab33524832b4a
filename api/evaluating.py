"""Answers to judged queries, from the process that holds the index: this one or a server."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Meta, Struct, field, structs
from PIL.Image import Image

from engine.core import Engine
from engine.errors import InvalidRequest, InvalidSettings, UnknownPlugin
from engine.evaluation.gate import Gate, load_gate
from engine.evaluation.judgments import JudgedSearch
from engine.evaluation.running import DEPTH, Answers, LoadImage, answers_by_turns, together
from engine.images import decode_base64, decode_image, read_local
from engine.settings import ImageSettings, ProfileSettings, SearchSettings, Settings
from engine.trial import Trial
from engine.types import MAX_WINDOW

from .engines import open_engine
from .remote import call
from .running import find_server

LIVE = "live"
"""Stands for the name of the live generation."""
BATCH = 500
"""Queries in one request, so that pictures do not add up to more than a body may hold."""

Values = dict[str, float]


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Judged queries to answer. ``profiles`` and ``search`` stand in for those of the shop's
    settings; each of ``variants`` changes numbers of it: ``weights.<lane>`` of ``profile``, or a
    name under ``[search]``. A query's ``image`` is base64. Every variant gives ``depth``
    products a query."""

    queries: list[JudgedSearch]
    profile: str = "default"
    depth: Annotated[int, Meta(ge=1, le=MAX_WINDOW)] = DEPTH
    variants: list[Values] = field(default_factory=lambda: [{}])
    profiles: dict[str, ProfileSettings] | None = None
    search: SearchSettings | None = None


def answer_all(
    engine: Engine,
    generation: str,
    asked: Asked,
    settings: Settings | None = None,
    load_image: LoadImage | None = None,
) -> list[Answers]:
    """One :class:`Answers` per variant, from one generation, while the shop goes on.

    Raises:
        InvalidRequest: a profile, number or query that is wrong. What
        :meth:`engine.core.Engine.trial` raises.
    """
    settings = settings or engine.settings
    given: dict[str, Any] = {"profiles": asked.profiles, "search": asked.search}
    settings = structs.replace(settings, **{k: v for k, v in given.items() if v is not None})
    load_image = load_image or partial(decode_base64, limits=settings.images)
    with _trial(engine, generation, settings, given) as trial:
        if asked.profile not in settings.profiles:
            known = ", ".join(settings.profiles)
            raise InvalidRequest(
                f"no profile {asked.profile!r}; there are: {known}", field="profile"
            )
        variants = [_adjusted(trial, asked.profile, values) for values in asked.variants]
        searches = [variant.search for variant in variants]
        return answers_by_turns(searches, asked.queries, asked.profile, asked.depth, load_image)


@contextmanager
def _trial(
    engine: Engine, generation: str, settings: Settings, given: Mapping[str, Any]
) -> Iterator[Trial]:
    """Raises InvalidRequest where what was given in place of the shop's settings is wrong."""
    with ExitStack() as opened:
        try:
            trial = engine.trial("" if generation == LIVE else generation, settings)
            found = opened.enter_context(trial)
        except (InvalidSettings, UnknownPlugin) as error:
            if given["profiles"] is None:
                raise
            raise InvalidRequest(f"profiles: {error}", field="profiles") from error
        yield found


class Place(Protocol):
    """Where answers come from."""

    def answers(
        self, generation: str, asked: Asked, settings: Settings, folder: Path
    ) -> list[Answers]:
        """``settings`` are those to answer by, ``folder`` what pictures' paths start from."""
        ...


class Here:
    """This process holds the index."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answers(
        self, generation: str, asked: Asked, settings: Settings, folder: Path
    ) -> list[Answers]:
        load = partial(_picture, folder, settings.images)
        return answer_all(self._engine, generation, asked, settings, load)


class There:
    """A server holds it; ``served`` are the settings that it is taken to have."""

    def __init__(self, client: httpx.Client, served: Settings) -> None:
        self._client = client
        self._served = served

    def answers(
        self, generation: str, asked: Asked, settings: Settings, folder: Path
    ) -> list[Answers]:
        for table in ("encoders", "plugins", "rules_path", "localization"):
            if getattr(settings, table) != getattr(self._served, table):
                name = table.replace("_path", "_file")
                raise InvalidSettings(
                    f"a running server can try other [profiles] and [search], not other {name}; "
                    "stop it to compare those",
                    field=name,
                )
        if settings != self._served:
            asked = structs.replace(asked, profiles=settings.profiles, search=settings.search)
        parts = [
            self._batch(generation, asked, asked.queries[start : start + BATCH], folder)
            for start in range(0, len(asked.queries), BATCH)
        ]
        return [together(variant) for variant in zip(*parts, strict=True)]

    def _batch(
        self, generation: str, asked: Asked, queries: Sequence[JudgedSearch], folder: Path
    ) -> list[Answers]:
        sent = [structs.replace(q, image=_base64(folder, q.image)) for q in queries]
        path = f"/v1/generations/{quote(generation, safe='')}/evaluate"
        answered = call(self._client, "POST", path, structs.replace(asked, queries=sent))
        return msgspec.json.decode(answered, type=list[Answers])


@contextmanager
def open_place(settings: Settings, server: str = "") -> Iterator[Place]:
    """The server at a URL or that holds the data folder, where there is one, else this process."""
    client = _client(settings, server) if server else find_server(settings)
    if client is not None:
        # Nobody knows how long an evaluation takes; the server ends it when it ends itself.
        client.timeout = httpx.Timeout(None, connect=5.0)
        with closing(client):
            yield There(client, settings)
    else:
        with open_engine(settings) as engine:
            yield Here(engine)


def _client(settings: Settings, server: str) -> httpx.Client:
    headers = {"X-Entrepot-Shop": settings.shop}
    if settings.server.api_key:
        headers["Authorization"] = f"Bearer {settings.server.api_key}"
    return httpx.Client(base_url=server, headers=headers)


def _adjusted(trial: Trial, profile: str, values: Values) -> Trial:
    return trial.adjusted(profile, values) if values else trial


def _picture(folder: Path, limits: ImageSettings, path: str) -> Image:
    return decode_image(read_local(folder, path, limits), limits)


def with_pictures(path: Path) -> Gate:
    """The gate of a file with all that it needs, so that another process can go by it."""
    gate = load_gate(path)
    queries = [structs.replace(q, image=_base64(path.parent, q.image)) for q in gate.queries]
    return structs.replace(gate, queries=queries)


def _base64(folder: Path, path: str) -> str:
    if not path:
        return ""
    try:
        return base64.b64encode((folder / path).read_bytes()).decode()
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}", field="image") from error
