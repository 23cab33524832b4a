"""The process of one isolated component: ``python -m engine.isolated_child SOCKET``.

Builds the component that it is told to and answers for it, one question after another, until the
server closes its end of the socket or dies. See :mod:`engine.isolation` for the other side.
"""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, NoReturn

from .errors import InvalidSettings, PluginError, UnsupportedModality
from .manager import KINDS, PluginManager
from .plan import QueryPlan
from .protocols import ShopView, Vectors
from .settings import PluginSettings
from .types import EncoderInfo
from .window import Explains
from .wire import (
    MAX_WORDS,
    Answer,
    Because,
    Channel,
    Done,
    Numbers,
    Offer,
    Offers,
    Planned,
    Raised,
    Ready,
    Recipe,
    Refused,
    encoded,
)

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class NoEncoder:
    """Stands for the shop's text encoder, which stays in the server."""

    info = EncoderInfo("none", "0", 0, (), "")

    def encode_texts(self, texts: Sequence[str], role: str) -> Vectors:
        self._refuse()

    def encode_images(self, images: Sequence[Any]) -> Vectors:
        self._refuse()

    def close(self) -> None:
        """There is nothing to release."""

    @staticmethod
    def _refuse() -> NoReturn:
        raise UnsupportedModality(
            "the shop's text encoder is not there in a process of one's own; a query processor "
            'that needs it runs with isolation = "thread", or loads a model of its own'
        )


class Answers:
    """What the component says to each question."""

    def __init__(self, component: Any, name: str) -> None:
        self._component = component
        self._name = name
        self._shop: ShopView | None = None

    def declared(self) -> Ready:
        component = self._component
        return Ready(
            tuple(map(str, getattr(component, "required_fields", ()))),
            tuple(getattr(component, "required_vectors", ())),
            isinstance(component, Explains),
            tuple(getattr(component, "required_behaviour", ())),
            getattr(component, "for_known_shoppers", False),
        )

    def rank(self, batch: Any) -> Answer:
        return Numbers.of(self._component.rank(batch))

    def arrange(self, batch: Any) -> Answer:
        return Numbers.of(self._component.arrange(batch))

    def explain(self, batch: Any, rows: Any) -> Answer:
        return Because([dict(reasons) for reasons in self._component.explain(batch, rows)])

    def process(self, plan: QueryPlan) -> Answer:
        assert self._shop is not None, "the server gives the shop first"
        after = self._component.process(plan, self._shop)
        if not isinstance(after, QueryPlan):
            raise ValueError(f"process() must return a QueryPlan, not {type(after).__name__}")
        return Planned(None if after is plan else after)

    def shop(self, facts: Mapping[str, Any]) -> Answer:
        """Another shop than before; let the processor compute what it keeps of it."""
        self._shop = ShopView(text_encoder=NoEncoder(), **facts)
        try:
            self._component.process(QueryPlan(), self._shop)
        except Exception as error:
            log.warning("%s does not cope with an empty query: %s", self._name, error)
        return Done()


def main() -> None:
    with closing(Channel(socket.socket(fileno=int(sys.argv[1])))) as channel:
        number, body = channel.receive()
        recipe: Recipe = pickle.loads(body)
        logging.basicConfig(level=recipe.log_level, format="%(levelname)s %(name)s: %(message)s")
        _die_with(recipe.parent)
        built = _built(recipe)
        answer = _said(built.declared) if isinstance(built, Answers) else built
        channel.send(number, encoded(answer))
        with suppress(EOFError, ConnectionError):
            while isinstance(built, Answers):
                number, body = channel.receive()
                question, *given = pickle.loads(body)
                channel.send(number, _body(getattr(built, question), *given))


def _built(recipe: Recipe) -> Answers | Offers | Refused:
    """The component, or what there is, from its plugin alone, or with those whose components it is
    made of; or why not."""
    try:
        _limit_memory(recipe.memory_mb)
        if recipe.registry is None:
            manager = PluginManager(PluginSettings(strict=True), only=recipe.plugin)
        else:
            manager = PluginManager(recipe.registry)
        if not recipe.name:
            return Offers({kind: _offers(manager, kind) for kind in KINDS})
        return Answers(manager.create(recipe.kind, recipe.name, recipe.options), recipe.name)
    except InvalidSettings as error:
        return Refused(str(error)[:MAX_WORDS], settings=True)
    except PluginError as error:
        return Refused(str(error)[:MAX_WORDS])
    except BaseException as error:
        return Refused(_words(error))


def _offers(manager: PluginManager, kind: str) -> dict[str, Offer]:
    return {
        name: Offer(
            manager.options_of(kind, name).__struct_encode_fields__,
            manager.registry_settings(kind, name) is not None,
        )
        for name in manager.names(kind)
    }


def _body(answer: Callable[..., Answer], *given: Any) -> bytes:
    """What to send; the encoding, too, may fail over what a plugin returned."""
    try:
        return encoded(answer(*given))
    except BaseException as error:
        return encoded(_raised(error))


def _said(answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except BaseException as error:
        return Refused(_words(error))


def _raised(error: BaseException) -> Raised:
    return Raised(_words(error), memory=isinstance(error, MemoryError))


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_WORDS]


def _die_with(parent: int) -> None:
    """A child that computes without end does not see its socket close."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(0)


def _limit_memory(megabytes: int) -> None:
    """Cap the address space at what is mapped now and so much more. What the interpreter and
    BLAS have reserved grows with the machine's cores; it is not the plugin's."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        log.warning("memory_mb has no effect on this system")
        return
    most = mapped + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
