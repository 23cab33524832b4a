"""``entrepot judgments``: what people rated on the page, as files."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from engine.evaluation.judgment_book import JudgmentBook
from engine.evaluation.judgments import Judgment, write_qrels

from .cli_common import config_option, settings_from

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("judgments")
def command() -> None:
    """Export the ratings that people gave on the page /judge.html."""


@command.command("export")
@click.argument("queries", type=FILE)
@click.argument("qrels", type=FILE)
@click.option(
    "--format", "form", type=click.Choice(["trec", "jsonl"]), default="trec", show_default=True
)
@config_option
def export(queries: Path, qrels: Path, form: str, config: Path | None) -> None:
    """Write the judged searches to QUERIES and their products' mean grades to QRELS."""
    found = JudgmentBook(settings_from(config).data_path).judgments()
    if form == "trec":
        text = write_qrels(found.qrels)
    else:
        text = "".join(
            msgspec.json.encode(Judgment(query, product, grade)).decode() + "\n"
            for query, grades in found.qrels.items()
            for product, grade in grades.items()
        )
    qrels.write_text(text, encoding="utf-8")
    queries.write_bytes(b"".join(msgspec.json.encode(q) + b"\n" for q in found.queries))
    count = sum(map(len, found.qrels.values()))
    click.echo(f"{len(found.queries):,} searches, {count:,} judged products")
