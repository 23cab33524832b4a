"""What a shop's fields are about: which of QueryNER's labels their values answer to.

Judged by the field's name and by its values, for every shop has names of its own: a field whose
values are mostly colours is about colour, whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .word_forms import form_of, forms, words_of

TYPE: Final = "core_product_type"
"""The label of what a thing is."""
NAMES: Final[dict[str, str]] = {
    "creator": "brand maker manufacturer vendor designer author artist publisher marke hersteller "
    "marque marca merk fabricant fabricante",
    "color": "color colour shade farbe couleur colore cor kleur",
    "department": "gender department sex audience geschlecht genre genero geslacht age",
    "material": "material fabric composition stoff matiere materiale tissu stof",
    TYPE: "category subcategory type producttype kind class kategorie categorie "
    "categoria soort art",
    "UoM": "size dimension length width height weight volume capacity grosse taille talla taglia "
    "tamanho maat",
    "shape": "shape fit neck neckline sleeve silhouette form pattern cut heel",
    "occasion": "occasion season usage use event saison temporada stagione seizoen anlass",
    "origin": "origin country made herkunft",
    "condition": "condition state zustand",
    "product_name": "model series collection line modell modele modelo",
    "content": "theme character franchise motif",
}
"""Words of field names."""

COLORS: Final = forms(
    "amber apricot aqua azure beige black blue bronze brown burgundy camel champagne charcoal "
    "clear copper coral cream crimson cyan denim ecru emerald fuchsia gold golden gray green "
    "grey indigo ivory khaki lavender lemon lilac lime magenta maroon mauve metallic mint "
    "multi mustard navy nude off olive orange peach pink plum purple red rose ruby rust "
    "salmon sand scarlet silver skin sky steel tan taupe teal transparent turquoise violet "
    "white wine yellow schwarz weiss rot blau grun gelb braun grau rosa lila noir blanc rouge "
    "bleu vert jaune gris marron negro blanco rojo azul verde amarillo nero bianco rosso blu "
    "preto branco vermelho zwart wit rood blauw groen geel bruin"
)
MATERIALS: Final = forms(
    "acrylic aluminium aluminum bamboo brass canvas cashmere ceramic chiffon concrete cotton "
    "crystal denim elastane faux felt flannel fleece fur glass iron jersey lace leather linen "
    "lycra marble merino mesh metal microfiber modal nylon oak paper pine plastic polyamide "
    "polyester porcelain rayon resin rubber satin silicone silk spandex stainless steel stone "
    "suede synthetic terracotta tweed velvet vinyl viscose wicker wood wooden wool leder "
    "baumwolle holz wolle seide cuir coton bois laine cuero algodon madera lana pelle cotone "
    "legno couro algodao leer katoen hout"
)
DEPARTMENTS: Final = forms(
    "men women boys girls kids baby toddler unisex adult teen junior f m herren damen kinder "
    "homme femme enfant hombre mujer uomo donna bambino homem mulher heren dames kinderen"
)
SIZES: Final = forms("xs s m l xl xxl xxxl small medium large uk us eu one size")
SHARE: Final = 0.6
"""So many of a field's products must have such values."""
SAMPLE: Final = 200
"""Values looked at, the first (most frequent) ones."""

COLOR_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "navy": ("navy blue", "dark blue", "blue"),
    "burgundy": ("maroon", "wine", "dark red", "red"),
    "wine": ("burgundy", "maroon", "red"),
    "maroon": ("burgundy", "wine", "red"),
    "crimson": ("red",),
    "scarlet": ("red",),
    "violet": ("purple",),
    "lilac": ("lavender", "purple"),
    "mauve": ("lavender", "purple"),
    "plum": ("purple",),
    "purple": ("violet",),
    "fuchsia": ("magenta", "pink"),
    "rose": ("pink",),
    "rose gold": ("copper", "gold"),
    "coral": ("peach", "orange", "pink"),
    "salmon": ("peach", "pink"),
    "turquoise": ("turquoise blue", "aqua", "teal"),
    "aqua": ("turquoise", "turquoise blue", "teal"),
    "teal": ("turquoise", "turquoise blue"),
    "sky blue": ("light blue", "blue"),
    "ivory": ("off white", "cream", "white"),
    "ecru": ("off white", "cream", "beige"),
    "cream": ("off white", "beige"),
    "camel": ("tan", "beige", "brown"),
    "khaki": ("olive", "beige"),
    "charcoal": ("dark grey", "grey"),
    "silver": ("metallic", "grey"),
    "colorful": ("multi",),
    "colourful": ("multi",),
}
"""Where a shop does not have a shade, the first of these that it has stands for it."""
COLOR_GROUPS: Final[dict[str, str]] = {
    "warm": "red orange yellow gold pink coral peach rust mustard maroon burgundy terracotta amber",
    "cool": "blue green purple violet teal turquoise aqua navy lavender lilac mint sky silver",
    "dark": "black navy maroon burgundy charcoal brown purple plum",
    "light": "white cream beige ivory pink peach lavender mint yellow sky",
    "muted": "beige taupe khaki olive mauve grey mustard rust cream",
    "earth": "brown beige khaki olive tan rust mustard camel taupe copper terracotta sand",
    "earthy": "brown beige khaki olive tan rust mustard camel taupe copper terracotta sand",
    "autumn": "brown orange rust mustard maroon burgundy olive copper",
    "pastel": "pink peach lavender lilac mint cream mauve lemon",
    "neutral": "beige white cream grey black taupe nude tan sand ivory ecru",
    "skin": "nude beige skin tan",
    "jewel": "emerald ruby sapphire purple teal burgundy magenta",
    **dict.fromkeys(
        ("bright", "brightly", "vivid", "vibrant", "neon"),
        "red yellow orange pink lime fuchsia magenta turquoise",
    ),
}
"""Colours that have a name together before a word of :data:`COLOR_NOUNS`: "in earth tones"."""
COLOR_NOUNS: Final = ("color", "colored", "coloured", "tone", "toned", "shade", "hue")
DEPARTMENT_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "men": ("m", "herren", "homme", "hombre", "uomo", "homem", "heren"),
    "kids": ("boys", "girls"),
    "women": ("f", "w", "damen", "femme", "mujer", "donna", "mulher", "dames"),
}
"""What stands for a department where the catalogue does not have its name: all of these."""
RELATIVES: Final[dict[str, str]] = {
    "women": "wife girlfriend fiancee mum mom mummy mother grandma grandmother sister aunt",
    "men": "husband boyfriend fiance dad daddy father grandpa grandad grandfather brother uncle",
    "girls": "daughter niece granddaughter",
    "boys": "son nephew grandson",
}
"""For whom something is when it is for one of these: "for my wife", "for dad"."""
TWO: Final = ("men", "women")
COUPLES: Final = ("his and hers", "hers and his", "for both", "couples", "for couples")
"""What is for both of the two."""
FOR_WHOM: Final = ("my", "our", "for")
"""What must stand before them: "mom jeans" and a "boyfriend shirt" are women's."""


def color_group(phrase: str) -> frozenset[str]:
    """The colours that have a name together, in their forms: of "warm colours" those that are warm;
    none of any other phrase."""
    words = [word.form for word in words_of(phrase)]
    named = len(words) == 2 and words[1] in _COLOR_NOUNS and COLOR_GROUPS.get(words[0])
    return forms(named) if named else frozenset()


_COLOR_NOUNS: Final = forms(" ".join(COLOR_NOUNS))
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def labels_of(name: str, values: Mapping[str, int]) -> tuple[str, ...]:
    """The labels that the field answers to, the likeliest first; empty where it may be
    anything."""
    parts = {form_of(part) for part in re.split(r"[\W_]+", _CAMEL.sub(" ", name)) if part}
    parts.add("".join(re.split(r"[\W_]+", name)).lower())
    by_name = [label for label, words in NAMES.items() if parts & set(words.split())]
    by_value = _by_values(values)
    return tuple(dict.fromkeys([*([by_value] if by_value else []), *by_name]))


def _by_values(values: Mapping[str, int]) -> str:
    seen = list(values.items())[:SAMPLE]
    total = sum(count for _, count in seen)
    for label, known in (
        ("color", COLORS),
        ("department", DEPARTMENTS),
        ("material", MATERIALS),
        ("UoM", SIZES),
    ):
        of_kind = sum(count for value, count in seen if _consists_of(value, known, label))
        if total and of_kind >= SHARE * total:
            return label
    return ""


def _consists_of(value: str, known: frozenset[str], label: str) -> bool:
    forms = [word.form for word in words_of(value)]
    if label == "UoM":
        return bool(forms) and all(f in known or f[0].isdigit() for f in forms)
    return bool(forms) and any(f in known for f in forms) and len(forms) <= 3
