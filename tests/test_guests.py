"""Whoever has a room's link: what its door lets in, what guests hear and may, and that none of them stays who must go.

Each promise about who must not know or come in is shown to be one that can fail: the bug is put back, and is found.
"""

import json
from dataclasses import replace

import pytest
from conftest import EVENTS, guest_of, in_process, sid_of
from person import FIELDS, assert_ok, assert_refused, come_in_over_http, form_token, seat

from party import doors, model, presence, rules, state, story
from runtime import entrance, settings
from runtime.pace import Paces

VIEW = {
    "id", "topic", "host", "speakers", "seats", "away", "watching", "listening", "waiting", "more_time", "pulse",
    "opened_at", "closes_at", "seq", "closed", "closed_at", "gone_at", "continued_in", "door", "guests",
    "publish", "publishes_at", "published",
}  # fmt: skip
# All that guests hear: event → its fields.
MAY_HEAR = {
    "room": VIEW | {"asks"},
    "message": {"room", "seq", "user", "text", "at", "key"},
    "taken_back": {"room", "seq"},
    "likes": {"room", "likes"},
    "liked": {"room", "seq", "liked"},
    "writing": {"room", "users"},
    "place": {"room", "place"},
    "approved": {"room", "pitch"},
    "denied": {"room"},
    "removed": {"room"},
    "closed": {"room", "reason", "by", "gone_at"},
    "left_out": {"room", "out"},
    "put_out": {"room"},
}
# What stays a guest's after they came in by a door that has closed behind them.
LISTENS = ("watch", "history", "like", "leave")


def signs_out(guest):
    """As the page does it, in this browser."""
    browser = guest.line.browser
    answer = browser.post("/sign-out", data={"token": form_token(browser.get("/").text)})
    assert (answer.status_code, answer.location) == (303, "sign-in")


asha = in_process("asha")


@pytest.fixture
def room(asha):
    """Of asha, with a door at which guests ask to speak."""
    room = asha.host("Tea")
    assert_ok(asha.door(room, "ask"))
    return room


def link_of(host, room, **how):
    """The token in the link, as the acknowledgement of a host gives it who says so."""
    return assert_ok(host.door(room, **{"open": "ask"} | how))["token"]


def comes_in(party, room, token):
    """Whether the token in a link lets somebody in."""
    try:
        user = {"user": f"~{token[:5]}{len(party.state.users)}", "name": None, "skeletons": []}
        party.submit("guest_in", room=room, hash=entrance.hash_of(token), sign_in="s", since=party.now(), **user)
    except model.Refused as refusal:
        assert (refusal.ack["code"], refusal.ack["error"]) == (
            "not_found",
            "That link leads nowhere. Ask for a new one.",
        )
        return False
    return True


def seat_guest(host, guest, room):
    guest.watch(room)
    assert_ok(guest.request(room))
    assert_ok(host.approve(room, guest.name))


class Scene:
    """What the promises are shown on that a bug can break: see `CHECKS`."""

    def __init__(self, join, come_in, party, hung_up):
        self.join, self.come_in, self.party, self.hung_up = join, come_in, party, hung_up

    def room_of(self, host):
        """One with a door."""
        room = host.host("Tea")
        assert_ok(host.door(room))
        return room


@pytest.fixture
def scene(join, come_in, clean_party, hung_up, clock):
    return Scene(join, come_in, clean_party, hung_up)


# --- The door ---------------------------------------------------------------------------------------------------------


def test_a_door_is_closed_until_its_host_opens_it(asha, join, clean_party):
    room = asha.host("Tea")
    assert clean_party.state.rooms[room].door == model.Door()
    assert not comes_in(clean_party, room, "")
    for person in (bilal := join("bilal"), chen := join("chen")):
        person.watch(room)
    seat(asha, bilal, room)
    for person in (bilal, chen):
        assert_refused(person.door(room, "watch"), "forbidden")
    assert asha.sees(room)["door"] == "closed"
    assert comes_in(clean_party, room, link_of(asha, room, open="watch"))
    assert chen.sees(room)["door"] == "watch"


def test_the_state_has_the_hash_of_a_link_and_whoever_has_the_key_finds_the_link_again(room, asha, clean_party):
    token = link_of(asha, room)
    assert token not in str(clean_party.state) and entrance.hash_of(token) in str(clean_party.state)
    clean_party.rebuild(list(clean_party.journal.replay()))  # as after a restart, or in another process
    assert clean_party.door_view(clean_party.state.rooms[room])["token"] == token
    assert comes_in(clean_party, room, token)


def check_that_an_old_link_is_dead(scene):
    asha = scene.join("asha")
    room = asha.host("Tea")
    links = [link_of(asha, room, open="watch")]
    assert link_of(asha, room, open="ask") == links[0], "nobody has to be sent another one"
    for change in (
        {"renew": True},
        {"open": "closed"},
        {},
        {"open": "watch", "renew": True},
        {"out": True, "renew": True},
    ):
        links.append(link_of(asha, room, **change))
        alive = [token for token in links if token and comes_in(scene.party, room, token)]
        assert alive == ([links[-1]] if links[-1] else []), change
    assert links[2] is None, "a closed door has none"
    asha.close(room)
    assert not any(comes_in(scene.party, room, token) for token in links if token), "nor has a closed room"


def test_an_old_link_is_dead(scene):
    check_that_an_old_link_is_dead(scene)


def test_a_link_leads_nowhere_once_the_time_is_up(room, asha, clean_party, clock):
    token = link_of(asha, room)
    clock.passes(minutes=30)
    assert not comes_in(clean_party, room, token)


def test_the_host_alone_is_told_the_link_in_every_tab_and_who_becomes_host_from_then_on(join, come_in, room, asha):
    again, bilal, guest = join("asha"), join("bilal"), come_in(room, "Gita")
    told = {"room": room, "open": "ask", "whole": False, "token": link_of(asha, room)}
    assert asha.hears("door") == again.hears("door") == told
    seat(asha, bilal, room)
    guest.watch(room)
    asha.door(room, "watch", whole=True, renew=True)
    assert again.hears("door")["whole"] is True
    assert not bilal.heard("door")
    asha.hand_over(room, "bilal")
    assert bilal.hears("door") == again.hears("door")
    bilal.door(room, "closed")
    assert bilal.hears("door") == {"room": room, "open": "closed", "whole": False, "token": None}
    assert asha.heard("door")[-1]["token"], "who hosts no more is told no more"
    assert join("bilal").hears("door")["open"] == "closed", "as they come"
    assert not guest.heard("door")


def test_who_hosted_before_is_not_told_the_link_of_now_by_sending_again(room, asha, join):
    first = link_of(asha, room, renew=True, key="k")
    seat(asha, bilal := join("bilal"), room)
    asha.hand_over(room, "bilal")
    changed = link_of(bilal, room, renew=True)
    assert changed != first
    assert link_of(asha, room, renew=True, key="k") is None
    assert changed not in json.dumps(asha.line.events())


def test_a_link_of_another_secret_key_is_not_told_but_a_new_one_is(room, asha, join, clean_party, monkeypatch):
    old = link_of(asha, room)
    monkeypatch.setattr(clean_party.app, "secret_key", "another secret")
    assert link_of(asha, room, open="watch") is None, "what would be made of it leads nowhere"
    assert asha.hears("door") == {"room": room, "open": "watch", "whole": False, "token": None}
    new = link_of(asha, room, renew=True)
    assert new != old and comes_in(clean_party, room, new)


def test_a_room_is_told_of_as_open_to_friends_and_to_nobody_else(room, join, come_in):
    bilal, guest = join("bilal"), come_in(room)
    bilal.line.settle()
    assert [card["door"] for card in bilal.heard("lobby")[-1]["rooms"]] == ["ask"]
    assert guest.heard("lobby")[-1]["rooms"] == []


def test_the_same_key_opens_a_door_once_and_shows_a_guest_out_once(room, asha, come_in, clean_party):
    token = link_of(asha, room, renew=True, key="k")
    guest = come_in(room)
    assert link_of(asha, room, renew=True, key="k") == token
    assert_refused(asha.door(room, "watch", renew=True, key="k"), "conflict")
    first = assert_ok(asha.put_out(room, guest.name, key="out"))
    assert asha.put_out(room, guest.name, key="out") == first
    assert_refused(asha.put_out(room, guest.name, key="again"), "not_found")
    assert_refused(asha.put_out(room, "~nobody", key="out"), "conflict")


@pytest.mark.parametrize(
    "told", [{}, {"open": "wide"}, {"open": None}, {"open": "ask", "whole": 1}, {"open": "ask", "out": ""}]
)
def test_a_door_is_told_what_the_contract_says(told, room, asha):
    assert_refused(asha.ask("door", {"room": room, **told}), "bad_input")


def test_a_start_without_doors_closes_those_that_are_open_and_shows_out_who_came_by_them(
    room, asha, come_in, clean_party, clock, hung_up, monkeypatch
):
    token, guest = link_of(asha, room), come_in(room, "Gita")
    guest.watch(room)
    later = asha.plan("Later", at=clock.at + 60 * model.MINUTE)
    behind = asha.host("A door that closed behind them")
    asha.door(later, "watch")
    asha.door(behind, "watch")
    hugo = come_in(behind, "Hugo")
    asha.door(behind, "closed")
    monkeypatch.setattr(settings, "DOORS", False)
    for _ in range(2):
        clean_party.begin()
    logged = [command["room"] for _, command in clean_party.journal.replay() if command["user"] is None]
    assert sorted(logged) == sorted([room, later, behind]), "once, and each of them"
    assert {known.door.open for known in clean_party.state.rooms.values()} == {"closed"}
    assert not comes_in(clean_party, room, token)
    for who in (guest, hugo):
        assert_refused(who.watch(room), "signed_out")
    asha.line.settle()
    assert {view["token"] for view in asha.heard("door")[-2:]} == {None}
    assert asha.sees(room)["door"] == "closed"
    monkeypatch.setattr(settings, "DOORS", True)
    assert link_of(asha, room) != token


def test_the_party_opens_no_door_by_itself(room, asha, clean_party):
    asha.door(room, "closed")
    with pytest.raises(model.Refused):
        clean_party.submit("door", room=room, open="ask", whole=False, renew=False, out=False, doors=False, hash="h")


def test_a_room_that_closes_has_no_open_door_any_more(room, asha, join, clean_party, clock):
    bilal = join("bilal")
    bilal.watch(room)
    assert bilal.sees(room)["door"] == "ask"
    other = asha.host("Until its time is up")
    asha.door(other)
    asha.close(room)
    assert (bilal.sees(room)["closed"], bilal.sees(room)["door"]) == ("host", "closed")
    told = [told for told in asha.heard("door") if told["room"] == room]
    assert told[-1] == {"room": room, "open": "closed", "whole": False, "token": None}
    clock.passes(minutes=30)
    clean_party.tick()
    assert clean_party.state.rooms[other].door == model.Door()


# --- What guests know -------------------------------------------------------------------------------------------------


def test_a_guest_hears_what_is_theirs_and_nothing_else(join, come_in, clean_party, clock, publishes):
    asha, bilal, farida = join("asha"), join("bilal"), join("farida")
    elsewhere = farida.host("A room of others")
    room = asha.host("Tea", publish=True)
    asha.message(room, "Before they came")
    asha.door(room, "ask")
    gita, hugo, ines = (come_in(room, name) for name in ("Gita", "Hugo", "Ines"))
    acks = [assert_ok(guest.watch(room)) for guest in (gita, hugo, ines)]
    bilal.watch(room)
    for guest in (gita, hugo, ines):
        acks.append(assert_ok(guest.request(room, pitch="More")))
    gita.line.settle()
    asha.approve(room, gita.name)
    asha.approve(room, ines.name)
    asha.deny(room, hugo.name)
    acks.append(assert_ok(gita.message(room, "Hello")))
    acks.append(assert_ok(gita.take_back(room, 2)))
    asha.message(room, "An answer")
    acks.append(assert_ok(hugo.like(room, 3)))
    acks.append(assert_ok(ines.message(room, "Not for everybody")))
    clock.passes(seconds=1)
    asha.writing(room)
    farida.message(elsewhere, "Words of others")
    bilal.pulse(room)
    hugo.line.settle()
    asha.remove(room, gita.name)
    acks.append(assert_ok(gita.history(room, before=4)))
    asha.put_out(room, gita.name)
    asha.close(room)
    acks.append(assert_ok(ines.leave_out(room)))
    acks.append(assert_ok(ines.watch(room)))
    bilal.host("Tea, carried on", continues=room)
    hugo.line.settle()

    heard = [(guest, event, payload) for guest in (gita, hugo, ines) for event, payload in guest.line.events()]
    assert {event for _, event, _ in heard} == {"lobby", *MAY_HEAR}
    for _, event, payload in heard:
        if event == "lobby":
            assert all(value == [] for name, value in payload.items() if name not in ("now", "version")), payload
        else:
            assert set(payload) == MAY_HEAR[event], event
    assert bilal.sees(room)["continued_in"] and hugo.sees(room)["continued_in"] is None
    everything = json.dumps([acks, [payload for _, _, payload in heard]])
    for secret in ("A room of others", "farida", "Words of others", elsewhere, "carried on", "Before they came"):
        assert secret not in everything
    assert [event for event, _ in gita.line.events()][-1] == "put_out", "then nothing more"


def check_that_a_guest_knows_one_room(scene):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    room, other, over = asha.host("Tea"), bilal.host("Coffee"), bilal.host("Coffee, cold")
    later = bilal.plan("Coffee later", at=scene.party.now() + 60 * model.MINUTE)
    bilal.message(other, "Hello")
    bilal.close(over)
    for host, where in ((asha, room), (bilal, other)):
        host.door(where)
    guest, another = scene.come_in(room), scene.come_in(other)
    guest.watch(room)
    asha.extend(room)
    bilal.extend(other)
    for event in EVENTS:
        answers = []
        for named in ("no-such-room", other, over, later):
            payload = FIELDS | {"room": named, "continues": named, "user": another.name, "key": f"{event} {named}"}
            answers.append(json.dumps(guest.ask(event, payload)).replace(named, "ROOM"))
        assert len(set(answers)) == 1 and '"ok": false' in answers[0], (event, answers)
    guest.line.settle()
    told = json.dumps([guest.line.events(), guest.line.browser.get("/").text])
    assert not [secret for secret in ("Coffee", "bilal", other, over, later) if secret in told]


def test_a_guest_never_learns_whether_another_room_exists(scene):
    check_that_a_guest_knows_one_room(scene)


def test_who_came_in_without_a_name_listens_unnamed_and_does_not_speak(room, asha, come_in):
    guest = come_in(room, None)
    assert_ok(guest.watch(room, unnamed=False))
    view = asha.sees(room)
    assert (view["watching"], view["listening"], view["guests"]) == (1, [], {})
    assert_refused(guest.request(room), "forbidden")


def test_guests_are_named_wherever_they_stand(room, asha, join, come_in):
    bilal, guest = join("bilal"), come_in(room, "Gita")
    guest.watch(room)
    assert_ok(guest.request(room, pitch="Milk"))
    asha.line.settle()
    named = {guest.name: "Gita"}
    assert asha.heard("waiting")[-1]["guests"] == asha.sees(room)["guests"] == named
    guest.watch(room, unnamed=True)
    assert asha.sees(room)["guests"] == {}, "the host alone knows who is in the queue"
    asha.approve(room, guest.name)
    bilal.line.settle()
    assert bilal.heard("lobby")[-1]["rooms"][-1]["guests"] == named
    guest.message(room, "Milk goes last")
    asha.put_out(room, guest.name)
    assert asha.sees(room)["guests"] == named, "what they said stays, and so who said it"
    silent = come_in(room, "Hugo")
    silent.watch(room)
    assert silent.name in asha.sees(room)["guests"]
    asha.put_out(room, silent.name)
    assert asha.sees(room)["guests"] == named
    card = join("chen").heard("lobby")[-1]["rooms"][-1]
    assert (card["speakers"], card["last"]["user"], card["guests"]) == ([], guest.name, named)


# --- What they read ---------------------------------------------------------------------------------------------------


def check_that_a_guest_reads_from_then_on(scene):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    room = asha.host("Tea")
    for n in range(1, 4):
        asha.message(room, f"Before {n}")
    asha.take_back(room, 3)
    bilal.watch(room)
    bilal.like(room, 1)
    asha.door(room)
    guest = scene.come_in(room)
    for after in ({}, {"after": 0}, {"after": 2}):
        ack = assert_ok(guest.watch(room, **after))
        assert (ack["messages"], ack["likes"], ack.get("taken_back", [])) == ([], {}, []), after
        assert (ack["earlier"], ack["later"]) == (False, False)
    for before in (1, 3, 4, 9_999):
        assert guest.history(room, before) == {"ok": True, "messages": [], "earlier": False}
    asha.message(room, "From now on")
    assert guest.reads(room) == ["From now on"]
    for where in (1, 2, 3):
        assert_refused(guest.like(room, where), "not_found")
    seat_guest(asha, guest, room)
    assert_refused(guest.message(room, "An answer", reply=2), "not_found")
    assert_ok(guest.message(room, "An answer", reply=4))
    assert [message["seq"] for message in guest.watch(room)["messages"]] == [4, 5]
    assert [message["seq"] for message in guest.watch(room, after=4)["messages"]] == [5]


def test_a_guest_reads_what_is_said_from_when_they_came(scene):
    check_that_a_guest_reads_from_then_on(scene)


def test_where_the_host_says_so_a_guest_reads_it_whole(room, asha, come_in):
    asha.message(room, "Before")
    early = come_in(room, "Gita")
    asha.door(room, "watch", whole=True)
    late = come_in(room, "Hugo")
    assert [message["text"] for message in late.watch(room)["messages"]] == ["Before"]
    assert early.watch(room)["messages"] == [], "who came before keeps what was said then"
    assert_ok(late.like(room, 1))


def test_a_feed_of_a_guest_has_no_gap_and_every_page_of_it_can_be_had(room, asha, come_in):
    for n in range(30):
        asha.message(room, f"Before {n}")
    guest = come_in(room)
    for n in range(250):
        asha.message(room, f"Message {n}")
    newest = assert_ok(guest.watch(room))
    assert [message["seq"] for message in newest["messages"]] == list(range(81, 281)) and newest["earlier"]
    first = assert_ok(guest.history(room, before=81))
    assert [message["seq"] for message in first["messages"]] == list(range(31, 81)) and not first["earlier"]


def test_a_guest_who_was_inside_reads_a_closed_room_and_is_gone_with_it(
    room, asha, come_in, clock, clean_party, hung_up
):
    guest, absent = come_in(room, "Gita"), come_in(room, "Hugo")
    guest.watch(room)
    asha.message(room, "Good night")
    asha.close(room)
    assert [message["text"] for message in guest.watch(room)["messages"]] == ["Good night"]
    assert_refused(absent.watch(room), "closed")
    assert_refused(guest.request(room), "closed")
    clock.passes(minutes=121)
    for _ in range(3):
        clean_party.tick()
    assert room not in clean_party.state.rooms
    assert not {guest.name, absent.name} & clean_party.state.users.keys(), "nothing of them is left"
    assert sid_of(guest) in hung_up
    assert_refused(guest.watch(room), "signed_out")


# --- What they may ----------------------------------------------------------------------------------------------------


def test_who_listens_at_a_door_that_says_so_does_not_ask(room, asha, come_in):
    guest = come_in(room)
    asha.door(room, "watch")
    assert_refused(guest.request(room), "forbidden")
    asha.door(room, "ask")
    assert_ok(guest.request(room))


def test_who_was_let_in_speaks_answers_takes_back_and_finds_well_said_and_no_more(room, asha, come_in, clock):
    guest = come_in(room, "Gita")
    seat_guest(asha, guest, room)
    asha.message(room, "Milk first?")
    assert_ok(guest.writing(room))
    assert assert_ok(guest.message(room, "Milk last", reply=1))["message"]["user"] == guest.name
    assert_ok(guest.message(room, "A slip"))
    assert_ok(guest.take_back(room, 3))
    assert_ok(guest.like(room, 1))
    assert_refused(guest.message(room, "Now", reply=9), "not_found")
    for event in ("pulse", "more_time", "extend", "close", "door", "put_out", "hand_over", "approve", "deny", "remove"):
        assert_refused(guest.ask(event, FIELDS | {"room": room, "user": guest.name}), "forbidden")
    assert asha.sees(room)["more_time"] == 0


def test_a_door_that_closes_behind_guests_leaves_them_what_they_had(room, asha, come_in, clean_party):
    guest = come_in(room)
    asha.message(room, "Hello")
    assert assert_ok(asha.door(room, "closed"))["token"] is None
    for event in LISTENS:
        assert_ok(guest.ask(event, FIELDS | {"room": room}))
    assert_ok(guest.request(room))


def test_guests_never_host(room, asha, join, come_in, clock, clean_party):
    bilal, guest = join("bilal"), come_in(room)
    seat_guest(asha, guest, room)

    def stays_away(person, minutes):
        person.line.hang_up()
        for _ in ("noticed", "over"):
            clock.passes(minutes=minutes)
            clean_party.tick()

    assert_refused(asha.hand_over(room, guest.name), "forbidden")
    stays_away(asha, minutes=5)
    assert clean_party.state.rooms[room].host == "asha", "a guest is no heir"
    with pytest.raises(model.Refused):
        clean_party.submit("hand_over", room=room, who=guest.name, gone="asha")
    asha = join("asha")
    seat(asha, bilal, room)
    stays_away(asha, minutes=1)
    assert clean_party.state.rooms[room].host == "bilal", "the longest-standing friend is"


def test_who_carries_a_room_on_takes_no_guest_along(room, asha, join, come_in, clean_party):
    bilal, guest = join("bilal"), come_in(room)
    seat_guest(asha, guest, room)
    seat(asha, bilal, room)
    asha.close(room)
    new = clean_party.state.rooms[asha.host("Tea again", continues=room)]
    assert (new.speakers, new.guests, new.door) == (["bilal"], {}, model.Door())
    assert_refused(guest.watch(new.id), "not_found")


# --- Limits -----------------------------------------------------------------------------------------------------------


def refusal_of_guest(room, name):
    with pytest.raises(model.Refused) as refusal:
        guest_of(room, name)
    return refusal.value.ack["code"]


def check_that_no_two_guests_look_alike(scene):
    room = scene.room_of(asha := scene.join("asha"))
    guest = scene.come_in(room, "Gita")
    assert refusal_of_guest(room, "GITA") == "conflict"
    assert scene.come_in(room, None) and scene.come_in(room, None), "who has no name is like nobody"
    asha.put_out(room, guest.name)
    assert scene.come_in(room, "gita"), "the name is free again"


def test_no_two_guests_of_a_room_look_alike(scene):
    check_that_no_two_guests_look_alike(scene)


def test_as_many_guests_are_in_as_there_is_space_for(room, asha, join, come_in, clean_party, monkeypatch):
    assert (doors.GUESTS_EACH, doors.GUESTS) == (100, 200)
    monkeypatch.setattr(doors, "GUESTS_EACH", 2)
    monkeypatch.setattr(doors, "GUESTS", 3)
    guest, _ = come_in(room, "Gita"), come_in(room, "Hugo")
    assert refusal_of_guest(room, "Ines") == "limit"
    asha.put_out(room, guest.name)
    assert come_in(room, "Ines")
    bilal = join("bilal")
    bilal.door(other := bilal.host("Coffee"))
    assert come_in(other, "Juno")
    assert refusal_of_guest(other, "Kofi") == "limit"
    asha.close(room)
    assert come_in(other, "Kofi"), "those of a closed room take nobody's place"


def check_that_guests_have_half_of_the_seats(scene):
    assert settings.SEATS == 8
    room = scene.room_of(asha := scene.join("asha"))
    guests = [scene.come_in(room, f"Gita {n}") for n in range(5)]
    for guest in guests[:4]:
        seat_guest(asha, guest, room)
    assert_ok(guests[4].request(room))
    ack = asha.approve(room, guests[4].name)
    assert_refused(ack, "limit")
    assert ack["error"] == "Guests can take half of the seats (4). Remove one of them first."
    for name in ("bilal", "chen", "dana", "emeka"):
        seat(asha, scene.join(name), room)
    asha.remove(room, "bilal")
    assert_refused(asha.approve(room, guests[4].name), "limit")
    asha.remove(room, guests[0].name)
    assert_ok(asha.approve(room, guests[4].name))


def test_where_there_is_one_seat_guests_only_listen(room, asha, come_in, monkeypatch):
    monkeypatch.setattr(settings, "SEATS", 1)
    guest = come_in(room)
    assert_ok(guest.request(room))
    ack = asha.approve(room, guest.name)
    assert_refused(ack, "limit")
    assert ack["error"] == "Here guests can only listen: there is one seat, and half of that is none."


def test_a_guest_is_told_whether_guests_may_ask_also_once_the_door_has_closed_behind_them(asha, join, come_in):
    for open, asks in (("watch", False), ("ask", True)):
        room = asha.host("Tea")
        asha.door(room, open)
        guest, bilal = come_in(room), join("bilal")
        for person in (guest, bilal):
            person.watch(room)
        assert guest.sees(room)["asks"] is asks
        asha.door(room, "closed")
        assert (guest.sees(room)["door"], guest.sees(room)["asks"]) == ("closed", asks)
        assert "asks" not in bilal.sees(room)
        bilal.line.hang_up()


def test_guests_take_half_of_the_seats_at_most(scene):
    check_that_guests_have_half_of_the_seats(scene)


def test_ten_guests_wait_at_most_and_friends_beside_them(room, asha, join, come_in):
    guests = [come_in(room, f"Guest {n}") for n in range(11)]
    for guest in guests[:10]:
        assert_ok(guest.request(room))
    assert_refused(guests[10].request(room), "limit")
    assert_refused(guests[0].request(room), "conflict")
    assert_ok(join("bilal").request(room))
    assert_ok(guests[3].withdraw(room))
    assert_ok(guests[10].request(room))


def test_two_denials_end_asking(room, asha, come_in):
    guest = come_in(room)
    for _ in range(2):
        assert_ok(guest.request(room))
        assert_ok(asha.deny(room, guest.name))
    ack = guest.request(room)
    assert_refused(ack, "limit")
    assert ack["error"] == "The host has said no twice. You can go on listening."
    assert_ok(guest.watch(room))


def test_who_signs_out_and_comes_in_again_by_that_name_has_been_denied_all_the_same(room, asha, come_in, clean_party):
    for _ in range(2):
        guest = come_in(room, "Gita")
        assert_ok(guest.request(room))
        assert_ok(asha.deny(room, guest.name))
        signs_out(guest)
    assert_refused(come_in(room, "gita").request(room), "limit")
    assert_ok(come_in(room, "Hugo").request(room))
    nameless = come_in(room, None)
    assert clean_party.state.rooms[room].guests[nameless.name].denials == 0


def test_a_guest_who_waits_without_a_tab_for_a_minute_leaves_the_queue(room, asha, join, come_in, clock, clean_party):
    bilal, guest, stays = join("bilal"), come_in(room, "Gita"), come_in(room, "Hugo")
    for person in (bilal, guest, stays):
        person.watch(room)
        assert_ok(person.request(room))
    bilal.line.hang_up()
    guest.line.hang_up()
    clean_party.tick()
    clock.passes(seconds=59)
    assert asha.sees_waiting(room) == ["bilal", guest.name, stays.name]
    back = join(guest.name, guest.line.browser)
    back.watch(room)
    clock.passes(seconds=2)
    assert asha.sees_waiting(room) == ["bilal", guest.name, stays.name], "a reload is no going"
    back.line.hang_up()
    clean_party.tick()
    clock.passes(minutes=1)
    clean_party.tick()
    assert asha.sees_waiting(room) == ["bilal", stays.name]
    assert clean_party.state.rooms[room].guests[guest.name].denials == 0
    clean_party.rebuild(list(clean_party.journal.replay()))
    assert list(clean_party.state.rooms[room].waiting) == ["bilal", stays.name], "the log says so as well"


def test_while_the_log_is_away_no_guest_loses_a_place(room, asha, come_in, clock, clean_party):
    guest = come_in(room)
    guest.watch(room)
    assert_ok(guest.request(room))
    guest.line.hang_up()
    clean_party.tick()
    clock.passes(seconds=59)
    clean_party.presence.forget_absences()
    clean_party.tick()
    clock.passes(seconds=59)
    assert asha.sees_waiting(room) == [guest.name]


def test_who_comes_in_and_never_looks_keeps_nobodys_place(room, join, come_in, clock, clean_party):
    silent, guest, left = come_in(room, "Gita"), come_in(room, "Hugo"), come_in(room, "Ines")
    guest.watch(room)
    left.watch(room)
    left.line.hang_up()
    clock.passes(seconds=59)
    clean_party.tick()
    assert model.is_guest_of(clean_party.state.rooms[room], silent.name)
    with pytest.raises(model.Refused):
        clean_party.submit("put_out", room=room, who=silent.name)
    clock.passes(seconds=1)
    clean_party.tick()
    guests = clean_party.state.rooms[room].guests
    assert [user for user in guests if guests[user].is_out] == [silent.name]
    with pytest.raises(model.Refused):  # the party shows out nobody else
        clean_party.submit("put_out", room=room, who=left.name)
    assert_refused(silent.watch(room), "signed_out")
    assert come_in(room, "Gita"), "the name is free again"


def test_a_guest_has_three_tabs(room, join, come_in, clean_party):
    assert presence.GUEST_TABS_EACH == 3
    guest = come_in(room)
    for _ in range(2):
        join(guest.name, guest.line.browser)
    environ = {"party.visitor": (guest.name, clean_party.presence.tabs_of(guest.name)[0].sign_in_id)}
    assert clean_party.refusal_of_visitor(environ)[0] == "429 Too Many Requests"
    assert not join(guest.name, guest.line.browser).line.client.is_connected()
    guest.line.hang_up()
    clean_party.tick()
    assert clean_party.refusal_of_visitor(environ) is None


def test_a_guest_does_one_thing_a_second(room, come_in, clock, clean_party, monkeypatch):
    monkeypatch.setattr(clean_party, "paces", Paces(5))
    guest = come_in(room)
    for _ in range(5):
        assert_ok(guest.watch(room))
    ack = guest.watch(room)
    assert_refused(ack, "slow_down")
    assert ack["retry_after"] == 1
    clock.passes(seconds=1)
    assert_ok(guest.watch(room))
    assert_refused(guest.watch(room), "slow_down")


# --- Going ------------------------------------------------------------------------------------------------------------


def check_that_who_was_shown_out_stays_out(scene):
    room = scene.room_of(asha := scene.join("asha"))
    guest, party = scene.come_in(room), scene.party
    tabs = [guest, scene.join(guest.name, guest.line.browser)]
    seat_guest(asha, guest, room)
    tabs[1].watch(room)
    assert_ok(asha.put_out(room, guest.name))
    asha.message(room, "They are out")
    for tab in tabs:
        events = [event for event, _ in tab.line.events()]
        assert "put_out" in events and tab.heard("message") == [], "at once, in every tab"
        assert_refused(tab.watch(room), "signed_out")
    party.tick()
    assert set(scene.hung_up) >= {sid_of(tab) for tab in tabs}
    browser = guest.line.browser
    assert browser.get("/").status_code == 302, "the cookie opens nothing"
    assert not scene.join(guest.name, browser).line.client.is_connected()
    view = asha.sees(room)
    assert (view["speakers"], view["watching"], view["guests"]) == ([], 0, {})
    party.rebuild(list(party.journal.replay()))  # nor does it after a restart, or elsewhere
    assert browser.get("/").status_code == 302
    with pytest.raises(model.Refused):
        same = {"user": guest.name, "sign_in": "again", "name": "Gita", "skeletons": ["gita"]}
        hash = party.state.rooms[room].door.hash
        party.submit("guest_in", room=room, hash=hash, since=party.now(), **same)


def test_who_was_shown_out_is_out_at_once_and_by_that_sign_in_for_good(scene):
    check_that_who_was_shown_out_stays_out(scene)


def test_a_guest_can_be_shown_out_of_a_closed_room_too(room, asha, join, come_in, clean_party):
    bilal, guest, other = join("bilal"), come_in(room, "Gita"), come_in(room, "Hugo")
    for person in (bilal, guest, other):
        person.watch(room)
    asha.close(room)
    assert_refused(bilal.put_out(room, guest.name), "closed")
    assert_ok(asha.put_out(room, guest.name))
    assert guest.heard("put_out") == [{"room": room}]
    assert_refused(guest.watch(room), "signed_out")
    assert_ok(other.watch(room))


def test_a_door_can_show_out_all_who_came_in_by_it(room, asha, join, come_in, clean_party, hung_up):
    bilal, guests = join("bilal"), [come_in(room, name) for name in ("Gita", "Hugo")]
    for person in (bilal, *guests):
        person.watch(room)
    assert_ok(asha.door(room, "closed", out=True))
    clean_party.tick()
    assert [guest.heard("put_out") for guest in guests] == [[{"room": room}]] * 2
    assert set(hung_up) == {sid_of(guest) for guest in guests}
    assert (asha.sees(room)["listening"], asha.sees(room)["guests"]) == (["bilal"], {})
    asha.door(room, "ask")
    late = come_in(room, "Ines")
    late.watch(room)
    asha.door(room, "ask", renew=True)
    assert late.name in asha.sees(room)["guests"], "another link alone shows nobody out"


def test_what_guests_wrote_stays_and_what_they_waited_for_goes(room, asha, come_in, clean_party):
    speaks, waits = come_in(room, "Gita"), come_in(room, "Hugo")
    seat_guest(asha, speaks, room)
    speaks.message(room, "Hello")
    assert_ok(waits.request(room))
    asha.door(room, "ask", out=True)
    assert asha.sees_waiting(room) == [] and asha.sees(room)["speakers"] == []
    assert [message["user"] for message in asha.watch(room)["messages"]] == [speaks.name]


def test_a_guest_who_signs_out_leaves_the_name_and_the_seat(room, asha, come_in, clean_party):
    guest = come_in(room, "Gita")
    seat_guest(asha, guest, room)
    signs_out(guest)
    assert_refused(guest.watch(room), "signed_out")
    assert asha.sees(room)["speakers"] == []
    assert come_in(room, "Gita")


def test_the_host_hears_at_once_that_a_guest_in_the_queue_has_signed_out(room, asha, come_in):
    guest, other = come_in(room, "Gita"), come_in(room, "Hugo")
    for one in (guest, other):
        assert_ok(one.request(room))
    assert asha.sees_waiting(room) == [guest.name, other.name]
    signs_out(guest)
    assert asha.sees_waiting(room) == [other.name]
    assert other.hears("place")["place"] == 1


@pytest.mark.parametrize("goes", ["signs out", "is shown out"])
def test_a_guest_who_has_gone_is_forgotten_but_for_what_they_are_called(goes, room, asha, come_in, clean_party):
    guest = come_in(room, "Gita")
    guest.watch(room, key="watch")
    signs_out(guest) if goes == "signs out" else asha.put_out(room, guest.name)
    assert guest.name not in clean_party.state.users
    assert_refused(guest.watch(room, key="watch"), "signed_out")
    assert [one.name for one in clean_party.state.rooms[room].guests.values()] == ["Gita"]
    clean_party.rebuild(list(clean_party.journal.replay()))
    assert guest.name not in clean_party.state.users


def test_a_room_takes_a_thousand_guests_with_those_who_went(room, asha, come_in, clean_party, monkeypatch):
    monkeypatch.setattr(doors, "GUESTS_EVER", 3)
    for name in ("Gita", "Hugo", "Ines"):
        assert_ok(asha.put_out(room, come_in(room, name).name))
    with pytest.raises(model.Refused) as refused:
        come_in(room, "Jana")
    assert refused.value.ack["code"] == "limit"


def test_a_guest_whose_room_goes_while_the_page_is_made_gets_no_friends_page(room, come_in, clean_party, monkeypatch):
    guest, visitor = come_in(room, "Gita"), clean_party.visitor

    def as_the_room_goes():
        who = visitor()
        model.forget_room(clean_party.state, room)
        return who

    monkeypatch.setattr(clean_party, "visitor", as_the_room_goes)
    answer = guest.line.browser.get("/")
    assert (answer.status_code, answer.location) == (302, "sign-in")


def test_a_reload_a_second_tab_and_a_restart_are_the_same_guest(room, asha, join, come_in, clean_party):
    guest = come_in(room, "Gita")
    seat_guest(asha, guest, room)
    guest.message(room, "Hello")
    clean_party.rebuild(list(clean_party.journal.replay()))
    again = join(guest.name, guest.line.browser)
    assert again.line.client.is_connected()
    assert [message["user"] for message in again.watch(room)["messages"]] == [guest.name]
    assert_ok(again.message(room, "Hello again"))


def test_the_story_of_a_room_tells_of_its_guests_and_not_of_the_link(room, asha, come_in, clean_party):
    token, guest = link_of(asha, room), come_in(room, "Gita")
    guest.watch(room)
    asha.put_out(room, guest.name)
    told = list(story.lines(clean_party.journal.replay(), room, None, with_words=True))
    assert [line.split("  ")[2:4] for line in told[2:]] == [
        ["asha", "door"], [guest.name, "guest_in"], [guest.name, "watch"], ["asha", "put_out"],
    ]  # fmt: skip
    assert "name='Gita'" in told[3] and all("→ ok" in line for line in told)
    assert token not in "".join(told) and entrance.hash_of(token) not in "".join(told)
    of_them = list(story.lines(clean_party.journal.replay(), None, guest.name, with_words=True))
    assert [line.split("  ")[3] for line in of_them] == ["guest_in", "watch", "put_out"]


# --- On servers -------------------------------------------------------------------------------------------------------


def test_whoever_is_shown_out_through_one_process_is_out_on_the_other(two_processes):
    here, there = two_processes
    asha, bilal = here.person("asha"), there.person("bilal")
    room = asha.host("Tea with two pots")
    guest = there.guest(link := asha.link(room), "Gita")
    for person in (bilal, guest):
        assert_ok(person.watch(room))
    assert_ok(guest.request(room, pitch="Milk"))
    asha.hears("waiting", lambda told: told["guests"] == {guest.name: "Gita"})
    assert_ok(asha.approve(room, guest.name))
    guest.hears("approved")
    assert_ok(guest.message(room, "Milk goes last"))
    assert asha.hears("message")["user"] == guest.name
    asha.put_out(room, guest.name)
    assert guest.hears("put_out") == {"room": room}
    guest.line.wait_until(lambda: guest.line.closed is not None, "the tab is closed")
    assert_ok(asha.message(room, "They are out"))
    bilal.hears("message", lambda message: message["text"] == "They are out")
    assert [message["text"] for message in guest.heard("message")] == ["Milk goes last"]
    assert_ok(come_in_over_http(there.address, link, "Gita")[0])
    asha.door(room, renew=True)
    for server in two_processes:
        assert_refused(come_in_over_http(server.address, link, "Hugo")[0], "not_found")
    asha.close(room)


# --- Bugs that are put back -------------------------------------------------------------------------------------------


def instead(monkeypatch, kind, guard=None, rule=None):
    """Let another guard or rule decide about a kind of command. Each is given what the right one is, and that one."""
    right_guard, right_rule = rules.PARTY_RULES[kind]
    wrong_guard = (lambda state, command: guard(right_guard, state, command)) if guard else right_guard
    wrong_rule = (lambda state, command: rule(right_rule, state, command)) if rule else right_rule
    monkeypatch.setitem(rules.PARTY_RULES, kind, (wrong_guard, wrong_rule))


def a_guest_sees_the_lobby(monkeypatch, party):
    monkeypatch.setattr(
        party, "lobby_of", lambda user: {"now": 0, "rooms": [*map(party.card, party.state.rooms.values())]}
    )


def a_guest_hears_of_the_lobby(monkeypatch, party):
    enter_room, on_connect = party.socketio.server.enter_room, party.socketio.server.handlers["/"]["connect"]

    def connect(sid, *handshake):
        enter_room(sid, party.EVERYONE)
        return on_connect(sid, *handshake)

    monkeypatch.setitem(party.socketio.server.handlers["/"], "connect", connect)


def another_room_is_found(monkeypatch, party):
    right = model.find_room
    for module in (rules, state):
        monkeypatch.setattr(module, "find_room", lambda state, room, user=None: right(state, room))


def a_token_outlives_its_change(monkeypatch, party):
    def keep(right, state, command):
        room = state.rooms[command["room"]]
        before = room.door.hash
        right(state, command)
        room.door = replace(room.door, hash=room.door.hash and before or room.door.hash)

    instead(monkeypatch, "door", rule=keep)


def a_closed_door_lets_in(monkeypatch, party):
    def keep(right, state, command):
        room = state.rooms[command["room"]]
        before = room.door.hash
        right(state, command)
        room.door = replace(room.door, hash=room.door.hash or before)

    instead(monkeypatch, "door", rule=keep)


def a_skeleton_is_not_compared(monkeypatch, party):
    instead(monkeypatch, "guest_in", guard=lambda right, state, command: right(state, command | {"skeletons": []}))


def a_put_out_cookie_holds(monkeypatch, party):
    def forgive(right, state, command):
        known = state.users[command["who"]]
        right(state, command)
        state.users[command["who"]] = known

    instead(monkeypatch, "put_out", rule=forgive)


def who_is_out_goes_on_hearing(monkeypatch, party):
    monkeypatch.setattr(party, "send_out_guests", lambda room: None)


def the_feed_is_given_whole(monkeypatch, party):
    monkeypatch.setattr(model, "unread_before", lambda room, user: 0)
    monkeypatch.setattr(party.views, "unread_before", lambda room, user: 0)


def seats_are_not_counted(monkeypatch, party):
    guard, admit = rules.ROOM_RULES["approve"]
    monkeypatch.setitem(rules.ROOM_RULES, "approve", (guard, lambda room, asked: admit(room, asked | {"most": 100})))


CHECKS = {
    a_guest_sees_the_lobby: check_that_a_guest_knows_one_room,
    a_guest_hears_of_the_lobby: check_that_a_guest_knows_one_room,
    another_room_is_found: check_that_a_guest_knows_one_room,
    a_token_outlives_its_change: check_that_an_old_link_is_dead,
    a_closed_door_lets_in: check_that_an_old_link_is_dead,
    a_skeleton_is_not_compared: check_that_no_two_guests_look_alike,
    a_put_out_cookie_holds: check_that_who_was_shown_out_stays_out,
    who_is_out_goes_on_hearing: check_that_who_was_shown_out_stays_out,
    the_feed_is_given_whole: check_that_a_guest_reads_from_then_on,
    seats_are_not_counted: check_that_guests_have_half_of_the_seats,
}


@pytest.mark.parametrize("bug", CHECKS, ids=lambda bug: bug.__name__)
def test_each_bug_is_found(bug, scene, monkeypatch):
    bug(monkeypatch, scene.party)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        CHECKS[bug](scene)
