"""What processes take of the machine, on which of its cores they run, and what machine it is."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVERS, CLIENT = CORES[0], CORES[-1]  # a machine of one core has both on it
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def on_core(core):
    """What starts within stays on that core, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds(pids):
    """What these processes have taken so far, in their own code and in the system's for them: utime + stime, which
    /proc/PID/stat rounds to 10 ms, and what it rounds stands in schedstat where the system has that."""
    return sum(exact_seconds(pid) or rounded_seconds(pid) for pid in pids)


def exact_seconds(pid):
    with contextlib.suppress(OSError):
        return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def rounded_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_until_calm(pids, seconds=120):
    """Returns when these processes do little, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = processor_seconds(pids)
        time.sleep(0.5)
        if processor_seconds(pids) - before < 0.1:
            return


def memory(pid):
    """Resident memory in KiB."""
    return int(re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


@dataclass
class Taken:
    """What something took: seconds of wall, of the servers' processor and of ours."""

    wall: float
    server: float
    client: float


class Meter:
    """Takes the time of what runs inside `with`: then `taken` says what it took."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.began = time.perf_counter(), processor_seconds(self.pids), time.process_time()
        return self

    def __exit__(self, *_):
        ended = time.perf_counter(), processor_seconds(self.pids), time.process_time()
        self.taken = Taken(*(end - begin for begin, end in zip(self.began, ended, strict=True)))


def description():
    """One line that says where figures come from."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    parts = [
        f"{len(CORES)} cores of {model[1] if model else platform.machine()}",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"Node {version_of('node')}",
    ]
    return ", ".join(parts)


def version_of(program):
    if not shutil.which(program):
        return "missing"
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")
