"""What the figures say of a party: forty people who are made up come out exactly, whatever happens to the service.

PARTY_SECRET_KEY=any PYTHONPATH=. .venv/bin/python tests/test_figures.py      writes tests/reports/ anew
"""

import contextlib
import itertools
import json
import random
import sqlite3
import threading
import time
from datetime import UTC, datetime

import fortnight
import pytest
from servers import ROOT

import users
from party import reading
from party.rules import KINDS
from runtime import settings
from runtime.journal import open_journal
from services import follow, reckoning
from services.figures import GUESTS_A_DAY, MOST_A_DAY, RIPE_AFTER, ROW_DAYS, SUM_DAYS, Figures

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
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
    for command in commands:
        figures.take(database, command, state.apply(command), None)
    return figures


def reports(database):
    return {weeks: json.loads(body) for weeks, body in database.execute("SELECT weeks, body FROM reports")}


class MadeUpPast:
    """A store of single commands: `past.of("asha", "message", 3 * DAY, room="r")` was three days ago."""

    def __init__(self, database):
        self.database, self.figures = database, Figures()
        self._ids = itertools.count()

    def of(self, user, kind, ago, outcome=None, **body):
        command = {"id": f"{next(self._ids)}", "at": AT - ago, "kind": kind, "user": user, "key": None} | body
        self.figures.take(self.database, command, {"ok": True} | (outcome or {}), None)

    def visit(self, user, ago, seconds, inside=0, **more):
        """A stretch that ended so long ago."""
        self.of(user, "measured", ago, measures=stretch(seconds, inside) | more)

    def report(self, weeks=3, at=AT):
        self.figures.rest(self.database, at)
        return reports(self.database)[weeks]


def stretch(seconds, inside=0):
    counts = dict.fromkeys(("asked", "unavailable", "failed", "reconnections"), 0)
    return {"seconds": seconds, "inside": inside, "errors": []} | counts


@pytest.fixture
def past():
    with store() as database:
        yield MadeUpPast(database)


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


def test_what_happens_in_a_fortnight_is_what_pages_and_people_can_tell():
    for command in fortnight.commands(fortnight.fortnight("dying", AT)):
        if command["kind"] == "measured":
            assert reading.measures(command["measures"]) == command["measures"]
        elif command["kind"] == "feedback":
            said = reading.feedback(command)
            assert {name: command[name] for name in said} == said
        elif command["kind"] == "spent":
            assert reading.spent({name: str(command[name]) for name in ("month", "amount")})["amount"] == 120


@pytest.mark.parametrize(("name", "verdict"), [("thriving", "yes"), ("dying", "no"), ("too_early", "too_early")])
def test_three_fortnights_are_told_apart(name, verdict):
    assert sample(name)["verdict"] == verdict


@pytest.mark.parametrize("name", fortnight.STORIES)
def test_the_samples_for_the_owners_page_are_what_comes_out(name):
    assert json.loads(sample_path(name).read_text()) == sample(name)


def sample_path(name):
    return ROOT / "tests" / "reports" / f"{name}.json"


def sample(name):
    with store() as database:
        take_all(database, fortnight.commands(fortnight.fortnight(name, AT))).rest(database, AT)
        return reports(database)[3]


# --- Kills ------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As nothing catches it: like a kill, it leaves what was written in a transaction that does not end."""


class Mortal(Figures):
    """Is killed after so many calls, before or in the middle of one."""

    def __init__(self, calls, at_its_end):
        super().__init__()
        self._calls, self._at_its_end = calls, at_its_end
        self.ended = threading.Event()

    def take(self, *given):
        with self._mortal():
            super().take(*given)

    def rest(self, *given):
        with self._mortal():
            super().rest(*given)
        self.ended.set()

    @contextlib.contextmanager
    def _mortal(self):
        self._calls -= 1
        if self._calls == 0 and not self._at_its_end:
            raise Killed
        yield
        if self._calls == 0:
            raise Killed


def follow_until_killed(journal, figures):
    """Whether it came to its end."""
    try:
        follow.Follower(figures, open_journal(journal)).follow(figures.ended)
    except Killed:
        return False
    return True


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(follow, "READ_AT_ONCE", 40)
    monkeypatch.setattr(follow, "now", lambda: AT)
    monkeypatch.setattr(follow, "State", fortnight.State)
    return tmp_path


def test_kills_change_no_figure(instance):
    chance, journal = random.Random(7), str(instance / "party.db")
    commands = fortnight.commands(fortnight.fortnight("thriving", AT))
    open_journal(journal).fill(enumerate(commands, start=1))
    kills = 0
    while not follow_until_killed(journal, Mortal(chance.randint(1, 150), chance.random() < 0.5)):
        kills += 1
    assert kills > 10, "the service must have been killed often"
    with store(settings.store_of("figures")) as database:
        assert reports(database)[3] == sample("thriving")


# --- What the figures mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(count, of, low, high):
    """The four examples of Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert reckoning.share(count, of) == {"count": count, "of": of, "low": low, "high": high}


def test_any_share_lies_in_its_interval():
    for of in range(1, 40):
        for count in range(of + 1):
            share = reckoning.share(count, of)
            assert 0 <= share["low"] <= round(count / of, 4) <= share["high"] <= 1


@pytest.mark.parametrize(("gap", "visits"), [(29, 1), (30, 1), (31, 2)])
def test_half_an_hour_ends_a_visit(past, gap, visits):
    past.visit("asha", 3 * HOUR, seconds=60)
    past.visit("asha", 3 * HOUR - gap * MINUTE - 30 * SECOND, seconds=30)
    week = past.report()["by_week"][-1]
    assert (week["visits"], week["seconds"]) == (visits, 90 if visits == 1 else 45)


def test_a_visit_over_midnight_is_one_of_the_day_on_which_it_began(past):
    to_midnight = 22 * HOUR  # AT is at 22:00
    past.visit("asha", to_midnight + 6 * DAY + 5 * MINUTE, seconds=600, inside=600)
    past.visit("asha", to_midnight + 6 * DAY - 20 * MINUTE, seconds=300)
    before, last = past.report()["by_week"][-2:]
    assert (before["visits"], before["seconds"], last["visits"]) == (1, 900, 0)


def test_who_has_two_tabs_has_one_visit(past):
    past.visit("asha", 100 * MINUTE, seconds=10)
    past.visit("asha", 60 * MINUTE, seconds=3_600)  # was open before that, and tells later
    past.visit("asha", 40 * MINUTE, seconds=10)
    assert past.report()["by_week"][-1]["visits"] == 1


@pytest.mark.parametrize(
    ("seconds", "inside", "bounces"), [(9.9, 0, 1), (10, 0, 0), (5, 2, 0)], ids=["short", "long enough", "in a room"]
)
def test_who_leaves_within_ten_seconds_and_saw_no_room_bounces(past, seconds, inside, bounces):
    past.visit("asha", HOUR, seconds, inside)
    assert pair(past.report()["by_week"][-1]["bounce"]) == (bounces, 1)


def test_two_minutes_in_a_room_or_a_message_activate(past):
    past.visit("asha", HOUR, seconds=70, inside=60)
    past.visit("asha", 4 * HOUR, seconds=70, inside=60)  # of two visits: together two minutes
    past.visit("bilal", HOUR, seconds=600, inside=119)
    past.of("chen", "message", HOUR, room="r")
    past.of("dana", "watch", HOUR, room="r")
    assert pair(past.report()["by_week"][-1]["activated"]) == (2, 4)


def test_of_a_room_that_is_open_nobody_knows_how_many_will_speak(past):
    for room in ("open", "closed", "ended"):
        past.of("asha", "host", HOUR, outcome={"room": room})
        past.of("asha", "message", HOUR, room=room)
    assert past.report()["by_week"][-1]["voices"] is None
    past.of("asha", "close", MINUTE, room="closed", reason="host")
    past.of(None, "end", MINUTE, room="ended", reason="time")
    week = past.report()["by_week"][-1]
    assert (pair(week["voices"]), week["rooms"]) == ((0, 2), 3)


def test_the_same_evening_on_the_other_side_of_midnight_is_no_return(past):
    past.of("asha", "message", 9 * DAY, room="r")
    past.of("asha", "message", 9 * DAY - 3 * HOUR, room="r")
    assert pair(past.report()["returned"]) == (0, 1)
    past.of("asha", "sign_in", 8 * DAY, sign_in="s")
    report = past.report()
    assert (pair(report["returned"]), pair(report["spoke_again"])) == ((1, 1), (0, 1))


def test_who_looks_at_the_page_until_the_next_morning_is_there_then(past):
    past.of("asha", "message", 9 * DAY, room="r")
    past.visit("asha", 9 * DAY - 7 * HOUR, seconds=6 * 3_600)
    assert pair(past.report()["returned"]) == (0, 1)
    past.visit("asha", 9 * DAY - 10 * HOUR, seconds=3 * 3_600)
    assert pair(past.report()["returned"]) == (1, 1), "began an hour too soon, and ended two later"


def test_who_comes_after_more_than_a_week_has_not_returned_within_one(past):
    past.of("asha", "message", 9 * DAY, room="r")
    past.of("asha", "message", 2 * DAY - MINUTE, room="s")
    assert pair(past.report()["returned"]) == (0, 1)


def test_of_whom_the_week_is_not_over_nothing_is_said(past):
    past.of("asha", "message", 7 * DAY - MINUTE, room="r")
    past.of("asha", "message", DAY, room="s")
    report = past.report()
    assert report["returned"] is None and report["spoke_again"] is None
    assert pair(past.report(at=AT + 2 * MINUTE)["returned"]) == (1, 1)


def test_cells_that_are_not_over_are_blank(past):
    past.of("asha", "sign_in", 20 * DAY, sign_in="s")
    past.of("bilal", "sign_in", 9 * DAY, sign_in="s")
    past.of("asha", "sign_in", 2 * DAY, sign_in="s")
    cohorts = past.report()["cohorts"]
    assert [(each["people"], list(map(pair, each["came_back"]))) for each in cohorts] == [
        (1, [(0, 1), (1, 1)]),
        (1, [(0, 1), None]),
        (0, [None, None]),
    ]


def test_who_was_there_before_the_period_is_not_new_in_it(past):
    past.of("asha", "sign_in", 30 * DAY, sign_in="s")
    past.of("asha", "message", DAY, room="r")
    report = past.report()
    assert (report["people"], pair(report["spoke"])) == (1, (1, 1))
    assert report["funnel"][0]["people"] == 0 and all(cohort["people"] == 0 for cohort in report["cohorts"])


def test_who_is_lost_and_who_was_won_back_are_told_apart(past):
    for user, days in {"asha": [70, 40, 3], "bilal": [40], "chen": [70, 3], "dana": [3]}.items():
        for ago in days:
            past.of(user, "sign_in", ago * DAY, sign_in="s")
    churn = past.report()["churn"]
    assert (pair(churn["lost"]), churn["won_back"]) == ((1, 2), 1), "bilal of asha and bilal is lost; chen is back"


def test_a_browser_that_led_to_a_sign_in_is_that_person(past):
    past.of(None, "opened", 5 * DAY, visitor="b1", source="blog")
    past.of(None, "opened", 5 * DAY, visitor="b2", source=None)
    past.of("asha", "sign_in", 4 * DAY, sign_in="s", visitor="b1")
    past.of("bilal", "sign_in", 4 * DAY, sign_in="s")  # whose browser tells nothing
    report = past.report()
    assert [(step["people"], pair(step["share"])) for step in report["funnel"][:2]] == [(3, None), (2, (2, 3))]
    assert {each["source"]: (each["opened"], each["came_in"]) for each in report["sources"]} == {
        "blog": (1, 1),
        None: (2, 1),
    }


def test_what_takes_longer_than_a_week_is_in_no_funnel(past):
    past.of(None, "opened", 12 * DAY, visitor="b1", source=None)
    past.of("asha", "sign_in", 6 * DAY, sign_in="s", visitor="b1")
    past.of("asha", "watch", 4 * DAY, room="r")
    past.of("asha", "message", 4 * DAY, room="r")
    past.of(None, "opened", 12 * DAY, visitor="b2", source=None)
    past.of("bilal", "sign_in", 4 * DAY, sign_in="s", visitor="b2")
    report = past.report()
    assert [step["people"] for step in report["funnel"]] == [2, 1, 0, 0, 0, 0, 0]
    assert pair(report["spoke"]) == (1, 2), "of all who came in, whenever they opened a link first"


def test_who_is_given_a_seat_is_let_in_and_need_not_be_there(past):
    past.of("asha", "sign_in", DAY, sign_in="s")
    past.of("bilal", "sign_in", DAY, sign_in="s")
    past.of("bilal", "host", DAY, outcome={"room": "r"})
    past.of("bilal", "approve", DAY, who="asha", room="r")
    past.of("bilal", "approve", HOUR, who="absent", room="r")
    report = past.report()
    assert [step["people"] for step in report["funnel"]] == [2, 2, 2, 2, 2, 0, 0]
    assert report["people"] == 2


def test_who_keeps_a_seat_in_a_room_that_is_carried_on_is_let_in(past):
    for user in ("asha", "bilal", "chen", "dana"):
        past.of(user, "sign_in", DAY, sign_in="s")
    seated = ["asha", "bilal", "chen", "dana"]
    past.of("asha", "host", HOUR, outcome={"room": "r"}, continues="q", speakers=seated, most=2)
    assert past.report()["funnel"][4] | {"share": None} == {"step": "let_in", "people": 3, "guests": 0, "share": None}


def test_a_room_that_will_be_published_counts_as_such_beside_that_it_was_hosted(past):
    past.of("asha", "host", 2 * HOUR, outcome={"room": "tea"}, publish=True)
    past.of("asha", "host", 2 * HOUR, outcome={"room": "later"}, publish=True, opens_at=AT)
    past.of(None, "plan", HOUR, room="later", host="asha", publish=True)
    past.of("bilal", "leave_out", HOUR, room="tea", out=True)
    past.of("bilal", "leave_out", HOUR, room="tea", out=False)
    past.of("asha", "withhold", HOUR, room="later")
    past.of(None, "publish", HOUR, room="tea", outcome={"published": True})
    times = {each["kind"]: each["times"] for each in past.report()["features"]}
    assert times == {"host": 1, "plan": 1, "publish": 2, "withhold": 1, "leave_out": 1}


def test_a_planned_room_counts_as_opened_once_it_has_and_nobody_needs_to_be_there(past):
    past.of("asha", "sign_in", 6 * DAY, sign_in="s")
    past.of("asha", "host", 6 * DAY, outcome={"room": "later"}, opens_at=AT)
    past.of("asha", "host", 6 * DAY, outcome={"room": "off"}, opens_at=AT)
    past.of("asha", "move", 6 * DAY, room="later", opens_at=AT)
    past.of("bilal", "coming", 6 * DAY, room="later", coming=True)
    past.of("bilal", "coming", 6 * DAY, room="later", coming=False)
    past.of("asha", "call_off", 5 * DAY, room="off")
    past.of(None, "plan", 5 * DAY, room="later", host="asha")
    report = past.report()
    assert (report["rooms"], report["people"], report["funnel"][6]["people"]) == (0, 2, 0)
    times = {each["kind"]: each["times"] for each in report["features"]}
    assert times == {"plan": 2, "move": 1, "coming": 1, "call_off": 1}, "that nobody comes after all is no use of it"
    past.of("chen", "message", 4 * DAY, room="other")
    past.of(None, "open", HOUR, outcome={"room": "later", "host": "asha"}, room="later")
    report = past.report()
    assert (report["rooms"], report["by_week"][-1]["rooms"], report["funnel"][6]["people"]) == (1, 1, 0)
    assert past.database.execute("SELECT count(*) FROM people").fetchone()[0] == 3
    past.of("asha", "message", HOUR, room="later")
    assert past.report()["funnel"][6]["people"] == 1, "who speaks and whose room opened has hosted"


def test_what_is_refused_or_done_by_the_party_is_no_use_of_a_feature(past):
    past.of("asha", "sign_in", DAY, sign_in="s")
    past.of("asha", "request", DAY, outcome={"ok": False, "code": "conflict"}, room="r")
    past.of(None, "hand_over", DAY, room="r", who="asha", gone="bilal")
    past.of("asha", "like", DAY, room="r", seq=1, liked=False)
    past.of("asha", "like", DAY, room="r", seq=1, liked=True)
    assert [(each["kind"], each["times"]) for each in past.report()["features"]] == [("like", 1)]


def test_guests_are_counted_in_a_column_of_their_own(past):
    """Each is somebody new: as people, none of them would ever have come again."""
    past.of("asha", "sign_in", 9 * DAY)
    past.of("asha", "message", 9 * DAY, room="r")
    past.of(None, "opened", 9 * DAY, visitor="b", source="blog")
    past.of("~gita", "guest_in", 9 * DAY, room="r", visitor="b")
    past.of("~hugo", "guest_in", 9 * DAY, room="r")
    for guest in ("~gita", "~hugo"):
        past.of(guest, "watch", 9 * DAY, room="r")
        past.visit(guest, 9 * DAY, seconds=300, inside=200)
    past.of("~gita", "request", 9 * DAY, room="r")
    past.of("asha", "approve", 9 * DAY, room="r", who="~gita")
    past.of("~gita", "message", 9 * DAY, room="r")
    report = past.report()
    steps = {step["step"]: (step["people"], step["guests"]) for step in report["funnel"]}
    assert steps["opened"] == steps["came_in"] == (3, 2)
    assert (steps["watched"], steps["spoke"]) == ((3, 2), (2, 1))
    assert report["people"] == 1 and pair(report["spoke"]) == (1, 1)
    assert (pair(report["returned"]), pair(report["listened_again"])) == ((0, 1), None), "of who could come again"
    week = report["by_week"][1]
    assert (week["people"], week["visits"], pair(week["activated"])) == (1, 2, (1, 1))
    assert sum(each["people"] for each in report["cohorts"]) == 1
    (said,) = (each for each in report["features"] if each["kind"] == "message")
    assert (pair(said["people"]), said["times"]) == ((1, 1), 2)
    assert {"source": "blog", "opened": 1, "came_in": 1, "spoke": 1} in report["sources"]


def test_of_more_guests_than_a_day_brings_nothing_is_kept(past):
    for n in range(GUESTS_A_DAY + 20):
        past.of(f"~{n}", "guest_in", HOUR, room="r")
        past.of(f"~{n}", "watch", HOUR, room="r")
    assert past.report()["funnel"][2]["guests"] == GUESTS_A_DAY
    assert past.database.execute("SELECT count(*) FROM rows").fetchone()[0] == 2 * GUESTS_A_DAY


def test_every_kind_of_command_counts_as_what_it_is():
    """A new kind is a feature, or it is named here."""
    others = {"sign_in", "guest_in", "opened", "measured", "open"}  # rows of their own
    nobodys = {"end", "forget", "sign_out", "renumber", "answer", "goals", "spent"}  # the party's, and the owner's
    assert {*reckoning.FEATURES, *others, *nobodys} == KINDS


def test_before_anybody_came_there_is_a_report_too(past):
    report = past.report()
    assert (report["verdict"], report["people"], report["spoke"]) == ("too_early", 0, None)
    assert [week["people"] for week in report["by_week"]] == [0, 0, 0]


def test_mistakes_of_ours_and_gaps_are_told(past):
    past.of("asha", "message", DAY, outcome={"ok": False, "code": "unavailable"}, room="r")
    past.of("asha", "of_another_version", DAY, outcome={"ok": False, "code": "unavailable"})
    past.figures.gap(past.database, AT - 2 * HOUR, AT - HOUR)
    report = past.report()
    assert report["errors"]["mistakes"] == 1 and report["people"] == 0
    assert report["gaps"] == [{"since": AT - 2 * HOUR, "until": AT - HOUR}]


def test_a_gap_is_shown_where_its_end_is_in_the_period(past):
    past.figures.gap(past.database, AT - 100 * DAY, AT - 5 * DAY)
    past.figures.gap(past.database, AT - 50 * DAY, AT - 40 * DAY)
    days = [[(AT - gap["since"]) // DAY for gap in past.report(weeks)["gaps"]] for weeks in (3, 12)]
    assert days == [[100], [50, 100]]


def test_one_script_that_opens_links_for_ever_fills_neither_store_nor_report(past, monkeypatch):
    monkeypatch.setitem(MOST_A_DAY, "opened", 30)
    past.of(None, "opened", 2 * DAY, visitor="before", source="letter")
    for number in range(50):
        past.of(None, "opened", DAY, visitor=f"b{number}", source=f"s{number % 25}")
        past.of(None, "opened", DAY, visitor="b0", source=f"s{number}")
    past.of("asha", "sign_in", HOUR, sign_in="s", visitor="b2", source="s2")
    past.of("bilal", "sign_in", HOUR, sign_in="s", visitor="b49", source="blog")
    report = past.report()
    assert count_in(past, "rows WHERE kind = 'opened'") == 1 + 30 + 1
    assert [step["people"] for step in report["funnel"][:2]] == [1 + 50 + 1, 2], "bilal is one of those counted alone"
    assert len(report["sources"]) == reckoning.SOURCES + 1
    assert report["sources"][-1]["source"] == reckoning.OTHERS
    assert sum(each["opened"] for each in report["sources"]) == 1 + 50 + 1
    assert sum(each["came_in"] for each in report["sources"]) == 2


def test_of_a_day_in_which_somebody_looks_away_again_and_again_so_much_is_kept(past, monkeypatch):
    for kind in ("measured", "sign_in"):
        monkeypatch.setitem(MOST_A_DAY, kind, 10)
    for number in range(25):
        past.visit("asha", 2 * HOUR - number * MINUTE, 10, 10, failed=1)
        past.of("asha", "sign_in", HOUR, sign_in="s", visitor=f"b{number}", source=f"s{number}")
    past.visit("bilal", HOUR, 60)
    rows = dict(past.database.execute("SELECT who, count(*) FROM rows GROUP BY who"))
    assert rows == {follow.pseudonym("asha"): 11 + 11, follow.pseudonym("bilal"): 1}
    report = past.report()
    assert report["errors"]["failed"] == 10
    assert (report["by_week"][-1]["visits"], report["by_week"][-1]["seconds"]) == (2, 80)


def test_what_pages_tell_of_errors_is_added_up(past):
    past.visit("asha", DAY, 60, asked=30, unavailable=1, errors=["a", "b"], failed=7, reconnections=2)
    past.visit("bilal", DAY, 60, asked=20, errors=["a"], failed=1)
    errors = past.report()["errors"]
    assert pair(errors.pop("unavailable")) == (1, 50)
    assert errors == {
        "script_errors": [{"words": "a", "times": 2}, {"words": "b", "times": 1}],
        "failed": 8,
        "mistakes": 0,
        "reconnections": 2,
    }


# --- The answer -------------------------------------------------------------------------------------------------------


def of(count, of):
    return reckoning.share(count, of)


@pytest.mark.parametrize(
    ("spoke", "returned", "last_week", "verdict"),
    [
        ((9, 9), (9, 9), 9, "too_early"),  # fewer than ten came in
        ((20, 25), (9, 9), 9, "too_early"),  # of fewer than ten it is known whether they come again
        ((20, 25), None, 9, "too_early"),
        ((20, 25), (15, 20), 9, "yes"),
        ((10, 10), (10, 10), 9, "yes"),  # ten are enough
        ((16, 25), (15, 20), 9, "not_yet"),  # 64 %, and it might be 45 %
        ((20, 25), (12, 20), 9, "not_yet"),
        ((8, 31), (15, 20), 9, "not_yet"),  # 43 % at the most: below the goal, and not below half of it
        ((2, 31), None, 9, "no"),
        ((20, 25), (0, 20), 9, "no"),
        ((20, 25), (15, 20), 0, "no"),  # nobody came in the last week
        ((9, 9), None, 0, "too_early"),
    ],
)
def test_the_verdict_claims_no_more_than_the_figures_do(spoke, returned, last_week, verdict):
    assert reckoning.verdict(of(*spoke), returned and of(*returned), reckoning.GOALS, last_week) == verdict


def test_the_answer_does_not_change_because_the_owner_looks(past, monkeypatch):
    for number in range(12):
        past.of(f"p{number}", "message", 17 * DAY, room="r")
        past.of(f"p{number}", "message", 14 * DAY, room="r")
    monkeypatch.setattr(users, "_owner", "p0")
    assert past.report()["verdict"] == "no", "nobody came in the last week"
    past.of("p0", "sign_in", HOUR, sign_in="s")
    report = past.report()
    assert (report["verdict"], report["by_week"][-1]["people"]) == ("no", 1)
    past.of("p1", "sign_in", HOUR, sign_in="s")
    assert past.report()["verdict"] == "yes"


def test_the_owners_goals_count_from_now_on(past):
    for number in range(12):
        past.of(f"p{number}", "message", 9 * DAY, room="r")
        past.of(f"p{number}", "message", 3 * DAY, room="r")
    assert past.report()["verdict"] == "yes"
    past.of("p1", "goals", HOUR, question="Will they?", spoke=99, returned=40, voices=80)
    report = past.report()
    assert (report["verdict"], report["question"]) == ("not_yet", "Will they?")
    assert report["goals"] == {"spoke": 99, "returned": 40, "voices": 80}


def test_what_was_spent_is_shared_by_who_came_that_month(past):
    past.of("asha", "sign_in", 30 * DAY, sign_in="s")  # in October
    for user in ("bilal", "chen", "dana"):
        past.of(user, "sign_in", 3 * DAY, sign_in="s")
    past.of("emeka", "sign_in", HOUR, sign_in="s")  # today, of which there is no sum yet
    past.of("asha", "spent", HOUR, month="2026-11", amount=10.0)
    past.of("asha", "spent", HOUR, month="2026-09", amount=5)
    past.of("asha", "spent", HOUR, month="2026-09", amount=7)  # said anew
    assert past.report()["costs"] == [
        {"month": "2026-09", "spent": 7, "new_people": 0, "each": None},
        {"month": "2026-11", "spent": 10.0, "new_people": 4, "each": 2.5},
    ]


# --- How long it is kept ----------------------------------------------------------------------------------------------


def test_rows_go_after_ninety_days_and_what_was_reckoned_of_a_week_stays_a_year(past):
    for number in range(4):
        past.of(f"p{number}", "message", 0, room="r")
    past.of("p0", "spent", 0, month="2026-11", amount=8.0)
    past.report()
    ripe = AT + RIPE_AFTER * DAY
    week = past.report(at=ripe)["by_week"][-2]
    assert pair(week["spoke"]) == (4, 4), "there it still has its rows"
    assert rows_in(past) > 0
    kept = past.report(at=AT + ROW_DAYS * DAY)
    assert rows_in(past) > 0, "ninety days are not over"
    past.figures = Figures()  # as after a restart
    later = AT + 13 * 7 * DAY  # the same day of the week
    kept = past.report(weeks=52, at=later)
    assert rows_in(past) == 0 and past.database.execute("SELECT count(*) FROM people").fetchone() == (0,)
    assert pair(kept["by_week"][-14]["spoke"]) == (4, 4) and kept["people"] == 0
    assert kept["costs"] == [{"month": "2026-11", "spent": 8.0, "new_people": 4, "each": 2.0}]
    past.report(at=AT + (SUM_DAYS + 40) * DAY)
    assert all(count_in(past, table) == 0 for table in ("rows", "people", "settings"))
    first = past.database.execute("SELECT min(day) FROM sums").fetchone()[0]
    assert first is None or first >= "2026-12-01"


def test_the_cost_of_a_month_goes_with_the_first_of_its_days(past):
    past.of("asha", "sign_in", 18 * DAY, sign_in="s")  # on the 3rd
    past.of("bilal", "sign_in", 0, sign_in="s")
    past.of("asha", "spent", 0, month="2026-11", amount=8.0)
    past.report()
    past.report(at=AT + 60 * DAY)  # before the rows are gone
    the_first_is_kept = AT + (SUM_DAYS - 20) * DAY
    past.report(at=the_first_is_kept)
    assert past.report(at=the_first_is_kept)["costs"] == [
        {"month": "2026-11", "spent": 8.0, "new_people": 2, "each": 4.0}
    ]
    past.report(at=the_first_is_kept + DAY)
    assert past.report(at=the_first_is_kept + DAY)["costs"] == []


def test_a_week_that_was_not_ripe_before_a_halt_is_reckoned_again_behind_it(past):
    past.of("asha", "message", 3 * DAY, room="r")
    past.report()
    past.of("asha", "sign_in", DAY, sign_in="s")
    past.report(at=AT + DAY)
    past.figures = Figures()  # after a halt of nine days and more, once as long as rows are kept
    past.report(at=AT + (ROW_DAYS - 5) * DAY)
    past.report(at=AT + (ROW_DAYS + 20) * DAY)
    sums = dict(past.database.execute("SELECT day, json_extract(body, '$.trend.returned.count') FROM sums "
                                      "WHERE kind = 'week' AND day LIKE '2026-11-2_'"))  # fmt: skip
    assert count_in(past, "rows") == 0
    assert [sums[f"2026-11-{day}"] for day in range(20, 25)] == [1] * 5


def rows_in(past):
    return count_in(past, "rows")


def count_in(past, table):
    return past.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_of_who_is_gone_nothing_stays_in_the_file(instance, monkeypatch):
    journal, path = str(instance / "party.db"), settings.store_of("figures")
    open_journal(journal).fill(enumerate(fortnight.commands(fortnight.fortnight("too_early", AT)), start=1))
    asha = follow.pseudonym("asha").encode()
    assert follow_until_killed(journal, Mortal(0, False)) and asha in path.read_bytes()
    monkeypatch.setattr(follow, "now", lambda: AT + 2 * ROW_DAYS * DAY)
    assert follow_until_killed(journal, Mortal(0, False)) and asha not in path.read_bytes()
    assert not path.with_name("figures.db-wal").exists(), "nor beside it"


def test_goals_are_kept_for_good(past):
    past.of("asha", "goals", 0, question="Will they?", spoke=50, returned=40, voices=80)
    past.report(at=AT + 3 * SUM_DAYS * DAY)
    assert past.report(at=AT + 3 * SUM_DAYS * DAY)["question"] == "Will they?"


def test_the_weeks_of_a_year_are_those_that_were_shown(past):
    chance, shown = random.Random(3), None
    for day in range(60):
        for number in range(8):
            if chance.random() < 0.4:
                past.of(f"p{number}", "sign_in", day * DAY, sign_in="s")
            if chance.random() < 0.3:
                past.of(f"p{number}", "message", day * DAY, room=f"r{day}")
    for days in range(-58, 70, 2):  # each week is reckoned before all is known of who came again, too
        past.report(at=AT + days * DAY)
        shown = past.report(weeks=12)["by_week"] if days == 0 else shown
    later = past.report(weeks=52, at=AT + 70 * DAY)["by_week"]
    assert count_in(past, "rows WHERE day < '2026-11-01'") == 0, "their rows are gone"
    assert later[-16:-12] == shown[-6:-2], "of those that were ripe then"
    assert shown[-3]["returned"]["of"] > 3


def test_nobodys_name_and_words_are_in_the_store(tmp_path):
    path = tmp_path / "figures.db"
    commands = fortnight.commands(fortnight.fortnight("thriving", AT))
    assert any(command.get("text") == "Word 0" for command in commands)
    with store(path) as database:
        database.execute("BEGIN")
        take_all(database, commands).rest(database, AT)
        database.execute("COMMIT")
    said = path.read_bytes()
    assert not [name for name in fortnight.NAMES if name.encode() in said]
    assert b"Evening" not in said and b"Word" not in said


# --- Whatever happens -------------------------------------------------------------------------------------------------


def shares_in(thing):
    if isinstance(thing, dict):
        if thing.keys() == {"count", "of", "low", "high"}:
            yield thing
        thing = list(thing.values())
    if isinstance(thing, list):
        for each in thing:
            yield from shares_in(each)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_a_share_is_one(past, seed):
    """Things that no party does, in an order that none has, over months."""
    chance = random.Random(seed)
    kinds = sorted(KINDS - {"goals", "spent", "answer", "measured", "opened", "feedback"})
    for _ in range(400):
        user, ago = f"p{chance.randint(0, 15)}", chance.randint(0, 80 * DAY)
        kind = chance.choice(kinds)
        past.of(user, kind, ago, outcome={"room": "r", "host": "p2"}, room=f"r{chance.randint(0, 9)}", who="p1",
                sign_in="s", liked=True, visitor=f"b{chance.randint(0, 30)}")  # fmt: skip
        past.visit(user, chance.randint(0, 80 * DAY), chance.random() * 2_000, chance.random() * 10, asked=1,
                   unavailable=chance.randint(0, 3))  # fmt: skip
        past.of(None, "opened", chance.randint(0, 80 * DAY), visitor=f"b{chance.randint(0, 60)}", source="x")
    for weeks in (3, 12, 52):
        report = past.report(weeks)
        found = list(shares_in(report))
        assert len(found) > 20
        for share in found:
            assert 0 <= share["count"] <= share["of"] and 0 <= share["low"] <= share["high"] <= 1
        people = [step["people"] for step in report["funnel"]]
        assert people == sorted(people, reverse=True)
        assert len(report["by_week"]) == len(report["speed"]) == weeks


# --- What it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.alone
def test_ninety_days_of_a_busy_party_are_taken_and_reckoned_in_time(past):
    """Forty people every evening, each in two rooms, with three messages and a visit in each."""
    past.database.execute("BEGIN")
    began, commands = time.process_time(), 0
    for day, number, room in itertools.product(range(90), range(40), range(2)):
        who, at = f"p{number}", {"room": f"r{day}-{room}"}
        past.of(who, "watch", day * DAY, **at)
        for _ in range(3):
            past.of(who, "message", day * DAY, **at)
        past.visit(who, day * DAY + room * HOUR, 900, 800, paint=400, wait={"median": 30, "slowest": 90})
        commands += 5
    each, began = (time.process_time() - began) / commands, time.process_time()
    past.report()
    past.figures._closed_day = None  # so that a day ends, too
    past.report()
    assert each < 0.000_1, "ten thousand commands a second"
    assert (time.process_time() - began) / 2 < 1, "seconds for all reports"


if __name__ == "__main__":
    for name in fortnight.STORIES:
        sample_path(name).write_text(json.dumps(sample(name), indent=1) + "\n")
