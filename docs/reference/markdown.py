"""Docstrings, signatures and tables as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ROLE = re.compile(r":\w+:`~?([^`]+)`")
RAISES = re.compile(r"^Raises:\n((?:    .*\n?|\n)+)", re.MULTILINE)
BLOCK = re.compile(r"::\n\n((?:    .*\n?|\n)+)")


def as_markdown(documented: Any) -> str:
    """The docstring: roles and literals as code, ``Raises`` as a list, ``::`` blocks fenced."""
    text = inspect.cleandoc(documented.__doc__ or "") + "\n"
    text = BLOCK.sub(lambda m: f":\n\n```\n{inspect.cleandoc(m[1])}\n```\n\n", text)
    text = RAISES.sub(lambda m: f"Raises:\n\n{_raised(m[1])}\n", text)
    text = ROLE.sub(lambda m: f"`{m[1].rpartition('.')[2]}`", text)
    return re.sub(r"(?<!`)``(?!`)", "`", text).strip()


def _raised(block: str) -> str:
    lines = re.split(r"\n(?=\S)", inspect.cleandoc(block))
    named = (re.sub(r"^([\w, ]+):", r"`\1`:", " ".join(line.split())) for line in lines)
    return "\n".join(f"- {line}" for line in named)


def first_sentence(documented: Any) -> str:
    """Up to the first full stop, on one line."""
    return re.split(r"(?<=\.)\s", first_paragraph(documented))[0]


def first_paragraph(documented: Any) -> str:
    """Up to the first empty line, on one line."""
    return " ".join(as_markdown(documented).split("\n\n")[0].split())


def signature(name: str, function: Callable[..., Any]) -> str:
    """``name(parameters) -> type`` as the source has it."""
    shown = re.sub(r"""(: |-> )(['"])(.*?)\2""", r"\1\3", f"{name}{inspect.signature(function)}")
    return re.sub(r"<class '[\w.]*?(\w+)'>", r"\1", shown)


def code(text: str) -> str:
    return f"```python\n{text}\n```"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def anchor(title: str) -> str:
    """The fragment that a heading gets."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def source_link(found: type) -> str:
    path = Path(inspect.getfile(found)).relative_to(ROOT)
    return f"[`{path}`](../../{path})"
