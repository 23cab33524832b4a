"""``entrepot models``: from training or import to a served, compiled, measured model.

Without the extra ``models`` the commands are listed and say what to install.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from engine import Register, hookimpl
from engine.manifest import load_manifest, save_manifest

from .cli_compile import bench, check, compile_command
from .cli_finetune import finetune
from .cli_import import import_command, import_cross_encoder_command
from .cli_query import query_group
from .cli_tensorrt import tensorrt_command
from .lazy import heavy

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
data_option = click.option(
    "--data", type=FOLDER, required=True, help="Folder with fashion/, grocery/, …"
)
work_option = click.option(
    "--work", type=FOLDER, required=True, help="Folder for the frozen towers' outputs."
)


@click.group()
def models() -> None:
    """Train, import, export, compile and check models (needs the extra `models`)."""


@models.command()
@data_option
@work_option
@click.option("--out", type=FILE, required=True, help="Checkpoint to write (.safetensors).")
@click.option("--epochs", type=click.IntRange(min=1), help="Default: the shipped model's.")
def train(data: Path, work: Path, out: Path, epochs: int | None) -> None:
    """Train the product CLIP. Run again after an interruption, it goes on from its last
    checkpoint in the work folder."""
    training, towers = heavy("training"), heavy("towers")
    out.parent.mkdir(parents=True, exist_ok=True)  # what fails should fail before the training
    recipe = training.Recipe() if epochs is None else training.Recipe(epochs=epochs)
    model, _ = training.train(data, work, recipe, click.echo)
    towers.save_checkpoint(model, out)


@models.command()
@data_option
@work_option
@click.option(
    "--epochs", type=click.IntRange(min=1), default=3, show_default=True, help="Of each variant."
)
def ablate(data: Path, work: Path, epochs: int) -> None:
    """Compare towers, resolutions and recipes on the development split (a part of training);
    first, what the image tower finds before any training."""
    for what, figure in heavy("ablation").plain_figures(data).items():
        click.echo(f"plain image tower: {what:32} {figure}")
    for name, figures in heavy("ablation").ablation(data, work, epochs, click.echo):
        click.echo(name + "".join(f"   {key} {value:.3f}" for key, value in figures.items()))


@models.command()
@click.argument("checkpoint", type=FILE)
@click.argument("out", type=FOLDER)
@click.option("--version", required=True, help="Version in the manifest.")
def export(checkpoint: Path, out: Path, version: str) -> None:
    """Write a product CLIP CHECKPOINT to the served folder OUT, in float32."""
    model = heavy("towers").load_checkpoint(checkpoint)
    heavy("product").export_product_clip(model, out, version=version)


@models.command()
@click.argument("model", type=FOLDER)
@data_option
@click.option("--checkpoint", type=FILE, help="Product CLIP it was made from; see below.")
def measure(model: Path, data: Path, checkpoint: Path | None) -> None:
    """Print a served model's figures on held-out products and write them to its manifest.

    The noise floor of every space is measured; retrieval, where a space holds photos. The
    manifest is written into the checkpoint too, so that what is fine-tuned from that knows its
    version and noise floors.
    """
    evaluation = heavy("evaluation")
    manifest = load_manifest(model)
    spaces, quality = dict(manifest.spaces), dict(manifest.quality)
    for name, space in manifest.spaces.items():
        encoder = evaluation.served_encoder(model, name)
        floors = evaluation.noise_floors(encoder, data)
        spaces[name] = msgspec.structs.replace(space, min_score=floors)
        if "image" in encoder.info.modalities:
            figures = evaluation.evaluate(encoder, data)
            quality |= {what: round(figure.value, 4) for what, figure in figures.items()}
            for what, figure in figures.items():
                click.echo(f"{what:36} {figure}")
    made = save_manifest(model, msgspec.structs.replace(manifest, spaces=spaces, quality=quality))
    if checkpoint is not None:
        towers = heavy("towers")
        towers.save_checkpoint(towers.load_checkpoint(checkpoint), checkpoint, made)


for command in (import_command, import_cross_encoder_command, compile_command):
    models.add_command(command)
for command in (tensorrt_command, check, bench, finetune):
    models.add_command(command)
models.add_command(query_group)


@hookimpl
def register_commands(register: Register[click.Command]) -> None:
    register("models", lambda options: models)
