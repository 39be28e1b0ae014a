"""What people say to the owner, there and back: from the event into the store, and the answer to them."""

import contextlib
import json
import sqlite3

import pytest
from conftest import browser_of
from person import assert_ok

from runtime import settings
from runtime.journal import open_journal
from services import feedback, follow
from services.feedback import Feedback
from services.reckoning import DAY, day_text


class UntilAllIsRead:
    """In place of an Event that ends a follower."""

    ended = False

    def is_set(self):
        return self.ended

    def wait(self, seconds):
        self.ended = True


@pytest.fixture
def read_along(party, tmp_path):
    """Lets the service read what is new, as a process of its own would, which is started for that."""

    def read_along():
        follow.Follower(Feedback(), open_journal(str(tmp_path / "party.db"))).follow(UntilAllIsRead())

    return read_along


@pytest.fixture
def database():
    """A store in memory, for what the service makes of single commands."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        database.executescript(Feedback.SCHEMA)
        yield database


def stored(query="SELECT * FROM feedback ORDER BY at"):
    with follow.reading("feedback") as store:
        return [dict(row) for row in store.execute(query)]


def take(database, kind, user, at=0, ok=True, **body):
    command = {"id": f"{kind} {user} {at}", "at": at, "kind": kind, "user": user, **body}
    Feedback().take(database, command, {"ok": ok} | ({"room": body["id"]} if kind == "host" else {}), None)


def say(database, user, at=0, about="room", **body):
    take(database, "feedback", user, at, about=about, talk=body.pop("talk", False), **body)


def report(database, at):
    Feedback().rest(database, at)
    ((body,),) = database.execute("SELECT body FROM reports WHERE name = 'sentiment'")
    return json.loads(body)


def given(database, user, at=0):
    return feedback.given(database, follow.pseudonym(user), at)


# --- There and back ---------------------------------------------------------------------------------------------------


def test_what_somebody_says_comes_to_the_owner_and_the_answer_back_to_them(party, join, read_along):
    asha, bilal = join("asha"), join("bilal")
    room = asha.host("Tea")
    bilal.watch(room)
    asha.close(room)
    assert_ok(bilal.feedback("room", room=room, choice="partly", text="Too short", talk=True))
    assert_ok(bilal.feedback("problem", text="It broke", version="abc", error="TypeError:  x"))
    read_along()
    tap, problem = stored()
    assert (tap["choice"], tap["text"], tap["room"], tap["name"]) == ("partly", "Too short", room, "bilal")
    assert (problem["about"], problem["version"], problem["error"]) == ("problem", "abc", "TypeError: x")
    assert problem["name"] is None, "who does not want to be talked to is not named"
    assert tap["who"] == problem["who"] == follow.pseudonym("bilal")
    party.submit("answer", "asha", to=problem["id"], text="It is mended.")
    read_along()
    answers = browser_of("bilal").get("/feedback").json["answers"]
    assert [(one["id"], one["about"], one["text"], one["answer"]) for one in answers] == [
        (problem["id"], "problem", "It broke", "It is mended.")
    ]
    assert answers[0]["at"] == problem["at"] <= answers[0]["answered_at"]
    assert answers[0].keys() == {"id", "about", "text", "answer", "at", "answered_at"}
    assert browser_of("asha").get("/feedback").json == {"answers": [], "asks": False}, "nobody else reads it"


def test_the_third_room_that_closed_with_somebody_inside_is_followed_by_the_question(party, join, read_along):
    asha, bilal = join("asha"), join("bilal")
    for n in range(3):
        read_along()
        assert browser_of("bilal").get("/feedback").json["asks"] is False, f"after {n} rooms"
        room = asha.host()
        bilal.watch(room)
        asha.close(room)
    read_along()
    for user in ("asha", "bilal"):
        assert browser_of(user).get("/feedback").json["asks"] is True
    bilal.feedback("losing", choice="very")
    read_along()
    assert browser_of("bilal").get("/feedback").json["asks"] is False
    assert browser_of("asha").get("/feedback").json["asks"] is True
    assert stored("SELECT * FROM inside") == [], "who was inside is kept no longer than the room is open"


def test_where_nothing_was_ever_read_there_is_nothing_to_give(party):
    answer = browser_of("asha").get("/feedback")
    assert answer.json == {"answers": [], "asks": False}
    assert answer.headers["Cache-Control"] == "no-store"


def test_where_the_store_cannot_be_used_the_page_goes_on_without(party, caplog):
    settings.store_of("feedback").write_bytes(b"This is no database, however long one looks at it." * 100)
    assert browser_of("asha").get("/feedback").json == {"answers": [], "asks": False}
    assert not caplog.records


def test_a_stranger_is_given_nothing(party):
    assert party.app.test_client().get("/feedback").status_code == 401


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_who_taps_again_for_the_same_room_has_said_the_latter(database):
    say(database, "asha", 1, room="tea", choice="no", text="Bad", talk=True)
    (first,) = database.execute("SELECT id FROM feedback")
    say(database, "asha", 2, room="tea", choice="yes")
    say(database, "asha", 3, room="coffee", choice="no")
    say(database, "bilal", 4, room="tea", choice="no")
    rows = database.execute("SELECT at, choice, text, name FROM feedback ORDER BY at").fetchall()
    assert list(map(tuple, rows)) == [(2, "yes", None, None), (3, "no", None, None), (4, "no", None, None)]
    take(database, "answer", "emeka", 5, to=first["id"], text="Thanks")
    assert given(database, "asha")["answers"][0]["answer"] == "Thanks", "also to what the owner has seen before"


def test_other_words_are_not_answered_yet(database):
    say(database, "asha", 1, room="tea", choice="no", text="Bad")
    take(database, "answer", "emeka", 2, to="feedback asha 1", text="Why?")
    say(database, "asha", 3, room="tea", choice="partly", text="Bad")
    assert given(database, "asha")["answers"][0]["answer"] == "Why?", "the words are the same"
    say(database, "asha", 4, room="tea", choice="partly", text="Too loud")
    row = database.execute("SELECT text, answer, answered_at FROM feedback").fetchone()
    assert tuple(row) == ("Too loud", None, None)


def test_of_guests_it_is_not_kept_where_they_were(database):
    """They are not asked how they would feel without the party."""
    for user in ("asha", "~gita"):
        take(database, "watch", user, room="r")
    take(database, "close", "asha", room="r", reason="host")
    assert len(database.execute("SELECT * FROM attended").fetchall()) == 1


def test_what_was_refused_was_not_said(database):
    say(database, "asha", room="tea", choice="no", ok=False)
    take(database, "host", "asha", ok=False, id="tea")
    for table in ("feedback", "inside"):
        assert database.execute(f"SELECT * FROM {table}").fetchall() == []


def test_ideas_stand_beside_each_other_and_the_newest_answers_come_first_twenty_of_them(database):
    for n in range(25):
        say(database, "asha", n, about="idea", text=f"Idea {n}")
        take(database, "answer", "emeka", 100 - n, to=f"feedback asha {n}", text=f"Answer {n}")
    answers = given(database, "asha")["answers"]
    assert [one["answer"] for one in answers] == [f"Answer {n}" for n in range(20)]
    take(database, "answer", "emeka", 200, to="feedback asha 24", text="Another")
    assert given(database, "asha")["answers"][0]["answer"] == "Another", "the latest answer counts"


def attend(database, user, rooms, at=0):
    for n in range(rooms):
        take(database, "host", user, at, id=f"{at} {n}")
        take(database, "end", None, at, room=f"{at} {n}", reason="time")


def test_the_question_comes_again_after_ninety_days_and_not_sooner(database):
    attend(database, "asha", 3)
    assert given(database, "asha")["asks"] and not given(database, "bilal")["asks"]
    say(database, "asha", 5, about="losing", choice="not")
    assert not given(database, "asha", 90 * DAY)["asks"]
    assert given(database, "asha", 90 * DAY + 5)["asks"]


def test_of_how_many_rooms_somebody_was_in_no_more_is_kept_than_is_asked(database):
    attend(database, "asha", 7)
    assert [row["rooms"] for row in database.execute("SELECT rooms FROM attended")] == [3]


def test_who_plans_a_room_was_not_inside_by_that(database):
    take(database, "host", "asha", id="later", opens_at=9)
    take(database, "watch", "bilal", 10, room="later")
    take(database, "end", None, 11, room="later")
    assert [who for (who,) in database.execute("SELECT who FROM attended")] == [follow.pseudonym("bilal")]


def test_after_a_year_it_is_gone(database):
    attend(database, "asha", 3, at=0)
    say(database, "asha", 1, about="idea", text="Old")
    say(database, "bilal", 2, about="idea", text="Not so old")
    Feedback().rest(database, 365 * DAY + 2)
    assert [row["text"] for row in database.execute("SELECT text FROM feedback")] == ["Not so old"]
    assert database.execute("SELECT * FROM attended").fetchall() == []


def test_who_went_into_a_room_whose_end_was_never_read_is_forgotten_the_day_after(database):
    take(database, "watch", "asha", 0, room="tea")
    Feedback().rest(database, DAY)
    assert database.execute("SELECT * FROM inside").fetchall()
    Feedback().rest(database, DAY + 1)
    assert database.execute("SELECT * FROM inside").fetchall() == []


def test_of_one_person_the_newest_are_kept_so_that_nobody_fills_the_disk(database, monkeypatch):
    monkeypatch.setattr(feedback, "KEPT_EACH", 3)
    say(database, "bilal", 0, about="idea", text="Mine")
    for n in range(1, 6):
        say(database, "asha", n, about="idea", text=f"Idea {n}")
    texts = [row["text"] for row in database.execute("SELECT text FROM feedback ORDER BY at")]
    assert texts == ["Mine", "Idea 3", "Idea 4", "Idea 5"]


# --- The report -------------------------------------------------------------------------------------------------------


def test_the_report_has_the_share_of_each_tap_by_week_and_of_who_would_miss_the_party(database):
    today = 20_000 * DAY
    taps = [("yes", 1), ("yes", 2), ("partly", 3), ("no", 6), ("yes", 7), ("yes", 20)]  # and how many days ago
    for n, (choice, days) in enumerate(taps):
        say(database, "asha", today - days * DAY, room=f"room {n}", choice=choice)
    for n, choice in enumerate(["very", "very", "not"]):
        say(database, f"extra{n}", today, about="losing", choice=choice)
    say(database, "extra2", today + 1, about="losing", choice="very")
    found = report(database, today + 5)
    assert (found["at"], found["mark"]) == (today + 5, 40)
    assert [week["first_day"] for week in found["weeks"]] == [day_text(20_000 - days) for days in (20, 13, 6)]
    counts = [[(week[name] or {}).get("count") for name in ("yes", "partly", "no")] for week in found["weeks"]]
    assert counts == [[1, 0, 0], [1, 0, 0], [2, 1, 1]]
    assert found["weeks"][2]["yes"] == {"count": 2, "of": 4, "low": 0.15, "high": 0.85}
    assert (found["losing"]["count"], found["losing"]["of"]) == (3, 3), "each counts once, with what they said last"


def test_where_nobody_said_anything_the_report_says_so(database):
    assert report(database, 20_000 * DAY) == {"at": 20_000 * DAY, "weeks": [], "losing": None, "mark": 40, "gaps": []}


def test_the_report_says_what_could_not_be_read(database):
    at, service = 20_000 * DAY, Feedback()
    for since, until in ((-400, -370), (-100, -80), (-90, -85), (-2, -1)):
        service.gap(database, at + since * DAY, at + until * DAY)
    service.rest(database, at)
    ((body,),) = database.execute("SELECT body FROM reports")
    shown = [((gap["since"] - at) // DAY, (gap["until"] - at) // DAY) for gap in json.loads(body)["gaps"]]
    assert shown == [(-100, -80), (-2, -1)]
    assert database.execute("SELECT count(*) FROM gaps").fetchone()[0] == 3, "after a year it is gone, as all else"
    service.gap(database, at, at + 1)
    service.rest(database, at + 2)
    ((body,),) = database.execute("SELECT body FROM reports")
    assert len(json.loads(body)["gaps"]) == 3


def test_the_report_is_made_anew_when_there_is_news_or_another_day(database, monkeypatch):
    made = []
    monkeypatch.setattr(feedback, "reckon", lambda database, at: made.append(at))
    service = Feedback()
    for at in (0, 1, DAY - 1, DAY, DAY + 1):
        service.rest(database, at)
    service.take(database, {"kind": "watch", "user": "asha", "at": 0, "room": "tea"}, {"ok": True}, None)
    service.rest(database, DAY + 2)
    said = {"id": "1", "kind": "feedback", "user": "asha", "at": 0, "about": "idea", "text": "Tea", "talk": False}
    service.take(database, said, {"ok": True}, None)
    service.rest(database, DAY + 3)
    assert made == [0, DAY, DAY + 3]


def test_a_kill_between_two_readings_changes_nothing(party, join, read_along):
    asha = join("asha")
    asha.feedback("idea", text="First")
    read_along()
    asha.feedback("idea", text="Second", key="k")
    asha.feedback("idea", text="Second", key="k")
    read_along()
    read_along()
    assert [row["text"] for row in stored()] == ["First", "Second"]
