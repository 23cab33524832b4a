"""``entrepot models query``: the query-understanding BERT, from training to figures."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from engine.manifest import load_manifest, save_manifest

from .lazy import heavy

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
data_option = click.option(
    "--data", type=FOLDER, required=True, help="Folder with queryner/, attributes/, fashion/, …"
)


@click.group("query")
def query_group() -> None:
    """Train, export and measure the model that reads queries."""


@query_group.command()
@data_option
@click.option("--work", type=FOLDER, required=True, help="Folder for the teacher and its labels.")
@click.option("--out", type=FILE, required=True, help="Checkpoint to write (.safetensors).")
def train(data: Path, work: Path, out: Path) -> None:
    """Train the query BERT: a teacher in folds, then the small model on its labels.

    The teacher's labels are kept in the work folder; run again, training goes on from them.
    """
    training, model = heavy("query_training"), heavy("query_model")
    out.parent.mkdir(parents=True, exist_ok=True)  # what fails should fail before the training
    trained = training.train(data, work, training.Recipe(), click.echo)
    model.save_query_bert(trained, out)


@query_group.command()
@click.argument("checkpoint", type=FILE)
@click.argument("out", type=FOLDER)
@click.option("--version", required=True, help="Version in the manifest.")
def export(checkpoint: Path, out: Path, version: str) -> None:
    """Write a query BERT's CHECKPOINT to the served folder OUT, in float32."""
    model = heavy("query_model").load_query_bert(checkpoint)
    heavy("query_export").export_query_bert(model, out, version=version)


@query_group.command()
@click.argument("model", type=click.Path(path_type=Path))
@data_option
def measure(model: Path, data: Path) -> None:
    """Print the figures of a MODEL, a served folder or a checkpoint, on held-out queries and
    products; a served folder's manifest gets them too."""
    evaluation = heavy("query_evaluation")
    if model.is_dir():
        reader = heavy("evaluation").served_reader(model)
    else:
        reader = heavy("query_reading").TorchReader(heavy("query_model").load_query_bert(model))
    figures = evaluation.evaluate(reader, data)
    for what, figure in figures.items():
        click.echo(f"{what:40} {figure}")
    if model.is_dir():
        manifest = load_manifest(model)
        quality = {what: round(figure.value, 4) for what, figure in figures.items()}
        save_manifest(model, msgspec.structs.replace(manifest, quality=quality))


@query_group.command()
@data_option
def chinese(data: Path) -> None:
    """Train a small model of characters on dsner_zh and print its F1 on the development part.

    It shows what its 1,097 requests give; nothing serves it.
    """
    module = heavy("query_chinese")
    _, figure = module.train_chinese(data, module.RECIPE, click.echo)
    click.echo(f"{'entity F1 (dsner_zh, development part)':40} {figure}")
