"""The rules without a socket: commands in, dicts out."""

import copy
import pickle
import random
from collections import Counter

import pytest
from hypothesis import Phase, given, settings, strategies

from party import doors, model, publishing, rules, state
from party.state import State


@pytest.fixture
def party():
    """What the log says, when it says nothing yet."""
    return State()


def command(kind, user=None, at=1_000, **body):
    return {"id": f"{kind}-{at}", "at": at, "kind": kind, "user": user, "key": None, "most": 1_000} | body


def opened(party, host="asha", at=0, lasts=60_000):
    outcome = party.apply(command("host", host, at, id="tea", topic="Tea", lasts=lasts))
    assert outcome == {"ok": True, "room": "tea"}
    return party.rooms["tea"]


def test_the_command_carries_its_time_and_its_ids(party):
    room = opened(party, at=5_000)
    assert (room.id, room.opened_at, room.closes_at) == ("tea", 5_000, 65_000)


def test_a_rule_refuses_before_it_changes_anything(party):
    room = opened(party)
    before = copy.deepcopy(room)
    for kind in ("approve", "deny", "remove"):
        assert party.apply(command(kind, "asha", room="tea", who="nobody"))["code"] == "not_found"
    assert room == before
    party.apply(command("request", "bilal", room="tea", pitch=""))
    party.apply(command("message", "asha", room="tea", text="One"))
    before = copy.deepcopy(room)
    for refused, code in (
        (command("approve", "asha", room="tea", who="bilal", most=0), "limit"),
        (command("hand_over", "asha", room="tea", who="bilal"), "not_found"),
        (command("message", "asha", room="tea", text="Two", reply=2), "not_found"),
        (command("take_back", "asha", room="tea", seq=0), "not_found"),
        (command("take_back", "asha", room="tea", seq=1, at=59_999_999), "closed"),
    ):
        assert party.apply(refused)["code"] == code
        assert room == before


def test_the_logs_order_decides_a_race(party):
    """As when two processes log at the same time: what was allowed at one door may be too late in the log."""
    opened(party)
    sequel = [
        (command("request", "bilal", room="tea", pitch=""), None),
        (command("approve", "asha", room="tea", who="bilal"), None),
        (command("remove", "asha", room="tea", who="bilal"), None),
        (command("message", "bilal", room="tea", text="Too late"), "forbidden"),
        (command("withdraw", "bilal", room="tea"), "forbidden"),
        (command("close", "asha", room="tea", reason="host"), None),
        (command("request", "chen", room="tea", pitch=""), "closed"),
        (command("end", None, room="nowhere", reason="time"), "not_found"),
    ]
    for step, code in sequel:
        assert party.apply(step).get("code") == code, step


def test_a_key_counts_once_through_whichever_door_it_came(party):
    opened(party)
    party.apply(command("sign_in", "asha", sign_in="s", since=0, number=1))
    first = party.apply(command("message", "asha", room="tea", text="Once", key="k", at=1))
    again = party.apply(command("message", "asha", room="tea", text="Once", key="k", at=2))
    assert first == again
    assert len(party.rooms["tea"].messages) == 1
    assert party.apply(command("message", "asha", room="tea", text="Other", key="k"))["code"] == "conflict"


def test_a_setting_at_the_time_of_the_command_counts_not_the_one_at_its_replay(party):
    opened(party)
    for most, ok in ((1, True), (1, False), (2, True)):
        assert party.apply(command("message", "asha", room="tea", text="Hi", most=most))["ok"] is ok


def test_a_log_from_before_there_were_seats_and_answers_tells_the_same_story(party):
    """Its approvals carry no `most`, its messages no `reply`, and only the party itself handed over."""
    opened(party)
    names = [f"extra{n}" for n in range(1, 12)]
    for name in names:
        for old in (command("request", name, room="tea", pitch=""), command("approve", "asha", room="tea", who=name)):
            del old["most"]
            assert party.apply(old)["ok"]
    said = party.apply(command("message", "extra1", room="tea", text="Hello", key="k", most=1))["message"]
    assert said == {"room": "tea", "seq": 1, "user": "extra1", "text": "Hello", "at": 1_000, "key": "k"}
    assert party.apply(command("hand_over", None, room="tea", who="extra3", gone="asha"))["ok"]
    room = party.rooms["tea"]
    assert (room.host, room.speakers) == ("extra3", [name for name in names if name != "extra3"] + ["asha"])


def test_a_room_is_carried_on_also_where_the_log_was_cut_behind_the_one_before(party):
    """Else of a day of rooms that each carry on the last, none would be left by a start after a trim."""
    more = {"continues": "gone", "instead": "gone too", "speakers": ["bilal", "asha", "chen"], "most": 2}
    hosting = command("host", "asha", id="tea", topic="Tea", lasts=60_000, **more)
    with pytest.raises(model.Refused, match="There is no such room"):
        party.foresee(hosting)
    assert party.apply(hosting)["ok"]
    assert party.rooms["tea"].speakers == ["bilal", "chen"]


def test_who_is_slower_is_led_to_the_room_in_which_it_goes_on(party):
    """Two people on two processes at the same time: at each door nobody had carried it on yet."""
    opened(party)
    party.apply(command("close", "asha", room="tea", reason="host"))
    for name in ("bilal", "chen"):
        party.rooms["tea"].visitors.add(name)
    more = {"topic": "Tea", "lasts": 60_000, "continues": "tea", "instead": None, "speakers": []}
    first, second = (command("host", name, id=f"of-{name}", **more) for name in ("bilal", "chen"))
    assert party.foresee(first) is party.foresee(second) is None
    assert party.apply(first)["ok"]
    ack = party.apply(second)
    assert (ack["code"], ack["room"]) == ("conflict", "of-bilal")
    assert party.rooms["tea"].continued_in == "of-bilal" and "of-chen" not in party.rooms


def test_who_likes_has_a_bound_and_may_change_their_mind(party, monkeypatch):
    monkeypatch.setattr(rules, "LIKES_EACH", 2)
    room = opened(party)
    for n in range(3):
        party.apply(command("message", "asha", room="tea", text=f"No {n}"))

    def like(seq, liked=True):
        return party.apply(command("like", "bilal", room="tea", seq=seq, liked=liked))

    assert like(1)["likes"] == like(1)["likes"] == like(2)["likes"] == 1
    before = copy.deepcopy(room)
    assert like(3)["code"] == "limit" and room == before
    assert like(1, liked=False)["likes"] == like(1, liked=False)["likes"] == 0
    assert like(3)["ok"]
    assert (room.likes, room.liked) == ({2: 1, 3: 1}, {"bilal": {2, 3}})


def test_words_that_were_taken_back_are_in_no_dict_and_not_said_again(party):
    room = opened(party)
    said = command("message", "asha", room="tea", text="A slip", key="k")
    party.apply(said)
    assert "A slip" in str(party.rooms) and "A slip" in str(party.users)
    assert party.apply(command("take_back", "asha", room="tea", seq=1))["ok"]
    assert "A slip" not in str(party.rooms) and "A slip" not in str(party.users)
    assert party.apply(said | {"id": "again"}) == {"ok": True, "message": room.messages[0]}
    assert [message["text"] for message in room.messages] == [""]
    for other in (said | {"text": ""}, said | {"text": "Another"}, said | {"room": "other"}):
        assert party.apply(other)["code"] == "conflict"
    assert "A slip" not in str(party.users), "nor did asking again bring them back"


def test_a_key_that_was_used_for_something_else_since_keeps_that(party, monkeypatch):
    monkeypatch.setattr(state, "KEYS_EACH", 1)
    opened(party)
    party.apply(command("message", "asha", room="tea", text="A slip", key="k"))
    party.apply(command("extend", "asha", room="tea", key="other"))
    again = party.apply(command("extend", "asha", room="tea", key="k"))
    assert party.apply(command("take_back", "asha", room="tea", seq=1))["ok"]
    assert party.apply(command("extend", "asha", room="tea", key="k", at=2_000)) == again
    assert "A slip" not in str((party.rooms, party.users))


def test_of_signals_no_more_is_kept_than_the_people_of_a_minute(party):
    room = opened(party, lasts=1_000_000)
    for n in range(100):
        assert party.apply(command("pulse", f"extra{n}", at=n * 1_000, room="tea", mood="agree"))["ok"]
        if n == 50:
            assert party.apply(command("pulse", "extra0", at=50_500, room="tea", mood="agree"))["ok"]
        assert len(room.pulse) <= 61
    assert party.apply(command("pulse", "extra99", at=110_000, room="tea", mood="off_topic"))["ok"]
    assert list(room.pulse) == ["extra0"] + [f"extra{n}" for n in range(51, 99)] + ["extra99"]
    assert room.pulse["extra99"] == ("off_topic", 110_000)


def test_what_the_log_refuses_says_as_much_as_what_is_refused_at_the_door(clean_party, clock, monkeypatch):
    """Two processes at the same time: at each door it was allowed."""
    opened(clean_party.state, at=clock.at)
    monkeypatch.setattr(clean_party.state, "foresee", lambda command: None)
    clean_party.submit("pulse", "bilal", room="tea", mood="agree")
    with pytest.raises(model.Refused) as refusal:
        clean_party.submit("pulse", "bilal", room="tea", mood="agree")
    assert (refusal.value.ack["code"], refusal.value.ack["retry_after"]) == ("slow_down", 10)


def test_a_forgotten_rooms_words_are_forgotten_with_the_keys(party):
    opened(party)
    party.apply(command("message", "asha", room="tea", text="Secret", key="k"))
    party.apply(command("host", "asha", id="other", topic="Other", lasts=1, key="o"))
    party.apply(command("forget", None, room="tea"))
    assert "Secret" not in str(party.users)
    assert list(party.users["asha"].outcomes) == ["o"]


def test_a_sign_in_that_has_ended_is_remembered_as_ended(party, monkeypatch):
    monkeypatch.setattr(rules, "SIGN_INS_EACH", 2)
    party.apply(command("sign_in", "asha", sign_in="ended", since=0, number=1))
    party.apply(command("sign_out", "asha", sign_in="ended"))
    for n in range(3):
        party.apply(command("sign_in", "asha", sign_in=str(n), since=0, number=1))
    assert list(party.users["asha"].sign_ins) == ["ended", "2"]


def test_the_oldest_keys_are_forgotten(party, monkeypatch):
    monkeypatch.setattr(state, "KEYS_EACH", 2)
    opened(party)
    party.apply(command("sign_in", "asha", sign_in="s", since=0, number=1))
    for n in range(5):
        party.apply(command("message", "asha", room="tea", text="Hi", key=str(n)))
    assert list(party.users["asha"].outcomes) == ["3", "4"]


def test_old_sign_ins_are_forgotten_and_many_push_out_the_oldest(party, monkeypatch):
    monkeypatch.setattr(rules, "SIGN_INS_EACH", 2)
    day = 24 * 60 * 60_000
    for n, at in enumerate((0, day, day + 1, day + 2)):
        party.apply(command("sign_in", "asha", at, sign_in=str(n), since=at, number=1))
    assert list(party.users["asha"].sign_ins) == ["2", "3"]


# The same examples at every run, and nothing of them is kept in the tree. One that fails is told as it is: to make it
# small would take a minute.
ALWAYS_THE_SAME = settings(
    derandomize=True, database=None, deadline=None, max_examples=100, phases=[Phase.explicit, Phase.generate]
)
PEOPLE = ("asha", "bilal", "chen")
GUESTS = ("~gita", "~hugo", "~ines")
MOST = 2  # seats
KINDS = (*rules.ROOM_RULES, *rules.PARTY_RULES)
# Few rooms, which live on for a while: something is to happen in them.
MORE_OFTEN = [kind for kind in rules.ROOM_RULES if kind not in ("close", "end")]
MORE_OFTEN += ["hand_over", "door", "guest_in", "put_out", "take_back", "leave_out", "publish"]
MOODS = rules.MOODS
# What is done, by whom and to whom, in which of the newest rooms, under which key and sign-in, and about which message.
# Mostly the host does it.
CHOICES = (
    (*KINDS, *MORE_OFTEN),
    ("asha", "asha", "asha", *PEOPLE, *GUESTS[:2]),
    ("bilal", "chen", *PEOPLE, *GUESTS),
    (1, 1, 2),
    (None, None, None, "k1", "k2"),
    (None, None, None, *PEOPLE, GUESTS[0]),
    (1, 1, 1, 2, 3),
)


# Every field that a rule reads, so that any kind of command about a room can be made of it.
FIELDS = {"who": "bilal", "pitch": "", "text": "Hi", "seq": 1, "reason": "time", "mood": "agree", "liked": True}
# Of plans: what is said again of one, and when. A test's commands come within its first minute, and a plan opens later.
LATER = 2 * model.MINUTE
SAID = {"topic": "Tea", "host": "asha", "lasts": 10_000, "opens_at": LATER, "version": 0, "changes": 1}
FIELDS |= SAID | {"coming": True}
# Of publishing: once, a command comes when the hour of who spoke is over.
AN_HOUR_LATER = publishing.LEAVE_OUT_WITHIN + model.MINUTE
OF_PLANS = ("move", "call_off", "coming", "open", "plan")
# A door that lets in whoever has its link, to ask to speak.
FIELDS |= {"open": "ask", "whole": False, "renew": False, "out": False, "hash": "h", "doors": True}
FIELDS |= {"sign_in": "~g", "since": 0, "name": "Gita", "skeletons": ["gita"]}


@pytest.mark.parametrize("kind", [*rules.ROOM_RULES, "hand_over", "door", "guest_in", "put_out", "forget"])
def test_any_command_about_a_room_can_be_made(kind, party):
    """Where this ends with a KeyError, FIELDS lacks what a new rule reads."""
    opened(party)
    for user in ("asha", "bilal", "chen"):
        for step in ("request", "approve", kind):
            party.apply(command(step, "asha" if step == "approve" else user, room="tea", **FIELDS | {"who": user}))


def as_commands(steps):
    """A party that begins well, and goes on without sense: any command of anybody about any of a few rooms."""
    rooms, plans, hashes = ["room-0"], ["plan-0"], ["h"]
    yield from (command("sign_in", name, 0, sign_in=name, since=0, number=1) for name in PEOPLE)
    yield command("host", "asha", 0, id="room-0", topic="Tea", lasts=10_000, publish=True)
    yield command("host", "asha", 0, id="plan-0", topic="Later", lasts=10_000, opens_at=LATER)
    for kind, user in (("request", "bilal"), ("approve", "asha"), ("request", "chen")):
        yield command(kind, user, 0, room="room-0", who="bilal", pitch="")
    yield command("message", "asha", 0, room="room-0", text="Welcome")
    for kind, user in (("door", "asha"), ("guest_in", "~gita"), ("guest_in", "~hugo"), ("request", "~gita")):
        yield command(kind, user, 0, **FIELDS | {"room": "room-0", "sign_in": user, "skeletons": [user]})
    for n, (kind, user, who, which, key, through, seq) in enumerate(steps, start=1):
        body = {"key": key} | ({"through": through} if through else {})
        if kind == "host":
            is_plan = which == 2 and seq == 1
            (plans if is_plan else rooms).append(f"room-{n}")
            body |= {"id": f"room-{n}", "topic": "Tea", "lasts": 10_000, "publish": user != "chen"}
            if is_plan:
                body |= {"opens_at": LATER, "listed": user != "chen"}
            elif seq > 1:  # it carries on another one, and those who speak there keep a seat
                body |= {"continues": rooms[-min(which + 1, len(rooms))], "speakers": [*PEOPLE], "most": which}
        elif kind in ("sign_in", "sign_out", "renumber"):
            body = {"sign_in": who, "since": n * 500, "number": which}
            body |= {"room": rooms[-min(which, len(rooms))]} if kind == "sign_out" else {}
        else:
            body |= FIELDS | {"room": rooms[-min(which, len(rooms))], "who": who, "seq": seq, "mood": MOODS[seq - 1]}
            body |= {"liked": n % 3 > 0}
            body |= {"reason": "time" if seq == 1 else "abandoned"}
            if kind in OF_PLANS or (kind == "door" and seq == 3):
                body |= {"room": plans[-min(which, len(plans))], "opens_at": LATER + seq * 1_000, "coming": n % 3 > 0}
            # Doors that open, change and close; guests with the link of now or another, and one name or another.
            body |= {"open": doors.DOORS[-seq], "hash": f"h{n}", "renew": which > 1, "out": n % 7 == 0}
            body |= {"whole": n % 2 > 0, "sign_in": who, "skeletons": [f"name-{seq}"]}
            body |= {"most": MOST} if kind == "approve" else {}
            if kind == "door":
                hashes.append(f"h{n}")
            if kind == "guest_in":
                user = who if model.is_guest(who) else user
                body |= {"hash": hashes[-1]}
                body |= {"name": None, "skeletons": []} if n % 5 == 0 else {}
            # An answer to an early message; the party's own handing over, or the host's.
            body |= {"message": {"reply": seq}, "hand_over": {"gone": user}}.get(kind, {}) if seq > 1 else {}
        if kind == "plan":
            plans.append(body["room"] if which == 1 else f"room-{n}")  # of one that is known, or of one that was cut
            door = {"way": "ask", "hash": hashes[-1], "id": "d"}
            body |= {"room": plans[-1], "coming": ["bilal"], "changes": n, "door": door}
        if kind == "open":  # from now on things happen in it
            rooms.append(body["room"])
        # What is due comes at its time, but for what a process says that has not heard of another time yet.
        due = {"open": 2 * LATER, "publish": AN_HOUR_LATER}.get(kind)
        yield command(kind, user, due if due and seq == 1 else n * 500, **body)


def party_of(dice):
    """A number is all that Hypothesis chooses: choosing each of some three hundred took it longer than the rules."""
    return list(as_commands([map(dice.choice, CHOICES) for _ in range(dice.randint(20, 60))]))


PARTIES = strategies.integers(0, 2**64).map(lambda seed: party_of(random.Random(seed)))


def run(commands, party=None):
    """The party after these commands, and their outcomes. From nothing, where no party is given."""
    party = party or State()
    return party, [applied(party, one) for one in commands]


def applied(party, command):
    """The outcome as it is now: the words in it may be taken back later."""
    return copied(party.apply(copied(command)))


def copied(said):
    """As `copy.deepcopy` would, in a tenth of the time."""
    return pickle.loads(pickle.dumps(said))


def test_the_same_commands_give_the_same_dicts():
    """Whatever they are, in one go or in two, refused ones included."""
    seen = set()

    @settings(ALWAYS_THE_SAME, max_examples=250)
    @given(PARTIES, strategies.integers(0, 60))
    def check(commands, prefix):
        party, outcomes = run(commands)
        first_part, first_outcomes = run(commands[:prefix])
        assert first_outcomes == outcomes[:prefix]
        # As a process that takes up what another one wrote: what it holds has been through nobody else's hands.
        assert run(commands[prefix:], copy.deepcopy(first_part)) == (party, outcomes[prefix:])
        seen.update((one["kind"], outcome["ok"]) for one, outcome in zip(commands, outcomes, strict=True))

    check()
    done, refused = ({kind for kind, ok in seen if ok is wanted} for wanted in (True, False))
    assert done == set(KINDS), "everything must have been done"
    assert refused == set(KINDS) - {"sign_out"}, "and refused, what can be"


def test_a_rule_changes_nothing_that_it_was_given():
    """Else the log in memory would tell another story than it was told."""

    @ALWAYS_THE_SAME
    @given(PARTIES)
    def check(commands):
        given_to_it, party = copy.deepcopy(commands), State()
        for one in commands:
            party.apply(one)
        assert commands == given_to_it

    check()


def test_what_is_always_true_of_a_room():
    @ALWAYS_THE_SAME
    @given(PARTIES)
    def check(commands):
        party, withheld = State(), set()
        for one in commands:
            party.apply(one)
            for room in party.rooms.values():
                assert_is_sound(room)
                assert not (room.publish and room.id in withheld), "it cannot be switched on again"
                if not room.publish:
                    withheld.add(room.id)
            assert_guests_are_sound(party, one)

    check()


def assert_is_sound(room):
    assert [message["seq"] for message in room.messages] == list(range(1, len(room.messages) + 1))
    assert len(set(room.speakers)) == len(room.speakers)
    assert room.host not in room.speakers
    assert not set(room.waiting) & {room.host, *room.speakers}
    assert room.closes_at - room.opened_at <= model.LONGEST_ROOM
    assert room.is_live or not (room.waiting or room.pulse or room.more_time)
    assert room.is_live + room.is_planned + bool(room.closed) == 1
    assert not room.is_planned or not (room.messages or room.speakers or room.visitors or room.host in room.plan.coming)
    assert not (room.awaits_host and room.host in room.visitors)
    assert (room.publishes_at is not None) == (room.publish and bool(room.closed))
    assert not room.is_published or {m["user"] for m in room.messages if "taken_back" not in m} - room.left_out
    taken_back = [message for message in room.messages if "taken_back" in message]
    assert sorted(room.taken_back) == [message["seq"] for message in taken_back]
    assert not any(message["text"] for message in taken_back)
    assert room.last_said == {message["user"]: message["seq"] for message in room.messages}
    liked = Counter(seq for seqs in room.liked.values() for seq in seqs)
    assert room.likes == liked and not set(liked) & set(room.taken_back)
    assert not any(room.messages[seq - 1]["user"] == name for name, seqs in room.liked.items() for seq in seqs)
    assert all(1 <= message.get("reply", 1) < message["seq"] for message in room.messages if message["seq"] > 1)
    assert all(mood in MOODS for mood, _ in room.pulse.values())


def assert_guests_are_sound(party, command):
    """No guest is anywhere but in the room whose link let them in, and nowhere once they were shown out."""
    known = {user for user in party.users if model.is_guest(user)}
    assert known == {guest for room in party.rooms.values() for guest in room.guests if model.is_guest_of(room, guest)}
    for room in party.rooms.values():
        inside = {guest for guest in room.guests if model.is_guest_of(room, guest)}
        there = {*room.speakers, *room.waiting, *room.visitors, *room.pulse, *room.more_time}
        assert {user for user in there if model.is_guest(user)} <= inside
        assert not model.is_guest(room.host) and not {*room.pulse, *room.more_time} & inside
        assert len([name for name in room.speakers if model.is_guest(name)]) <= MOST // 2
        assert (room.door.open == "closed") == (room.door.hash is None) == (room.door.id is None)
        for user, guest in room.guests.items():
            sign_ins = [] if guest.is_out else party.users[user].sign_ins.values()
            assert [known.number for known in sign_ins] == [None] * (not guest.is_out)
            assert guest.since <= len(room.messages) and guest.denials <= doors.DENIALS
            mine = [message["seq"] for message in room.messages if message["user"] == user]
            assert all(seq > guest.since for seq in (*mine, *room.liked.get(user, ())))
            assert guest.name is not None or not mine
        names = [skeleton for guest in inside for skeleton in room.guests[guest].skeletons]
        assert len(set(names)) == len(names), "no two look alike"


def test_what_the_log_holds_rebuilds_the_party(join, clean_party):
    """Replaying what real tabs did gives the rooms and the people that they left behind."""
    asha, bilal = join("asha"), join("bilal")
    room = asha.host("Tea")
    bilal.watch(room)
    bilal.request(room, key="ask")
    asha.approve(room, "bilal")
    asha.approve(room, "bilal")  # refused by the rule, and in the log
    bilal.message(room, "Hello", key="hello")
    bilal.message(room, "Hello", key="hello")  # once in the log
    asha.message(room, "An answer", reply=1)
    bilal.like(room, 2)
    asha.like(room, 1)
    asha.take_back(room, 2)
    bilal.pulse(room, "say_more")
    bilal.pulse(room, "agree")  # refused by the guard: too soon
    bilal.more_time(room)
    asha.hand_over(room, "bilal")
    bilal.writing(room)  # of the moment
    bilal.close(room)
    asha.host("Tea again", continues=room)
    log = [command for _, command in clean_party.journal.replay()]
    assert [command["kind"] for command in log].count("message") == 2
    assert [command["kind"] for command in log].count("pulse") == 1
    assert [command for command in log if command["kind"] == "writing"] == []
    assert [len(room.speakers) for room in clean_party.state.rooms.values()] == [1, 1], "bilal kept his seat"
    rebuilt = State()
    for one in log:
        rebuilt.apply(one)
    assert rebuilt == clean_party.state


def test_a_command_that_this_version_does_not_know_stops_no_start(clean_party):
    strange = command("dance", "asha", room="tea")
    hosting = command("host", "asha", id="tea", topic="Tea", lasts=60_000)
    clean_party.rebuild([(1, strange), (2, hosting), (3, strange)])
    assert list(clean_party.state.rooms) == ["tea"]


def test_a_sign_in_with_an_old_number_does_not_say_what_the_number_is(party):
    """As the first thing that is left of a log that was cut: one process had not heard of the new number yet."""
    for id, number in (("old", 1), ("new", 2)):
        party.apply(command("sign_in", "asha", sign_in=id, since=0, number=number))
    assert party.is_signed_in("asha", "new", at=1_000)
    party.apply(command("renumber", "asha", number=2))
    assert party.is_signed_in("asha", "new", at=1_000) and not party.is_signed_in("asha", "old", at=1_000)
    party.apply(command("sign_in", "asha", sign_in="late", since=0, number=1))
    assert not party.is_signed_in("asha", "late", at=1_000)


def test_what_a_process_decides_with_old_knowledge_is_asked_again_where_the_log_puts_it(party):
    """It was frozen, and had not heard that there is more time, that the host is another, that somebody signed out."""
    opened(party, lasts=60_000)
    for kind, body in (
        ("sign_in", {"sign_in": "s", "since": 0, "number": 1}),
        ("extend", {"room": "tea"}),
        ("sign_out", {"sign_in": "s"}),
    ):
        assert party.apply(command(kind, "asha", **body))["ok"]
    for user in ("bilal", "chen"):
        party.apply(command("request", user, room="tea", pitch=""))
        party.apply(command("approve", "asha", room="tea", who=user))
    assert party.apply(command("hand_over", None, room="tea", who="bilal", gone="asha"))["ok"]
    before = copy.deepcopy(party.rooms)
    for late, code in (
        (command("end", None, at=60_000, room="tea", reason="time"), "conflict"),
        (command("hand_over", None, room="tea", who="chen", gone="asha"), "conflict"),
        (command("message", "asha", room="tea", text="Too late", through="s"), "signed_out"),
    ):
        assert party.apply(late)["code"] == code
        assert party.rooms == before
