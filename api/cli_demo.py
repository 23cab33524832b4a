"""``entrepot demo``: from nothing to a shop that can be searched, in one command."""

import click


@click.command("demo")
def command() -> None:
    """Index the shipped demo shop and serve it."""
