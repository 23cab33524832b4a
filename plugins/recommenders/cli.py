"""``entrepot recommend``: train, look at and choose the factor models of a shop."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from engine import (
    Interactions,
    InvalidModel,
    NotFound,
    Settings,
    load_settings,
    open_events,
    read_interactions,
)

from . import training
from .models import Manifest, Versions

FILE = click.Path(dir_okay=False, path_type=Path)


class NoImprovement(InvalidModel):
    """A model that names what shoppers went for no better than popularity does; the message has
    the figures."""


_config = click.option(
    "--config", type=FILE, help="Settings file [default: entrepot.toml here, if there is one]."
)


@click.group()
def recommend() -> None:
    """Recommendations: train and choose collaborative models (needs the extra `recommend`)."""


@recommend.command()
@click.option("--factors", type=click.IntRange(2, 512), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@_config
def train(factors: int, seed: int, threads: int, config: Path | None) -> None:
    """Train a model from the shop's events, and make it live if it beats popularity.

    It is tuned and measured on the newest fifth of what happened, on different shoppers, then
    fitted to all. A model that does not name later products better than popularity does is kept,
    but does not go live (exit status 1).
    Servers follow the live one; the shop may be open meanwhile.
    """
    settings = load_settings(config, os.environ)
    now = datetime.now(UTC)
    seen = _interactions(settings, now)
    click.echo(f"{len(seen):,} interactions with {len(seen.products):,} products")
    least = settings.events.anonymity
    recipe = training.Recipe(factors=factors, seed=seed, threads=threads, least=least)
    recipe, figures = training.choose(seen, recipe)
    model = training.fit(seen, recipe)
    manifest = Manifest(
        products=model.ids,
        factors=factors,
        alpha=recipe.alpha,
        regularization=recipe.regularization,
        iterations=recipe.iterations,
        seed=seed,
        interactions=len(seen),
        shoppers=len(set(seen.shopper.tolist())),
        trained_at=now.isoformat(timespec="seconds"),
        implicit=training.version(),
        figures=figures,
    )
    versions = _versions(settings)
    name = versions.add(manifest, model.products)
    click.echo(f"{name}: {len(model.ids):,} products, {figures}")
    _refuse_worse(name, manifest)
    versions.promote(name)
    sure = "" if figures.low > 0 else "; the gain may still be chance"
    click.echo(f"{name} is live{sure}")


@recommend.command()
@_config
def show(config: Path | None) -> None:
    """List the versions."""
    versions = _versions(load_settings(config, os.environ))
    live = versions.live()
    for name in versions.names():
        manifest = versions.manifest(name)
        mark = "*" if name == live else " "
        click.echo(
            f"{mark} {name:5} {manifest.trained_at}  {len(manifest.products):,} products, "
            f"{manifest.figures}"
        )
    if not versions.names():
        click.echo(f"no model in {versions.folder}: train one with `entrepot recommend train`")


@recommend.command()
@click.argument("version")
@_config
def use(version: str, config: Path | None) -> None:
    """Make another VERSION live; running servers follow."""
    versions = _versions(load_settings(config, os.environ))
    _refuse_worse(version, versions.manifest(version))
    versions.promote(version)
    click.echo(f"{version} is live")


def _interactions(settings: Settings, now: datetime) -> Interactions:
    events = open_events(settings)
    if events is None:
        raise NotFound("this shop keeps no events; name a store in the settings: events.plugin")
    with closing(events):
        return read_interactions(events.iterate(), now)


def _versions(settings: Settings) -> Versions:
    return Versions(settings.data_path)


def _refuse_worse(name: str, manifest: Manifest) -> None:
    if manifest.figures.hit_rate <= manifest.figures.baseline:
        raise NoImprovement(
            f"{name} does not go live, for it is no better than popularity: {manifest.figures}"
        )
