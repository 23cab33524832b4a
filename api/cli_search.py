"""``entrepot search``: one search from the terminal."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.errors import InvalidImage
from engine.schema import IndexSchema
from engine.settings import Settings
from engine.types import Explanation, SearchResponse

from .cli_common import config_option, settings_from
from .convert import filter_pair, filters_from_pairs, read_picture, to_request, with_image_urls
from .engines import open_engine
from .remote import call, declared_fields
from .running import find_server
from .schemas import SearchBody


@click.command("search")
@click.argument("text", default="")
@click.option("--image", type=click.Path(path_type=Path), help="A photo to search by.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Repeatable: color=red, price.lte=50, brand.not=Acme.",
)
@click.option("--limit", default=10, show_default=True)
@click.option("--profile", default="default", show_default=True, help="The pipeline to rank by.")
@click.option("--locale", help="The shopper's language, such as de or pt-BR.")
@click.option("--market", help="Where the shopper is.")
@click.option("--currency", help="What prices are asked in, such as EUR.")
@click.option("--explain", is_flag=True, help="Show why each product stands where it stands.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
@config_option
def command(
    text: str,
    image: Path | None,
    filters: tuple[str, ...],
    limit: int,
    profile: str,
    locale: str | None,
    market: str | None,
    currency: str | None,
    explain: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Search for TEXT, for a photo, or for both.

    With neither, lists products.

    Asks the running server; without one, opens the index itself.
    """
    settings = settings_from(config)
    body = SearchBody(
        text=text or None,
        image=_base64(image) if image else None,
        filters={},
        limit=limit,
        profile=profile,
        locale=locale,
        market=market,
        currency=currency,
        explain=explain,
    )
    answer = _search(settings, body, [filter_pair(item) for item in filters])
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer)))
    else:
        _print(answer)


def _search(
    settings: Settings, body: SearchBody, pairs: Sequence[tuple[str, str]]
) -> SearchResponse:
    if client := find_server(settings):
        with closing(client):
            body = _filtered(body, pairs, declared_fields(client) if pairs else IndexSchema())
            answer = call(client, "POST", "/v1/search", body)
        return msgspec.json.decode(answer, type=SearchResponse)
    with open_engine(settings) as engine:
        body = _filtered(body, pairs, engine.schema)
        picture = read_picture(body, None, settings)
        return with_image_urls(engine.search(to_request(body, picture)), "", None)


def _filtered(
    body: SearchBody, pairs: Sequence[tuple[str, str]], schema: IndexSchema
) -> SearchBody:
    return msgspec.structs.replace(body, filters=filters_from_pairs(pairs, schema))


def _base64(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise InvalidImage(f"--image: cannot read {path}: {error.strerror}") from error


def _print(answer: SearchResponse) -> None:
    table = Table("", "id", "title", "price", "score", box=None)
    for place, hit in enumerate(answer.hits, 1):
        product = hit.product
        price = product.get("price")
        shown = "" if price is None else f"{price:g} {product.get('currency', '')}".strip()
        words = (hit.id, str(product.get("title", "")), shown)
        table.add_row(str(place), *map(escape, words), f"{hit.score:.4f}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for place, hit in enumerate(answer.hits, 1):
        for line in _why(hit.explain) if hit.explain else ():
            console.print(f"{place:>2}  {escape(line)}", style="dim")
    console.print(f"{len(answer.hits)} of {answer.total:,}, {answer.took_ms:.1f} ms", style="dim")
    for item in answer.degraded:
        console.print(escape(f"degraded: {item.component}: {item.reason}"), style="yellow")


def _why(explain: Explanation) -> Iterator[str]:
    """The sum that made the score; then what rankers and arrangers say of their own."""
    lanes = [f"{lane.contribution:.4f} {name}" for name, lane in explain.lanes.items()]
    rankers = [f"{delta:+.4f} {name}" for name, delta in explain.rankers.items() if delta]
    yield f"{explain.score:.4f} = {' + '.join(lanes)} {' '.join(rankers)}".rstrip()
    for name, move in explain.arrangers.items():
        yield f"  {name}: from place {move.before} to {move.after}"
    for name, reasons in explain.reasons.items():
        told = (f"{cause} {_told(value)}" for cause, value in reasons.items())
        yield f"  {name}: {', '.join(told)}"


def _told(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:+.4f}"
