"""Built generations of a shop, and whether this engine's encoders made them."""

from __future__ import annotations

from msgspec import Struct

from .protocols import Encoder, GenerationSpec


class GenerationStatus(Struct, frozen=True):
    """One built generation; ``usable`` is false where another model made it."""

    name: str
    live: bool
    products: int
    created_at: str
    usable: bool


def mismatch(spec: GenerationSpec, text: Encoder, image: Encoder) -> str:
    """How the encoders that made ``spec`` differ from these; empty if they do not."""
    made_by = (spec.text_encoder, spec.image_encoder)
    for made, ours in zip(made_by, (text.info, image.info), strict=True):
        if made.fingerprint != ours.fingerprint:
            return (
                f"was made by {made.name} {made.version}, this engine runs {ours.name} "
                f"{ours.version}: index again, or set the encoders back"
            )
    return ""
