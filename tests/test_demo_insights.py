"""`make demo-insights`: a made-up fortnight as its owner sees it, in an instance of its own."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from urllib.request import Request, urlopen

import pytest
from person import sign_in_over_http
from servers import ROOT, free_port, need

pytestmark = pytest.mark.server


@contextlib.contextmanager
def demo(port, folder, *words):
    """Keeps what it keeps for a while in that folder."""
    need("server")
    process = subprocess.Popen(
        [sys.executable, "tests/demo_insights.py", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ".", "HOST": "127.0.0.1", "PORT": str(port), "TMPDIR": str(folder)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.said = process.communicate(timeout=20)


def test_its_owner_sees_how_it_goes_and_nothing_of_it_stays(tmp_path):
    address = f"http://127.0.0.1:{(port := free_port())}/"
    with demo(port, tmp_path, "--fortnight", "dying") as process:
        said = "".join(iter(process.stdout.readline, f"{address}\n"))
        name, password = re.search(r"#name=(\w+)&password=(\S+)", said).groups()
        cookies = sign_in_over_http(address, name, password)
        assert f"open {address}insights\n" in said
        page = urlopen(Request(f"{address}insights", headers={"Cookie": cookies})).read().decode()
    assert re.search(r"verdict__word--no\W+No:<", page) and "3 of 31 who came in" in page
    assert "with gaps" not in page
    assert process.returncode == 0 and "Traceback" not in process.said[1]
    assert list(tmp_path.iterdir()) == []


def test_where_a_party_listens_already_it_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other, demo(other.getsockname()[1], tmp_path) as process:
        process.wait(timeout=20)
    assert process.returncode == 1
    assert re.fullmatch(r"HOST 127.0.0.1, PORT \d+: .+ set another PORT\.\n", process.said[1])
