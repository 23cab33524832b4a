"""A process that appends events and says so, to be killed by a test.

``python -m engine.testing.event_store_crash NAME OPTIONS`` builds the event store of that name for
each line it reads, in a child of its own, and lets the child append small batches from four
threads, writing the ids of each acknowledged batch to standard output. The child is killed
(SIGKILL) a random time after its first acknowledgement; the line says how long, in seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime

import msgspec

from engine.events import Event, EventProduct, EventStore
from engine.manager import PluginManager

THREADS = 4
BATCH = 3


def main(name: str, options: str) -> None:
    manager = PluginManager()
    given = msgspec.json.decode(options, type=dict[str, str])
    for round, line in enumerate(sys.stdin):
        # One process, imported once and forked: fifty starts of Python would take a minute.
        begun, begin = os.pipe()
        pid = os.fork()
        if pid == 0:
            _append(manager.create("event_stores", name, given), round, begin)
        assert os.read(begun, 1)
        time.sleep(float(line))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(begun)
        os.close(begin)
        os.write(1, b"killed\n")


def _append(store: EventStore, round: int, begin: int) -> None:
    def run(thread: int) -> None:
        for n in range(100_000):
            ids = [f"r{round}t{thread}n{n}i{i}" for i in range(BATCH)]
            now = datetime.now(UTC)
            events = [
                Event(id, "click", now, f"user-{n % 7}", products=(EventProduct(f"p{n % 5}"),))
                for id in ids
            ]
            statuses = store.append(events)
            acknowledged = [id for id, s in zip(ids, statuses, strict=True) if s == "accepted"]
            # Below PIPE_BUF, so that a line is written whole or not at all.
            os.write(1, (" ".join(acknowledged) + "\n").encode())
            if n == 0:
                os.write(begin, b".")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
