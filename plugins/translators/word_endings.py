"""What word-by-word translation knows of its languages: endings, compounds, function words.

``SPECIAL`` holds words for whom a thing is made, which dictionaries give as persons ("Herren":
masters, lords), and the commonest words of shops that they give in another sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Endings = tuple[tuple[str, str], ...]

ENDINGS: Final[Mapping[str, Endings]] = {
    "de": (
        *(("en", ""), ("er", ""), ("es", ""), ("em", ""), ("e", ""), ("n", ""), ("s", "")),
        *(("farbene", ""), ("farbenen", ""), ("farben", ""), ("nes", ""), ("ne", "")),
    ),
    "nl": (
        *(("en", ""), ("s", ""), ("'s", ""), ("e", ""), ("kke", "k"), ("tte", "t"), ("nnen", "n")),
        *(("ssen", "s"), ("mmen", "m"), ("llen", "l"), ("kken", "k"), ("tten", "t")),
        *(("ode", "ood"), ("ote", "oot"), ("ene", "een"), ("ele", "eel"), ("ine", "ijn")),
        *(("alen", "aal"), ("olen", "ool"), ("eren", "eer"), ("aren", "aar"), ("ijze", "ijs")),
        *(("zen", "s"), ("ven", "f"), ("elen", "eel"), ("enen", "een"), ("open", "oop")),
    ),
    "fr": (("s", ""), ("x", ""), ("es", ""), ("e", ""), ("aux", "al"), ("ches", "c"), ("che", "c")),
    "es": (("s", ""), ("es", ""), ("as", "o"), ("a", "o"), ("os", "o")),
    "pt": (("s", ""), ("es", ""), ("as", "o"), ("a", "o"), ("os", "o"), ("ões", "ão")),
    "it": (("i", "o"), ("e", "a"), ("i", "e"), ("a", "o"), ("e", "o"), ("chi", "co")),
    "pl": (("y", ""), ("e", ""), ("i", ""), ("a", "y"), ("e", "y"), ("ie", "i")),
    "sv": (("or", "a"), ("ar", ""), ("er", ""), ("a", ""), ("t", ""), ("en", ""), ("n", "")),
    "tr": (("lar", ""), ("ler", ""), ("ı", ""), ("i", ""), ("sı", ""), ("si", "")),
}
"""(ending, what stands there instead), tried in turn after the word itself."""

LINKS: Final[Mapping[str, tuple[str, ...]]] = {
    "de": ("", "s", "n", "en", "es"),
    "nl": ("", "s", "en", "e"),
    "sv": ("", "s"),
}
"""What joins the parts of a compound."""

_SKIPPED: Final = {
    "de": "der die das den dem des ein eine einen einem für mit aus und von in zum",
    "nl": "de het een voor van met en in uit",
    "fr": "le la les un une des de du d pour en à avec et",
    "es": "el la los las un una de del para con en y",
    "pt": "o a os as um uma de da do das dos para com em e",
    "it": "il lo la i gli le un una di da per con in e",
    "zh": "的 款 用 式 件 双 条 个 只 和",
}
SKIPPED: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words.split()) for language, words in _SKIPPED.items()
}
"""Words that a search gains nothing by."""

SPECIAL: Final[Mapping[str, Mapping[str, str]]] = {
    "de": {
        **{"damen": "women", "herren": "men", "frauen": "women", "männer": "men", "kinder": "kids"},
        **{"mädchen": "girls", "jungen": "boys", "baby": "baby", "unisex": "unisex"},
    },
    "nl": {
        **{"dames": "women", "heren": "men", "vrouwen": "women", "mannen": "men"},
        **{"kinderen": "kids", "meisjes": "girls", "jongens": "boys", "unisex": "unisex"},
    },
    "fr": {"femme": "women", "homme": "men", "femmes": "women", "hommes": "men"},
    "es": {"mujer": "women", "hombre": "men", "mujeres": "women", "hombres": "men"},
    "pt": {"mulher": "women", "homem": "men", "feminino": "women", "masculino": "men"},
    "it": {"donna": "women", "uomo": "men"},
    "zh": {
        **{
            "女士": "women",
            "男士": "men",
            "女": "women",
            "男": "men",
            "女式": "women",
            "男式": "men",
        },
        **{"女款": "women", "男款": "men", "儿童": "kids", "男女通用": "unisex", "中性": "unisex"},
    },
}
