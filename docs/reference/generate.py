"""Writes the reference pages of this folder from the code: ``python docs/reference/generate.py``.

One page per hook and per protocol, one for the types they speak, one for the options of the
built-in components. What is printed are signatures, docstrings, option structs and the clauses of
the contracts; nothing is written here by hand. ``tests/test_reference.py`` compares the committed
pages with what this makes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, it finds the checkout it stands in

import engine  # noqa: E402 -- the line above is for it
from docs.reference.markdown import (  # noqa: E402
    anchor,
    as_markdown,
    code,
    first_paragraph,
    first_sentence,
    signature,
    source_link,
    table,
)
from docs.reference.options import option_table  # noqa: E402
from docs.reference.spoken import fields_table, types_spoken  # noqa: E402
from engine import (  # noqa: E402
    conformance,
    events,
    hookspecs,
    protocols,
    recommenders,
    testing,
    translators,
    window,
)
from engine.evaluation import measures  # noqa: E402
from engine.manager import KINDS, PluginManager  # noqa: E402
from engine.settings import PluginSettings  # noqa: E402

FOLDER = Path(__file__).parent
NOTE = "<!-- Written by docs/reference/generate.py from the code; do not edit. -->\n\n"
CLAUSES = {
    "Ranker": (conformance.RANKER, conformance.RANKER_ADVICE),
    "Arranger": (conformance.ARRANGER, conformance.ARRANGER_ADVICE),
    "QueryProcessor": (conformance.QUERY_PROCESSOR, ()),
    "Recommender": (conformance.RECOMMENDER, ()),
    "Explains": (conformance.EXPLAINING, conformance.ADVICE_OF_EXPLAINING),
}
CONTRACTS = {
    "Encoder": testing.EncoderContract,
    "VectorStore": testing.StoreContract,
    "VectorStores": testing.StoreContract,
    "CatalogueSource": testing.SourceContract,
    "QueryProcessor": testing.QueryProcessorContract,
    "Translator": testing.TranslatorContract,
    "Ranker": testing.RankerContract,
    "Arranger": testing.ArrangerContract,
    "EventStore": testing.EventStoreContract,
    "Recommender": testing.RecommenderContract,
    "Measures": testing.MeasuresContract,
}


CHECKED = ("Ranker", "Arranger", "QueryProcessor")
CHECKED_BESIDES = (conformance.answers_within_its_deadline, conformance.answers_alike)
"""What ``entrepot plugins check`` tries besides: it knows the settings and starts a process."""
KIT = (conformance.make_batch, conformance.a_shop, conformance.empty_shop)


def hooks() -> dict[str, Any]:
    """All hooks by name."""
    return {name: hook for name, hook in vars(hookspecs).items() if name.startswith("register_")}


def all_protocols() -> dict[str, type]:
    """The protocols that plugins implement or are given, by name."""
    modules = (hookspecs, protocols, window, events, measures, recommenders, translators)
    return {
        name: found
        for module in modules
        for name, found in vars(module).items()
        if inspect.isclass(found)
        and getattr(found, "_is_protocol", False)
        and found.__module__ == module.__name__
    }


def protocol_of(hook: Any) -> str:
    """The name of what a hook registers, empty where it is no protocol of ours."""
    (offered,) = get_args(get_type_hints(hook)["register"])
    name = getattr(offered, "__name__", "")
    return name if name in all_protocols() else ""


def pages() -> dict[str, str]:
    """The text of each page by file name."""
    manager = PluginManager(PluginSettings(disabled=_third_parties()))
    made = {f"{name}.md": hook_page(name, hook, manager) for name, hook in hooks().items()}
    made |= {page_of(name): protocol_page(name, found) for name, found in all_protocols().items()}
    made["testing.md"] = testing_page()
    made["types.md"] = types_page()
    made["components.md"] = components_page(manager)
    made["README.md"] = index_page()
    return {name: NOTE + text.rstrip() + "\n" for name, text in made.items()}


def page_of(protocol: str) -> str:
    """``QueryProcessor`` → ``query-processor.md``."""
    words = "".join(f"-{c.lower()}" if c.isupper() else c for c in protocol)
    return f"{words.lstrip('-')}.md"


def hook_page(name: str, hook: Any, manager: PluginManager) -> str:
    offered = protocol_of(hook)
    kind = name.removeprefix("register_")
    lines = [f"# {name}", as_markdown(hook)]
    lines.append(code(f"@hookimpl\ndef {signature(name, hook)}: ..."))
    lines.append("`register` is a [`Register`](register.md): call it once per component.")
    if offered:
        lines.append(f"What the factory returns is a [`{offered}`]({page_of(offered)}).")
        lines.append(_tested_by(offered))
    lines.append(_built_in(kind, manager))
    return "\n\n".join(filter(None, lines))


def protocol_page(name: str, found: type) -> str:
    lines = [f"# {name}", as_markdown(found), f"Defined in {source_link(found)}."]
    if name in engine.__all__:
        lines.append(code(f"from engine import {name}"))
    offering = [hook for hook, each in hooks().items() if protocol_of(each) == name]
    lines += [f"Registered by [`{hook}`]({hook}.md)." for hook in offering]
    lines.append("## Members")
    for member, value in members(found).items():
        function: Any = value.fget if isinstance(value, property) else value
        shown = signature(member, function)
        kind = "@property\n" if isinstance(value, property) else ""
        lines += [f"### {member}", code(f"{kind}def {shown}: ..."), as_markdown(function)]
    if spoken := types_spoken(found):
        links = ", ".join(f"[`{t.__name__}`](types.md#{anchor(t.__name__)})" for t in spoken)
        lines.append(f"It speaks of {links}.")
    lines.append(_contract(name))
    return "\n\n".join(filter(None, lines))


def members(protocol: type) -> dict[str, Any]:
    """What an implementation must have."""
    return {
        name: value
        for name, value in vars(protocol).items()
        if (name == "__call__" or not name.startswith("_"))
        and (inspect.isfunction(value) or isinstance(value, property))
    }


def _contract(name: str) -> str:
    parts = []
    if name in CONTRACTS:
        parts.append(f"## The contract\n\n{_tested_by(name)}")
    elif name in CLAUSES:
        parts.append("## The contract")
    if name in CLAUSES:
        contract, advice = CLAUSES[name]
        parts.append("\n".join(_clauses(contract)))
        if advice:
            parts.append("Advice, which `entrepot plugins check` shows in yellow:")
            parts.append("\n".join(_clauses(advice)))
        if name in CHECKED:
            parts.append("`entrepot plugins check` tries besides:")
            parts.append("\n".join(_clauses(CHECKED_BESIDES)))
    elif name in CONTRACTS:
        tests = [test for test in dir(CONTRACTS[name]) if test.startswith("test_")]
        parts.append("\n".join(f"- {conformance.title_of(t[5:])}" for t in tests))
    return "\n\n".join(parts)


def _clauses(clauses: Any) -> Iterator[str]:
    for clause in clauses:
        said = first_paragraph(clause)
        yield f"- **{conformance.title_of(clause.__name__)}.** {said}"


def _tested_by(name: str) -> str:
    contract = CONTRACTS[name]
    return (
        f"Tests inherit `{contract.__name__}` of `engine.testing` ({source_link(contract)}), "
        f'which `pip install "entrepot[test]"` brings.'
    )


def _built_in(kind: str, manager: PluginManager) -> str:
    if not (names := manager.names(kind)):
        return ""
    anchors = {name: anchor(f"{_title(kind)} {name}") for name in names}
    links = [f"[`{name}`](components.md#{each})" for name, each in anchors.items()]
    return f"Built in: {', '.join(links)}."


def testing_page() -> str:
    """What tests of plugins are written with."""
    lines = ["# Testing", as_markdown(testing)]
    links = [f"[`{name}`]({page_of(name)}#the-contract)" for name in CONTRACTS]
    lines.append(f"What the classes check is said under {', '.join(links)}.")
    for function in KIT:
        name = function.__name__
        lines += [
            f"## {name}",
            code(f"def {signature(name, function)}: ..."),
            as_markdown(function),
        ]
        lines.append(code(f"from {_offering(name)} import {name}"))
    windows = conformance.Windows
    made = f"from engine.conformance import Windows\n\n{signature('Windows', windows)}"
    lines += ["## Windows", as_markdown(windows), code(made)]
    for name, value in members(windows).items():
        lines += [f"### {name}", code(f"def {signature(name, value)}: ..."), as_markdown(value)]
    return "\n\n".join(lines)


def _offering(name: str) -> str:
    return "engine.testing" if name in testing.__all__ else "engine.conformance"


def types_page() -> str:
    lines = ["# Types", "What the protocols speak of. All are frozen; `= …` is the default."]
    found: dict[str, type] = {}
    for protocol in all_protocols().values():
        found |= {each.__name__: each for each in types_spoken(protocol)}
    for name in sorted(found):
        lines += [f"## {name}", as_markdown(found[name]), fields_table(found[name])]
        lines.append(f"Defined in {source_link(found[name])}.")
    return "\n\n".join(lines)


def components_page(manager: PluginManager) -> str:
    lines = [
        "# Built-in components",
        "What settings can name without installing anything, and the options of each: those of "
        "query processors, rankers and arrangers under `[plugins.options.NAME]`, those of encoders "
        "and stores in their own tables (`[encoders]`, `[store]`).",
    ]
    for kind in KINDS:
        if not manager.names(kind):
            continue
        lines.append(f"## {_title(kind).capitalize()}s")
        for name in manager.names(kind):
            module = sys.modules[manager.plugin_of(kind, name)]
            lines.append(f"### {_title(kind)} {name}")
            lines.append(f"{first_paragraph(module)} ([`{module.__name__}`]({_file(module)}))")
            lines.append(option_table(manager.options_of(kind, name)))
    return "\n\n".join(lines)


def index_page() -> str:
    lines = [
        "# Reference for plugin authors",
        "[The tutorial](../plugin-tutorial.md) begins at nothing, [the guide](../plugins.md) "
        "explains how it hangs together; these pages are written from the code.",
        "## Hooks",
    ]
    rows = [
        (f"[`{name}`]({name}.md)", _offers(hook), first_sentence(hook))
        for name, hook in hooks().items()
    ]
    lines.append(table(("Hook", "Registers", ""), rows))
    found = [
        (f"[`{name}`]({page_of(name)})", first_sentence(each))
        for name, each in all_protocols().items()
    ]
    lines += ["## Protocols", table(("Protocol", ""), found)]
    lines += [
        "## Also",
        "- [Testing](testing.md)\n- [Types](types.md)\n- [Built-in components](components.md)",
    ]
    return "\n\n".join(lines)


def _offers(hook: Any) -> str:
    name = protocol_of(hook)
    return f"[`{name}`]({page_of(name)})" if name else "`click.Command`"


def _title(kind: str) -> str:
    return kind.removesuffix("s").replace("_", " ")


def _file(module: Any) -> str:
    return f"../../{Path(module.__file__).relative_to(ROOT)}"


def _third_parties() -> tuple[str, ...]:
    """Whatever else is installed is no part of the reference."""
    return tuple(status.name for status in PluginManager().statuses if not status.builtin)


if __name__ == "__main__":
    for old in FOLDER.glob("*.md"):
        old.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
