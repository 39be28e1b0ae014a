"""The documents against the code, and against each other: whatever one of them names, the other has."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EVENTS
from markdown_it import MarkdownIt
from servers import ROOT, Prefix, password_of, running_server
from test_house import layout

import app
from party import doors, model, news, plans, presence, reading, rules, state, views
from runtime import measuring, pace, settings, transport
from runtime.journal import MemoryJournal
from services import feedback, figures

PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PAGES}
EVERYTHING = "\n".join(DOCUMENTS.values())
README, SECURITY = DOCUMENTS["README.md"], DOCUMENTS["SECURITY.md"]
CONTRACT, OPERATING = DOCUMENTS["docs/contract.md"], DOCUMENTS["docs/operating.md"]
PROMISES, FIGURES = DOCUMENTS["docs/promises.md"], DOCUMENTS["docs/figures.md"]
FLOORS = ("party", "runtime", "services")  # the folders whose modules have a row each
MODULES = sorted(
    path
    for pattern in ("*.py", *(f"{folder}/**/*.py" for folder in FLOORS))
    for path in ROOT.glob(pattern)
    if path.stat().st_size  # not those that only make a folder a package
)
CODE = "\n".join(path.read_text() for path in MODULES)
README_AT_MOST = 8 * 1024  # bytes: one page, which a newcomer reads to its end


def section(document, title):
    """The text below a heading, up to the next of its level or above."""
    level, rest = re.search(rf"^(#+) {title}\n(.*)", document, re.M | re.S).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.M)[0]


def first_column(text):
    """The words in `backticks` that begin the rows of a table."""
    cells = re.findall(r"^\| \**(`.+?) \|", text, re.M)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_events_in_the_contract_are_those_in_the_code():
    documented = first_column(section(CONTRACT, "In"))
    assert documented == EVENTS
    docstring = re.findall(r"^    (\w+) +\S.*$", app.__doc__, re.M)
    assert docstring[1:] == documented, "the table in app.py's docstring is the same"


def test_the_events_out_are_those_that_the_code_tells():
    telling = r'(?:tell\(|yield (?:inside|person|EVERYONE)).+?, "(\w+)", '
    told = set(re.findall(telling, CODE)) | {event for _, event, _ in app.ANNOUNCED.values()}
    assert set(first_column(section(CONTRACT, "Out"))) == told


def test_the_codes_in_the_contract_are_those_that_the_code_refuses_with():
    assert set(first_column(section(CONTRACT, "Codes"))) == set(re.findall(r'Refused\(\s*"(\w+)"', CODE))


def test_the_settings_in_operating_are_those_that_the_code_reads():
    assert set(first_column(section(OPERATING, "Settings"))) == settings_in_code().keys()


def settings_in_code():
    """{name: its default as the code has it} of every setting that is read."""
    source = (ROOT / "runtime/settings.py").read_text()
    readers = re.findall(r'^[A-Z_]+ = \w+\("(\w+)"(?:, ("[^"]*"|[^,)]+))?', source, re.M)
    defaults = {name: getattr(settings, default, default) for name, default in readers}
    return {name: default.strip('"').replace("_", "") for name, default in defaults.items()}


def test_no_other_module_reads_the_environment():
    reading = re.compile(r"os\.environ|getenv|from_prefixed")
    assert [path.name for path in MODULES if reading.search(path.read_text())] == ["settings.py"]


def test_the_defaults_in_operating_are_those_of_the_code():
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)`", section(OPERATING, "Settings"), re.M))
    in_code = settings_in_code()
    # In words, or below PARTY_INSTANCE.
    of_their_own = {"PARTY_SECRET_KEY", "PARTY_JOURNAL", "PARTY_ORIGINS", "PARTY_METRICS_TOKEN"}
    of_their_own |= {"PARTY_PUBLISHED_AT", "PARTY_PUBLISHED_TEMPLATES"}
    of_their_own |= {"PARTY_MOMENTS_AT", "PARTY_MOMENTS_MODEL", "PARTY_MOMENTS_KEY"}
    assert {name: rows[name] for name in in_code.keys() - of_their_own} == {
        name: in_code[name] for name in in_code.keys() - of_their_own
    }


def test_the_numbers_of_what_you_trust_are_those_of_the_code():
    trust = section(SECURITY, "What you trust")
    for sentence in (
        f"{model.LIVE_ROOMS} live rooms and {rules.CLOSED_ROOMS} closed ones",
        f"{presence.TABS_EACH} tabs a person",
        f"{plans.PLANS} plans, three a person",
        f"{settings.ROOM_MESSAGES:,} messages a room",
        f"{transport.MAX_QUEUED_PACKETS:,} packets or {transport.MAX_QUEUED_BYTES // 1_000_000} MB",
    ):
        assert sentence in trust
    assert (measuring.STRANGERS_A_SECOND, measuring.STRANGERS_AT_ONCE) == (1, 60) and "sixty at once" in trust
    assert measuring.REMEMBERED == 10_000 and "the last ten thousand browsers" in trust
    assert f"rows are kept for {figures.ROW_DAYS} days" in trust and figures.SUM_DAYS == 365
    assert model.SIGN_IN_LIFE == 12 * 60 * model.MINUTE
    assert model.CLOSED_LIFE == 2 * 60 * model.MINUTE
    assert f"The last {state.KEYS_EACH} keys" in section(CONTRACT, "Keys")


def test_the_limits_of_the_contract_are_those_of_the_code():
    contract = section(CONTRACT, "In")
    assert f"`topic` (1–{reading.MAX_TOPIC})" in contract
    assert f"`minutes?` (1–{reading.MOST_MINUTES})" in contract
    planning = section(CONTRACT, "Plans")
    assert plans.PLANNED_FROM == model.MINUTE and plans.PLANNED_UNTIL == 14 * 24 * 60 * model.MINUTE
    assert "from a minute up to 14 days ahead" in planning and "from a minute up to 14 days ahead" in CODE
    assert plans.PLANS_EACH == 3 and f"three of a person, {plans.PLANS} in all" in planning
    assert plans.WAITS_FOR_HOST == 10 * model.MINUTE and "inside after ten minutes" in planning
    assert f"`pitch?` (≤ {reading.MAX_PITCH})" in contract
    assert f"`text` (1–{reading.MAX_TEXT:,})" in contract
    assert f"1–{reading.MAX_KEY} characters" in section(CONTRACT, "Keys")
    assert f"last {views.FEED_PAGE}" in contract
    assert views.CATCH_UP == 1_000 and "a thousand at a time" in contract
    assert f"after {app.REFUSALS_BEFORE_CLOSING} in a row" in section(CONTRACT, "Codes")
    assert f"`mood` ({', '.join(f'`{mood}`' for mood in rules.MOODS)})" in contract
    assert model.PULSE_LIFE == model.MINUTE and "counts for a minute" in contract
    assert rules.PULSE_EVERY == 10_000 and "one in ten seconds" in contract
    assert presence.WRITING_LIFE == 6_000 and "noted for six seconds" in contract
    assert f"at most {rules.LIKES_EACH} in a room" in contract
    assert f"`text` (≤ {reading.MAX_SAID:,})" in contract and f"`error?` (≤ {reading.MAX_ERROR})" in contract
    told = section(CONTRACT, "What the owner is told")
    assert all(", ".join(f"`{choice}`" for choice in choices) in told for choices in reading.ABOUT.values())
    measured = reading.measures({"seconds": 1, "paint": 1, "live": 1, "wait": {"median": 1, "slowest": 1}})
    assert set(first_column(told)) == {"about", *reading.ABOUT, *measured}
    assert f"≤ {reading.DAY_SECONDS:,}" in told and f"up to five (≤ {reading.MAX_ERROR} each)" in told
    assert reading.MOST_ERRORS == 5 and feedback.ANSWERS == 20 and "the newest twenty first" in told
    out = section(CONTRACT, "Out")
    assert views.WRITERS == 3 and "at most three names" in out
    assert views.CROWD == 100 and "more than a hundred people" in out
    assert f"the first {views.LISTENING} inside" in out
    assert f"at most {views.LAST_WORDS} characters" in out
    assert news.LIVELY_CARDS_EVERY == 10_000 and "at most every ten seconds" in out
    assert rules.TAKE_BACK_WITHIN == 2 * model.MINUTE and "within two minutes" in contract


def test_the_limits_of_guests_in_the_contract_are_those_of_the_code():
    guests = section(CONTRACT, "Guests")
    each, ever = doors.GUESTS_EACH, doors.GUESTS_EVER
    assert f"{each} guests a room, {ever:,} with those who went, {doors.GUESTS} in all live ones" in guests
    assert presence.GUEST_TABS_EACH == 3 and "three tabs each" in guests
    assert (pace.GUEST_PACE, pace.GUEST_BURST) == (1, 5) and "one command a second, five at once" in guests
    assert (doors.GUESTS_WAITING, doors.DENIALS) == (10, 2) and "ten in the queue; after two denials" in guests
    assert doors.GUEST_GRACE == model.MINUTE and "not inside for a minute leaves the queue" in guests
    assert f"`open` ({', '.join(f'`{open}`' for open in doors.DOORS)})" in section(CONTRACT, "In")


def test_the_life_of_the_log_in_the_promises_is_that_of_the_code():
    kept = section(PROMISES, "What is kept, and what is not")
    hours = app.LOG_LIFE // (60 * model.MINUTE)
    assert hours == 16 and "Sixteen hours are the life of a sign-in (12) plus that of a room (2 open, 2 closed)" in kept
    assert f"after {hours} hours, or {MemoryJournal.KEPT_COMMANDS:,} commands" in kept
    assert plans.SAID_EVERY == 4 * 60 * model.MINUTE and "says it again every four hours" in kept
    assert f"words included, for {hours} hours" in section(SECURITY, "What you trust")


def test_the_answers_to_a_handshake_in_the_contract_are_those_of_the_code():
    refusals = re.findall(r'"(\d{3}) [A-Z][\w ]+", f?"', CODE)
    assert sorted(first_column(section(CONTRACT, "Getting in"))) == sorted(refusals)
    assert f"{presence.TABS_EACH} tabs" in section(CONTRACT, "Getting in")


# Keeps what is said, and the first time does not say so.
FORGETFUL = """
import app
from runtime.journal import Unavailable

append, answered = app.journal.append, set()

def append_and_forget(command):
    append(command)
    if command["kind"] == "message" and command["key"] not in answered:
        answered.add(command["key"])
        raise Unavailable("its answer was lost")

app.journal.append = append_and_forget
app.main()
"""


@pytest.mark.server
def test_the_programs_in_the_contract_run_at_the_top_of_a_host_and_below_a_path(tmp_path):
    """What is not answered is sent again, and happens once. All four at once: most of it is their starting."""
    modules = ROOT / "benchmarks/node_modules"
    assert (modules / "socket.io-client").exists(), "`sh benchmarks/install_peer.sh` installs what Node needs"
    (tmp_path / "node_modules").symlink_to(modules)
    programs = {"python": (sys.executable, "client.py"), "javascript": ("node", "client.mjs")}
    with running_server(program=("-c", FORGETFUL), PARTY_PROXIES="1") as server:
        running = {}
        addresses = [server.address, Prefix(server.port).address]
        runs = zip(["asha", "bilal", "chen", "dana"], itertools.product(programs, addresses), strict=True)
        for name, (language, address) in runs:
            command, file = programs[language]
            (tmp_path / file).write_text(re.search(rf"```{language}\n(.+?)```", CONTRACT, re.S)[1])
            running[name] = subprocess.Popen(
                [command, file, address, name, password_of(name)],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        said = {name: process.communicate(timeout=30)[0] for name, process in running.items()}
    assert said == {name: f"It was said.\n1 {name} Hello\n" for name in said}


def test_every_module_and_folder_has_its_line_in_the_layout():
    named = list(layout())
    assert {"app.py", "users.py"} < set(named) and len(named) == len(set(named)), "the rows are found"
    folders = {
        path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._" and path.name != "instance"
    }
    assert set(named) == folders | {path.relative_to(ROOT).as_posix() for path in MODULES}


def test_the_readme_is_one_page():
    assert len(README.encode()) <= README_AT_MOST


@pytest.mark.parametrize("command", sorted(set(re.findall(r"(?:^|`)make ([\w-]+)", EVERYTHING, re.M))))
def test_the_commands_in_the_documents_are_in_the_makefile(command):
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.M)


def test_what_the_makefile_offers_is_in_a_document():
    offered = re.findall(r"^([\w-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    assert "test" in offered
    assert [command for command in offered if not re.search(rf"(^|`)make {command}(?![\w-])", EVERYTHING, re.M)] == []


@pytest.mark.parametrize("path", re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README))
def test_the_pictures_in_the_readme_are_there(path):
    assert (ROOT / path).read_bytes().startswith(b"\x89PNG")


def parsed(text):
    return MarkdownIt().enable("table").parse(text)


def links_in(text):
    """Where its links and pictures lead, but for those to other sites; what looks like one in code is none."""
    pieces = [piece for block in parsed(text) for piece in block.children or ()]
    targets = {piece.attrGet("href") or piece.attrGet("src") for piece in pieces} - {None}
    return {target for target in targets if not target.startswith(("https://", "http://"))}


def anchors_in(text):
    """What its headings are called in a link, as GitHub makes it from their words."""
    blocks = parsed(text)
    headings = [words.content for mark, words in zip(blocks, blocks[1:], strict=False) if mark.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("document", "link"), [(name, link) for name, text in DOCUMENTS.items() for link in sorted(links_in(text))]
)
def test_every_link_leads_somewhere(document, link):
    path, _, anchor = link.partition("#")
    target = (ROOT / document).parent / path if path else ROOT / document
    assert target.exists()
    assert not anchor or anchor in anchors_in(target.read_text())


def test_every_document_can_be_reached_from_the_readme():
    reached, coming = set(), {"README.md"}
    while coming:
        reached |= coming
        linked = {Path(name).parent / link.partition("#")[0] for name in coming for link in links_in(DOCUMENTS[name])}
        coming = {os.path.normpath(path) for path in linked} & DOCUMENTS.keys() - reached
    assert reached == DOCUMENTS.keys()


MADE = {"static/vendor/", "tests/screenshots/", "tests/screenshots/engines/"}  # by make; git ignores them


def test_every_path_in_the_documents_is_there():
    begin = "benchmarks|deploy|docs|party|runtime|static|templates|tests"
    named = set(re.findall(rf"(?<![\w/.-])(?:{begin})/(?:[\w@.-]+/?)*", EVERYTHING))
    named |= {f"{module.replace('.', '/')}.py" for module in re.findall(r"-m ((?:party|runtime)\.\w+)", EVERYTHING)}
    assert {"deploy/redis.conf", "tests/person.py", "runtime/assets.py"} <= named
    assert [path for path in sorted(named - MADE) if not (ROOT / path.rstrip(".")).exists()] == []


def test_the_tests_named_in_the_documents_are_there():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", EVERYTHING)
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_version_is_the_newest_of_the_changes():
    version, words = re.search(r"^## (.+)\n([^#]*)", DOCUMENTS["CHANGELOG.md"], re.M).groups()
    assert version == settings.VERSION and words.strip()
    assert f'"version": "{version}"' in section(OPERATING, "Health")


def test_the_figures_are_filled_in():
    assert "FIGURE" not in FIGURES
    ours_and_the_peers = r"deliveries a second, 16 in flight \| [\d,]+ \| [\d,]+"
    assert re.search(ours_and_the_peers, section(FIGURES, "The server"))
