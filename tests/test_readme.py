"""The README against the code: whatever one of them names, the other has."""

import re
import subprocess
import sys

import pytest
from servers import ROOT, password_of, running_server

import app as party

README = (ROOT / "README.md").read_text()
CODE = "\n".join((ROOT / name).read_text() for name in ("app.py", "users.py", "transport.py"))


def section(title):
    """The text below a heading, up to the next of its level or above."""
    level, _, rest = re.search(rf"^(#+) {title}\n(.*)", README, re.M | re.S).group(1, 0, 2)
    return re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.M)[0]


def first_column(text):
    """The words in `backticks` that begin the rows of a table."""
    cells = re.findall(r"^\| (`.+?) \|", text, re.M)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def events_in_code():
    return [name for name in party.socketio.server.handlers["/"] if name not in ("connect", "disconnect", "*")]


def test_the_events_in_the_readme_are_those_in_the_code():
    documented = first_column(section("In").split("| code |")[0])
    assert documented == events_in_code()
    docstring = re.findall(r"^    (\w+) +\S.*$", party.__doc__, re.M)
    assert docstring[1:] == documented, "the table in app.py's docstring is the same"


def test_the_events_out_are_those_that_the_code_tells():
    told = set(re.findall(r'tell\(.+, "(\w+)", ', CODE)) | set(party.TO_THE_PERSON.values())
    assert set(first_column(section("Out"))) == told


def test_the_codes_in_the_readme_are_those_that_the_code_refuses_with():
    assert set(first_column("| code |" + section("In").split("| code |")[1])) == set(
        re.findall(r'Refused\(\s*"(\w+)"', CODE)
    )


def test_the_settings_in_the_readme_are_those_that_the_code_reads():
    read = set(re.findall(r'os\.environ\.get\("(\w+)"\)', CODE))
    read |= {f"PARTY_{name}" for name in re.findall(r'(?:setting|config\.get)\(\s*"(\w+)"', CODE)}
    assert set(first_column(section("Settings"))) == read


def test_the_defaults_in_the_readme_are_those_of_the_code():
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)`", section("Settings"), re.M))
    for name in ("ROOM_MINUTES", "ROOM_MESSAGES", "SEATS", "PACE", "GUESTS", "PROXIES"):
        default = re.search(rf'setting\(\s*"{name}", ([\d_]+)', CODE).group(1)
        assert rows[f"PARTY_{name}"] == default.replace("_", ""), name


def test_the_numbers_in_the_readme_are_those_of_the_code():
    trust = section("What you trust")
    for sentence in (
        f"{party.LIVE_ROOMS} live rooms and {party.CLOSED_ROOMS} closed ones",
        f"{party.TABS_EACH} tabs a person",
        f"{party.ROOM_MESSAGES:,} messages a room",
        f"{party.transport.MAX_QUEUED_PACKETS:,} packets or {party.transport.MAX_QUEUED_BYTES // 1_000_000} MB",
    ):
        assert sentence in trust
    assert party.SIGN_IN_LIFE == 12 * 60 * party.MINUTE
    assert party.CLOSED_LIFE == 2 * 60 * party.MINUTE
    assert f"The last {party.KEYS_EACH} keys" in README


def test_the_limits_of_the_contract_are_those_of_the_code():
    contract = section("In")
    assert f"`topic` (1–{party.MAX_TOPIC})" in contract
    assert f"`minutes?` (1–{party.MOST_MINUTES})" in contract
    assert f"`pitch?` (≤ {party.MAX_PITCH})" in contract
    assert f"`text` (1–{party.MAX_TEXT:,})" in contract
    assert f"1–{party.MAX_KEY} characters" in contract
    assert f"last {party.FEED_PAGE}" in contract
    assert party.CATCH_UP == 1_000 and "a thousand at a time" in contract
    assert f"after {party.REFUSALS_BEFORE_CLOSING} in a row" in contract
    assert f"`mood` ({', '.join(f'`{mood}`' for mood in party.MOODS)})" in contract
    assert party.PULSE_LIFE == party.MINUTE and "counts for a minute" in contract
    assert party.PULSE_EVERY == 10_000 and "one in ten seconds" in contract
    assert party.TAKE_BACK_WITHIN == 2 * party.MINUTE and "within two minutes" in contract


def test_the_life_of_the_log_in_the_readme_is_that_of_the_code():
    kept = section("What is kept, and what is not")
    hours = party.LOG_LIFE // (60 * party.MINUTE)
    assert hours == 16 and "Sixteen hours are the life of a sign-in (12) plus that of a room (2 open, 2 closed)" in kept
    assert f"after {hours} hours, or {party.journal.KEPT_COMMANDS:,} commands" in kept
    assert f"words included, for {hours} hours" in section("What you trust")


def test_the_program_in_the_readme_runs(tmp_path):
    program = tmp_path / "client.py"
    program.write_text(re.search(r"```python\n(.+?)```", README, re.S).group(1))
    with running_server() as server:
        said = subprocess.run(
            [sys.executable, program, server.address, "asha", password_of("asha")],
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert "1 asha Hello\n" in said.stdout, said
    assert "'ok': True" in said.stdout


def test_every_module_and_folder_has_its_line_in_the_layout():
    layout = [name.rstrip("/") for name in first_column(section("Layout"))]
    there = {path.name for path in ROOT.glob("*.py")} | {
        path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._" and path.name != "instance"
    }
    assert set(layout) == there


def test_no_module_imports_the_app():
    for path in ROOT.glob("*.py"):
        assert not re.search(r"^\s*(import app|from app)\b", path.read_text(), re.M), path.name


def test_only_the_transport_knows_eventlet():
    for path in ROOT.glob("*.py"):
        if path.name != "transport.py":
            assert not re.search(r"^\s*(import|from) (eventlet|engineio)\b", path.read_text(), re.M), path.name


@pytest.mark.parametrize("command", sorted(set(re.findall(r"(?:^|`)make (\w+)", README, re.M))))
def test_the_commands_in_the_readme_are_in_the_makefile(command):
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("path", re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README))
def test_the_pictures_in_the_readme_are_there(path):
    assert (ROOT / path).read_bytes().startswith(b"\x89PNG")


def test_the_figures_in_the_readme_are_filled_in():
    assert "FIGURE" not in README
    assert re.search(r"deliveries a second \| [\d,]+", section("Figures"))
