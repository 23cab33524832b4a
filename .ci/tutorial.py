"""Does what docs/plugin-tutorial.md says, block by block, in a folder of its own.

``python .ci/tutorial.py`` runs it with the entrepot of this Python's environment, which takes the
place of the page's first three lines. Commands must succeed, edits must apply, settings become the
folder's entrepot.toml, and where the page shows the products of a search they must be found in that
order. With ``--show`` what commands
print is printed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "plugin-tutorial.md"
BLOCK = re.compile(r"^```(sh|diff|text|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN_ENVIRONMENT = ("python3 -m venv", ". gifts/", 'pip install "entrepot')
HIT = re.compile(r"^ *\d+ +([^\s\d]\S*)", re.MULTILINE)
"""Not the scores of explanations: their last digit depends on the processor."""


class Session:
    """A shell that keeps its folder and its variables from block to block."""

    def __init__(self, folder: Path, show: bool) -> None:
        self._folder = str(folder)
        self._show = show
        own = {name: v for name, v in os.environ.items() if not name.startswith("ENTREPOT_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
        self._env = {**own, "PATH": path, "PYTHONUNBUFFERED": "1"}
        self.printed = ""

    def run(self, block: str) -> None:
        lines = [line for line in block.splitlines() if not line.startswith(OWN_ENVIRONMENT)]
        self.printed = ""
        for line in lines:
            print(f"$ {line}", flush=True)
            if line.startswith("entrepot demo"):
                self._serve_once(f"{line} --no-browser --port 0")
            else:
                self._command(line)

    def edit(self, diff: str) -> None:
        """Replace what the block takes away, exactly once."""
        name, _, body = diff.partition("\n")
        file = Path(self._folder, name.removeprefix("--- "))
        lines = body.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{file.name} has this {text.count(old)} times:\n{old}")
        file.write_text(text.replace(old, new), encoding="utf-8")

    def settings(self, table: str) -> None:
        Path(self._folder, "entrepot.toml").write_text(table, encoding="utf-8")

    def compare(self, shown: str) -> None:
        """Products that the page shows must have been printed in that order."""
        if expected := HIT.findall(shown):
            found = HIT.findall(self.printed)
            if found != expected:
                raise SystemExit(f"the page shows {expected}, but found were {found}")

    def _command(self, line: str) -> None:
        state = f'{line}\nstatus=$?; pwd >"$0"; env -0 >>"$0"; exit $status'
        with tempfile.NamedTemporaryFile("rb") as after:
            done = subprocess.run(
                ["bash", "-c", state, after.name],
                cwd=self._folder,
                env=self._env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            folder, _, variables = after.read().decode().partition("\n")
        self.printed += done.stdout
        if self._show or done.returncode:
            print(done.stdout, end="", flush=True)
        if done.returncode:
            raise SystemExit(f"status {done.returncode}: {line}")
        self._folder = folder
        self._env = dict(v.split("=", 1) for v in variables.split("\0") if "=" in v)

    def _serve_once(self, line: str) -> None:
        """Until it says that it answers; then Ctrl+C."""
        command = ["bash", "-c", f"exec {line}"]
        with subprocess.Popen(
            command, cwd=self._folder, env=self._env, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            answers = any("answers at" in said for said in server.stdout)
            server.send_signal(signal.SIGINT)
        if not answers:
            raise SystemExit(f"it never answered: {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print what the commands print")
    show = parser.parse_args().show
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder), show)
        done_by = {
            "sh": session.run,
            "diff": session.edit,
            "text": session.compare,
            "toml": session.settings,
        }
        for kind, block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            done_by[kind](block)
    print(f"the tutorial holds: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
