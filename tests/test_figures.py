"""What the figures say of a party: forty people who are made up come out exactly, whatever happens to the service."""

import contextlib
import json
import sqlite3
from datetime import UTC, datetime

import fortnight
import pytest

import users
from services.figures import Figures

AT = int(datetime(2026, 11, 21, 22, tzinfo=UTC).timestamp() * 1000)  # a Saturday evening


@contextlib.contextmanager
def store(path=":memory:"):
    """A store as services/follow.py opens one."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete = ON")
        database.executescript(Figures.SCHEMA)
        yield database


def take_all(database, commands):
    """As services/follow.py hands them over, with what came of each."""
    state, figures = fortnight.State(), Figures()
    for position, command in enumerate(commands):
        figures.take(database, position, command, state.apply(command))
    return figures


def reports(database):
    return {weeks: json.loads(body) for weeks, body in database.execute("SELECT weeks, body FROM reports")}


@pytest.fixture(autouse=True)
def guests(monkeypatch):
    monkeypatch.setattr(users, "GUESTS", {f"guest{n}": 1 for n in (1, 2, 3)})


def pair(share):
    return share and (share["count"], share["of"])


def plain(report):
    """The report as `fortnight.truth` has it: counts alone."""
    found = {name: report[name] for name in ("rooms", "people")}
    found |= {name: pair(report[name]) for name in ("spoke", "returned", "spoke_again", "listened_again")}
    found["funnel"] = [(s["step"], s["people"], s["guests"], pair(s["share"])) for s in report["funnel"]]
    shares = ("spoke", "returned", "voices", "bounce", "activated")
    found["by_week"] = [
        {name: pair(value) if name in shares else value for name, value in week.items() if name != "first_day"}
        for week in report["by_week"]
    ]
    found["cohorts"] = [(each["people"], list(map(pair, each["came_back"]))) for each in report["cohorts"]]
    found["features"] = {each["kind"]: (pair(each["people"]), each["times"]) for each in report["features"]}
    found["sources"] = {s["source"]: (s["opened"], s["came_in"], s["spoke"]) for s in report["sources"]}
    found["costs"] = [tuple(cost.values()) for cost in report["costs"]]
    found["speed"] = [
        {name: value for name, value in week.items() if name not in ("first_day", "visits")} for week in report["speed"]
    ]
    found["errors"] = report["errors"] | {
        "unavailable": pair(report["errors"]["unavailable"]),
        "script_errors": {each["words"]: each["times"] for each in report["errors"]["script_errors"]},
    }
    return found


@pytest.mark.parametrize("name", fortnight.STORIES)
@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_a_fortnight_come_out_exactly(name, seed):
    plan = fortnight.fortnight(name, AT, seed)
    with store() as database:
        take_all(database, fortnight.commands(plan)).rest(database, AT)
        said = plain(reports(database)[3])
    for part, true in fortnight.truth(plan).items():
        assert said[part] == true, part
