"""Rooms that are to be published: what is said before, who may still say no, and what of it goes out.

Each promise about what must not go out is shown to be one that can fail: the bug is put back, and is found.
"""

import pytest
from conftest import guest_of
from person import assert_ok, assert_refused, form_token, seat
from test_settings import read

from party import doors, model, plans, publishing, rules, views
from party.publishing import LATE, LEAVE_OUT_WITHIN
from party.state import State
from runtime import settings

MINUTE, HOUR = model.MINUTE, 60 * model.MINUTE


@pytest.fixture
def asha(join, clock, publishes):
    return join("asha")


@pytest.fixture
def bilal(join, clock):
    return join("bilal")


@pytest.fixture
def room(asha, bilal):
    """Of asha, to be published, with bilal as its speaker and a message of each."""
    return talk_of(asha, bilal)


def talk_of(host, speaker, **more):
    room = host.host("Tea", publish=True, **more)
    seat(host, speaker, room)
    assert_ok(host.message(room, "Welcome"))
    assert_ok(speaker.message(room, "Milk goes first"))
    return room


def passes(party, clock, time):
    clock.at += time
    party.tick()


def published(party, room):
    """The words that went out, in order; None while nothing has."""
    known = party.state.rooms[room]
    words = [message.get("text") for message in views.published(known)["messages"]]
    return words if known.is_published else None


def kinds(party):
    return [command["kind"] for _, command in party.journal.replay()]


class Scene:
    """What the promises are shown on that a bug can break: see `CHECKS`."""

    def __init__(self, join, come_in, party, clock):
        self.join, self.come_in, self.party, self.clock = join, come_in, party, clock

    def published(self, room):
        """What goes out when everybody had their time."""
        passes(self.party, self.clock, LEAVE_OUT_WITHIN)
        return published(self.party, room)


@pytest.fixture
def scene(join, come_in, clean_party, clock, publishes):
    return Scene(join, come_in, clean_party, clock)


# --- It is said before anybody speaks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("publish", [True, False, None])
def test_whether_a_room_will_be_published_stands_wherever_somebody_looks_at_it(publish, asha, join, clock, clean_party):
    more = {} if publish is None else {"publish": publish}
    room, later = asha.host("Tea", **more), asha.plan("Later", at=clock.at + HOUR, **more)
    asha.message(room, "Welcome")
    asha.door(room, "watch", whole=True)
    asha.door(later, "watch")
    gita = join(*guest_of(room))
    gita.watch(room)
    lobby = join("bilal").heard("lobby")[0]
    doors = [views.entrance(clean_party.state.rooms[id], set(), clock.at) for id in (room, later)]
    seen = [asha.sees(room), gita.sees(room), *lobby["rooms"], *lobby["plans"], *doors]
    assert len(seen) == 6 and {view["publish"] for view in seen} == {publish is True}
    clock.passes(minutes=60)
    clean_party.tick()
    assert clean_party.state.rooms[later].is_live and clean_party.state.rooms[later].publish is (publish is True)


def test_a_party_without_the_service_publishes_nothing_and_says_so_to_the_page(asha, monkeypatch, clean_party):
    monkeypatch.setattr(settings, "PUBLISHES", False)
    ack = asha.ask("host", {"topic": "Tea", "publish": True})
    assert_refused(ack, "forbidden")
    assert ack["error"] == "This party publishes nothing." and not clean_party.state.rooms
    assert_ok(asha.ask("host", {"topic": "Tea", "publish": False}))
    assert_refused(asha.ask("host", {"topic": "Tea", "publish": "no"}), "bad_input")
    for given, is_possible in (
        ({"PARTY_JOURNAL": "party.db"}, True),
        ({"PARTY_JOURNAL": "party.db", "PARTY_SERVICES": "figures,hooks"}, False),
        ({"PARTY_JOURNAL": "memory:", "PARTY_SERVICES": "publisher"}, False),
    ):
        with monkeypatch.context() as elsewhere:
            assert read(elsewhere, **given)["PUBLISHES"] is is_possible, given
    assert clean_party.LIMITS["publishes"] is False, "as of this party in memory"


# --- The host says no, and never yes again ----------------------------------------------------------------------------


def test_once_switched_off_nothing_switches_it_on_again(room, asha, bilal, clock, clean_party):
    assert_ok(asha.withhold(room))
    for wish in ({"publish": True, "continues": room}, {"publish": True, "room": room}):
        asha.ask("withhold", {"room": room, "out": False, **wish})
        asha.ask("extend", {"room": room, **wish})
        assert asha.sees(room)["publish"] is False
    assert_refused(asha.withhold(room), "conflict")
    asha.close(room)
    assert_refused(bilal.leave_out(room), "conflict")
    assert "left_out" not in asha.watch(room)
    passes(clean_party, clock, 2 * LEAVE_OUT_WITHIN - MINUTE)
    assert asha.sees(room)["publishes_at"] is None and published(clean_party, room) is None
    assert "publish" not in kinds(clean_party)


def test_everybody_hears_that_it_was_switched_off(room, asha, bilal, join, clock, clean_party):
    later, chen = asha.plan("Later", at=clock.at + HOUR, publish=True), join("chen")
    clean_party.tick()
    for id in (room, later):
        assert_ok(asha.withhold(id))
    clean_party.tick()
    lobby = chen.heard("lobby")[-1]
    assert [(card["id"], card["publish"]) for card in (*lobby["rooms"], *lobby["plans"])] == [
        (room, False),
        (later, False),
    ]
    assert bilal.sees(room)["publish"] is False


def test_who_becomes_host_can_say_no_and_who_was_it_cannot(room, asha, bilal, clean_party):
    assert_ok(asha.hand_over(room, "bilal"))
    assert_refused(asha.withhold(room), "forbidden")
    assert_ok(bilal.close(room))
    assert_refused(asha.withhold(room), "forbidden")
    assert_ok(bilal.withhold(room))
    assert clean_party.state.rooms[room].publishes_at is None


def test_the_host_can_say_no_until_it_is_published(room, asha, clock, clean_party):
    asha.close(room)
    passes(clean_party, clock, LEAVE_OUT_WITHIN - 1)
    view = asha.sees(room)
    assert (view["publish"], view["publishes_at"], view["published"]) == (True, clock.at + 1, False)
    passes(clean_party, clock, 1)
    view = asha.sees(room)
    assert (view["publish"], view["publishes_at"], view["published"]) == (True, clock.at, True)
    assert_refused(asha.withhold(room), "closed")
    assert published(clean_party, room) == ["Welcome", "Milk goes first"]


def check_that_off_stays_off(scene):
    """Of a plan that is said again for days, in a log that is cut, whatever a process says that had not heard of it."""
    asha, party, clock = scene.join("asha"), scene.party, scene.clock
    off, _ = (asha.plan(topic, at=clock.at + 30 * HOUR, publish=True) for topic in ("Off", "On"))
    known = party.state.rooms[off]
    old = plans.saying_of(known, known.plan)
    assert_ok(asha.withhold(off))
    with pytest.raises(model.Refused, match="said already"):
        party.submit("plan", at=clock.at + plans.SAID_EVERY, **old)
    for _ in range(30):
        passes(party, clock, HOUR)
        party.trim()
    assert "host" not in kinds(party), "the log must have been cut behind where it was planned"
    fresh = State()
    for _, command in party.journal.replay():
        fresh.apply(command)
    for known in (party.state, fresh):
        assert {room.topic: room.publish for room in known.rooms.values()} == {"Off": False, "On": True}
        assert all(room.is_live for room in known.rooms.values())


def test_a_plan_that_is_said_again_stays_as_it_was_last(scene):
    check_that_off_stays_off(scene)


def test_a_plan_that_is_called_off_is_not_to_be_published(asha, clock, clean_party):
    room = asha.plan(at=clock.at + HOUR, publish=True)
    asha.call_off(room)
    assert_refused(asha.withhold(room), "conflict")
    assert_refused(asha.leave_out(room), "closed")
    passes(clean_party, clock, LEAVE_OUT_WITHIN)
    assert "publish" not in kinds(clean_party)


def test_a_room_that_carries_on_one_that_was_published_is_not_itself_unless_that_is_said(room, asha, clean_party):
    asha.close(room)
    quiet = asha.host("Tea", continues=room)
    assert not clean_party.state.rooms[quiet].publish
    asha.close(quiet)
    assert clean_party.state.rooms[asha.host("Tea", continues=quiet, publish=True)].publish
    assert clean_party.state.rooms[room].publish, "what was said of the first one holds"


# --- An hour for those who spoke --------------------------------------------------------------------------------------


def check_that_everybody_has_an_hour(scene):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    for away in (HOUR // 2, 3 * HOUR):
        room = talk_of(asha, bilal, minutes=30)
        # The server is down across the end: the hour begins when who spoke can see that it has closed.
        passes(scene.party, scene.clock, 30 * MINUTE + away)
        view = asha.sees(room)
        assert (view["closed_at"], view["publishes_at"]) == (scene.clock.at - away, scene.clock.at + HOUR)
        passes(scene.party, scene.clock, HOUR - 1)
        with pytest.raises(model.Refused, match="can still leave their words out"):
            scene.party.submit("publish", room=room)
        assert_ok(bilal.leave_out(room))
        passes(scene.party, scene.clock, 1)
        assert published(scene.party, room) == ["Welcome", None]
        passes(scene.party, scene.clock, HOUR)
        assert kinds(scene.party)[-2:] == ["publish", "forget"], "it is past its time for being read"


def test_the_hour_begins_when_the_room_has_really_closed(scene):
    check_that_everybody_has_an_hour(scene)


def check_that_they_have_another_hour(scene, away=5 * HOUR):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    room = talk_of(asha, bilal)
    asha.close(room)
    scene.clock.at += away
    scene.party.rebuild(list(scene.party.journal.replay()))
    for _ in range(2):
        passes(scene.party, scene.clock, 0)
        scene.party.trim()
        scene.party.rebuild(list(scene.party.journal.replay()))
        assert room in scene.party.state.rooms and published(scene.party, room) is None
    asha, bilal = scene.join("asha"), scene.join("bilal")
    asha.watch(room)
    assert scene.party.state.rooms[room].publishes_at == scene.clock.at + HOUR
    passes(scene.party, scene.clock, HOUR - 1)
    view = asha.sees(room)
    assert (view["publish"], view["publishes_at"], view["published"]) == (True, scene.clock.at + 1, False)
    assert view["gone_at"] >= view["publishes_at"]
    assert_ok(bilal.leave_out(room))
    passes(scene.party, scene.clock, 1)
    assert published(scene.party, room) == ["Welcome", None]
    passes(scene.party, scene.clock, HOUR)
    assert kinds(scene.party).count("publish") == 2 and room not in scene.party.state.rooms


@pytest.mark.parametrize("away", [HOUR + LATE, 5 * HOUR, 30 * HOUR], ids=["an hour", "hours", "a day"])
def test_where_the_party_was_away_when_the_hour_was_over_there_is_another(away, scene):
    """Whether the room would be forgotten by then, or the log be cut behind it, or not."""
    check_that_they_have_another_hour(scene, away)


def test_a_party_that_was_away_for_a_moment_publishes_at_its_start(room, asha, bilal, clock, clean_party):
    asha.close(room)
    bilal.leave_out(room)
    clock.at += HOUR + LATE - 1
    clean_party.rebuild(list(clean_party.journal.replay()))
    clean_party.tick()
    assert published(clean_party, room) == ["Welcome", None]


def test_the_words_can_be_put_back_and_each_tab_hears_it(room, asha, bilal, join, clock, clean_party):
    asha.close(room)
    assert bilal.watch(room)["left_out"] is False
    other = join("bilal")
    assert assert_ok(bilal.leave_out(room)) == assert_ok(bilal.leave_out(room)) == {"ok": True}
    assert bilal.watch(room)["left_out"] is True and asha.watch(room)["left_out"] is False
    assert_ok(bilal.leave_out(room, out=False))
    assert other.heard("left_out") == [{"room": room, "out": out} for out in (True, True, False)]
    assert asha.heard("left_out") == [], "nobody else's business"
    clean_party.rebuild(list(clean_party.journal.replay()))
    passes(clean_party, clock, LEAVE_OUT_WITHIN)
    assert published(clean_party, room) == ["Welcome", "Milk goes first"]
    assert_refused(bilal.leave_out(room), "closed")


def test_the_same_key_leaves_out_and_withholds_once(room, asha, bilal):
    asha.close(room)
    for person, event, payload in ((bilal, "leave_out", {"out": True}), (asha, "withhold", {})):
        first = assert_ok(person.ask(event, {"room": room, "key": "k", **payload}))
        assert person.ask(event, {"room": room, "key": "k", **payload}) == first
    assert bilal.heard("left_out") == [{"room": room, "out": True}], "of what is sent again nobody hears again"
    assert_refused(bilal.ask("leave_out", {"room": room, "key": "k", "out": False}), "conflict")


def test_the_log_decides_what_came_first(room, asha, bilal, clock, clean_party):
    """As of two processes: each thought so, and the log has one order."""
    asha.close(room)
    clock.at += LEAVE_OUT_WITHIN
    log = [command for _, command in clean_party.journal.replay()]
    late = {"at": clock.at, "key": None, "room": room}
    leaves_out = late | {"id": "l", "kind": "leave_out", "user": "bilal", "out": True}
    withholds = late | {"id": "w", "kind": "withhold", "user": "asha"}
    publish, again = (late | {"id": id, "kind": "publish", "user": None} for id in ("p1", "p2"))

    def told(*commands):
        party = State()
        outcomes = [party.apply(dict(command)) for command in (*log, *commands)][len(log) :]
        known = party.rooms[room]
        words = [message.get("text") for message in views.published(known)["messages"]]
        return [outcome.get("code", outcome.get("published")) for outcome in outcomes], known.is_published and words

    assert told(publish, leaves_out, again) == ([True, "closed", "closed"], ["Welcome", "Milk goes first"])
    assert told(leaves_out, publish, again) == ([None, True, "closed"], ["Welcome", None])
    assert told(withholds, publish) == ([None, "conflict"], False)
    assert told(publish, withholds) == ([True, "closed"], ["Welcome", "Milk goes first"])
    late = [one | {"at": clock.at + LATE} for one in (publish, again, leaves_out)]
    assert told(*late) == ([False, "conflict", None], False), "two that were away give one more hour"


# --- What goes out ----------------------------------------------------------------------------------------------------


def check_that_nothing_goes_out_that_was_taken_out(scene):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    room = talk_of(asha, bilal)
    asha.message(room, "A slip")
    asha.take_back(room, 3)
    bilal.message(room, "And sugar", reply=1)
    asha.close(room)
    bilal.leave_out(room)
    assert scene.published(room) == ["Welcome", None, None, None]
    page = views.published(scene.party.state.rooms[room])
    assert [set(message) for message in page["messages"][1:]] == [{"seq", "at"}] * 3
    assert "bilal" not in str(page) and "sugar" not in str(page)


def test_what_was_taken_back_or_left_out_is_not_published_nor_who_said_it(scene):
    check_that_nothing_goes_out_that_was_taken_out(scene)


def test_where_no_words_are_left_nothing_is_published(room, asha, bilal, clock, clean_party):
    asha.close(room)
    for person in (asha, bilal):
        assert_ok(person.leave_out(room))
    silent = asha.host("Silence", publish=True)
    asha.message(silent, "Not this")
    asha.take_back(silent, 1)
    asha.close(silent)
    views_of_silence = [asha.sees(silent)]
    passes(clean_party, clock, LEAVE_OUT_WITHIN)
    for view in (*views_of_silence, asha.sees(silent), asha.sees(room)):
        assert (view["publish"], view["publishes_at"], view["published"]) == (False, None, False)
    passes(clean_party, clock, MINUTE)
    assert kinds(clean_party).count("publish") == 1, "and it is not tried again, nor at all where nothing was said"


def check_that_a_guests_words_are_theirs(scene):
    """Of four who speak: one stays, one leaves the words out, one is shown out, one goes by themselves."""
    asha = scene.join("asha")
    room = asha.host("Tea", publish=True)
    asha.door(room)
    guests = [scene.come_in(room, name) for name in ("Gita", "Hugo", "Ines", "Jon")]
    for guest in guests:
        guest.watch(room)
        assert_ok(guest.request(room))
        assert_ok(asha.approve(room, guest.name))
        assert_ok(guest.message(room, f"I am the guest {guest.name}"))
    gita, hugo, ines, jon = guests
    asha.put_out(room, ines.name)
    assert_refused(hugo.leave_out(room), "conflict")
    asha.close(room)
    assert_ok(hugo.leave_out(room))
    jon.line.browser.post("/sign-out", data={"token": form_token(jon.line.browser.get("/").text)})
    assert scene.published(room) == [f"I am the guest {gita.name}", None, None, None]
    (said,) = [message for message in views.published(scene.party.state.rooms[room])["messages"] if "text" in message]
    assert (said["name"], said["is_guest"]) == ("Gita", True)
    asha.put_out(room, gita.name)
    assert published(scene.party, room) == [f"I am the guest {gita.name}", None, None, None], "it was published by then"


def test_of_guests_only_those_words_are_published_who_could_have_said_no_until_then(scene):
    check_that_a_guests_words_are_theirs(scene)


def test_a_guest_leaves_out_what_they_said_in_their_own_room_alone(room, asha, come_in, clean_party):
    other = asha.host("Coffee", publish=True)
    for where in (room, other):
        asha.door(where)
    gita, hugo = come_in(room, "Gita"), come_in(other, "Hugo")
    gita.watch(room)
    gita.request(room)
    asha.approve(room, gita.name)
    gita.message(room, "Hello")
    asha.message(other, "Nobody yet")
    for where in (room, other):
        asha.close(where)
    assert_refused(hugo.leave_out(room), "not_found")
    assert_refused(hugo.leave_out(other), "forbidden")
    assert_refused(gita.withhold(room), "forbidden")
    assert_ok(gita.leave_out(room))
    assert clean_party.state.rooms[room].left_out == {gita.name}


def check_that_a_friend_who_was_removed_is_left_out(scene):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    done = talk_of(asha, bilal)
    asha.close(done)
    assert scene.published(done) == ["Welcome", "Milk goes first"]
    live, closed = talk_of(asha, bilal), talk_of(asha, bilal)
    asha.close(closed)
    scene.party.submit("renumber", "bilal", number=None)
    assert published(scene.party, done) == ["Welcome", "Milk goes first"], "it was published by then"
    assert_refused(bilal.leave_out(closed), "signed_out")
    asha.close(live)
    assert scene.published(live) == published(scene.party, closed) == ["Welcome", None]


def test_who_is_none_of_the_people_any_more_is_left_out(scene):
    check_that_a_friend_who_was_removed_is_left_out(scene)


def test_who_gets_the_name_of_somebody_who_was_removed_cannot_put_their_words_back(
    room, asha, join, clock, clean_party
):
    quiet = asha.host("Coffee", publish=True)
    for number in (None, 1):
        clean_party.submit("renumber", "bilal", number=number)
    bilal = join("bilal")
    seat(asha, bilal, quiet)
    assert_ok(bilal.message(quiet, "I am new here"))
    for closed in (room, quiet):
        asha.close(closed)
    assert bilal.watch(room)["left_out"] is True and bilal.watch(quiet)["left_out"] is False
    assert_refused(bilal.leave_out(room, out=False), "forbidden")
    passes(clean_party, clock, LEAVE_OUT_WITHIN)
    assert published(clean_party, room) == ["Welcome", None]
    assert published(clean_party, quiet) == ["I am new here"], "who had that name before said nothing there"


def test_who_has_another_password_is_not_left_out(room, asha, clock, clean_party):
    asha.close(room)
    clean_party.submit("renumber", "bilal", number=2)
    passes(clean_party, clock, LEAVE_OUT_WITHIN)
    assert published(clean_party, room) == ["Welcome", "Milk goes first"]


# --- What is kept until then ------------------------------------------------------------------------------------------


def test_of_more_closed_rooms_than_are_kept_those_that_are_to_be_published_go_last(room, asha, clock, clean_party):
    asha.close(room)
    others = []
    for n in range(rules.CLOSED_ROOMS):
        clock.passes(seconds=1)
        others.append(asha.host(f"Coffee {n}"))
        asha.close(others[-1])
    assert clean_party.state.rooms.keys() == {room, *others[1:]}
    clean_party.submit("publish", at=clock.at + LEAVE_OUT_WITHIN, room=room)
    asha.close(asha.host("One more"))
    assert room not in clean_party.state.rooms, "published, it is one of those that are kept for reading"


def test_of_rooms_that_are_all_to_be_published_the_one_that_closed_first_goes(asha, bilal, clock, clean_party):
    rooms = []
    for _ in range(rules.CLOSED_ROOMS + 1):
        clock.passes(seconds=1)
        rooms.append(talk_of(asha, bilal))
        asha.close(rooms[-1])
    assert list(clean_party.state.rooms) == rooms[1:]


def check_that_rooms_without_words_push_no_talk_out(scene):
    asha, bilal = scene.join("asha"), scene.join("bilal")
    talk = talk_of(asha, bilal)
    asha.close(talk)
    for n in range(rules.CLOSED_ROOMS + 1):
        scene.clock.passes(seconds=1)
        empty = bilal.host(f"Nothing {n}", publish=True)
        if n % 2:
            bilal.message(empty, "And not even this")
        bilal.close(empty)
        if n % 2:
            assert_ok(bilal.leave_out(empty))
    assert talk in scene.party.state.rooms, "it closed before all of them"
    assert len(scene.party.state.rooms) == rules.CLOSED_ROOMS
    assert scene.published(talk) == ["Welcome", "Milk goes first"]


def test_rooms_without_words_push_no_talk_out(scene):
    check_that_rooms_without_words_push_no_talk_out(scene)


def test_a_log_that_is_cut_meanwhile_has_all_that_is_to_be_published(asha, bilal, clock, clean_party):
    """It opens from a plan, is open for long, and the server is down across its end for a day; through all that the log
    is cut once a minute while the server runs."""
    later = asha.plan("Later", at=clock.at + 3 * HOUR, publish=True)
    passes(clean_party, clock, 3 * HOUR)
    assert_ok(asha.watch(later))
    asha.message(later, "Words of that evening")
    for time in (24 * HOUR, HOUR // 2, HOUR // 4):
        passes(clean_party, clock, time)
        clean_party.trim()
        clean_party.rebuild(list(clean_party.journal.replay()))
        assert [message["text"] for message in clean_party.state.rooms[later].messages] == ["Words of that evening"]
    passes(clean_party, clock, HOUR // 4)
    fresh = State()
    outcomes = [(command["kind"], fresh.apply(command)) for _, command in clean_party.journal.replay()]
    assert ("publish", {"ok": True, "published": True}) in outcomes
    for _ in range(20):
        passes(clean_party, clock, HOUR)
        clean_party.trim()
    assert kinds(clean_party) == [], "and then the log is cut as ever"


def test_a_room_that_was_planned_long_before_is_there_after_a_start_whatever_was_cut(asha, clock, clean_party):
    """The party did not run in between, so the plan was not said again."""
    room = asha.plan("Later", at=clock.at + 40 * HOUR)
    passes(clean_party, clock, 40 * HOUR + MINUTE)
    assert clean_party.state.rooms[room].is_live
    clean_party.trim()
    clean_party.rebuild(list(clean_party.journal.replay()))
    assert clean_party.state.rooms[room].is_live


# --- Bugs that are put back -------------------------------------------------------------------------------------------


def left_out_words_are_published(monkeypatch):
    monkeypatch.setattr(publishing, "left_out", lambda room: set())


def what_was_taken_back_is_published(monkeypatch):
    right = views.said
    monkeypatch.setattr(
        views,
        "quoted",
        lambda room, message, without: (
            {"seq": message["seq"], "at": message["at"]} | ({} if message["user"] in without else right(room, message))
        ),
    )


def who_left_the_words_out_is_named(monkeypatch):
    right = views.quoted
    monkeypatch.setattr(
        views, "quoted", lambda room, message, without: right(room, message, without) | {"user": message["user"]}
    )


def it_is_switched_on_again_by_what_is_said_late(monkeypatch):
    monkeypatch.setitem(rules.PARTY_RULES, "plan", (lambda state, command: None, plans.say_again))


def withholding_a_plan_does_not_count_as_a_change(monkeypatch):
    def withhold(room, command):
        room.publish, room.publishes_at = False, None

    monkeypatch.setitem(rules.ROOM_RULES, "withhold", (publishing.the_host_even_of_what_has_closed, withhold))


def what_is_said_again_forgets_that_it_is_to_be_published(monkeypatch):
    right = plans.saying_of
    monkeypatch.setattr(plans, "saying_of", lambda room, plan: right(room, plan) | {"publish": False})


def the_hour_begins_at_the_end_of_the_time(monkeypatch):
    def close(room, command):
        rules.close(room, command)
        room.publishes_at = room.publish and room.closed_at + LEAVE_OUT_WITHIN

    monkeypatch.setitem(rules.ROOM_RULES, "end", (rules.when_due, close))


def a_process_with_another_clock_publishes_early(monkeypatch):
    guard = publishing.ensure_will_be_published
    monkeypatch.setitem(rules.ROOM_RULES, "publish", (lambda room, command: guard(room), publishing.publish))


def it_is_forgotten_before_it_is_published(monkeypatch):
    monkeypatch.setattr(
        model.Room, "gone_at", property(lambda room: room.closed_at and room.closed_at + model.CLOSED_LIFE)
    )


def what_is_late_is_published_at_once(monkeypatch):
    monkeypatch.setattr(publishing, "LATE", 48 * HOUR)


def it_is_forgotten_in_the_same_breath(monkeypatch):
    right = rules.due

    def due(room, at, *more):
        found = list(right(room, at, *more))
        is_gone = room.gone_at is not None and at >= room.gone_at
        return [*found, ("forget", {"room": room.id})] if is_gone and found else found

    monkeypatch.setattr(rules, "due", due)


def a_room_without_words_counts_as_a_talk(monkeypatch):
    monkeypatch.setattr(publishing, "has_words_left", lambda room: True)


def a_guest_who_has_gone_is_published(monkeypatch):
    monkeypatch.setattr(publishing, "left_out", lambda room: room.left_out)


def a_guest_cannot_leave_anything_out(monkeypatch):
    monkeypatch.setattr(doors, "FOR_GUESTS", doors.FOR_GUESTS - {"leave_out"})


def what_is_published_changes_when_a_guest_goes(monkeypatch):
    monkeypatch.setattr(
        publishing,
        "left_out",
        lambda room: room.left_out | {guest for guest in room.guests if room.guests[guest].is_out},
    )


def a_friend_who_was_removed_is_published(monkeypatch):
    monkeypatch.setattr(publishing, "leave_out_of_all", lambda state, user: None)


CHECKS = {
    left_out_words_are_published: check_that_nothing_goes_out_that_was_taken_out,
    what_was_taken_back_is_published: check_that_nothing_goes_out_that_was_taken_out,
    who_left_the_words_out_is_named: check_that_nothing_goes_out_that_was_taken_out,
    it_is_switched_on_again_by_what_is_said_late: check_that_off_stays_off,
    withholding_a_plan_does_not_count_as_a_change: check_that_off_stays_off,
    what_is_said_again_forgets_that_it_is_to_be_published: check_that_off_stays_off,
    the_hour_begins_at_the_end_of_the_time: check_that_everybody_has_an_hour,
    a_process_with_another_clock_publishes_early: check_that_everybody_has_an_hour,
    it_is_forgotten_before_it_is_published: check_that_everybody_has_an_hour,
    what_is_late_is_published_at_once: check_that_they_have_another_hour,
    it_is_forgotten_in_the_same_breath: check_that_they_have_another_hour,
    a_room_without_words_counts_as_a_talk: check_that_rooms_without_words_push_no_talk_out,
    a_guest_who_has_gone_is_published: check_that_a_guests_words_are_theirs,
    a_guest_cannot_leave_anything_out: check_that_a_guests_words_are_theirs,
    what_is_published_changes_when_a_guest_goes: check_that_a_guests_words_are_theirs,
    a_friend_who_was_removed_is_published: check_that_a_friend_who_was_removed_is_left_out,
}


@pytest.mark.parametrize("bug", CHECKS, ids=lambda bug: bug.__name__)
def test_each_bug_is_found(bug, scene, monkeypatch):
    bug(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        CHECKS[bug](scene)
