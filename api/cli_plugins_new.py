"""``entrepot plugins new``: a plugin of one's own, ready to install, check and test."""

from __future__ import annotations

import importlib.util
import keyword
import re
from importlib.metadata import version
from pathlib import Path
from string import Template

import click
from msgspec import Struct
from rich.console import Console

import engine
from engine.errors import InvalidRequest
from engine.manager import PluginManager
from engine.settings import ProfileSettings

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME = 40


class Kind(Struct, frozen=True):
    """What differs between the kinds: where they are registered and how they are switched on."""

    registry: str
    title: str
    article: str
    option: str
    option_row: str


KINDS = {
    "ranker": Kind(
        *("rankers", "ranker", "A"),
        "lift = 0.5",
        "| `at_most` | 20.0 | the price up to which a product is lifted |\n"
        "| `lift` | 0.5 | by how much of its score |",
    ),
    "arranger": Kind(
        *("arrangers", "arranger", "An"),
        "drop = true",
        "| `drop` | false | whether sold-out products are left out altogether |",
    ),
    "query-processor": Kind(
        *("query_processors", "query processor", "A"),
        'words = { tee = "t-shirt" }',
        '| `words` | `{tee = "t-shirt"}` | a word, and what is searched in its place |',
    ),
}


@click.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), default="ranker", show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where to write it; must not exist yet [default: NAME here].",
)
def command(name: str, kind: str, folder: Path | None) -> None:
    """Write a plugin of your own into a new folder.

    NAME is what settings will call it: lower-case words, joined by hyphens.
    """
    check_name(name, KINDS[kind])
    target = folder or Path(name)
    if target.exists():
        raise InvalidRequest(f"{target} exists; choose another --folder, nothing is overwritten")
    files = write(name, kind, target)
    console = Console(highlight=False)
    for file in files:
        console.print(f"  {file}", style="dim")
    console.print(f"\n{KINDS[kind].title.capitalize()} [b]{name}[/b] is written. Next:\n")
    console.print(f"  cd {target}")
    console.print("  pip install -e .")
    console.print(f"  entrepot plugins check {name}")
    console.print('  pytest   [dim]# pip install "entrepot\\[test]" brings it[/dim]')


def check_name(name: str, kind: Kind) -> None:
    """Raises InvalidRequest where ``name`` cannot be a distribution, a module, a class and a
    component, or one of these is taken."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise InvalidRequest(
            f"NAME {name!r}: lower-case letters and digits, words joined by hyphens, "
            f"at most {MAX_NAME}, as in my-ranker"
        )
    module = module_of(name)
    if keyword.iskeyword(module) or class_of(name) in engine.__all__:
        raise InvalidRequest(f"NAME {name!r}: Python or Entrepot uses this word; add another")
    if importlib.util.find_spec(module) is not None:
        raise InvalidRequest(f"NAME {name!r}: a module {module!r} is installed; add a word")
    if name in (taken := PluginManager().names(kind.registry)):
        raise InvalidRequest(
            f"NAME {name!r}: there is a {kind.title} of this name; taken: {', '.join(taken)}"
        )


def write(name: str, kind: str, target: Path) -> list[Path]:
    """The files of the distribution, written below ``target``, which must not exist."""
    what = KINDS[kind]
    before = getattr(ProfileSettings(), what.registry)
    pipeline = ", ".join(f'"{each}"' for each in (*before, name))
    values = {
        "name": name,
        "module": module_of(name),
        "klass": class_of(name),
        "kind": what.title,
        "kind_title": what.title.capitalize(),
        "article": what.article,
        "version": version("entrepot"),
        "option_row": what.option_row,
        "settings": f"[profiles.default]\n{what.registry} = [{pipeline}]\n\n"
        f"[plugins.options.{name}]\n{what.option}",
    }
    files = {
        target / "pyproject.toml": "plugin/pyproject.toml.tmpl",
        target / "README.md": "plugin/README.md.tmpl",
        target / f"{module_of(name)}.py": f"{kind}/module.py.tmpl",
        target / "tests" / f"test_{module_of(name)}.py": f"{kind}/test_module.py.tmpl",
    }
    (target / "tests").mkdir(parents=True)
    for file, template in files.items():
        text = Template((TEMPLATES / template).read_text(encoding="utf-8"))
        file.write_text(text.substitute(values), encoding="utf-8")
    return list(files)


def module_of(name: str) -> str:
    """``my-ranker`` → ``my_ranker``."""
    return name.replace("-", "_")


def class_of(name: str) -> str:
    """``my-ranker`` → ``MyRanker``."""
    return "".join(word.capitalize() for word in name.split("-"))
