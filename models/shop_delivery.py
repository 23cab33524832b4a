"""The served directory of a fine-tuned model, which says what it was made from."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct, field
from open_clip.model import CustomTextCLIP
from safetensors import safe_open

from engine import InvalidModel
from engine.manifest import Manifest, file_digest, save_manifest

from .finetune import Outcome, Plan
from .product import export_product_clip
from .shop_material import Material


class Base(Struct, frozen=True):
    """The model that was adapted. ``floors`` are the noise floors of its spaces, by modality;
    empty where the checkpoint does not tell."""

    version: str
    fingerprint: str
    floors: dict[str, dict[str, float]] = field(default_factory=dict)


def read_base(checkpoint: Path) -> Base:
    """From the manifest of the served model that a checkpoint carries along, if it does; else
    its own hash stands for the fingerprint.

    Raises:
        InvalidModel: the carried manifest cannot be read.
    """
    with safe_open(checkpoint, "np") as file:
        carried = (file.metadata() or {}).get("manifest")
    if carried is None:
        return Base("0", file_digest(checkpoint)[:32])
    try:
        manifest = msgspec.json.decode(carried, type=Manifest)
    except msgspec.DecodeError as error:
        raise InvalidModel(f"{checkpoint}: its manifest: {error}: export it again") from error
    floors = {name: space.min_score for name, space in manifest.spaces.items() if space.min_score}
    return Base(manifest.version, manifest.info("joint").fingerprint, floors)


def deliver(
    model: CustomTextCLIP, out: Path, base: Base, data: Material, plan: Plan, outcome: Outcome
) -> Manifest:
    """Write the served directory, with figures and noise floors.

    Raises:
        InvalidModel: ``out`` exists; a model is never written over.
    """
    made = version(base, data, plan, outcome)
    provenance = _provenance(base, data, plan, outcome)
    manifest = export_product_clip(model, out, version=made, provenance=provenance)
    floors = {**base.floors, "joint": outcome.floors}
    spaces = {
        name: msgspec.structs.replace(space, min_score=floors.get(name, {}))
        for name, space in manifest.spaces.items()
    }
    quality = {}
    for name, change in outcome.changes.items():
        quality[f"shop: {name}"] = round(change.after.value, 4)
        quality[f"shop, before: {name}"] = round(change.before.value, 4)
    return save_manifest(out, msgspec.structs.replace(manifest, spaces=spaces, quality=quality))


def version(base: Base, data: Material, plan: Plan, outcome: Outcome) -> str:
    """``0.2.0+shop.1a2b3c4d``: the base's version, and a digest of all that the run follows
    from."""
    pairs = msgspec.json.encode(data.pairs.queries, order="sorted").decode()
    recipe = str(dataclasses.replace(plan, minutes=0.0))  # what counts is the steps they gave
    parts = [base.fingerprint, data.shop.digest, pairs, recipe, str(outcome.steps)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{base.version.partition('+')[0]}+shop.{digest[:8]}"


def _provenance(base: Base, data: Material, plan: Plan, outcome: Outcome) -> str:
    products, held = len(data.shop.products), int(data.held.products.sum())
    pairs = sum(map(len, data.pairs.queries.values()))
    return (
        f"product-clip {base.version} (fingerprint {base.fingerprint}), fine-tuned on a shop's "
        f"catalogue: method {plan.method}, seed {plan.seed}, {outcome.steps} steps; {products} "
        f"products with {len(data.shop.photos)} photos, {held} products held out; {pairs} "
        f"judged pairs, {len(data.held.queries)} queries held out"
    )
