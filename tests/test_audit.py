"""`make audit`, against a service of our own: what it finds, and what it says when it cannot know."""

import contextlib
import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import audit
import pytest
from hashes import LISTS, PIN, canonical
from packaging.requirements import Requirement
from servers import ROOT, free_port

pytestmark = pytest.mark.server  # one that stands in for the service

FLAW = {
    "id": "PYSEC-2026-1",
    "summary": "It can be talked into anything.",
    "affected": [
        {
            "package": {"name": "bidict", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Service(ThreadingHTTPServer):
    """Answers as OSV does. It knows of `flaws`, {name: flaw}, and answers with `status`, after `delay` seconds."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked, self.flaws, self.status, self.delay = {}, {}, 200, 0
        self.options = ["--osv-url", f"http://127.0.0.1:{self.server_port}/"]


class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, service = query["package"]["name"], self.server
        service.asked[name] = query["version"]
        time.sleep(service.delay)
        body = json.dumps({"vulns": [service.flaws[name]]} if name in service.flaws else {}).encode()
        self.send_response(service.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    with Service() as service:
        threading.Thread(target=service.serve_forever, args=[0.02], daemon=True).start()
        yield service
        service.shutdown()


def pins():
    """{name: version} of both lists, for this Python."""
    listed = [pin for path in LISTS for pin in PIN.findall(path.read_text())]
    return {canonical(name): version for name, version, marker in listed if is_for_this_python(name + marker)}


def is_for_this_python(requirement):
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate()


def test_every_release_of_both_lists_is_asked_for(service, capsys):
    audit.main(service.options)
    assert service.asked == pins()
    assert {"flask", "pytest"} <= service.asked.keys()
    assert f"{len(pins())} releases, none with a known vulnerability." in capsys.readouterr().out


def test_a_known_vulnerability_fails_and_is_named_with_its_cure_unless_it_is_accepted(service, capsys, monkeypatch):
    service.flaws["bidict"] = FLAW
    with pytest.raises(SystemExit) as ended:
        audit.main(service.options)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"bidict {pins()['bidict']}: PYSEC-2026-1, fixed in 99.0.\n"
    monkeypatch.setattr(audit, "ACCEPTED", {FLAW["id"]: "nobody here talks to it"})
    audit.main(service.options)


@pytest.fixture
def deaf_port():
    """A port that takes no more connections and refuses none: who tries waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        for _ in range(2):
            line = waiting.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("fault", ["nobody there", "unreachable", "out of order", "silent"])
def test_a_service_that_does_not_answer_is_told_loudly_and_soon_and_fails_nothing(fault, service, deaf_port, capsys):
    service.status, service.delay = (503, 0) if fault == "out of order" else (200, 60)
    port = {"nobody there": free_port(), "unreachable": deaf_port}.get(fault, service.server_port)
    began = time.monotonic()
    audit.main(["--osv-url", f"http://127.0.0.1:{port}/", "--timeout", "1"])
    assert time.monotonic() - began < 30
    said = capsys.readouterr()
    assert "!!! NOT AUDITED: The service that knows of vulnerabilities could not be asked. !!!" in said.err
    assert not said.out


def test_a_list_that_cannot_be_read_is_no_fault_of_the_service(service, tmp_path, monkeypatch):
    without_hashes = tmp_path / "requirements.txt"
    without_hashes.write_text("bidict==0.24.1\n")
    monkeypatch.setattr(audit, "LISTS", [without_hashes])
    with pytest.raises(SystemExit) as ended:
        audit.main(service.options)
    assert "hash" in ended.value.code
    assert not service.asked


def test_a_release_that_nobody_knows_is_told_loudly(monkeypatch, capsys):
    monkeypatch.setattr(audit, "found_by_audit", lambda _: [{"name": "bidict", "skip_reason": "not found"}])
    audit.main([])
    assert "NOT AUDITED: Of bidict nothing is known" in capsys.readouterr().err


def test_every_release_has_the_hashes_of_its_files_and_installing_asks_for_them():
    for path in LISTS:
        rest = PIN.sub(lambda pin: "" if "--hash=sha256:" in pin[0] else pin[0], path.read_text())
        left = [line for line in rest.splitlines() if line and not line.startswith(("#", "-r "))]
        assert not left, left
    assert re.search(r"^PIP_INSTALL := .* --require-hashes\b", (ROOT / "Makefile").read_text(), re.M)


def test_every_action_is_named_by_its_commit():
    actions = re.findall(r"uses: *(.+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
