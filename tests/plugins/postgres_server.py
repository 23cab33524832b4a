"""A PostgreSQL server of the tests' own, from Debian's packages: a fresh cluster in a temporary
folder that listens on a Unix socket and nowhere else."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "postgres"
WAIT_S = 60


def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``, the newest version first; Debian keeps them off the
    path."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parts[-2]), reverse=True
    )
    on_path = shutil.which("initdb")
    folders = [*debian, *([Path(on_path).parent] if on_path else [])]
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@contextmanager
def postgres() -> Iterator[str]:
    """The DSN of a server. Skips where PostgreSQL or psycopg is not installed, unless
    ENTREPOT_REQUIRE_POSTGRES says that they must be there."""
    found = programs()
    if found is None or importlib.util.find_spec("psycopg") is None:
        why = "PostgreSQL (apt-get install postgresql) or the extra `postgres` is not installed"
        if os.environ.get("ENTREPOT_REQUIRE_POSTGRES"):
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    # Not pytest's folders: those are for root alone, and PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="entrepot-postgres-"))
    owner = None
    if os.geteuid() == 0:
        owner = USER
        entry = pwd.getpwnam(USER)
        os.chown(folder, entry.pw_uid, entry.pw_gid)

    def run(program: str, *args: str) -> None:
        subprocess.run(
            [str(found / program), *args],
            check=True,
            user=owner,
            cwd=folder,
            timeout=WAIT_S,
            stdout=subprocess.DEVNULL,
        )

    data, log = folder / "data", folder / "log"
    try:
        run("initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale")
        flags = f"-c listen_addresses='' -k {folder}"
        run("pg_ctl", "start", "-w", "-D", str(data), "-l", str(log), "-o", flags)
        try:
            yield f"host={folder} user={USER} dbname=postgres"
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))
    finally:
        shutil.rmtree(folder)
