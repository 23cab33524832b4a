"""A file of entries that people edit by hand while the API writes it: rules, synonyms.

It is read again when it changes, and written so that nothing is lost. A write changes some entries
and keeps all others as they stand in the file at that moment; it must name the version of the
entry that it replaces. What was acknowledged is on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from .durable import write_atomically
from .errors import EditConflict, InvalidBook, NotFound

log = logging.getLogger(__name__)

ANY = "*"
"""A version that every entry has."""
MAX_TOLD = 10
"""Problems of a file that are told at once."""
EntryId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
_Stamp = tuple[int, int, int] | None


class Entry(Protocol):
    """One of a book; frozen."""

    @property
    def id(self) -> str:
        """Its name, one of the book."""
        ...


E = TypeVar("E", bound=Entry)
View = TypeVar("View")


class _Named(Struct):
    """Of an entry that is wrong somewhere."""

    id: str


class Kind(Struct, Generic[E, View], frozen=True):
    """What a book holds: ``struct`` is its entries' type, ``name`` what one is called ("rule";
    the file is ``{"rules": [ … ]}``), ``view`` makes what the rest of the engine works with, a new
    object for each content, and ``error`` is raised where the file is broken."""

    struct: type[E]
    name: str
    view: Callable[[tuple[E, ...]], View]
    error: type[InvalidBook]

    @property
    def key(self) -> str:
        return f"{self.name}s"

    def encode(self, entries: Iterable[E]) -> bytes:
        """The file's content, laid out for people."""
        content = msgspec.json.encode({self.key: list(entries)})
        return msgspec.json.format(content, indent=2) + b"\n"

    def decode(self, data: bytes) -> tuple[E, ...]:
        """The entries of a file.

        Raises:
            InvalidBook: of the kind's own class, about the file as a whole, or every entry that
                is wrong by its name and field.
        """
        file = msgspec.defstruct(
            "File", [(self.key, list[msgspec.Raw], [])], forbid_unknown_fields=True
        )
        try:
            text = data.decode("utf-8")  # msgspec looks at no letter of what it leaves raw
            found = getattr(msgspec.json.decode(text, type=file), self.key)
        except msgspec.ValidationError as error:
            form = f'{{"{self.key}": [ … ]}}'
            raise self.error(f"{plain(error)}; the file is {form}") from error
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self.error(f"not JSON: line {line}: not UTF-8; save it as UTF-8") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.error(f"not JSON: {_place(text, error)}") from error
        entries: dict[str, E] = {}
        problems: list[str] = []
        for number, raw in enumerate(found, start=1):
            try:
                entry = msgspec.json.decode(raw, type=self.struct)
            except msgspec.ValidationError as error:
                problems.append(f"{self.name} {_name(raw, number)}: {plain(error)}")
                continue
            if entry.id in entries:
                problems.append(f"{self.name} {entry.id!r}: id: is there twice; rename one")
            entries[entry.id] = entry
        if problems:
            more = len(problems) - MAX_TOLD
            told = problems[:MAX_TOLD] + ([f"and {more} more"] if more > 0 else [])
            raise self.error("; ".join(told))
        return tuple(entries.values())


class Book(Generic[E, View]):
    """The entries of one file. Thread-safe; several processes may share it.

    A file that cannot be used changes nothing: the last good entries stay in force, and
    :attr:`problem` and the log say so. No file is no entries.
    """

    def __init__(self, path: Path, kind: Kind[E, View]) -> None:
        self.path = path
        self.kind = kind
        self._lock = threading.Lock()
        self._seen: _Stamp = None
        self._entries: tuple[E, ...] = ()
        self._view = kind.view(())
        self._problem = ""
        self.current()

    @property
    def problem(self) -> str:
        """Why the file as it stands is not in force, where it is not."""
        self.current()
        return self._problem

    def current(self) -> View:
        """What is in force; costs one ``stat``, and reading the file where it changed."""
        if _stamp(self.path) != self._seen:
            with self._lock:
                if _stamp(self.path) != self._seen:
                    self._refresh()
        return self._view

    def entries(self) -> tuple[E, ...]:
        """All entries in the order of the file."""
        self.current()
        return self._entries

    def get(self, id: str) -> E:
        """Raises NotFound."""
        for entry in self.entries():
            if entry.id == id:
                return entry
        raise self._missing(id)

    def put(self, entry: E, version: str | None = None) -> bool:
        """Add an entry, or replace the one with its id; whether it was added.

        ``version`` is the :func:`etag` of the entry to be replaced, :data:`ANY` to replace it
        whatever it is, or ``None`` to add one that is not there yet.

        Raises:
            EditConflict: the entry in the file is another one than ``version`` says.
            InvalidBook: the file is broken and must be mended first.
        """
        added = False

        def change(entries: tuple[E, ...]) -> tuple[E, ...]:
            nonlocal added
            known = [other.id for other in entries]
            added = entry.id not in known
            if added:
                if version not in (None, ANY):
                    raise EditConflict(
                        f"{self.kind.name} {entry.id!r} is gone; read the {self.kind.key} again"
                    )
                return (*entries, entry)
            at = known.index(entry.id)
            self._check(entries[at], version)
            return (*entries[:at], entry, *entries[at + 1 :])

        self._edit(change)
        return added

    def extend(self, entries: Sequence[E]) -> list[E]:
        """Add those whose id is not there yet, in one write; which they were. Raises
        InvalidBook."""
        fresh: list[E] = []

        def change(known: tuple[E, ...]) -> tuple[E, ...]:
            ids = {entry.id for entry in known}
            fresh[:] = {e.id: e for e in entries if e.id not in ids}.values()
            return (*known, *fresh)

        self._edit(change)
        return fresh

    def delete(self, id: str, version: str | None = None) -> None:
        """Take an entry out. Raises NotFound, and what :meth:`put` raises."""

        def change(entries: tuple[E, ...]) -> tuple[E, ...]:
            for entry in entries:
                if entry.id == id:
                    self._check(entry, version)
                    return tuple(other for other in entries if other is not entry)
            raise self._missing(id)

        self._edit(change)

    def _edit(self, change: Callable[[tuple[E, ...]], tuple[E, ...]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, _folder_lock(self.path.parent):
            stamp = _stamp(self.path)
            try:
                entries = self.kind.decode(self.path.read_bytes()) if stamp else ()
            except InvalidBook as error:
                told = f"{self.path.name} must be mended first: {error}"
                raise self.kind.error(told) from error

            def check() -> None:
                # An editor takes no lock: look again, as late as can be.
                if _stamp(self.path) != stamp:
                    raise EditConflict(
                        f"{self.path.name} was edited at this moment; "
                        f"read the {self.kind.key} again"
                    )

            write_atomically(self.path, self.kind.encode(change(entries)), check)
            self._refresh()

    def _refresh(self) -> None:
        stamp = _stamp(self.path)  # before reading, so that a later change is noticed
        self._load(exists=stamp is not None)
        # After, so that who comes meanwhile waits instead of going on with what was before.
        self._seen = stamp

    def _load(self, exists: bool) -> None:
        try:
            entries = self.kind.decode(self.path.read_bytes()) if exists else ()
        except FileNotFoundError:
            entries = ()
        except (InvalidBook, OSError) as error:
            stay = f"the {self.kind.key} before it stay in force"
            self._problem = f"{self.path.name}: {error}; {stay}"
            log.error("%s", self._problem)
            return
        if self._problem:
            log.info("%s is in force again", self.path.name)
        self._entries, self._view, self._problem = entries, self.kind.view(entries), ""

    def _check(self, entry: E, version: str | None) -> None:
        if version is None:
            raise EditConflict(
                f"{self.kind.name} {entry.id!r} is there already; to change it send If-Match with "
                f"its ETag, {etag(entry)!r}, or {ANY}"
            )
        if version not in (ANY, etag(entry)):
            raise EditConflict(
                f"{self.kind.name} {entry.id!r} was changed meanwhile; read it again"
            )

    def _missing(self, id: str) -> NotFound:
        return NotFound(f"no {self.kind.name} {id!r}", field="id")


def etag(entry: Entry) -> str:
    """Changes whenever the entry does."""
    return hashlib.sha256(msgspec.json.encode(entry)).hexdigest()[:16]


def plain(error: msgspec.ValidationError) -> str:
    """``then.pins[...]: Expected …``, where msgspec has the place last and from ``$``."""
    words, _, place = str(error).partition(" - at `$")
    place = place.removesuffix("`").lstrip(".")
    return f"{place}: {words}" if place else words


def _name(raw: msgspec.Raw, number: int) -> str:
    try:
        return repr(msgspec.json.decode(raw, type=_Named).id)
    except msgspec.ValidationError:
        return f"number {number}"


def _place(text: str, error: Exception) -> str:
    """The standard library knows the line."""
    try:
        json.loads(text)
    except json.JSONDecodeError as found:
        return f"line {found.lineno}, column {found.colno}: {found.msg}"
    except (ValueError, RecursionError):
        pass
    return str(error)


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
