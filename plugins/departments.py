"""For whom things are: which departments of a shop are not meant when another one is named.

Only departments that are known for such are ever left out; "Unisex", or a value that nobody
foresaw, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from .field_labels import DEPARTMENT_FAMILIES
from .word_forms import form_of, forms

_OPPOSED: Final[Mapping[str, frozenset[str]]] = {
    "man": frozenset({"woman", "girl", "boy", "kid", "baby", "toddler"}),
    "woman": frozenset({"man", "boy", "girl", "kid", "baby", "toddler"}),
    # "Girls" and "boys" may be grown up.
    "girl": frozenset({"man", "boy"}),
    "boy": frozenset({"woman", "girl"}),
    "kid": frozenset({"man", "woman"}),
    "baby": frozenset({"man", "woman"}),
    "toddler": frozenset({"man", "woman"}),
}
_CODES: Final[Mapping[str, str]] = {
    form_of(code): form_of(name)
    for name, codes in DEPARTMENT_FAMILIES.items()
    for code in codes
    if form_of(code) not in _OPPOSED  # boys are kids, and more
}


def opposed(wished: Iterable[str], values: Iterable[str]) -> tuple[str, ...]:
    """Of a field's ``values`` those that are for others than all of the ``wished`` ones; none where
    one of these is no known department."""
    asked = set().union(*map(_names, wished))
    if {"boy", "girl"} <= asked:  # both are none but children
        asked = {*asked - {"boy", "girl"}, "kid"}
    if not asked or not asked <= _OPPOSED.keys():
        return ()
    barred = frozenset.intersection(*(_OPPOSED[name] for name in asked))
    return tuple(v for v in values if (names := _names(v)) and names <= barred)


def _names(value: str) -> set[str]:
    """The departments that a value names: "Men", "M", "Boys & Girls"."""
    return {_CODES.get(form, form) for form in forms(value) if form != "and"}
