"""Words that change a photo's colour: "like this, but in red", where no field knows colours.

An average of photo and words wants things that look a little like the photo and a little like red.
What is meant is the photo with another colour, so in the joint space of words and photos its own
colour is taken out and the asked one put in:

    w · photo + (1 − w) · STRENGTH · (asked − 2w · own),   own = Σ_c softmax_c(SHARPNESS · cos) · c

over the basic colour terms c of English (Berlin and Kay 1969), as the joint encoder reads them; w
is ``image_weight``. At 1 that is the photo, near 0 the words. A colour that is a field of the shop
is a filter instead, which understanding makes and which never fails. ``benchmarks/composed.py``
compares; strength and sharpness were chosen there, on development photos.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .protocols import Encoder, Vectors
from .vectors import unit

COLORS = (
    *("black", "white", "grey", "red", "green", "yellow"),
    *("blue", "brown", "orange", "pink", "purple"),
)
STRENGTH = 1.75
SHARPNESS = 10.0
_SPELLINGS = {**dict.fromkeys(COLORS), "gray": "grey"}
_FILLERS = frozenset(
    {"a", "an", "and", "but", "color", "colour", "in", "it", "like", "one", "or", "same"}
    | {"the", "this", "with"}
)
_WORD = re.compile(r"\w+")


def asked_colors(text: str) -> tuple[str, ...]:
    """The colours that ``text`` asks of the photo beside it; none where it says anything else, for
    then it is a query of its own."""
    words = [word.casefold() for word in _WORD.findall(text)]
    colors = [_SPELLINGS[word] or word for word in words if word in _SPELLINGS]
    only = all(word in _SPELLINGS or word in _FILLERS for word in words)
    return tuple(dict.fromkeys(colors)) if only else ()


def recolored(photo: Vectors, colors: Sequence[str], weight: float, encoder: Encoder) -> Vectors:
    """``photo``, a unit vector ``[d]`` of the joint ``encoder``, in other ``colors``; unit."""
    known = encoder.encode_texts(COLORS, "query")
    shares = np.exp(SHARPNESS * (known @ photo))
    own = (shares / shares.sum()) @ known
    asked = np.mean([known[COLORS.index(color)] for color in colors], axis=0)
    return unit(weight * photo + (1.0 - weight) * STRENGTH * (asked - 2.0 * weight * own))
