"""Who hears what: every frame that a real server sends to each part, against what that part may see."""

import json
import time
from types import SimpleNamespace

import pytest
from engineio import packet
from servers import running_server

from runtime import transport

CARD = {"id", "topic", "host", "speakers", "watching", "opened_at", "closes_at", "active_at", "last"}
CARD |= {"door", "publish", "guests"}
VIEW = {
    "id", "topic", "host", "speakers", "seats", "away", "watching", "listening", "waiting", "more_time", "pulse",
    "opened_at", "closes_at", "seq", "closed", "closed_at", "gone_at", "continued_in", "door", "guests",
    "publish", "publishes_at", "published",
}  # fmt: skip
MESSAGE = {"room", "seq", "user", "text", "at", "key"}

PLAN = {"id", "topic", "host", "opens_at", "minutes", "coming", "door", "publish"}
KEPT = {"id", "topic", "host", "closed_at", "gone_at", "published"}  # a closed room that somebody can still read

# event → its fields; what each part may hear of a room, besides the lobby's cards.
FIELDS = {
    "lobby": {"now", "rooms", "plans", "gone"},
    "room": VIEW,
    "message": MESSAGE,
    "waiting": {"room", "waiting", "guests"},
    "door": {"room", "open", "whole", "token"},
    "coming": {"room", "coming"},
    "expected": {"room", "users"},
    "place": {"room", "place"},
    "approved": {"room", "pitch"},
    "denied": {"room"},
    "removed": {"room"},
    "taken_back": {"room", "seq"},
    "likes": {"room", "likes"},
    "liked": {"room", "seq", "liked"},
    "writing": {"room", "users"},
    "closed": {"room", "reason", "by", "gone_at"},
    "left_out": {"room", "out"},
}
INSIDE = {"lobby", "room", "message", "taken_back", "likes", "writing", "closed"}
MAY_HEAR = {
    "asha": INSIDE | {"waiting"},  # the host, who hands over before the end
    # Asks, is let in, speaks, becomes the host, and in the end leaves these words out of what is published.
    "bilal": INSIDE | {"place", "approved", "waiting", "door", "left_out"},
    "chen": INSIDE | {"place", "denied", "liked"},  # asks, is denied, likes
    "dana": {"lobby", "room", "message", "place"},  # watches, leaves early, and asks from outside
    "emeka": {"lobby", "place", "coming"},  # asks from outside, and comes to what is planned
    "farida": {"lobby", "expected"},  # stays in the lobby, and plans a room
}


@pytest.fixture(scope="module")
def server_of_its_own(tmp_path_factory):
    """One that publishes."""
    journal = str(tmp_path_factory.mktemp("hearing") / "party.db")
    with running_server(PARTY_JOURNAL=journal, PARTY_SERVICES="publisher", PARTY_SERVICES_BESIDE="no") as server:
        yield server


@pytest.fixture(scope="module")
def after_the_story(server_of_its_own):
    """Everybody, each with all the frames of a discussion with secrets in it; and the room."""
    people = {name: server_of_its_own.person(name) for name in MAY_HEAR}
    asha, bilal, chen, dana, emeka, farida = people.values()
    room = asha.host("Open to all", publish=True)
    plan = farida.plan("Later", at=int(time.time() * 1000) + 3_600_000)
    emeka.coming(plan)
    farida.hears("expected", lambda told: told["users"] == ["emeka"])
    acks = {name: [] for name in people}
    for person in (bilal, chen, dana):
        acks[person.name].append(person.watch(room))
    bilal.request(room, pitch="the pitch of bilal")
    chen.request(room, pitch="the pitch of chen")
    emeka.request(room, pitch="the pitch of emeka")
    asha.line.settle()
    asha.approve(room, "bilal")
    asha.deny(room, "chen")
    bilal.message(room, "words for those inside")
    dana.leave(room)
    bilal.message(room, "words after dana left")
    acks["emeka"].append(emeka.history(room, before=2))
    acks["chen"].append(chen.history(room, before=3))
    asha.message(room, "an answer", reply=2)
    asha.message(room, "a slip")
    asha.take_back(room, 4)
    acks["chen"].append(chen.like(room, 3))
    asha.hears("likes")
    asha.writing(room)
    chen.hears("writing")
    acks["chen"].append(chen.pulse(room, "off_topic"))
    chen.more_time(room)
    asha.hears("room", lambda view: view["more_time"] == 1)
    asha.hand_over(room, "bilal")
    bilal.hears("waiting")
    dana.request(room, pitch="the pitch of dana")
    bilal.line.settle()
    bilal.close(room)
    acks["bilal"].append(bilal.leave_out(room))
    acks["chen"].append(chen.feedback("room", room=room, choice="no", text="for the owner alone"))
    acks["dana"].append(dana.feedback("idea", text="for the owner alone"))
    for person in people.values():
        person.hears("lobby", lambda lobby: room in lobby["gone"])
        person.line.hang_up()
    return people, acks, room


def test_each_part_hears_its_events_and_no_other(after_the_story):
    people, _, _ = after_the_story
    for name, person in people.items():
        assert {event for event, _ in person.line.events()} == MAY_HEAR[name], name


def test_each_event_has_its_fields_and_no_other(after_the_story):
    people, _, _ = after_the_story
    for person in people.values():
        for n, (event, payload) in enumerate(person.line.events()):
            is_reply = event == "message" and payload["seq"] == 3
            more = {"closed", "coming", "version"} if n == 0 else {"reply"} if is_reply else set()
            assert set(payload) == FIELDS[event] | more, event
            if event == "room":
                assert all(type(count) is int for count in payload["pulse"].values()), "a signal has no name"
            for card in payload.get("rooms", []):
                assert set(card) == CARD
                assert card["last"] is None or set(card["last"]) == {"user", "text"}
            assert all(set(plan) == PLAN for plan in payload.get("plans", []))
            if event == "likes":
                assert all(type(count) is int for count in payload["likes"].values()), "nor has a like"
            if event == "waiting":
                assert all(set(one) == {"user", "pitch", "at"} for one in payload["waiting"])


def test_the_queue_reaches_who_is_host_just_then_and_ones_own_pitch_comes_back_with_the_seat(after_the_story):
    people, acks, _ = after_the_story
    for name, person in people.items():
        everything = " ".join(person.line.frames) + json.dumps(acks[name])
        pitches = {"asha": {"bilal", "chen", "emeka"}, "bilal": {"bilal", "dana", "emeka"}}.get(name, set())
        assert {one for one in people if f"the pitch of {one}" in everything} == pitches, name


def test_a_new_tab_is_told_which_closed_rooms_its_person_can_still_read(after_the_story, server_of_its_own):
    people, _, room = after_the_story
    for name in people:
        again = server_of_its_own.person(name)
        kept = again.heard("lobby")[0]["closed"]
        assert [one["id"] for one in kept if one["id"] == room] == ([] if name in ("emeka", "farida") else [room])
        assert all(set(one) == KEPT for one in kept)
        again.line.hang_up()


def test_the_feed_reaches_those_inside_alone(after_the_story):
    people, acks, _ = after_the_story
    for name, person in people.items():
        everything = " ".join(person.line.frames) + json.dumps(acks[name])
        assert ("words for those inside" in everything) is (name in ("asha", "bilal", "chen", "dana")), name
        assert ("words after dana left" in everything) is (name in ("asha", "bilal", "chen")), name


def test_what_is_said_to_the_owner_reaches_nobody_in_the_party(after_the_story):
    people, acks, _ = after_the_story
    assert acks["chen"][-1] == acks["dana"][-1] == {"ok": True}
    assert not any("for the owner alone" in frame for person in people.values() for frame in person.line.frames)


def test_messages_come_once_each_in_order(after_the_story):
    people, _, _ = after_the_story
    for name in ("asha", "bilal", "chen"):
        assert [message["seq"] for message in people[name].heard("message")] == [1, 2, 3, 4]


def test_the_sign_in_and_the_password_are_in_no_frame(after_the_story, server_of_its_own):
    people, _, _ = after_the_story
    cookie = server_of_its_own.cookies_of("asha").split("=", 1)[1]
    for person in people.values():
        assert not any(secret in frame for frame in person.line.frames for secret in (cookie, "sign_in", "number"))


def test_a_thousand_people_walking_in_cost_each_of_them_a_few_frames(join, clean_party, clock):
    """Presence is gathered: what everybody is told grows with time, not with the crowd."""
    room = join("asha").host()
    people = [join("bilal") for _ in range(15)] + [join("chen") for _ in range(15)]
    first = people[0]
    first.watch(room)
    clean_party.tick()
    before = len(first.line.events())
    for person in people[1:]:
        person.watch(room)
    clean_party.tick()
    assert len(first.line.events()) - before <= 2, "one view of the room, one of the lobby"


def test_what_has_not_changed_is_not_told_again(join, clean_party):
    asha, bilal, chen = join("asha"), join("bilal"), join("chen")
    room = asha.host()
    for person in (bilal, chen):
        person.watch(room)
        person.request(room)
        person.pulse(room)
    clean_party.tick()
    before = [len(person.line.events()) for person in (asha, bilal, chen)]
    clean_party.news.stale_rooms.add(room)
    clean_party.tick()
    assert [len(person.line.events()) for person in (asha, bilal, chen)] == before


def test_a_line_that_has_just_ended_keeps_nobody_from_hearing(clean_party):
    line = transport.ThreadedLine(clean_party.socketio.server.eio, "sid")
    line.closed = True
    line.send(packet.Packet(packet.MESSAGE, "news"))
    assert line.queue.empty()


def test_a_line_of_two_threads_is_forgotten_when_it_ends(clean_party):
    server = clean_party.socketio.server.eio
    line = server.sockets["sid"] = transport.ThreadedLine(server, "sid")
    ended = SimpleNamespace(shutdown=lambda how: None)
    line._websocket_handler(SimpleNamespace(wait=lambda: None, close=lambda: None, ws=SimpleNamespace(sock=ended)))
    assert "sid" not in server.sockets


def test_telling_nobody_is_an_error_and_not_a_broadcast(join, clean_party):
    asha = join("asha")
    before = len(asha.line.events())
    for nobody in ("", None, [], ()):
        with pytest.raises(ValueError):
            clean_party.tell(nobody, "room", {"secret": True})
    assert len(asha.line.events()) == before
