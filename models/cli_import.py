"""``entrepot models import`` and ``import-cross-encoder``."""

from __future__ import annotations

from pathlib import Path

import click

from engine.manifest import load_manifest

from .lazy import heavy

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("import")
@click.argument("source")
@click.argument("out", type=FOLDER)
@click.option("--pretrained", default="", help="OpenCLIP tag or checkpoint, for an OpenCLIP name.")
@click.option("--pooling", default="", help="mean, cls or max, where the model does not say.")
@click.option("--name", default="", help="Name in the manifest.  [default: the source's]")
@click.option("--version", default="1", show_default=True, help="Version in the manifest.")
@click.option("--licence", default="", help="Its licence, where the model card names none.")
@click.option("--provenance", default="", help="Where it comes from.  [default: the source]")
@click.option("--query-prefix", default=None, help="Before every query, as “query: ” for E5.")
@click.option("--document-prefix", default=None, help="Before every product text.")
def import_command(source: str, out: Path, **options: str | None) -> None:
    """Write SOURCE, an OpenCLIP model or a Hugging Face text encoder, to the folder OUT.

    SOURCE is an OpenCLIP name (ViT-B-32), a local folder, hf-hub:ORG/REPO (OpenCLIP), or
    ORG/REPO (BERT and its kin). What is served is compared with torch first.
    """
    importing = heavy("importing")
    for parity in importing.import_model(source, out, importing.ImportOptions(**options)):
        click.echo(str(parity))
    for space in load_manifest(out).spaces:
        click.echo(f'plugin = "onnx"\noptions = {{ model = "{out}", space = "{space}" }}')


@click.command("import-cross-encoder")
@click.argument("source")
@click.argument("out", type=FOLDER)
@click.option("--name", default="", help="Name in the manifest.  [default: the source's]")
@click.option("--version", default="1", show_default=True, help="Version in the manifest.")
@click.option("--licence", default="", help="Its licence, where the model card names none.")
@click.option("--provenance", default="", help="Where it comes from.  [default: the source]")
def import_cross_encoder_command(source: str, out: Path, **options: str) -> None:
    """Write SOURCE, a Hugging Face cross-encoder, to the folder OUT for ranker `cross-encoder`.

    SOURCE is a local folder or ORG/REPO: a sequence classifier with one label or two (BERT,
    MiniLM, XLM-R, ELECTRA, DeBERTa, …). What is served is compared with torch first.
    """
    importing = heavy("import_cross_encoder")
    for gap in importing.import_cross_encoder(source, out, importing.PairOptions(**options)):
        click.echo(str(gap))
    click.echo(f'[plugins.options.cross-encoder]\nmodel = "{out}"')
