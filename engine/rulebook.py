"""The file of business rules: read again when it changes, written so that nothing is lost.

People edit it by hand while the API writes it. A write changes one rule and keeps all others as
they stand in the file at that moment; it must name the version of the rule that it replaces. What
was acknowledged is on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import EditConflict, InvalidRules, NotFound
from .rules import Rule, RuleSet, decode_rules, encode_rules, unfit
from .schema import IndexSchema

log = logging.getLogger(__name__)

ANY = "*"
"""A version that every rule has."""
_Stamp = tuple[int, int, int] | None
_Change = Callable[[tuple[Rule, ...]], tuple[Rule, ...]]


class RuleBook:
    """The rules of one shop. Thread-safe; several processes may share a file.

    A file that cannot be used changes nothing: the last good rules stay in force, and
    :meth:`problems` and the log say so. No file is no rules.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: _Stamp = None
        self._current = RuleSet()
        self._problem = ""
        self.current()

    def problems(self, schema: IndexSchema | None) -> list[str]:
        """Why the file as it stands is not in force, and which rules do not fit the shop."""
        rules = self.current().rules
        found = [self._problem] if self._problem else []
        if schema is not None:
            named = ((rule.id, unfit(rule, schema)) for rule in rules)
            found += [f"rule {name!r} does not apply: {why}" for name, why in named if why]
        return found

    def current(self) -> RuleSet:
        """The rules in force; costs one ``stat``, and reading the file where it changed."""
        if _stamp(self.path) != self._seen:
            with self._lock:
                self._refresh()
        return self._current

    def get(self, rule_id: str) -> Rule:
        """Raises NotFound."""
        for rule in self.current().rules:
            if rule.id == rule_id:
                return rule
        raise NotFound(f"no rule {rule_id!r}", field="id")

    def put(self, rule: Rule, version: str | None = None) -> bool:
        """Add a rule, or replace the one with its id; whether it was added.

        ``version`` is the :attr:`Rule.etag` of the rule to be replaced, :data:`ANY` to replace it
        whatever it is, or ``None`` to add one that is not there yet.

        Raises:
            EditConflict: the rule in the file is another one than ``version`` says.
            InvalidRules: the file is broken and must be mended first.
        """
        added = False

        def change(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
            nonlocal added
            known = [other.id for other in rules]
            added = rule.id not in known
            if added:
                if version not in (None, ANY):
                    raise EditConflict(f"rule {rule.id!r} is gone; read the rules again")
                return (*rules, rule)
            at = known.index(rule.id)
            _check(rules[at], version)
            return (*rules[:at], rule, *rules[at + 1 :])

        self._edit(change)
        return added

    def delete(self, rule_id: str, version: str | None = None) -> None:
        """Take a rule out. Raises NotFound, and what :meth:`put` raises."""

        def change(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
            for rule in rules:
                if rule.id == rule_id:
                    _check(rule, version)
                    return tuple(other for other in rules if other is not rule)
            raise NotFound(f"no rule {rule_id!r}", field="id")

        self._edit(change)

    def _edit(self, change: _Change) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, _folder_lock(self.path.parent):
            stamp = _stamp(self.path)
            try:
                rules = decode_rules(self.path.read_bytes()) if stamp else ()
            except InvalidRules as error:
                raise InvalidRules(f"{self.path.name} must be mended first: {error}") from error
            changed = encode_rules(change(rules))
            # An editor takes no lock: look again, as late as can be.
            _write(self.path, changed, unless=lambda: _stamp(self.path) != stamp)
            self._refresh()

    def _refresh(self) -> None:
        self._seen = _stamp(self.path)  # first, so that a later change is noticed
        try:
            rules = decode_rules(self.path.read_bytes()) if self._seen else ()
        except FileNotFoundError:
            rules = ()
        except (InvalidRules, OSError) as error:
            self._problem = f"{self.path.name}: {error}; the rules before it stay in force"
            log.error("%s", self._problem)
            return
        if self._problem:
            log.info("%s is in force again", self.path.name)
        self._current, self._problem = RuleSet(rules), ""


def _check(rule: Rule, version: str | None) -> None:
    if version is None:
        raise EditConflict(
            f"rule {rule.id!r} is there already; to change it send If-Match with its ETag, "
            f"{rule.etag!r}, or {ANY}"
        )
    if version not in (ANY, rule.etag):
        raise EditConflict(f"rule {rule.id!r} was changed meanwhile; read it again")


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing; ends with this one, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, data: bytes, unless: Callable[[], bool]) -> None:
    """Replace a file so that a reader, or the next start, sees the old or the new content."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if unless():
        temporary.unlink()
        raise EditConflict(f"{path.name} was edited at this moment; read the rules again")
    temporary.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
