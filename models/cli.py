"""``entrepot models``: train, export and check the product CLIP.

Without the extra ``models`` the commands are listed and say what to install.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from engine import Encoder, PluginManager, Register, hookimpl
from engine.manifest import load_manifest, save_manifest

if TYPE_CHECKING:
    from .heads import Recipe

FOLDER = click.Path(file_okay=False, path_type=Path)
SAMPLES = 64


@click.group()
def models() -> None:
    """Train, export and check models (needs the extra `models`)."""


@models.command()
@click.option("--data", type=FOLDER, required=True, help="Folder with fashion/, grocery/, …")
@click.option("--work", type=FOLDER, required=True, help="Cache of tower features.")
@click.option("--out", type=FOLDER, required=True, help="Served directory to write.")
@click.option("--version", default="0.1.0", show_default=True)
def train(data: Path, work: Path, out: Path, version: str) -> None:
    """Train the heads on frozen towers, export, and measure on held-out products."""
    training, served = _import("training"), _import("served")
    head, recipe = _chosen()
    model = training.train(data, work, head, recipe)
    provenance = (
        "EfficientNet-Lite0 (ImageNet) and all-MiniLM-L6-v2, frozen; heads trained on Fashion "
        "Product Images, GroceryStoreDataset, Clothing and the demo shop's photos and titles"
    )
    served.export(model, out, version=version, provenance=provenance)
    _print_parity(model, out, data)
    measure_into(out, data)


@models.command()
@click.option("--data", type=FOLDER, required=True, help="Folder with fashion/, grocery/, …")
@click.option("--work", type=FOLDER, required=True, help="Cache of tower features.")
def ablate(data: Path, work: Path) -> None:
    """Compare image heads and regularization on the development split (a part of training)."""
    for head, recipe, recall in _import("training").ablation(data, work):
        click.echo(
            f"image head {head:7} dropout {recipe.dropout:.1f} "
            f"weight decay {recipe.weight_decay:.2f}   dev R@10 {recall:.4f}"
        )


@models.command()
@click.argument("model", type=FOLDER)
@click.option("--data", type=FOLDER, required=True, help="Folder with fashion/, grocery/, …")
def measure(model: Path, data: Path) -> None:
    """Print a served model's figures on held-out products and write them to its manifest."""
    measure_into(model, data)


@models.command()
@click.argument("model", type=FOLDER)
@click.option("--data", type=FOLDER, required=True, help="Folder with fashion/, grocery/, …")
@click.option("--work", type=FOLDER, required=True, help="Cache of tower features.")
def check(model: Path, data: Path, work: Path) -> None:
    """Train again from the cached features and compare torch with the served model."""
    head, recipe = _chosen()
    _print_parity(_import("training").train(data, work, head, recipe), model, data)


def measure_into(folder: Path, data: Path) -> None:
    """Evaluate, print, and record figures and noise floors in the manifest."""
    evaluation = _import("evaluation")
    joint, sentence = _served(folder, "joint"), _served(folder, "sentence")
    figures = evaluation.evaluate(joint, data)
    for name, value in figures.items():
        click.echo(f"{name:36} {value}")
    manifest = load_manifest(folder)
    floors = dict(
        zip(("joint", "sentence"), evaluation.noise_floors(joint, sentence, data), strict=True)
    )
    spaces = {
        name: msgspec.structs.replace(space, min_score=floors[name])
        for name, space in manifest.spaces.items()
    }
    quality = {name: round(value.value, 4) for name, value in figures.items()}
    save_manifest(folder, msgspec.structs.replace(manifest, spaces=spaces, quality=quality))


def _chosen() -> tuple[str, Recipe]:
    """The shipped model's choices, by the ablation in its card."""
    return "mlp", _import("heads").Recipe()


def _served(folder: Path, space: str) -> Encoder:
    options = {"model": str(folder.resolve()), "space": space}
    return PluginManager().create("encoders", "onnx", options)


def _print_parity(model: Any, folder: Path, data: Path) -> None:
    data_module, evaluation = _import("data"), _import("evaluation")
    rows = data_module.rows(data / "demo_store" / "products.jsonl")[:SAMPLES]
    texts = [row["title"]["en"] for row in rows]
    images = [evaluation.open_rgb(data / "demo_store" / row["image"]) for row in rows]
    for parity in _import("served").check(model, _served(folder, "joint"), texts, images):
        click.echo(f"{parity.what:28} cosine ≥ {parity.cosine:.6f}   error ≤ {parity.error:.2e}")


def _import(name: str) -> Any:
    """A module of the torch stack, or the remedy where the stack is not installed."""
    try:
        return importlib.import_module(f"models.{name}")
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed: pip install 'entrepot[models]'"
        ) from error


@hookimpl
def register_commands(register: Register[click.Command]) -> None:
    register("models", lambda options: models)
