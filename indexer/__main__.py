"""``python -m indexer``: builds one generation and says so in JSON lines on standard output.

The exit status is the report's: 0 all fine, 1 some products failed, 2 nothing was built.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.errors import EntrepotError, InvalidRequest
from engine.settings import Settings, load_settings

from .build import build_generation
from .child import ErrorLine, Line, ProgressLine, ReportLine


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    say = _speaker()
    try:
        settings = _settings(options)
        logging.basicConfig(level=settings.log_level.upper())
        report = build_generation(
            settings,
            _source(options.source, settings),
            lambda progress: say(ProgressLine(progress)),
            options.generation,
        )
    except EntrepotError as error:
        say(ErrorLine(type(error).__name__, str(error), error.field))
        return 2
    say(ReportLine(report))
    return report.exit_status


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m indexer", description=__doc__)
    parser.add_argument("--config", type=Path, help="entrepot.toml (default: the one here)")
    parser.add_argument("--source", default="", help="catalogue file or folder of photos")
    parser.add_argument("--generation", default="", help="name of the generation to build")
    parser.add_argument("--from-parent", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _settings(options: argparse.Namespace) -> Settings:
    if not options.from_parent:
        return load_settings(options.config, os.environ)
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    return settings


def _source(given: str, settings: Settings) -> str:
    """A path on the command line is relative to here, one in the settings to their file."""
    source = given or settings.catalogue.source
    if not source:
        raise InvalidRequest("name a catalogue, or set catalogue.source", field="source")
    return source if "://" in source else os.path.join("." if given else settings.root, source)


def _die_with_parent() -> None:
    """The pipe says nothing more; when it closes, the parent is gone."""
    # The raw descriptor: a reader blocked inside sys.stdin would deadlock the interpreter's exit.
    while os.read(0, 4096):
        pass
    os._exit(3)


def _speaker() -> Callable[[Line], None]:
    """Writes messages to what was standard output; whatever else prints goes to stderr."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def say(line: Line) -> None:
        out.write(msgspec.json.encode(line) + b"\n")

    return say


if __name__ == "__main__":
    sys.exit(main())
