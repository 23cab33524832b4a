"""Which colours are akin: a shade and its family, shades of one family.

A search for red finds maroon too, below what is red, and one for aqua finds teal. Families are
those of the basic colour terms (Berlin and Kay, 1969), with beige, gold and silver beside them,
which shops name; a shade may belong to several.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .word_forms import form_of, forms

FAMILIES: Final[dict[str, str]] = {
    "red": "crimson scarlet maroon burgundy wine cherry ruby rust brick vermilion cardinal",
    "pink": "rose fuchsia magenta salmon coral peach blush nude",
    "purple": "violet lavender lilac mauve plum magenta aubergine eggplant burgundy orchid",
    "blue": "navy sky azure cobalt indigo denim teal turquoise aqua cyan royal sapphire",
    "green": "olive lime mint emerald sea teal khaki turquoise aqua sage moss forest jade",
    "yellow": "mustard gold lemon amber",
    "orange": "rust peach coral copper apricot amber tangerine terracotta",
    "brown": "tan camel beige khaki copper bronze coffee chocolate rust taupe chestnut mocha "
    "cognac caramel mahogany",
    "grey": "charcoal silver steel metallic taupe melange slate graphite ash",
    "white": "ivory cream ecru snow pearl",
    "beige": "cream ecru nude skin tan sand khaki champagne taupe ivory camel",
    "black": "charcoal ebony jet onyx",
    "gold": "copper bronze brass champagne mustard",
    "silver": "steel metallic chrome grey platinum",
}
"""Family → its shades, as words."""
_RATHER_THINGS: Final = forms(
    "orange wine cherry ruby rust brick cardinal rose salmon coral peach plum lavender lilac "
    "aubergine eggplant orchid sky denim aqua royal sapphire olive lime mint emerald sea sage moss "
    "forest jade lemon amber copper apricot tangerine camel bronze coffee chocolate chestnut "
    "mocha cognac caramel mahogany charcoal steel metallic melange slate graphite ash cream "
    "snow pearl nude skin sand champagne ebony jet onyx brass platinum chrome blush mustard"
)
"""What in a title is as often a material, a plant or a scent: "olive oil soap", "steel pan"."""
SAME_WORD, FAMILY, SISTERS = 0.8, 0.6, 0.3
""""Navy Blue" to blue; maroon to red and red to maroon; teal to navy, for each family that two
shades share, of which two count."""

LIGHTER: Final = frozenset({"light", "pale", "pastel", "baby", "soft"})
DARKER: Final = frozenset({"dark", "deep"})
"""Words that say which shades of a colour are meant."""
_DARK: Final = forms(
    "navy maroon burgundy wine charcoal chocolate coffee ebony forest olive plum indigo "
    "mahogany mocha rust brick bronze"
)
_LIGHT: Final = forms(
    "cream peach lavender lilac mint sky ivory beige nude tan aqua lemon champagne sand skin "
    "khaki salmon blush apricot"
)

_FAMILIES_OF: Final[dict[str, frozenset[str]]] = {
    form_of(shade): frozenset(
        family for family, shades in FAMILIES.items() if shade in shades.split()
    )
    for shades in FAMILIES.values()
    for shade in shades.split()
}
ALL_COLORS: Final = frozenset({*FAMILIES, *_FAMILIES_OF})
"""The names of colours, as forms."""
ONLY_COLORS: Final = ALL_COLORS - _RATHER_THINGS
"""Those that say the colour of a thing wherever they stand in its title."""


def colors_in(forms: Iterable[str]) -> frozenset[str]:
    """Those of the words (in their form) that name a colour; "reddish" is red."""
    return frozenset(name for form in forms if (name := _name(form)))


def _name(form: str) -> str:
    if form in ALL_COLORS:
        return form
    if form.endswith("ish"):  # greenish, reddish, whitish
        stem = form.removesuffix("ish")
        tries = (stem, stem[:-1], stem + "e")
        return next((name for name in tries if name in FAMILIES), "")
    return ""


def ishes(color: str) -> tuple[str, ...]:
    """How something is called that is nearly of a colour: "reddish", "purplish", "bluish"."""
    stem = color.removesuffix("e")
    return tuple(dict.fromkeys((f"{color}ish", f"{stem}ish", f"{color}{color[-1]}ish")))


def kinship(asked: Iterable[str], held: Iterable[str]) -> float:
    """How near the colours ``held`` come to those ``asked`` for, both by name, 0 to 1."""
    others = tuple(held)
    return max((_kinship(a, b) for a in asked for b in others), default=0.0)


def _kinship(asked: str, held: str) -> float:
    if asked == held:
        return SAME_WORD
    of_asked, of_held = _FAMILIES_OF.get(asked, frozenset()), _FAMILIES_OF.get(held, frozenset())
    if held in of_asked or asked in of_held:
        return FAMILY
    return SISTERS * min(2, len(of_asked & of_held))


def fits_shade(modifier: str, held: Iterable[str]) -> bool:
    """Whether colours can be meant by "light" or "dark" of something; any other word fits all."""
    names = frozenset(held)
    if modifier in LIGHTER:
        return not names & _DARK
    return not (modifier in DARKER and names & _LIGHT)


def is_shade(modifier: str, held: Iterable[str]) -> bool:
    """Whether one of the colours is what "light" or "dark" asks for by its name."""
    names = frozenset(held)
    return bool(names & (_LIGHT if modifier in LIGHTER else _DARK if modifier in DARKER else set()))


def kin_words(asked: Iterable[str]) -> dict[str, float]:
    """The names of colours akin to those asked for, with how near they are."""
    names = tuple(asked)
    near = {name: kinship(names, (name,)) for name in ALL_COLORS}
    return {name: nearness for name, nearness in near.items() if nearness}
