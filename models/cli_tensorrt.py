"""``entrepot models tensorrt``, which ``entrepot models compile --runtime tensorrt`` is too."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import click

from engine.compiled import CompiledParity

from .lazy import heavy

FOLDER = click.Path(file_okay=False, path_type=Path)
EITHER = click.Path(path_type=Path)
LIBRARIES = ("tensorrt_rtx", "tensorrt")


@click.command("tensorrt")
@click.argument("model", type=FOLDER)
@click.option(
    "--precision",
    type=click.Choice(["fp16", "bf16", "fp32"]),
    default="fp16",
    show_default=True,
)
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    metavar="X.Y",
    help="Kind of GPU to compile for, repeatable. [default: every one from 8.0 on]",
)
@click.option(
    "--library",
    type=click.Choice(LIBRARIES),
    help="Default: the one that is installed, RTX before the data-centre one.",
)
@click.option(
    "--against",
    type=EITHER,
    help="Parity report: against this checkpoint or served folder. [default: MODEL on a CPU]",
)
@click.option("--data", type=FOLDER, help="Parity report: with this training data's photos.")
def tensorrt_command(
    model: Path,
    precision: str,
    capabilities: tuple[str, ...],
    library: str | None,
    against: Path | None,
    data: Path | None,
) -> None:
    """Compile the towers of the served folder MODEL with TensorRT into MODEL/engines.

    Needs no GPU with TensorRT-RTX; the parity report does. What is compiled already is kept.
    """
    compile_tensorrt(model, precision, capabilities, library, against, data)


def compile_tensorrt(
    model: Path,
    precision: str,
    capabilities: Sequence[str] = (),
    library: str | None = None,
    against: Path | None = None,
    data: Path | None = None,
) -> None:
    """Compile, take the parity report where there is a GPU, and say what came out.

    Raises:
        EntrepotError: TensorRT is missing or refuses a graph.
        click.ClickException: an engine is not at parity.
    """
    build = heavy("tensorrt_build")
    installed = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    wanted = build.Wanted(
        library or next(iter(installed), LIBRARIES[0]), precision, tuple(sorted(capabilities))
    )
    built = build.build_engines(model, wanted)
    keys = [each.engine.key for each in built]
    checked = heavy("tensorrt_parity").report(model, keys, against, data)
    failed = 0
    for each, engine in zip(built, checked, strict=True):
        size = (model / "engines" / engine.file).stat().st_size / 1e6
        kinds = ", ".join(engine.capabilities) or "8.0 and later"
        click.echo(
            f"{engine.graph}: {'kept' if each.cached else 'built'} {engine.file}, {size:.1f} MB: "
            f"{engine.library} {engine.version}, {engine.precision}, compute capability {kinds}, "
            f"{len(engine.profiles)} profiles; parity {_verdict(engine.parity)}"
        )
        failed += engine.parity.status == "failed"
    if failed:
        raise click.ClickException(f"{failed} engines are not at parity and will not be served")


def _verdict(parity: CompiledParity) -> str:
    parts = [f"{parity.status}: {parity.reason}" if parity.reason else parity.status]
    if parity.cosine is not None and parity.error is not None:
        parts.append(f"cosine ≥ {parity.cosine:.5f}, error ≤ {parity.error:.2e}")
    parts += [
        f"{name} {before:.4f} → {after:.4f}" for name, (before, after) in parity.figures.items()
    ]
    return ", ".join(parts)
