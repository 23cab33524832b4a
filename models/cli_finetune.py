"""``entrepot models finetune``: a shop adapts the product CLIP to its own catalogue."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from engine import load_settings
from engine.errors import InvalidModel
from engine.hookspecs import READ_CATALOGUE

from .lazy import heavy

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("catalogue")
@click.option("--from", "checkpoint", type=FILE, required=True, help="Checkpoint to start from.")
@click.option("--out", type=FOLDER, required=True, help="Served directory to write; a new one.")
@click.option("--pairs", type=FILE, help="JSON Lines: query, product_id, weight or grade.")
@click.option(
    "--method",
    type=click.Choice(["lora", "heads"]),
    default="lora",
    show_default=True,
    help="Low-rank terms in the trained layers and the heads, or the heads alone.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10,
    show_default=True,
    help="Reading and training; the figures before and after come on top.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all draws.")
@click.option("--config", type=FILE, help="Settings file [default: entrepot.toml, if any].")
@click.pass_context
def finetune(
    ctx: click.Context,
    catalogue: str,
    checkpoint: Path,
    out: Path,
    pairs: Path | None,
    method: str,
    minutes: float,
    seed: int,
    config: Path | None,
) -> None:
    """Adapt the product CLIP to a shop's CATALOGUE, on a CPU in minutes.

    CATALOGUE is what `entrepot index` reads. A part of the products is held out and never
    trained on; figures on it are printed, before and after. Exit status: 0 when OUT was written,
    1 when the new model is not likely to be better, and nothing was written.
    """
    started = time.monotonic()
    if out.exists():
        raise InvalidModel(f"{out} exists: name a new folder, or remove it first")
    settings = load_settings(config, os.environ)
    shop_module, material = heavy("shop"), heavy("shop_material")
    delivery, figures = heavy("shop_delivery"), heavy("shop_figures")
    root, rows = _reader(ctx)(settings, catalogue)
    judged = shop_module.read_pairs(pairs) if pairs else shop_module.Pairs()
    model = heavy("towers").load_checkpoint(checkpoint)
    base = delivery.read_base(checkpoint)
    with tempfile.TemporaryDirectory(prefix="entrepot-finetune-") as folder:
        work = Path(folder)
        shop = shop_module.read_shop(rows, Path(root), settings.images, work, judged.ids, seed)
        data = material.prepare(model, shop, judged, seed, work)
        for line in _found(data):
            click.echo(line)
        left = max(0.0, minutes - (time.monotonic() - started) / 60)
        plan = heavy("finetune").Plan(method=method, minutes=left, seed=seed)
        known = base.floors.get("joint", {})
        outcome = heavy("finetune").finetune(model, data, plan, click.echo, known)
        for name, change in outcome.changes.items():
            click.echo(f"{name:30} {change}")
        if reason := figures.refusal(outcome.changes):
            click.echo(
                f"refused: {reason}\nnothing was written; the model you have stays", err=True
            )
            ctx.exit(1)
        manifest = delivery.deliver(model, out, base, data, plan, outcome)
        sure = "" if figures.proven(outcome.changes) else ", though the gain may still be chance"
    click.echo(f"{out}: product-clip {manifest.version}, better for this shop{sure}")


def _reader(ctx: click.Context) -> Any:
    """Raises where the command does not run as a part of ``entrepot``, which brings it."""
    try:
        return ctx.meta[READ_CATALOGUE]
    except KeyError:
        raise click.UsageError("run it as `entrepot models finetune`") from None


def _found(data: Any) -> list[str]:
    """What there is to train with, and what was left out."""
    shop, pairs, held = data.shop, data.pairs, data.held
    lines = [
        f"{len(shop.products):,} products with {len(shop.photos):,} photos; "
        f"{int(held.products.sum()):,} products are held out",
        *shop.tally.lines(),
    ]
    if pairs.queries:
        ids = {product.id for product in shop.products}
        lines.append(
            f"{len(pairs.queries):,} queries; {len(held.queries):,} are held out; left out: "
            f"{len(pairs.ids - ids):,} unknown products, {pairs.invalid:,} lines that are no "
            f"pairs, {pairs.irrelevant:,} of no weight"
        )
    return lines
