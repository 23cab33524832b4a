"""Every error Entrepot raises on purpose, in one tree.

::

    EntrepotError
    ├── InvalidRequest          the caller's input is wrong (HTTP 400)
    │   ├── InvalidFilter           unknown field, wrong value type, bad operator
    │   ├── InvalidProduct          a catalogue record that cannot become a product
    │   ├── InvalidImage            bytes that are not a picture we can decode
    │   │   └── ImageTooLarge           over the byte or pixel cap (HTTP 413)
    │   └── ForbiddenUrl            URL fetching is off, or the address is not public
    ├── NotFound                no such product, generation or shop (HTTP 404)
    ├── InvalidBook             a file that people edit is broken (HTTP 409)
    │   ├── InvalidRules            that of business rules
    │   └── InvalidSynonyms         that of synonyms
    ├── EditConflict            somebody else changed it meanwhile (HTTP 412)
    ├── GateRefused             a generation is not shown to be good enough (HTTP 409)
    ├── InvalidSettings         entrepot.toml or an ENTREPOT_ variable is wrong
    ├── PluginError             a plugin failed to load, to build or to answer
    │   └── UnknownPlugin           a name nobody registered
    ├── EncoderError            a model directory or an encoder failed
    │   ├── InvalidModel            corrupt, incomplete or newer model directory
    │   ├── UnsupportedModality     e.g. images given to a text-only encoder
    │   ├── NoAccelerator           a compiled graph without its GPU, driver or library
    │   └── CompiledMismatch        compiled from or for something else than is here
    ├── StoreError              the vector store failed
    │   ├── StoreUnavailable        unreachable server, timeout (HTTP 503)
    │   ├── StoreLocked             another process holds the data folder
    │   ├── GenerationLive          the live generation cannot be dropped (HTTP 409)
    │   └── IndexMismatch           the index was made by another model (HTTP 409)
    └── NoIndex                 nothing has been indexed yet (HTTP 503)

Vendor errors are translated where the vendor is called, nowhere else. Messages name the
field and the remedy, for they are shown to shoppers' developers as they are.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown ``name``: the known one nearest to it, if any is."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


class EntrepotError(Exception):
    """Base of all; ``field`` names the offending input where there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidRequest(EntrepotError): ...


class InvalidFilter(InvalidRequest): ...


class InvalidProduct(InvalidRequest): ...


class InvalidImage(InvalidRequest): ...


class ImageTooLarge(InvalidImage): ...


class ForbiddenUrl(InvalidRequest): ...


class NotFound(EntrepotError): ...


class InvalidBook(EntrepotError): ...


class InvalidRules(InvalidBook): ...


class InvalidSynonyms(InvalidBook): ...


class EditConflict(EntrepotError): ...


class GateRefused(EntrepotError):
    """``evidence`` is an :class:`engine.evaluation.gate.Evidence`: what was measured."""

    def __init__(self, message: str, *, evidence: object = None, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.evidence = evidence


class InvalidSettings(EntrepotError): ...


class PluginError(EntrepotError): ...


class UnknownPlugin(PluginError): ...


class EncoderError(EntrepotError): ...


class InvalidModel(EncoderError): ...


class UnsupportedModality(EncoderError): ...


class NoAccelerator(EncoderError): ...


class CompiledMismatch(EncoderError): ...


class StoreError(EntrepotError): ...


class StoreUnavailable(StoreError): ...


class StoreLocked(StoreError): ...


class GenerationLive(StoreError): ...


class IndexMismatch(StoreError): ...


class NoIndex(EntrepotError): ...
