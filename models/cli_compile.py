"""``entrepot models compile``, ``check`` and ``bench``."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from .cli_tensorrt import compile_tensorrt
from .lazy import heavy

FOLDER = click.Path(file_okay=False, path_type=Path)
EITHER = click.Path(path_type=Path)


@click.command("compile")
@click.argument("model", type=FOLDER)
@click.option("--out", type=FOLDER, help="Folder to write the variant to; not with TensorRT.")
@click.option(
    "--precision",
    type=click.Choice(["int8", "fp16", "bf16", "fp32"]),
    required=True,
    help="bf16 for tensorrt alone, int8 for onnx alone.",
)
@click.option(
    "--runtime",
    type=click.Choice(["onnx", "tensorrt"]),
    default="onnx",
    show_default=True,
    help="What will run it.",
)
@click.option("--photos", type=FOLDER, help="Pictures of products, to calibrate int8 with.")
@click.option("--data", type=FOLDER, help="Training data: calibrate with its training photos.")
def compile_command(
    model: Path,
    out: Path | None,
    precision: str,
    runtime: str,
    photos: Path | None,
    data: Path | None,
) -> None:
    """Write a variant of the served folder MODEL for ONNX Runtime.

    int8 needs photos to compute convolutions in int8; without, they stay in float. Compare
    with `check` and `bench` before you serve it. TensorRT engines are written into MODEL, as
    `entrepot models tensorrt` does, which has more options.
    """
    if (runtime, precision) in (("onnx", "bf16"), ("tensorrt", "int8")):
        raise click.UsageError(f"{runtime} has no {precision}")
    if runtime == "tensorrt":
        if out or photos or data:
            raise click.UsageError(
                "--out, --photos and --data are for onnx: engines are written into MODEL"
            )
        compile_tensorrt(model, precision)
        return
    if out is None:
        raise click.UsageError("Missing option '--out'.")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("models").setLevel(logging.INFO)
    compiling, paths = heavy("compile"), []
    if photos is not None:
        paths += compiling.pictures_in(photos)
    if data is not None:
        paths += [photo.path for photo in heavy("data").training_photos(data)]
    manifest = compiling.compile_served(model, out, precision, paths)
    size = sum((out / name).stat().st_size for name in manifest.files)
    click.echo(f"{out}: {manifest.name} {manifest.version} in {precision}, {size / 1e6:.1f} MB")


@click.command()
@click.argument("model", type=FOLDER)
@click.option(
    "--against",
    type=EITHER,
    required=True,
    help="The served folder, or the checkpoint, that MODEL was made from.",
)
@click.option(
    "--cosine", type=click.FloatRange(0, 1), help="Mean cosine it must reach.  [default: 0.997]"
)
@click.option(
    "--tags",
    type=click.FloatRange(0, 1),
    default=0.999,
    show_default=True,
    help="Share of words whose tag must be the same, of a model that reads queries.",
)
@click.option("--data", type=FOLDER, help="Training data: compare on it, and a retrieval figure.")
def check(model: Path, against: Path, cosine: float | None, tags: float, data: Path | None) -> None:
    """Compare the embeddings, and the words' tags, of the served folder MODEL with those it was
    made from, and alone with in a batch. Ends with exit status 1 where a bound is broken."""
    report = heavy("check").report
    broken = 0
    for line in report(model, against, cosine, data, tags):
        click.echo(str(line))
        broken += not line.kept
    if broken:
        raise click.ClickException(f"{broken} bounds are broken: do not serve {model}")


@click.command()
@click.argument("folders", metavar="MODEL...", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Threads of ONNX Runtime: as many as you serve with.",
)
@click.option("--data", type=FOLDER, help="Training data: measure retrieval too (minutes).")
@click.option("--save", is_flag=True, help="Write the speeds to the manifests.")
def bench(folders: tuple[Path, ...], threads: int, data: Path | None, save: bool) -> None:
    """Quality and speed of served folders in one table; losses are relative to the first."""
    heavy("bench").run(folders, threads, data, save, click.echo)
