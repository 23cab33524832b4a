"""What a check raises, and how a component is called by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class ContractBroken(AssertionError):
    """A component does not do what its protocol asks; ``hint`` says what usually mends it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint


class ContractAdvice(UserWarning):
    """A component keeps its contract, but will not work well with others."""


def called(call: Callable[[], T], what: str, hint: str = "") -> T:
    """``call()``; whatever it raises becomes a :class:`ContractBroken` that says ``what`` it
    was given."""
    try:
        return call()
    except Exception as error:
        raise ContractBroken(f"{type(error).__name__}: {error} ({what})", hint) from error


def accepted(check: Callable[[T], None], answer: T, what: str, hint: str = "") -> T:
    """``answer``, where the engine's own ``check`` does not refuse it."""
    try:
        check(answer)
    except Exception as error:
        raise ContractBroken(f"{error} ({what})", hint) from error
    return answer
