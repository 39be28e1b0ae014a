"""Who may do what: every event × everybody who might send it × every state of a room, cell by cell."""

import copy
import itertools

import pytest
from conftest import EVENTS, browser_of
from person import FIELDS, assert_ok, assert_refused, seat

from party import model, rules
from runtime import settings
from runtime.pace import TokenBuckets

# Who sends, as seen from the room. An outsider has never been inside; a stranger has signed out.
CALLERS = ["stranger", "outsider", "watcher", "waiting", "speaker", "host"]
# Of guests, one came in by the link of this room, one by another's, and one was shown out of this one.
GUESTS = ["guest", "guest of another room", "guest shown out"]
STATES = ["live", "overdue", "closed", "unknown"]  # overdue: the time is up, and no sweep has come by yet

# event → {caller: code of the refusal, None where it is allowed}, for a live room.
LIVE = {
    "host": dict.fromkeys(CALLERS[1:]),
    "move": dict.fromkeys(CALLERS[1:], "conflict"),  # it has opened: of those that have not, test_plans.py knows more
    "call_off": dict.fromkeys(CALLERS[1:], "conflict"),
    "withhold": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "leave_out": dict.fromkeys(CALLERS[1:], "forbidden") | {"speaker": "conflict"},  # once it has closed
    "coming": dict.fromkeys(CALLERS[1:], "conflict"),
    "watch": dict.fromkeys(CALLERS[1:]),
    "history": {"outsider": "forbidden"} | dict.fromkeys(CALLERS[2:]),
    "leave": {"outsider": "forbidden"} | dict.fromkeys(CALLERS[2:]),
    "request": {"outsider": None, "watcher": None, "waiting": "conflict", "speaker": "forbidden", "host": "forbidden"},
    "withdraw": dict.fromkeys(CALLERS[1:], "forbidden") | {"waiting": None},
    "approve": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "deny": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "remove": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "hand_over": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "door": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "put_out": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "writing": dict.fromkeys(CALLERS[1:], "forbidden") | {"speaker": None, "host": None},
    "message": dict.fromkeys(CALLERS[1:], "forbidden") | {"speaker": None, "host": None},
    "take_back": dict.fromkeys(CALLERS[1:], "forbidden") | {"speaker": None},
    "like": {"outsider": "forbidden"} | dict.fromkeys(CALLERS[2:]) | {"speaker": "forbidden"},
    "pulse": {"outsider": "forbidden"} | dict.fromkeys(CALLERS[2:-1]) | {"host": "forbidden"},
    "more_time": {"outsider": "forbidden"} | dict.fromkeys(CALLERS[2:-1]) | {"host": "forbidden"},
    "extend": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "close": dict.fromkeys(CALLERS[1:], "forbidden") | {"host": None},
    "feedback": {"outsider": "forbidden"} | dict.fromkeys(CALLERS[2:], "conflict"),  # how was it: once it has closed
}
FOR_GUESTS = dict.fromkeys(("watch", "history", "leave", "request", "like"))  # of who listens, in a live room
FOR_GUESTS |= dict.fromkeys(("withdraw", "writing", "message", "take_back", "leave_out"), "forbidden")
READS = ("watch", "history", "leave")
OF_PUBLISHING = ("withhold", "leave_out")  # until it is published, closed or not
OF_PLANS = ("move", "call_off", "coming")
FROM_INSIDE = ("writing", "like", "pulse", "more_time")  # of a tab, which is asked for first


def expected(event, caller, state):
    if caller in ("stranger", "guest shown out"):
        return "signed_out"
    if caller == "guest of another room":
        return expected(event, "guest", "unknown")
    if caller == "guest":
        return expected_of_a_guest(event, state)
    if event == "host":
        return None
    if state == "unknown":
        return "not_found"
    if (event, caller) == ("put_out", "host"):
        return None  # also of a closed room, where guests read on
    if event in OF_PUBLISHING:
        return None if (event, caller, state) == ("leave_out", "speaker", "closed") else LIVE[event][caller]
    if event in OF_PLANS:
        return "closed" if state == "closed" else "conflict"
    if event == "feedback":
        return None if state == "closed" and caller != "outsider" else LIVE[event][caller]
    if event in READS:
        return "closed" if (event, caller, state) == ("watch", "outsider", "closed") else LIVE[event][caller]
    if state == "live" or (event in FROM_INSIDE and caller == "outsider"):
        return LIVE[event][caller]
    return "closed"


def expected_of_a_guest(event, state):
    """What is not for guests at all is not for them of whatever room."""
    if event not in FOR_GUESTS and event not in FROM_INSIDE:
        return "forbidden"
    if state == "unknown":
        return "not_found"
    if event not in FOR_GUESTS:
        return "forbidden"
    return FOR_GUESTS[event] if state == "live" or event in (*READS, *OF_PUBLISHING) else "closed"


@pytest.fixture
def cast(join, come_in, clock, publishes):
    """A room that will be published, with somebody in every part, everyone in it by the events alone, and a message of
    the speaker."""
    names = {"host": "asha", "speaker": "bilal", "waiting": "chen", "watcher": "dana", "outsider": "emeka"}
    people = {part: join(name) for part, name in names.items()} | {"stranger": join("farida")}
    room = people["host"].host("Tea", publish=True)
    for part in ("speaker", "waiting", "watcher"):
        people[part].watch(room)
    people["speaker"].request(room)
    people["host"].approve(room, "bilal")
    people["waiting"].request(room)
    people["speaker"].message(room, "Hello")
    other = people["outsider"].host("Coffee")
    for part, where in zip(GUESTS, (room, other, room), strict=True):
        people["outsider" if where == other else "host"].door(where, "ask", whole=True)
        people[part] = come_in(where, part)
        assert_ok(people[part].watch(where))
    people["host"].put_out(room, people["guest shown out"].name)
    stranger = people["stranger"].line
    token = stranger.browser.get("/").text.split('name="token"')[1].split('value="')[1].split('"')[0]
    assert stranger.browser.post("/sign-out", data={"token": token}).status_code == 303
    return people, room


def test_every_event_has_its_row():
    assert list(LIVE) == EVENTS


CELLS = {cell: expected(*cell) for cell in itertools.product(LIVE, CALLERS + GUESTS, STATES)}


@pytest.fixture
def ask_in(cast, clock):
    """Brings the room into that state; gives what asks there, each time under a key of its own:
    `ask_in("live")(event, caller)`."""
    people, room = cast

    def ask_in(state):
        if state == "closed":
            people["host"].close(room)
        elif state == "overdue":
            clock.passes(minutes=31)
        named = "no-such-room" if state == "unknown" else room

        def ask(event, caller):
            whom = {"remove": "bilal", "hand_over": "bilal", "put_out": people["guest"].name}.get(event, "chen")
            at = {"at": clock.at} if event == "move" else {}
            return people[caller].ask(event, FIELDS | {"room": named, "key": f"{event} {caller}", "user": whom} | at)

        return ask

    return ask_in


@pytest.mark.parametrize(("event", "caller", "state"), [cell for cell, code in CELLS.items() if code is None])
def test_every_cell_that_is_allowed(event, caller, state, ask_in):
    assert_ok(ask_in(state)(event, caller))


@pytest.mark.parametrize("state", STATES)
def test_every_cell_that_is_refused(state, ask_in, clean_party):
    """All of them at one party, one after the other: each leaves it as it was."""
    ask, before = ask_in(state), copy.deepcopy(clean_party.state.rooms)
    for (event, caller, _), code in ((cell, code) for cell, code in CELLS.items() if cell[-1] == state and code):
        logged, ack = last_position(clean_party), ask(event, caller)
        assert ack.get("code") == code, (event, caller, ack)
        assert_refused(ack, code)
        assert clean_party.state.rooms == before, f"a refused command changes nothing: {event} of {caller}"
        if code != "conflict":  # a rule's refusal is in the log, and refused again whenever the log is read
            assert last_position(clean_party) == logged, f"what is not allowed is not logged: {event} of {caller}"


def last_position(party):
    return max((position for position, _ in party.journal.replay()), default=0)


@pytest.mark.parametrize("event", ["approve", "deny", "remove", "hand_over", "put_out"])
@pytest.mark.parametrize("whom", ["dana", "asha", "nobody"])
def test_the_host_can_act_only_on_those_it_is_about(event, whom, cast):
    people, room = cast
    assert_refused(people["host"].ask(event, {"room": room, "user": whom}), "not_found")


@pytest.mark.parametrize("caller", ["watcher", "waiting", "speaker"])
def test_nobody_takes_a_room_over_by_saying_that_its_host_is_gone(caller, cast, clean_party):
    people, room = cast
    payload = {"room": room, "user": "bilal", "who": "bilal", "gone": "asha"}
    assert_refused(people[caller].ask("hand_over", payload), "forbidden")
    assert clean_party.state.rooms[room].host == "asha"


@pytest.mark.parametrize("seq", [2, 10_000])
def test_what_was_never_said_is_not_answered_and_not_taken_back(seq, cast):
    people, room = cast
    assert_refused(people["speaker"].message(room, "What did you say?", reply=seq), "not_found")
    assert_refused(people["speaker"].take_back(room, seq), "not_found")


def test_who_has_lost_the_seat_may_still_take_back_what_they_said_last(cast, clean_party):
    people, room = cast
    assert people["host"].remove(room, "bilal")["ok"]
    assert people["speaker"].take_back(room, 1)["ok"]
    assert [message["text"] for message in clean_party.state.rooms[room].messages] == [""]


def test_a_room_has_as_many_speakers_as_seats(join, clean_party, monkeypatch):
    monkeypatch.setattr(settings, "SEATS", 2)
    asha, people = join("asha"), [join(name) for name in ("bilal", "chen", "dana", "emeka")]
    room = asha.host()
    for person in people:
        person.request(room)
    assert asha.approve(room, "bilal")["ok"] and asha.approve(room, "chen")["ok"]
    ack = asha.approve(room, "dana")
    assert_refused(ack, "limit")
    assert ack["error"] == "All seats are taken (2). Remove a speaker first."
    assert asha.sees_waiting(room) == ["dana", "emeka"], "she keeps her place"
    assert_refused(asha.approve(room, "nobody"), "not_found")
    asha.remove(room, "bilal")
    assert asha.approve(room, "dana")["ok"]
    view = asha.sees(room)
    assert (view["speakers"], view["seats"]) == (["chen", "dana"], 2)


def test_who_you_are_comes_from_the_sign_in_alone(cast, clean_party):
    people, room = cast
    claims = {"user": "asha", "host": "asha", "name": "asha", "kind": "end", "most": 1, "at": 0, "id": "x"}
    assert_refused(people["watcher"].ask("message", {"room": room, "text": "Hi", "key": "k", **claims}), "forbidden")
    assert_refused(people["outsider"].ask("history", {"room": room, "before": 1, **claims}), "forbidden")
    sent = people["speaker"].ask("message", {"room": room, "text": "Hi", "key": "k", **claims})["message"]
    assert sent["user"] == "bilal"
    assert sent["at"] > 0


@pytest.mark.parametrize("kind", sorted({*rules.ROOM_RULES, *rules.PARTY_RULES} - set(LIVE)))
def test_what_the_party_itself_does_nobody_can_send(kind, cast):
    people, room = cast
    assert_refused(people["host"].ask(kind, {"room": room, "reason": "time", "who": "bilal"}), "bad_input")


def test_a_room_that_is_gone_is_not_forgotten_again(join, clean_party):
    """As when two processes find it due at the same time: the second leaves nothing in the log."""
    room = join("asha").host()
    clean_party.submit("end", room=room, reason="abandoned")
    clean_party.submit("forget", room=room)
    logged = last_position(clean_party)
    with pytest.raises(model.Refused, match="There is no such room"):
        clean_party.submit("forget", room=room)
    assert last_position(clean_party) == logged


def test_a_full_room_takes_no_more_messages(join, clean_party, monkeypatch):
    monkeypatch.setattr(settings, "ROOM_MESSAGES", 2)
    asha = join("asha")
    room = asha.host()
    asha.message(room)
    asha.message(room)
    assert_refused(asha.message(room), "limit")


def test_a_full_party_takes_no_more_rooms(join, clean_party, monkeypatch):
    monkeypatch.setattr(model, "LIVE_ROOMS", 1)
    room = join("asha").host()
    bilal = join("bilal")
    assert_refused(bilal.ask("host", {"topic": "Coffee"}), "limit")
    clean_party.submit("end", room=room, reason="abandoned")
    assert bilal.ask("host", {"topic": "Coffee"})["ok"]


def test_who_is_too_fast_is_told_how_long_to_wait(join, clean_party, clock, monkeypatch):
    monkeypatch.setattr(clean_party, "paces", TokenBuckets(pace=5, burst=20))
    asha, other_tab = join("asha"), join("asha")
    room = asha.host()
    for _ in range(19):
        assert asha.message(room)["ok"]
    ack = other_tab.message(room, "Too much", key="again")
    assert_refused(ack, "slow_down")
    assert ack["retry_after"] == 1
    clock.passes(seconds=1)
    assert other_tab.message(room, "Too much", key="again")["message"]["seq"] == 20, "nothing of it was remembered"


@pytest.mark.parametrize(("address", "given"), [("/moments/{}", 200), ("/published/preview/{}", 302)])
def test_a_script_that_asks_without_end_for_what_costs_is_told_to_wait_and_others_notice_nothing(
    address, given, join, clean_party, clock, monkeypatch
):
    """Shown on a room of which there is no page, and so no preview: to make one takes a process."""
    asha, bilal, chen = join("asha"), join("bilal"), join("chen")
    room = asha.host()
    seat(asha, bilal, room)
    assert_ok(bilal.message(room, "Milk goes first"))
    assert_ok(chen.watch(room))
    assert_ok(asha.close(room))
    monkeypatch.setattr(clean_party, "paces", TokenBuckets(pace=0.5, burst=3))
    looked, address, script = [], address.format(room), browser_of("chen")
    monkeypatch.setattr(rules, "ensure_may_read", lambda room, user: looked.append(user))
    answers = [script.get(address) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [given] * 3 + [429] * 17
    assert answers[-1].headers["Retry-After"] == "2"
    assert answers[-1].text == "That is a little too fast. Please wait a moment."
    assert looked == ["chen"] * 3, "for the others nothing was made"
    assert browser_of("bilal").get(address).status_code == given
    assert_ok(bilal.watch(room))
    clock.passes(seconds=2)
    assert script.get(address).status_code == given, "they are let in again"


def test_a_failure_of_ours_is_a_sentence_for_them_and_a_traceback_for_us(join, clean_party, monkeypatch, caplog):
    asha = join("asha")
    monkeypatch.setattr(clean_party.journal, "append", lambda command: 1 / 0)
    assert_refused(asha.ask("host", {"topic": "A secret topic"}), "unavailable")
    assert "ZeroDivisionError" in caplog.text
    assert "A secret topic" not in caplog.text
    assert clean_party.state.rooms == {}
