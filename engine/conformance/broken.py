"""What a check raises, and how a component is called by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")

READ_ONLY_HINT = "Arrays of the batch are the next component's, too: batch.scores.copy()."


class ContractBroken(AssertionError):
    """A component does not do what its protocol asks; ``hint`` says what usually mends it.
    ``cause`` is what went wrong, without the window that showed it and without numbers."""

    def __init__(self, message: str, hint: str = "", cause: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.cause = re.sub(r"\d+", "#", cause or message)
        self.message = message
        self.hint = hint


class ContractAdvice(UserWarning):
    """A component keeps its contract, but will not work well with others."""


class Finding(Struct, frozen=True):
    """How one clause went: ``broken`` is None where it is kept. ``advice`` is no part of the
    contract. ``told`` is the clause that was broken before by the same cause, empty for none: one
    mistake is one finding, and what hides behind it shows when it is mended."""

    clause: str
    broken: ContractBroken | None = None
    advice: bool = False
    told: str = ""


def called(call: Callable[[], T], what: str, hint: str = "") -> T:
    """``call()``; whatever it raises becomes a :class:`ContractBroken` that says ``what`` it
    was given."""
    try:
        return call()
    except Exception as error:
        if isinstance(error, ValueError) and "read-only" in str(error):
            hint = READ_ONLY_HINT
        told = f"{type(error).__name__}: {error}"
        raise ContractBroken(f"{told} ({what})", hint, told) from error


def accepted(check: Callable[[T], None], answer: T, what: str, hint: str = "") -> T:
    """``answer``, where the engine's own ``check`` does not refuse it."""
    try:
        check(answer)
    except Exception as error:
        raise ContractBroken(f"{error} ({what})", hint, str(error)) from error
    return answer
