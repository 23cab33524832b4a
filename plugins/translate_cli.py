"""Command ``entrepot translate``: texts and labels in other languages, by translators."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from engine import (
    READ_CATALOGUE,
    InvalidRequest,
    InvalidSettings,
    PluginManager,
    Product,
    Register,
    Registry,
    Settings,
    best_locale,
    hookimpl,
    load_settings,
    parse_locale,
)

from .translate import ENGLISH, TranslateOptions, opened, options_of
from .translators.catalogue import TEXTS, CatalogueTranslator
from .translators.glossary import SHOP_WORDS, load_glossary
from .translators.interpreters import Interpreters
from .translators.labels import Namer, Values, collect, named
from .translators.languages import language_of
from .translators.memory import TranslationMemory

FILE = click.Path(dir_okay=False, path_type=Path)
NAME = "translate"
KEY = "api_key"
SHOWN = 20
Labels = dict[str, dict[str, dict[str, Any]]]


def _tag(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    try:
        return list(dict.fromkeys(parse_locale(value) for value in values))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(NAME)
@click.argument("source", default="")
@click.option("--to", "targets", multiple=True, required=True, callback=_tag, help="Repeatable.")
@click.option("--out", type=FILE, help="JSONL [default: beside SOURCE, NAME.translated.jsonl].")
@click.option("--titles", is_flag=True, help="Titles alone; descriptions take longest.")
@click.option("--labels", type=FILE, help="Add names of values to this labels file (.json).")
@click.option("--config", type=FILE, help="Settings file [default: entrepot.toml here].")
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    targets: list[str],
    out: Path | None,
    titles: bool,
    labels: Path | None,
    config: Path | None,
) -> None:
    """Fill in what products lack in other languages.

    SOURCE is a catalogue as `entrepot index` reads it [default: catalogue.source]. Texts that
    people wrote are never changed; those of translators are marked. What was translated before is
    not translated again. Exit status: 0 when all went well, 1 when some texts could not be
    translated, 2 when nothing could.
    """
    settings = load_settings(config, os.environ)
    options = _options(settings)
    uri = source or settings.catalogue.source
    if not uri:
        raise InvalidRequest("name a catalogue, or set catalogue.source", field="source")
    uri = uri if source else str(Path(settings.root, uri))
    if labels is not None and labels.suffix != ".json":
        raise click.UsageError(
            "--labels: what translators name goes to a .json file of its own; list it under "
            "localization.labels after that of the shop"
        )
    root, rows = ctx.meta[READ_CATALOGUE](settings, uri)
    target_file = out or Path(root, f"{Path(uri).stem}.translated.jsonl")
    if target_file.resolve() == Path(uri).resolve():
        raise click.UsageError("--out: this is the catalogue itself; name another file")
    texts = TEXTS[:1] if titles else TEXTS
    terms = load_glossary(Path(settings.root, options.glossary)) if options.glossary else {}
    registry = PluginManager(settings.plugins)
    held = Interpreters(opened(options, registry), options.translators, options.routes)
    try:
        _require(held, settings.catalogue.locale, targets)
        with TranslationMemory(settings.data_path, _how(options, registry, terms)) as memory:
            translator = CatalogueTranslator(held, memory, terms, settings.catalogue.locale, texts)
            values = _write(target_file, root, rows, translator, targets, settings)
            if labels is not None:
                _label(labels, values, translator, targets, settings, options)
    finally:
        held.close()
    _report(translator, target_file)
    ctx.exit(1 if translator.tally.failed else 0)


def _options(settings: Settings) -> TranslateOptions:
    """Those of the query processor: one set of translators reads queries and writes texts."""
    try:
        return msgspec.convert(settings.plugins.options.get(NAME, {}), TranslateOptions)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"plugins.options.{NAME}: {error}", field=NAME) from error


def _how(options: TranslateOptions, registry: Registry, terms: dict[str, dict[str, str]]) -> str:
    """What a translation depends on besides its text: who makes it, with what options. A key is
    changed now and then, and makes no other text."""
    named = dict.fromkeys((*options.translators, *options.routes.values()))
    tables = {name: options_of(name, options, registry) for name in named}
    for table in tables.values():
        table.pop(KEY, None)
    made_of = (options.translators, options.routes, tables, terms)
    return hashlib.blake2b(msgspec.json.encode(made_of), digest_size=8).hexdigest()


def _require(held: Interpreters, locale: str, targets: list[str]) -> None:
    """Raises InvalidSettings where no translator has a language that was asked for."""
    own = language_of(locale)
    for target in targets:
        code = language_of(target)
        if best_locale(target, (locale,)) is None and not held.route(own, code, code):
            there = {b for name in held.translators for a, b in held.pairs(name) if a == own}
            raise InvalidSettings(
                f"no translator from {own!r} to {code!r}; there are ways to: "
                f"{', '.join(sorted(there)) or 'nothing'} (docs/localization.md)",
                field="translators",
            )


def _write(
    out: Path,
    root: str,
    rows: Iterator[Product | None],
    translator: CatalogueTranslator,
    targets: list[str],
    settings: Settings,
) -> Values:
    """The catalogue, whole or not at all; the values of its fields."""
    values: Values = {}
    partial = out.with_name(f"{out.name}.partial")
    with partial.open("wb") as file:
        for product in rows:
            if product is None:
                continue
            if out.resolve().parent != Path(root) and any("://" not in i for i in product.images):
                raise click.UsageError(
                    f"--out: photos are relative to {root}; name a file in that folder"
                )
            collect(values, product)
            row = as_row(translator.product(product, targets), settings)
            file.write(msgspec.json.encode(row) + b"\n")
    partial.replace(out)
    return values


def as_row(product: Product, settings: Settings) -> dict[str, Any]:
    """A product under the column names that the shop's settings look for."""
    columns = settings.catalogue.columns
    row: dict[str, Any] = msgspec.to_builtins(product)
    row.setdefault("locale", product.locale)
    if "images" in row and "image" in columns:
        columns = {"images": columns["image"], **columns}
    return {columns.get(name, name): value for name, value in row.items()}


def _label(
    file: Path,
    values: Values,
    translator: CatalogueTranslator,
    targets: list[str],
    settings: Settings,
    options: TranslateOptions,
) -> None:
    """Add what is missing to a labels file; what stands in it stays."""
    try:
        held = msgspec.json.decode(file.read_bytes(), type=Labels) if file.exists() else {}
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidSettings(f"--labels: {file}: {error}", field="labels") from error
    own = language_of(settings.catalogue.locale)
    words = load_glossary(SHOP_WORDS) if options.shop_words and own == ENGLISH else {}
    for target in targets:
        namer = Namer(translator, words.get(language_of(target), {}), own, target)
        table = held.setdefault(target, {})
        fields, named_values = table.setdefault("fields", {}), table.setdefault("values", {})
        for name, found in named(values):
            if name not in fields and (label := namer.name(name)):
                fields[name] = label
            known = named_values.setdefault(name, {})
            for value in found:
                if value not in known and (label := namer.name(value)):
                    known[value] = label
    partial = file.with_name(f"{file.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(held), indent=2) + b"\n")
    partial.replace(file)


def _report(translator: CatalogueTranslator, out: Path) -> None:
    tally = translator.tally
    click.echo(
        f"{out}: {tally.products:,} products; {tally.translated:,} texts translated, "
        f"{tally.kept:,} known from before, {tally.human:,} written by people, {tally.same:,} the "
        f"same in both languages, {tally.failed:,} failed"
    )
    for failure in tally.failures[:SHOWN]:
        click.echo(f"  {failure.product}: {failure.what}: {failure.reason}", err=True)
    if tally.failed > SHOWN:
        click.echo(f"  … {tally.failed:,} in all", err=True)


@hookimpl
def register_commands(register: Register[click.Command]) -> None:
    # With the processor's options, for a component's options go by its name.
    register(NAME, lambda options: command, TranslateOptions)
