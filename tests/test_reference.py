"""``docs/reference/`` says what the code says; every hook and protocol is described and tested."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from docs.reference import generate

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
GIVEN = {"Register", "Registry", "ForKnownShoppers", "Prompt", "Assortment"} | {
    *("Explains", "NeedsBehaviour", "Learns", "KnowsTheShop"),
}
"""Protocols without a contract class of their own: the first are Entrepot's to implement, the
clauses of the others are among those of rankers, arrangers, recommenders and translators."""
TESTED_BY_HAND = {
    "register_commands": ("tests/api/test_cli.py", "test_commands_of_plugins"),
}
"""Hooks that register no protocol of ours: where their test is."""


def test_the_pages_are_what_the_generator_writes() -> None:
    made = generate.pages()
    assert {path.name for path in FOLDER.glob("*.md")} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, (
            f"docs/reference/{name} is out of date: python docs/reference/generate.py"
        )


@pytest.mark.parametrize("name", sorted(generate.hooks()))
def test_every_hook_is_described_and_tested(name: str) -> None:
    hook = generate.hooks()[name]
    assert (hook.__doc__ or "").strip(), "a hook needs a docstring"
    assert (FOLDER / f"{name}.md").exists()
    offered = generate.protocol_of(hook)
    if not offered:
        file, test = TESTED_BY_HAND[name]
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
        return
    contract = generate.CONTRACTS[offered].__name__
    assert contract in _inherited(), f"no test in tests/ inherits {contract}"


@pytest.mark.parametrize("name", sorted(generate.all_protocols()))
def test_every_protocol_is_described_and_has_a_contract(name: str) -> None:
    protocol = generate.all_protocols()[name]
    assert (protocol.__doc__ or "").strip(), "a protocol needs a docstring"
    members = generate.members(protocol)
    assert members
    bare = [member for member, value in members.items() if not (value.__doc__ or "").strip()]
    assert bare == [], "without a docstring"
    assert (FOLDER / generate.page_of(name)).exists()
    assert name in generate.CONTRACTS or name in GIVEN


def test_every_clause_says_what_it_asks() -> None:
    for groups in generate.CLAUSES.values():
        for clause in (clause for group in groups for clause in group):
            assert clause.__doc__, clause.__name__


def _inherited() -> set[str]:
    """Names of the classes that test classes derive from."""
    return {
        base.id
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
