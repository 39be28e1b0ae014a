"""What one process at a time may have."""

import contextlib
import sqlite3
from pathlib import Path


@contextlib.contextmanager
def on(path):
    """Whether `path` is ours: then it is so to the end of the block, or of this process, however that ends.

    SQLite's own lock on an empty file beside it, which holds on every system.
    """
    beside = Path(f"{path}-lock")
    beside.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(beside, isolation_level=None, check_same_thread=False, timeout=0)) as lock:
        yield _is_taken(lock)


def _is_taken(lock):
    try:
        lock.execute("PRAGMA journal_mode = MEMORY")  # no third file
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
