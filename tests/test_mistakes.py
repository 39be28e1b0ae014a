"""The table of mistakes in docs/mistakes.md: each is made for real, and what comes is what stands there.

PYTHONPATH=. .venv/bin/python tests/test_mistakes.py      writes the document anew
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from servers import ROOT, Server, share_files

from runtime import settings

pytestmark = pytest.mark.server
DOCUMENT = ROOT / "docs" / "mistakes.md"
BEGINNING = (
    "# Mistakes, and what they say\n\n"
    "What somebody may do wrong, and the sentence that comes. `instance` stands for the whole path of that folder,"
    " `party` for whoever runs the party. `tests/test_mistakes.py` makes each of these mistakes, compares what comes"
    " with what stands here, and writes this page.\n"
)
USERS, APP = ("users.py",), ("app.py",)
HOOKS = "Hooks, in `instance/hooks.toml`"


def stopped(*program, prepare=None, **given):
    """Makes the mistake of starting that with these settings, where `prepare` has left something in `instance/`."""

    def mistake(folder):
        instance = folder / "instance"
        if prepare:
            instance.mkdir(mode=0o700)
            prepare(instance)
        if program == APP:
            share_files(instance)
        ended = run([sys.executable, *program], {"PARTY_INSTANCE": str(instance), **given})
        assert ended.returncode == 1 and ended.stdout == "", ended
        return ended.stderr

    return mistake


def run(command, given):
    """Run it with no other settings than these."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARTY_")}
    environment |= {"HOST": "127.0.0.1", "PORT": "0", **given}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def command(*words):
    """A command of users.py, where zoe and maximilian are on the list."""
    people = {"people": {"zoe": 1, "maximilian": 1}}
    return stopped(*USERS, *words, prepare=lambda instance: listed(instance, people))


def setting(name, value, program=USERS):
    return f"`{name}={value}`", stopped(*program, **{name: value})


def listed(instance, content):
    (instance / "people.json").write_text(content if isinstance(content, str) else json.dumps(content))


def named(*names):
    """A list of people with these names, written by hand."""
    return stopped(*USERS, prepare=lambda instance: listed(instance, {"people": dict.fromkeys(names, 1)}))


# As the commands `hooks …` do, and the service in its records.
READ_HOOKS = """
from runtime import settings
from services import hooks_file
try:
    hooks_file.read(settings.HOOKS)
except ValueError as error:
    raise SystemExit(str(error))
"""


def hooks_file(text):
    return stopped("-c", READ_HOOKS, prepare=lambda instance: (instance / "hooks.toml").write_text(text))


def hook(**given):
    """One with these lines, and the others as they should be."""
    given = {"address": '"https://blog.example/hook"', "secrets": f'["whsec_{"bmV3" * 8}"]'} | given
    return hooks_file("[hook.blog]\n" + "".join(f"{name} = {value}\n" for name, value in given.items()))


# --- What the system refuses ------------------------------------------------------------------------------------------


def is_permitted(*command):
    with suppress(OSError):
        return subprocess.run(command, capture_output=True).returncode == 0
    return False


def on_a_disk(options, errno):
    """Start where `instance/` is on a disk mounted like that; where nobody may mount one, where the system says that
    there is one."""

    def mistake(folder):
        (folder / "instance").mkdir()
        mount = f"mount -t tmpfs -o {options} tmpfs {folder}/instance"
        fill = f"dd if=/dev/zero of={folder}/instance/fill bs=1k 2>/dev/null"
        program = [sys.executable, *USERS]
        if is_permitted("unshare", "-rm", "sh", "-c", mount):
            program = ["unshare", "-rm", "sh", "-c", f'{mount}; {fill}; exec "$@"', "sh", *program]
        else:
            refuse = f"import os, runpy, tempfile\ndef refuse(*_, **__): raise OSError({errno}, os.strerror({errno}))\n"
            start = "tempfile.mkstemp = refuse; runpy.run_path('users.py', run_name='__main__')"
            program[1:] = ["-c", refuse + start]
        ended = run(program, {"PARTY_INSTANCE": f"{folder}/instance"})
        assert ended.returncode == 1 and ended.stdout == "", ended
        return re.sub(r"remount,rw \S+`", "remount,rw /`", ended.stderr)

    return mistake


# Root may do everything, but for this.
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


def of_somebody_else(folder):
    """Start where `instance/` belongs to another user: for root without its rights over the files of others."""
    instance = Path("/root")
    if os.geteuid() == 0:
        instance = folder / "instance"
        instance.mkdir(mode=0o700)
        os.chown(instance, 65534, 65534)
    ended = run([*WITHOUT_RIGHTS, sys.executable, *USERS], {"PARTY_INSTANCE": str(instance)})
    assert ended.returncode == 1, ended
    return re.sub(r"chown -R \S+:", "chown -R party:", ended.stderr).replace(str(instance), "instance")


def damaged(instance):
    (instance / "party.db").write_bytes(b"what is no database" * 1_000)


def port_in_use(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        return stopped(*APP, PORT=port, PARTY_JOURNAL="memory:")(folder).replace(port, "5000")


def without_a_network(folder):
    """`make run`, with what it needs of a clone, and a closed port in place of the package index."""
    for name in ("Makefile", "requirements.txt"):
        (folder / name).symlink_to(ROOT / name)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    pip = {"INDEX_URL": "http://127.0.0.1:9/", "IGNORE_INSTALLED": "1", "NO_CACHE_DIR": "1", "CONFIG_FILE": os.devnull}
    command = ["make", "-C", str(folder), "run", "PYTHON=true"]  # which makes no .venv: that is there
    ended = run(command, {f"PIP_{name}": value for name, value in pip.items()})
    assert "Installing the packages into .venv/" in ended.stdout
    assert ended.returncode == 2 and not (folder / ".venv" / "installed").exists(), ended
    return re.split(r"\nmake(?:\[\d+\])?: ", ended.stderr)[0]  # with a number where `make test` runs this


# --- While it runs ----------------------------------------------------------------------------------------------------


class Running:
    """A party in which such mistakes are made as stop nothing: what it told of each."""

    def __init__(self, folder):
        self.instance = folder / "instance"
        self.server = Server(
            PARTY_INSTANCE=str(self.instance), PARTY_JOURNAL=str(self.instance / "party.db"), PARTY_SECRET_KEY="short",
            PARTY_DISK="thrown-away", PARTY_SERVICES="figures", PARTY_SERVICES_BESIDE="no",
        )  # fmt: skip

    def told(self, *words):
        """The one thing that it tells with these words in it, without when and how bad it is."""
        lines = [line for line in self.server.said().splitlines() if all(word in line for word in words)]
        assert len(lines) == 1, (words, self.server.said())
        return re.sub(r"^\S+ \S+ [A-Z]+ [\w.]+: ", "", lines[0]).replace(f":{self.server.port}", ":5000")

    def asked(self, *words, **headers):
        """What it tells of a request to its sockets with these headers."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        with suppress(HTTPError):
            urlopen(Request(self.server.address + "socket.io/", b"", headers))
        return self.told(*words)


# --- The table --------------------------------------------------------------------------------------------------------

LIST = "A list of people in `instance/people.json`, written by hand,"
STOPS = {
    "Settings": [
        ("`PARTY_SEAT=3`, which there is not", stopped(*USERS, PARTY_SEAT="3")),
        ("`PARTY_PORT=80`, which there is not", stopped(*USERS, PARTY_PORT="80")),
        ("`PARTY_GUESTS=3`, as it was called before 1.3.0", stopped(*USERS, PARTY_GUESTS="3")),
        ("`PARTY_COLOUR=red`, which there is not", stopped(*USERS, PARTY_COLOUR="red")),
        setting("HOST", "203.0.113.7", APP),
        setting("HOST", "no such host", APP),
        setting("HOST", "party..example", APP),
        setting("PORT", "http"),
        ("`PORT=5000`, where something else listens", port_in_use),
        setting("PARTY_JOURNAL", "postgres://db", APP),
        setting("PARTY_JOURNAL", "redis://127.0.0.1:1/0", APP),
        setting("PARTY_JOURNAL", "/no/such/folder/party.db", APP),
        setting("PARTY_DISK", "lost"),
        setting("PARTY_ROOM_MINUTES", "soon"),
        setting("PARTY_ROOM_MESSAGES", "-1"),
        setting("PARTY_SEATS", "500"),
        setting("PARTY_PACE", "fast"),
        setting("PARTY_EXTRAS", "1.5"),
        setting("PARTY_DOORS", "open"),
        setting("PARTY_ASSETS", "both"),
        setting("PARTY_DEV", "true"),
        setting("PARTY_ORIGINS", "blog.example"),
        setting("PARTY_ORIGINS", "https://blog.example/party/"),
        setting("PARTY_PROXIES", "yes"),
        setting("PARTY_LOG", "xml"),
        setting("PARTY_SERVICES", "figures,weather"),
        setting("PARTY_SERVICES_BESIDE", "true"),
        setting("PARTY_PUBLISHED_AT", "blog.example"),
        setting("PARTY_MOMENTS_AT", "127.0.0.1:11434"),
        setting("PARTY_MOMENTS_AT", "http://127.0.0.1:11434/v1"),
        setting("PARTY_MOMENTS_KEY", "schlüssel"),
        setting("PARTY_ASYNC_MODE", "asyncio"),
    ],
    "The disk": [
        ("Another user started it first", of_somebody_else),
        ("The disk is full", on_a_disk("size=4k", 28)),
        ("The disk may only be read", on_a_disk("ro", 30)),
        ("`instance/secret_key` is empty", stopped(*USERS, prepare=lambda instance: (instance / "secret_key").touch())),
        ("The log is damaged", stopped(*APP, prepare=damaged)),
        ("`instance` is a file", lambda folder: stopped(*USERS)(touched(folder))),
    ],
    "The people": [
        (f"{LIST} that is no JSON", stopped(*USERS, prepare=lambda instance: listed(instance, '{"people": '))),
        (f"{LIST} with something else in it", stopped(*USERS, prepare=lambda instance: listed(instance, ["zoe"]))),
        ("An empty name in it", named("zoe", "")),
        ("A name that is too long", named("zoe" * 14)),
        ("White space at an end of a name, doubled, or another than a space", named("zoe ")),
        ("A character that nobody can see", named("zo\u200be")),
        ("A name twice, but for capitals", named("zoe", "Zoe")),
        ("`users.py add ZOE`, who is there", command("add", "ZOE")),
        ("`users.py renew maximillian`, who is not", command("renew", "maximillian")),
        ("`users.py remove dana`, where there is no list", stopped(*USERS, "remove", "dana")),
        ("`users.py ad dana`", command("ad", "dana")),
        ("`users.py --from 'my blog'`", command("--from", "my blog")),
    ],
    HOOKS: [
        ("A folder in its place", stopped("-c", READ_HOOKS, prepare=lambda at: (at / "hooks.toml").mkdir())),
        ("A line that is none of TOML", hooks_file("[hook.blog]\naddress = https://blog.example/hook\n")),
        ("A word that there is not", hooks_file('[hooks.blog]\naddress = "https://blog.example/hook"\n')),
        ("A hook without an address", hooks_file("[hook.blog]\nwords = true\n")),
        ("An address without https", hook(address='"http://localhost:8080/"')),
        ("A password in an address", hook(address='"https://asha:secret@blog.example/"')),
        ("A secret that is none", hook(secrets='["secret"]')),
        ("An event that there is not", hook(events='["room.shut"]')),
    ],
}  # fmt: skip
THROUGH_A_PROXY = {"Origin": "https://x.example", "Host": "x.example", "X_Forwarded_Proto": "https"}
WHILE_IT_RUNS = "While it runs"
RUNNING = [
    ("A page from an address that is not expected", lambda party: party.asked("a.example", Origin="https://a.example")),
    ("A proxy in front, and no `PARTY_PROXIES`", lambda party: party.asked("PARTY_PROXIES is 0", X_Forwarded_For="x")),
    ("A page through such a proxy", lambda party: party.asked("https://x.example", **THROUGH_A_PROXY)),
    ("A short `PARTY_SECRET_KEY`", lambda party: party.told("short")),
    ("A disk that is thrown away, and the log on it", lambda party: party.told("rooms will be lost")),
    ("Such a disk, and what services keep on it", lambda party: party.told("figures, feedback")),
]


HOW = {
    WHILE_IT_RUNS: "It tells this with the time.",
    HOOKS: "The services tell this with the time, and the commands `hooks …` say it.",
}


def touched(folder):
    (folder / "instance").touch()
    return folder


def what_comes():
    """{section: [(what somebody did, what came)]}"""
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(4) as at_once:

        def made(mistake):
            folder = Path(tempfile.mkdtemp(dir=place))
            return sentence(mistake(folder).replace(str(folder / "instance"), "instance"))

        fetching = at_once.submit(made, without_a_network)  # takes longest
        stops = {name: [(title, at_once.submit(made, row)) for title, row in rows] for name, rows in STOPS.items()}
        folder = Path(tempfile.mkdtemp(dir=place))
        party = Running(folder)
        try:
            running = [(title, sentence(mistake(party))) for title, mistake in RUNNING]
            in_use = stopped(*APP, PARTY_INSTANCE=str(party.instance))(Path(tempfile.mkdtemp(dir=place)))
        finally:
            party.server.stop()
        comes = {name: [(title, result.result()) for title, result in rows] for name, rows in stops.items()}
    comes["The disk"].append(("Started twice", sentence(in_use.replace(str(party.instance), "instance"))))
    return comes | {"`make run`": [("No network", fetching.result())], WHILE_IT_RUNS: running}


def sentence(said):
    """What was said, which must be one line that a person can read."""
    assert re.fullmatch(r"[^\n]+[.?]\n?", said), said
    assert not re.search(r"Traceback|Errno|Error \d|\b[A-Z]{6,}\b|[.?]\.$", said), said
    return said.strip().replace("|", "\\|")


def document(sections):
    parts = [BEGINNING]
    for name, rows in sections.items():
        how = HOW.get(name, "Nothing starts; the exit status is not 0.")
        table = "\n".join(f"| {title} | {came} |" for title, came in rows)
        parts.append(f"## {name}\n\n{how}\n\n| what was done | what it says |\n|---|---|\n{table}\n")
    return "\n".join(parts)


@pytest.fixture(scope="module")
def comes():
    return what_comes()


def test_each_mistake_says_what_stands_in_the_document(comes):
    meant = "a change that is meant: PYTHONPATH=. .venv/bin/python tests/test_mistakes.py"
    assert document(comes) == DOCUMENT.read_text(), meant


def test_every_setting_that_can_be_wrong_has_a_mistake(comes):
    told = " ".join(title for rows in comes.values() for title, _ in rows)
    anything_goes = {"PARTY_SECRET_KEY", "PARTY_INSTANCE", "PARTY_METRICS_TOKEN", "PARTY_PUBLISHED_TEMPLATES"}
    anything_goes |= {"PARTY_MOMENTS_MODEL"}
    assert [name for name in sorted(settings.known - anything_goes) if f"`{name}" not in told] == []


@pytest.mark.parametrize("name", ["party.db", "party.db-lock"])
def test_where_sqlite_says_only_that_it_cannot_the_start_says_why(name, tmp_path):
    place = tmp_path / "instance"
    place.mkdir(mode=0o700)
    (place / name).touch(mode=0)
    if os.geteuid() == 0:
        os.chown(place / name, 65534, 65534)
    ended = run([*WITHOUT_RIGHTS, sys.executable, *APP], {"PARTY_INSTANCE": str(place), "PARTY_SECRET_KEY": "k" * 16})
    mending = "chown -R root:" if os.geteuid() == 0 else "chmod -R u+rwX"
    assert ended.returncode == 1
    assert f"PARTY_JOURNAL {place / name} cannot be used: Permission denied. " in ended.stderr
    assert f"`{mending} {place}`" in ended.stderr


def test_a_link_into_a_folder_where_we_may_not_look_is_answered_with_that_folder(tmp_path):
    closed = Path("/root")
    if os.geteuid() == 0:
        (closed := tmp_path / "closed").mkdir(mode=0o700)
        os.chown(closed, 65534, 65534)
    (tmp_path / "instance").symlink_to(closed / "instance")
    ended = run([*WITHOUT_RIGHTS, sys.executable, *USERS], {"PARTY_INSTANCE": str(tmp_path / "instance")})
    assert ended.returncode == 1 and ended.stderr.endswith(f" may not write in {closed}: name another place.\n"), ended


def test_what_a_link_in_place_of_venv_leads_to_is_left_alone(tmp_path):
    for name in ("Makefile", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "of another").mkdir()
    (tmp_path / ".venv").symlink_to("of another")
    ended = run(["make", "-C", str(tmp_path), "run", "PYTHON=true"], {})  # which would empty nothing
    assert "true -m venv --clear .venv" in ended.stdout and not (tmp_path / ".venv").is_symlink(), ended


if __name__ == "__main__":
    DOCUMENT.write_text(document(what_comes()))
