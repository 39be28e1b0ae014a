"""Rooms that open later, by a clock that the test moves; and rooms that no lobby shows."""

import copy
import dataclasses
import json
import re
import time
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from conftest import EVENTS, in_process
from person import FIELDS, assert_ok, assert_refused
from servers import running_redis, running_server

import users
from party import model, plans, story
from party.model import MINUTE
from party.plans import SAID_EVERY, WAITS_FOR_HOST
from party.state import State
from runtime import calendar_file
from runtime.journal import Unavailable, open_journal

HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE


asha, bilal, chen = map(in_process, ("asha", "bilal", "chen"))


def plans_seen(person):
    """{id: plan} as the lobby told them, one after the other."""
    person.line.settle()
    seen = {}
    for lobby in person.heard("lobby"):
        seen |= {plan["id"]: plan for plan in lobby["plans"]}
        for id in (*lobby["gone"], *(card["id"] for card in lobby["rooms"])):
            seen.pop(id, None)
    return seen


def cards_seen(person):
    person.line.settle()
    seen = {}
    for lobby in person.heard("lobby"):
        seen |= {card["id"]: card for card in lobby["rooms"]}
        for id in lobby["gone"]:
            seen.pop(id, None)
    return seen


def logged(party, kind):
    return [command for _, command in party.journal.replay() if command["kind"] == kind]


# --- Planning ---------------------------------------------------------------------------------------------------------


def test_a_plan_is_shown_to_everybody_and_nobody_is_inside(asha, bilal, join, clock, clean_party):
    room = asha.plan("Tea on Thursday", at=clock.at + 2 * DAY, minutes=20)
    plan = {"id": room, "topic": "Tea on Thursday", "host": "asha", "opens_at": clock.at + 2 * DAY}
    for person in (asha, bilal, join("chen")):
        assert plan.items() <= plans_seen(person)[room].items()
        assert (plans_seen(person)[room]["minutes"], plans_seen(person)[room]["coming"]) == (20, 0)
        assert cards_seen(person) == {} and person.heard("room") == []
    page = re.search(r'id="lobby">(.+?)</script>', bilal.line.browser.get("/").text)[1]
    assert [plan["id"] for plan in json.loads(page)["plans"]] == [room]


def test_at_its_time_it_opens_by_itself_for_as_long_as_it_was_meant_to_be(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR, minutes=20)
    clock.at += HOUR - 1
    assert plans_seen(bilal) and not cards_seen(bilal)
    clock.at += 1
    assert plans_seen(bilal) == {}
    card = cards_seen(bilal)[room]
    assert (card["opened_at"], card["closes_at"], card["host"]) == (clock.at, clock.at + 20 * MINUTE, "asha")
    clean_party.tick()
    assert len(logged(clean_party, "open")) == 1
    assert_ok(asha.watch(room))
    assert_ok(asha.message(room, "Here we are"))
    clock.passes(minutes=20)
    assert asha.hears("closed")["reason"] == "time"


def test_who_comes_is_a_number_for_everybody_and_names_for_who_planned_it(asha, bilal, chen, join, clock):
    room = asha.plan(at=clock.at + DAY)
    for person in (chen, bilal, bilal):
        assert_ok(person.coming(room))
    assert plans_seen(bilal)[room]["coming"] == 2
    assert asha.hears("expected")["users"] == ["chen", "bilal"]
    assert bilal.heard("coming")[-1] == {"room": room, "coming": True}
    assert_ok(chen.coming(room, coming=False))
    assert plans_seen(bilal)[room]["coming"] == 1
    assert asha.hears("expected") == {"room": room, "users": ["bilal"]}
    assert not [name for person in (bilal, chen) for name, _ in person.line.events() if name == "expected"]
    newcomer, other_tab, of_asha = join("dana"), join("bilal"), join("asha")
    assert newcomer.heard("lobby")[0]["coming"] == [] == newcomer.heard("expected")
    assert other_tab.heard("lobby")[0]["coming"] == [room]
    assert of_asha.heard("expected") == [{"room": room, "users": ["bilal"]}]
    assert_refused(asha.coming(room), "forbidden")


def test_a_plan_can_be_moved_and_opens_then(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR)
    bilal.coming(room)
    assert_ok(asha.move(room, clock.at + 3 * HOUR))
    plan = clean_party.state.rooms[room].plan
    assert (plan.at, plan.version, list(plan.coming)) == (clock.at + 3 * HOUR, 1, ["bilal"])
    assert plans_seen(bilal)[room]["opens_at"] == clock.at + 3 * HOUR
    assert_ok(asha.move(room, clock.at + 3 * HOUR))
    assert plan.version == 1, "the same time is no other one"
    clock.passes(minutes=60)
    assert room in plans_seen(bilal), "not at the old time"
    clock.passes(minutes=120)
    assert room in cards_seen(bilal)


def test_a_plan_that_is_called_off_is_in_no_lobby_and_says_so_for_two_hours(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR, key="plan")
    bilal.coming(room)
    assert room in plans_seen(bilal)
    assert_ok(asha.call_off(room))
    assert plans_seen(bilal) == {}
    assert room in bilal.heard("lobby")[-1]["gone"]
    for ack in (bilal.watch(room), bilal.coming(room), asha.move(room, clock.at + HOUR), asha.call_off(room)):
        assert_refused(ack, "closed")
        assert ack["error"] == "That room was called off."
    clock.passes(minutes=120)
    clean_party.tick()
    assert clean_party.state.rooms == {} and logged(clean_party, "open") == []


@pytest.mark.parametrize("ahead", [-HOUR, 0, MINUTE - 1, 14 * DAY + 1, "tomorrow", 1.5, True])
def test_a_plan_is_from_a_minute_to_two_weeks_ahead(ahead, asha, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR)
    at = ahead if type(ahead) is not int else clock.at + ahead
    for ack in (asha.ask("host", {"topic": "Tea", "at": at}), asha.move(room, at)):
        assert_refused(ack, "bad_input")
    assert [room.plan.at for room in clean_party.state.rooms.values()] == [clock.at + HOUR]


def test_the_first_and_the_last_moment_can_be_planned(asha, clock):
    assert asha.plan(at=clock.at + MINUTE)
    assert_ok(asha.move(asha.plan(at=clock.at + 14 * DAY), clock.at + 14 * DAY))


def test_a_person_has_three_plans_and_the_party_thirty_two(asha, bilal, clock, clean_party, monkeypatch):
    rooms = [asha.plan(at=clock.at + HOUR, listed=n > 0) for n in range(3)]
    assert_refused(asha.ask("host", {"topic": "Tea", "at": clock.at + HOUR}), "limit")
    assert asha.host("Now"), "a room is no plan"
    monkeypatch.setattr(plans, "PLANS", 4)
    bilal.plan(at=clock.at + HOUR)
    assert_refused(bilal.ask("host", {"topic": "Tea", "at": clock.at + HOUR}), "limit")
    asha.call_off(rooms[0])
    assert bilal.plan(at=clock.at + HOUR)


def test_a_planned_room_carries_on_no_other_one(asha, clock, clean_party):
    old = asha.host()
    asha.close(old)
    assert_refused(asha.ask("host", {"topic": "Tea", "at": clock.at + HOUR, "continues": old}), "bad_input")
    assert clean_party.state.rooms[old].continued_in is None


# --- Who may what, before it opens ------------------------------------------------------------------------------------

ON_A_PLAN = dict.fromkeys(("move", "withhold", "call_off"), (None, "forbidden")) | {"coming": ("forbidden", None)}


@pytest.mark.parametrize("event", [event for event in EVENTS if event != "host"])
def test_until_it_opens_it_is_a_plan_and_no_room(event, asha, bilal, clock, clean_party, publishes):
    room = asha.plan(at=clock.at + HOUR, publish=True)
    payload = FIELDS | {"room": room, "user": "bilal", "at": clock.at + 2 * HOUR}
    of_host, of_others = ON_A_PLAN.get(event, ("conflict", "conflict"))
    if event == "door":
        of_host, of_others = None, "forbidden"
    if event == "put_out":
        of_host, of_others = "not_found", "forbidden"
    for person, code in ((bilal, of_others), (asha, of_host)):
        before = copy.deepcopy(clean_party.state.rooms)
        ack = person.ask(event, payload | {"key": person.new_key()})
        if code is None:
            assert_ok(ack)
            continue
        assert_refused(ack, code)
        assert clean_party.state.rooms == before
        if code == "conflict":
            assert (ack["error"], ack["opens_at"]) == ("That room has not opened yet.", clock.at + HOUR)
            assert (ack["topic"], ack["host"], ack["minutes"], ack["publish"]) == ("Tea", "asha", 30, True)


@pytest.mark.parametrize("event", ["move", "call_off", "coming"])
def test_the_same_key_on_a_plan_gives_the_first_outcome_and_changes_nothing(event, asha, bilal, clock, clean_party):
    room, other = asha.plan(at=clock.at + HOUR), asha.plan(at=clock.at + HOUR)
    person = bilal if event == "coming" else asha
    payload = {"room": room, "coming": True, "at": clock.at + 2 * HOUR, "key": "k"}
    first = assert_ok(person.ask(event, payload))
    before, logs = copy.deepcopy(clean_party.state.rooms), len(logged(clean_party, event))
    assert person.ask(event, payload) == first
    assert (clean_party.state.rooms, len(logged(clean_party, event))) == (before, logs)
    assert_refused(person.ask(event, payload | {"room": other}), "conflict")


def test_a_plan_made_twice_with_the_same_key_is_one_and_nobody_goes_in(asha, clock, clean_party):
    rooms = {asha.plan(at=clock.at + HOUR, key="k") for _ in range(2)}
    assert len(rooms) == len(clean_party.state.rooms) == 1
    assert_refused(asha.ask("host", {"topic": "Tea", "at": clock.at + 2 * HOUR, "key": "k"}), "conflict")
    clock.passes(minutes=60)
    clean_party.tick()
    assert asha.plan(at=clock.at, key="k") in rooms, "and once it is open, who asks again is led into it"


# --- Waiting for its host ---------------------------------------------------------------------------------------------


def test_nobody_comes_and_it_closes_after_ten_minutes(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR)
    clock.passes(minutes=60)
    clean_party.tick()
    clock.at += WAITS_FOR_HOST - 1
    clean_party.tick()
    assert clean_party.state.rooms[room].is_live, "five minutes of nobody are not counted"
    clock.at += 1
    clean_party.tick()
    assert clean_party.state.rooms[room].closed == "abandoned"
    assert cards_seen(bilal) == {}


def test_others_do_not_come_in_the_place_of_its_host(asha, bilal, chen, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR)
    clock.passes(minutes=60)
    clean_party.tick()
    assert_ok(bilal.watch(room))
    bilal.request(room)
    assert_ok(asha.approve(room, "bilal"))
    clock.passes(minutes=9)
    clean_party.tick()
    assert clean_party.state.rooms[room].host == "asha", "who was never there is not gone"
    clock.passes(minutes=1)
    assert bilal.hears("closed")["reason"] == "abandoned"


def test_once_the_host_has_come_it_is_a_room_like_any_other(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR)
    clock.passes(minutes=60)
    clean_party.tick()
    clock.passes(minutes=9)
    clean_party.tick()
    assert_ok(asha.watch(room))
    asha.leave(room)
    clean_party.tick()
    clock.passes(minutes=4, seconds=59)
    clean_party.tick()
    assert clean_party.state.rooms[room].is_live, "it is empty since the host left, and not since it opened"
    clock.passes(seconds=1)
    clean_party.tick()
    assert clean_party.state.rooms[room].closed == "abandoned"


def test_a_host_who_came_while_the_log_was_away_has_come(asha, bilal, clock, clean_party, monkeypatch):
    room = asha.plan(at=clock.at + HOUR)
    clock.passes(minutes=60)
    clean_party.tick()
    with monkeypatch.context() as away:
        away.setattr(clean_party.journal, "append", unavailable)
        assert_ok(asha.watch(room))
        clock.at += WAITS_FOR_HOST
        clean_party.tick()
    clean_party.tick()
    assert clean_party.state.rooms[room].is_live and not clean_party.state.rooms[room].awaits_host


def unavailable(*_):
    raise Unavailable("the disk is full")


def test_while_the_log_is_away_the_party_goes_on_and_opens_the_room_as_soon_as_it_is_back(
    asha, bilal, clock, clean_party, monkeypatch
):
    room = asha.plan(at=clock.at + HOUR)
    with monkeypatch.context() as away:
        away.setattr(clean_party.journal, "append", unavailable)
        clock.passes(minutes=62)
        for _ in range(3):
            clean_party.tick()
        assert clean_party.state.rooms[room].is_planned
    clean_party.tick()
    assert cards_seen(bilal)[room]["opened_at"] == clock.at


def test_a_party_that_is_full_opens_it_when_there_is_space_and_calls_it_off_after_ten_minutes(
    asha, bilal, clock, clean_party, monkeypatch
):
    first, second = asha.plan(at=clock.at + HOUR), asha.plan(at=clock.at + HOUR)
    busy = bilal.host(minutes=30)
    monkeypatch.setattr(model, "LIVE_ROOMS", 1)
    for _ in range(5):
        assert_ok(bilal.extend(busy))
    clock.passes(minutes=60)
    clean_party.tick()
    assert cards_seen(bilal).keys() == {busy} and plans_seen(bilal).keys() == {first, second}
    bilal.close(busy)
    clean_party.tick()
    assert first in cards_seen(bilal)
    clock.at += WAITS_FOR_HOST - 1
    asha.watch(first)
    assert plans_seen(bilal).keys() == {second}
    clock.at += 1
    assert plans_seen(bilal) == {} and clean_party.state.rooms[second].closed == "called_off"


# --- The log's cut, and restarts --------------------------------------------------------------------------------------


def started_anew(party, monkeypatch):
    """The party of this process as one that starts on this log: gives its state."""
    monkeypatch.setattr(party, "state", State())
    party.rebuild(list(party.journal.replay()))
    return party.state


def what_matters(state):
    """Of all rooms that have not opened yet; without when that was said last."""
    rooms = copy.deepcopy({room.id: room for room in model.planned_rooms(state)})
    for room in rooms.values():
        room.logged_at = 0
    return {id: dataclasses.asdict(room) for id, room in rooms.items()}


def passes_by_the_hour(party, clock, hours):
    """Time goes on, and the log is cut as it is while a party runs."""
    for _ in range(hours):
        clock.passes(minutes=60)
        party.tick()
        party.trim()


def test_a_plan_outlives_a_log_that_is_cut_many_times(asha, bilal, chen, clock, clean_party, monkeypatch):
    """Two weeks, which is four hundred hours, of a log that keeps sixteen. At each time a start would give the same."""
    room = asha.plan("In two weeks", at=clock.at + 14 * DAY, minutes=25)
    other = bilal.plan("Unlisted", at=clock.at + 13 * DAY, listed=False)
    for hour in range(14 * 24 - 25):
        passes_by_the_hour(clean_party, clock, 1)
        assert all(command["at"] >= clock.at - 17 * HOUR for _, command in clean_party.journal.replay())
        if hour % 29 == 0:  # whatever the sayings' rhythm is, it falls before, on and behind them
            clean_party.submit("coming", "chen", room=room, coming=hour % 2 == 0)
            clean_party.submit("coming", "dana", room=other, coming=True)
            door = {"open": "ask", "whole": False, "renew": True, "out": False, "doors": True}
            clean_party.submit("door", "asha", room=room, id=f"door {hour}", hash=f"hash {hour}", **door)
            clean_party.submit("move", "asha", room=room, opens_at=clean_party.state.rooms[room].plan.at - MINUTE)
        fresh = State()
        for _, command in clean_party.journal.replay():
            fresh.apply(command)
        assert what_matters(fresh) == what_matters(clean_party.state)
    plan = clean_party.state.rooms[room].plan
    assert plan.version == 11 and list(plan.coming) == ["chen"]
    door = clean_party.state.rooms[room].door
    assert (door.open, door.id, door.hash) == ("ask", "door 290", "hash 290"), (
        "the link that friends were sent leads in"
    )
    assert clean_party.state.rooms[room].topic == "In two weeks" and not clean_party.state.rooms[other].listed
    assert logged(clean_party, "host") == [], "of which the log knows nothing more"
    started_anew(clean_party, monkeypatch)
    clock.at = plan.at
    clean_party.tick()
    opened = clean_party.state.rooms[room]
    assert opened.is_live and opened.closes_at == clock.at + 25 * MINUTE and opened.host == "asha"


@pytest.mark.parametrize("hours", (1, 7, 13, 25))
def test_what_came_through_a_sign_in_that_is_cut_away_holds(hours, clock, clean_party, monkeypatch):
    """In the last hours of their sign-ins people plan, come, move and call off; at any later time the log is cut
    behind the sign-ins, and somewhere between what they did."""
    for name in ("asha", "bilal"):
        clean_party.log_sign_in({"user": name, "id": name, "since": clock.at, "number": 1})
    passes_by_the_hour(clean_party, clock, 6)

    def asks(kind, user, **body):
        return clean_party.submit(kind, user, through=user, **body)

    plan = {"topic": "Tea", "lasts": MINUTE, "opens_at": clock.at + 3 * DAY}
    rooms = [asks("host", "asha", **plan)["room"] for _ in range(3)]
    passes_by_the_hour(clean_party, clock, 5)  # meanwhile all was said again
    clean_party.tick()
    asks("move", "asha", room=rooms[0], opens_at=clock.at + 2 * DAY)
    for room in rooms:
        asks("coming", "bilal", room=room, coming=True)
    asks("call_off", "asha", room=rooms[1])
    asks("coming", "bilal", room=rooms[2], coming=False)
    passes_by_the_hour(clean_party, clock, hours)
    present = what_matters(clean_party.state)
    assert present.keys() == {rooms[0], rooms[2]}
    assert what_matters(started_anew(clean_party, monkeypatch)) == present


def test_a_plan_is_said_again_every_four_hours_and_not_more_often(asha, clock, clean_party):
    rooms = [asha.plan(at=clock.at + 2 * DAY) for _ in range(2)]
    for _ in range(24 * 4):
        clock.passes(minutes=15)
        clean_party.tick()
    for room in rooms:
        sayings = [one for one in logged(clean_party, "plan") if one["room"] == room]
        assert len(sayings) == 6 and {one["user"] for one in sayings} == {None}
        assert {later["at"] - one["at"] for one, later in zip(sayings, sayings[1:], strict=False)} == {SAID_EVERY}


def test_several_processes_say_it_once(asha, bilal, clock, clean_party):
    """Both find it due at the same time; and what one said before it heard that somebody comes is an old saying."""
    room = asha.plan(at=clock.at + 2 * DAY)
    clock.at += SAID_EVERY
    planned = clean_party.state.rooms[room]
    old = plans.saying_of(planned, planned.plan)
    bilal.coming(room)
    append(clean_party, "plan", old)
    assert planned is clean_party.state.rooms[room] and planned.logged_at == clock.at - SAID_EVERY
    assert list(planned.plan.coming) == ["bilal"], "the old one counts for nothing"
    new = plans.saying_of(planned, planned.plan)
    for _ in range(2):
        append(clean_party, "plan", new)
        clock.at += 1
    kept = clean_party.state.rooms[room]
    assert (kept.logged_at, list(kept.plan.coming)) == (clock.at - 2, ["bilal"])
    clean_party.tick()
    assert len(logged(clean_party, "plan")) == 3, "and nobody says it again"


@pytest.mark.parametrize("cut", range(6))
def test_wherever_the_log_is_cut_between_two_processes_the_last_saying_counts(asha, bilal, clock, clean_party, cut):
    """The old saying may be the first that is left."""
    room = asha.plan(at=clock.at + 2 * DAY)
    clock.at += SAID_EVERY
    old = plans.saying_of(clean_party.state.rooms[room], clean_party.state.rooms[room].plan)
    bilal.coming(room)
    append(clean_party, "plan", old)
    clean_party.submit("coming", "chen", room=room, coming=True)
    clock.at += 1
    clean_party.tick()
    entries = [command for _, command in clean_party.journal.replay() if command["kind"] != "sign_in"]
    assert [one["kind"] for one in entries] == ["host", "coming", "plan", "coming", "plan"]
    fresh = State()
    for command in entries[min(cut, 4) :]:
        fresh.apply({name: value for name, value in command.items() if name != "through"})
    assert what_matters(fresh) == what_matters(clean_party.state)


@pytest.mark.parametrize("kind", ["coming", "move", "door"])
def test_what_was_done_since_another_process_knew_the_plan_is_not_undone(kind, asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + 2 * DAY)
    clock.at += SAID_EVERY
    old = plans.saying_of(clean_party.state.rooms[room], clean_party.state.rooms[room].plan)
    person = bilal if kind == "coming" else asha
    assert_ok(person.ask(kind, {"room": room, "coming": True, "at": clock.at + DAY, "open": "watch"}))
    before = what_matters(clean_party.state)
    append(clean_party, "plan", old)
    assert what_matters(clean_party.state) == before


def test_what_was_called_off_does_not_come_back_when_another_process_says_it_again(asha, clock, clean_party):
    room = asha.plan(at=clock.at + 2 * DAY)
    clock.at += SAID_EVERY
    saying = plans.saying_of(clean_party.state.rooms[room], clean_party.state.rooms[room].plan)
    asha.call_off(room)
    append(clean_party, "plan", saying)
    assert clean_party.state.rooms[room].closed == "called_off"


def append(party, kind, body):
    """Past the door: as another process puts it into the log, that has not heard of what stands before it."""
    command = {"id": f"{kind} {len(list(party.journal.replay()))}", "at": party.now(), "kind": kind, "user": None}
    party.journal.append({"key": None} | command | body)


def test_the_log_is_not_cut_behind_a_plan_even_where_it_could_not_be_said_again(asha, clock, clean_party, monkeypatch):
    room = asha.plan(at=clock.at + 3 * DAY)
    monkeypatch.setattr(clean_party.journal, "append", unavailable)
    passes_by_the_hour(clean_party, clock, 48)
    assert room in started_anew(clean_party, monkeypatch).rooms


@pytest.mark.parametrize(
    ("late", "what"), [(0, "live"), (9 * MINUTE, "live"), (WAITS_FOR_HOST, "called_off"), (DAY, "called_off")]
)
def test_a_restart_across_its_time(late, what, asha, clock, clean_party, monkeypatch, tmp_path):
    """It opens as long as somebody may still wait for it, and is called off otherwise."""
    monkeypatch.setattr(clean_party, "journal", open_journal(str(tmp_path / "party.db")))
    clean_party.begin()
    clean_party.log_sign_in({"user": "asha", "id": "s", "since": clock.at, "number": 1})
    room = clean_party.submit("host", "asha", topic="Tea", lasts=20 * MINUTE, opens_at=clock.at + HOUR)["room"]
    opens_at = clock.at + HOUR
    clean_party.journal.close()
    clock.at = opens_at + late
    monkeypatch.setattr(clean_party, "journal", open_journal(str(tmp_path / "party.db")))
    monkeypatch.setattr(clean_party, "state", State())
    clean_party.begin()
    kept = clean_party.state.rooms[room]
    assert kept.closed == (None if what == "live" else what)
    if what == "live":
        assert kept.is_live and (kept.opened_at, kept.closes_at) == (clock.at, clock.at + 20 * MINUTE)
    assert len(logged(clean_party, "call_off")) == (what == "called_off")
    clean_party.journal.close()


def test_a_plan_moved_through_another_process_does_not_open_at_the_old_time(asha, clock, clean_party):
    """It had not heard of that when it found the room due."""
    room = asha.plan(at=clock.at + HOUR)
    asha.move(room, clock.at + 2 * HOUR)
    clock.passes(minutes=60)
    append(clean_party, "open", {"room": room})
    append(clean_party, "call_off", {"room": room})
    assert clean_party.state.rooms[room].is_planned


# --- A file for calendars ---------------------------------------------------------------------------------------------


def file_for(person, room):
    return person.line.browser.get(f"/plans/{room}.ics")


def event_in(answer):
    assert answer.status_code == 200 and answer.content_type == "text/calendar; charset=utf-8"
    lines = answer.data.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line or len(line) > 75 for line in lines)
    calendar = icalendar.Calendar.from_ical(answer.data)
    assert (calendar["VERSION"], calendar["METHOD"]) == ("2.0", "PUBLISH") and calendar["PRODID"]
    (event,) = calendar.events
    assert not event.errors
    return event


@pytest.mark.parametrize("topic", ["Tea", "Tea, cake; and \\ more: ñandú ☕ " * 3, "BEGIN:VALARM", "𝔗𝔢𝔞 " * 30])
def test_a_plan_can_be_taken_into_a_calendar(topic, asha, bilal, clock):
    room = asha.plan(topic, at=clock.at + DAY, minutes=20)
    event = event_in(file_for(bilal, room))
    assert event["SUMMARY"] == topic.strip()
    assert event["DTSTART"].dt == datetime.fromtimestamp((clock.at + DAY) // 1000, UTC)
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(minutes=20)
    assert event["DTSTART"].to_ical().endswith(b"Z") and event["DTEND"].to_ical().endswith(b"Z"), "in UTC"
    assert abs(event["DTSTAMP"].dt - datetime.now(UTC)) < timedelta(minutes=1)
    assert event["URL"] == f"http://localhost/#room={room}"
    assert event["ORGANIZER"].params["CN"] == "asha", "who publishes must be named"
    assert file_for(asha, room).status_code == 200
    assert "no-store" in file_for(bilal, room).headers["Cache-Control"]


def test_a_plan_that_is_moved_takes_the_place_of_the_old_one_in_a_calendar(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + DAY)
    assert_ok(asha.door(room))
    token = asha.hears("door")["token"]
    events = []
    for hours in (25, 25, 48, 20):
        assert_ok(asha.move(room, clock.at + hours * HOUR))
        bilal.coming(room)
        events.append(event_in(file_for(bilal, room)))
        assert token and token not in file_for(asha, room).text
    assert len({event["UID"] for event in events}) == 1
    assert [event["SEQUENCE"] for event in events] == [1, 1, 2, 3]
    assert events[-1]["DTSTART"].dt == datetime.fromtimestamp((clock.at + 20 * HOUR) // 1000, UTC)


def test_for_everybody_else_there_is_no_file_and_of_what_is_no_plan_neither(asha, bilal, clock, clean_party):
    room, live = asha.plan(at=clock.at + HOUR, listed=False), asha.host()
    stranger = clean_party.app.test_client()
    guest = clean_party.app.test_client()
    mine = {"user": "~guest", "id": "s", "since": clock.at, "number": None, "room": room}
    link = {"room": live, "hash": None, "name": "Gita", "skeletons": ["gita"]}
    clean_party.submit("guest_in", "~guest", sign_in="s", since=clock.at, **link)
    with guest.session_transaction() as session:
        session["sign_in"] = mine
    unknown = stranger.get("/plans/unknown.ics")
    assert unknown.status_code == 404
    for browser, id in ((stranger, room), (guest, room), (guest, live), (bilal.line.browser, live), (guest, "unknown")):
        answer = browser.get(f"/plans/{id}.ics")
        assert (answer.status_code, answer.data) == (404, unknown.data)
    assert file_for(bilal, room).status_code == 200, "a friend who was sent the link"
    asha.call_off(room)
    assert file_for(bilal, room).status_code == 404


def test_summer_time_that_ends_in_between_changes_nothing(join, clock, clean_party, monkeypatch):
    """Wherever the party's machine stands. What a clock on the wall says is the page's to know."""
    monkeypatch.setenv("TZ", "Europe/Madrid")
    time.tzset()
    try:
        clock.at = int(datetime(2026, 10, 24, 18, tzinfo=UTC).timestamp() * 1000)
        opens_at = int(datetime(2026, 10, 25, 18, tzinfo=UTC).timestamp() * 1000)
        assert time.localtime(clock.at // 1000).tm_isdst and not time.localtime(opens_at // 1000).tm_isdst
        room = clean_party.submit("host", "asha", topic="Tea", lasts=30 * MINUTE, opens_at=opens_at)["room"]
        calendar = calendar_file.file_of(clean_party.plan_for_calendar(room), "https://party.example/", clock.at)
        assert b"\r\nDTSTART:20261025T180000Z\r\nDTEND:20261025T183000Z\r\n" in calendar
        passes_by_the_hour(clean_party, clock, 23)
        clock.at = opens_at - 1
        clean_party.tick()
        assert clean_party.state.rooms[room].is_planned
        clock.at = opens_at
        clean_party.tick()
        assert clean_party.state.rooms[room].opened_at == opens_at
    finally:
        monkeypatch.undo()
        time.tzset()


# --- What the owner reads ---------------------------------------------------------------------------------------------


def test_a_plans_story_is_told_without_what_leads_in(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + 5 * HOUR)
    bilal.coming(room)
    asha.door(room)
    asha.move(room, clock.at + 6 * HOUR)
    passes_by_the_hour(clean_party, clock, 7)
    told = list(story.lines(clean_party.journal.replay(), room, None, with_words=True))
    steps = [line.split("  ")[2:4] for line in told]
    assert steps == [
        ["asha", "host"],
        ["bilal", "coming"],
        ["asha", "door"],
        ["asha", "move"],
        ["(the party)", "plan"],
        ["(the party)", "open"],
        ["(the party)", "end"],
    ]
    assert all("→ ok" in line for line in told) and "coming=['bilal']" in told[4]
    assert "hash" not in str(told)


# --- Several processes ------------------------------------------------------------------------------------------------

SOON = """
from party import plans
plans.PLANNED_FROM, plans.SAID_EVERY = 0, 200
import app
app.TICK_SECONDS = 0.05
app.main()
"""


@pytest.mark.server
def test_two_processes_say_a_plan_again_and_open_it_once_and_nobody_who_comes_is_lost(monkeypatch):
    """Each of them finds it due whenever the other does; and wherever the log is cut, it gives the same plan."""
    with (
        running_redis() as redis,
        running_server(program=("-c", SOON), PARTY_JOURNAL=redis.address) as one,
        running_server(program=("-c", SOON), PARTY_JOURNAL=redis.address) as other,
    ):
        asha, bilal, chen = one.person("asha"), other.person("bilal"), one.person("chen")
        room = asha.plan(at=int(time.time() * 1000) + 3_000)
        bilal.hears("lobby", lambda lobby: any(plan["id"] == room for plan in lobby["plans"]))
        for n in range(20):
            assert_ok(bilal.coming(room, coming=n % 2 > 0))
            assert_ok(chen.coming(room, coming=n % 2 == 0))
            asha.hears("expected", lambda told, n=n: told["users"] == ["bilal" if n % 2 else "chen"])
        for person in (asha, bilal, chen):
            person.hears("lobby", lambda lobby: any(card["id"] == room for card in lobby["rooms"]))
        assert_ok(bilal.watch(room))
        log = [command for _, command in open_journal(redis.address).replay()]
    monkeypatch.setattr(plans, "PLANNED_FROM", 0)  # as the two have it
    monkeypatch.setattr(plans, "SAID_EVERY", 200)
    accepted = [n for n, outcome in enumerate(outcomes_of(log)) if outcome["ok"] and log[n].get("room") == room]
    kinds = [log[n]["kind"] for n in accepted]
    assert kinds.count("open") == 1 and kinds.count("coming") == 40 and kinds.count("plan") > 5
    opens = next(n for n in accepted if log[n]["kind"] == "open")
    last = max(n for n in accepted if log[n]["kind"] == "plan")
    whole = what_matters(state_after(log[:opens]))
    assert list(whole[room]["plan"]["coming"]) == ["bilal"]
    for cut in range(last + 1):
        assert what_matters(state_after(log[cut:opens])) == whole, f"cut at {cut}, a {log[cut]['kind']}"


def outcomes_of(log):
    state = State()
    return [state.apply(command) for command in log]


def state_after(log):
    state = State()
    for command in log:
        state.apply({name: value for name, value in command.items() if name != "through"})
    return state


# --- People who are removed -------------------------------------------------------------------------------------------


def test_the_plans_of_who_is_removed_are_called_off_and_nobody_counts_on_them(
    asha, bilal, chen, clock, clean_party, monkeypatch
):
    _, of_bilal = asha.plan(at=clock.at + 3 * DAY), bilal.plan(at=clock.at + 3 * DAY)
    for person in (asha, chen):
        person.coming(of_bilal)
    passes_by_the_hour(clean_party, clock, 40)
    started_anew(clean_party, monkeypatch)
    assert not {"asha", "chen"} & clean_party.state.users.keys(), "the log says nothing else of them any more"
    remove(monkeypatch, "asha")
    clean_party.tick()
    assert [room.id for room in model.planned_rooms(clean_party.state)] == [of_bilal]
    assert list(clean_party.state.rooms[of_bilal].plan.coming) == ["chen"]
    told = len(logged(clean_party, "renumber"))
    clean_party.news.other_people = True
    clean_party.tick()
    assert len(logged(clean_party, "renumber")) == told, "that is said once"


def remove(monkeypatch, name):
    real = users.number_of
    monkeypatch.setattr(users, "number_of", lambda one: None if one == name else real(one))
    monkeypatch.setattr(users, "look_again", lambda: True)


def test_another_password_leaves_plans_as_they_are(asha, bilal, clock, clean_party):
    room = asha.plan(at=clock.at + DAY)
    bilal.coming(room)
    for name in ("asha", "bilal"):
        clean_party.submit("renumber", name, number=2)
    assert list(clean_party.state.rooms[room].plan.coming) == ["bilal"]


# --- Rooms that no lobby shows ----------------------------------------------------------------------------------------


def test_what_is_not_listed_is_in_nobodys_lobby(asha, bilal, chen, join, clock, clean_party):
    """Neither as a plan, nor open, nor closed; every lobby that anybody was told, and every page."""
    live = asha.host("A secret", listed=False)
    planned = asha.plan("Another secret", at=clock.at + HOUR, listed=False)
    shown = asha.host("No secret")
    assert_ok(bilal.watch(live))
    assert_ok(bilal.coming(planned))
    assert_ok(asha.message(live, "Words"))
    clean_party.tick()
    for room in (live, shown):
        for _ in range(4):
            asha.extend(room)
    clock.passes(minutes=45)
    late = [join(name) for name in ("asha", "bilal", "chen")]
    clean_party.tick()
    asha.close(live)
    clock.passes(minutes=15)
    clean_party.tick()
    assert clean_party.state.rooms[planned].is_live and clean_party.state.rooms[live].closed
    late += [join(name) for name in ("asha", "bilal", "chen")]
    clean_party.tick()
    for person in (asha, bilal, chen, *late):
        lobbies = person.heard("lobby")
        comes = [lobby.pop("coming") for lobby in lobbies if "coming" in lobby][-1]
        assert comes == ([planned] if person is late[1] else [])
        said = json.dumps(lobbies)
        assert person is chen or "No secret" in said
        assert not [secret for secret in (live, planned, "A secret", "Another secret", "Words") if secret in said]
        assert "secret" not in person.line.browser.get("/").text.lower().replace("no secret", "")
    assert not [1 for event, payload in chen.line.events() if live in str(payload) or planned in str(payload)]
    assert_ok(bilal.watch(live))
    assert_ok(chen.watch(planned))


def test_the_host_of_a_plan_that_is_not_listed_has_it_all_the_same(asha, bilal, join, clock, clean_party):
    room = asha.plan("A secret", at=clock.at + HOUR, minutes=20, listed=False)
    bilal.coming(room)
    plan = {"id": room, "topic": "A secret", "host": "asha", "opens_at": clock.at + HOUR, "minutes": 20, "coming": 1}
    told = asha.hears("expected")
    assert (told["room"], told["users"]) == (room, ["bilal"]) and plan.items() <= told["plan"].items()
    assert join("asha").heard("expected") == [told]
    assert bilal.heard("expected") == []
    clock.passes(minutes=60)
    assert asha.hears("expected") == {"room": room, "users": [], "plan": None}


def test_what_carries_on_a_room_that_is_not_listed_is_not_listed_either(asha, bilal, clock, clean_party):
    old = asha.host("A secret", listed=False)
    asha.close(old)
    new = asha.host("A secret", continues=old)
    assert cards_seen(bilal) == {}
    asha.close(new)
    assert asha.host("No more", continues=new, listed=True) in cards_seen(bilal)


@pytest.mark.parametrize("listed", ["no", 0, [], {}])
def test_listed_is_true_or_false(listed, asha):
    assert_refused(asha.ask("host", {"topic": "Tea", "listed": listed}), "bad_input")
