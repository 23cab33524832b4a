"""Model files that may have to be fetched: without a network, an error at once and the remedy.

The hub's client tries each file six times over 24 s before it gives up. Here the hub is asked
for once; if it does not answer, only what was fetched before is used.
"""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from engine import InvalidModel

PATIENCE = 5.0
"""Seconds that the hub has to answer, and any host to go on sending."""


@contextmanager
def fetching(what: str, remedy: str, *, ask: bool = True) -> Iterator[None]:
    """Run downloads; whatever goes wrong becomes one error with ``remedy``.

    ``ask``: whether the hub is needed; where it is not, it is not spoken to.

    Raises:
        InvalidModel: it could not be fetched; the message names ``what``.
    """
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        with offline(not ask or not _answers(constants.ENDPOINT)):
            yield
    except InvalidModel:
        raise
    except Exception as error:  # the hub's client, OpenCLIP and transformers share no base
        raise InvalidModel(f"{what}: {_reason(error)}. {remedy}", field="source") from error
    finally:
        socket.setdefaulttimeout(patience)


@contextmanager
def offline(on: bool = True) -> Iterator[None]:
    """Only what is on this machine: libraries that look a folder up on the hub must not."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or on
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def brief(error: BaseException, length: int = 400) -> str:
    """An error's message on one line, for OpenCLIP's and torch's run to pages."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else f"{text[:length]} …"


def card_licence(card: Path) -> str:
    """The ``license`` of a model card's front matter; empty if it names none."""
    try:
        text = card.read_text(encoding="utf-8")
    except OSError:
        return ""
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*['\"]?([\w.+-]+)", front[1], re.MULTILINE) if front else None
    licence = found[1] if found else ""
    return "" if licence in ("other", "unknown") else licence


def _reason(error: BaseException) -> str:
    """What went wrong first; OpenCLIP and transformers wrap the hub's error in their own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LocalEntryNotFoundError | OfflineModeIsEnabled):
            return f"not fetched before, and {constants.ENDPOINT} cannot be reached"
        cause = cause.__cause__ or cause.__context__
    return brief(error)


def _answers(endpoint: str) -> bool:
    """Whether the hub answers at all, by the user's proxies; its answer does not matter."""
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
