"""``entrepot demo``: from nothing to a shop that can be searched, in one command."""

import click


@click.command("index")
def command() -> None:
    """Index the shipped x."""
