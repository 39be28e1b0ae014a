"""The rules without a socket: commands in, dicts out."""

import copy
import random

import pytest


@pytest.fixture
def party(clean_party):
    return clean_party


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


def test_a_forgotten_rooms_words_are_forgotten_with_the_keys(party):
    opened(party)
    party.apply(command("message", "asha", room="tea", text="Secret", key="k"))
    party.apply(command("host", "asha", id="other", topic="Other", lasts=1, key="o"))
    party.apply(command("forget", None, room="tea"))
    assert "Secret" not in str(party.users)
    assert list(party.users["asha"].outcomes) == ["o"]


def test_a_sign_in_that_has_ended_is_remembered_as_ended(party, monkeypatch):
    monkeypatch.setattr(party, "SIGN_INS_EACH", 2)
    party.apply(command("sign_in", "asha", sign_in="ended", since=0, number=1))
    party.apply(command("sign_out", "asha", sign_in="ended"))
    for n in range(3):
        party.apply(command("sign_in", "asha", sign_in=str(n), since=0, number=1))
    assert list(party.users["asha"].sign_ins) == ["ended", "2"]


def test_the_oldest_keys_are_forgotten(party, monkeypatch):
    monkeypatch.setattr(party, "KEYS_EACH", 2)
    opened(party)
    party.apply(command("sign_in", "asha", sign_in="s", since=0, number=1))
    for n in range(5):
        party.apply(command("message", "asha", room="tea", text="Hi", key=str(n)))
    assert list(party.users["asha"].outcomes) == ["3", "4"]


def test_old_sign_ins_are_forgotten_and_many_push_out_the_oldest(party, monkeypatch):
    monkeypatch.setattr(party, "SIGN_INS_EACH", 2)
    day = 24 * 60 * 60_000
    for n, at in enumerate((0, day, day + 1, day + 2)):
        party.apply(command("sign_in", "asha", at, sign_in=str(n), since=at, number=1))
    assert list(party.users["asha"].sign_ins) == ["2", "3"]


def random_commands(seed, length):
    """A party without sense: any command of anybody about any of a few rooms."""
    dice = random.Random(seed)
    people, rooms = ["asha", "bilal", "chen"], []
    for name in people:
        yield command("sign_in", name, 0, sign_in=name, since=0, number=1)
    for n in range(length):
        kind = dice.choice(["host", "watch", "request", "withdraw", "approve", "deny", "remove", "message", "message",
                            "extend", "close", "end", "hand_over", "forget"])  # fmt: skip
        if kind == "host" or not rooms:
            rooms.append(f"room-{n}")
            yield command("host", dice.choice(people), n * 500, id=rooms[-1], topic="Tea", lasts=60_000)
            continue
        body = {"room": dice.choice(rooms[-3:]), "who": dice.choice(people), "gone": dice.choice(people)}
        body |= {"pitch": "", "text": "Hi", "reason": "time"}
        key = dice.choice([None, f"k{dice.randrange(50)}"])
        yield command(kind, dice.choice(people), n * 500, key=key, **body)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_commands_give_the_same_dicts(party, seed):
    """Whatever they are, in one go or in two, refused ones included."""
    commands = list(random_commands(seed, 400))
    outcomes = [party.apply(copy.deepcopy(one)) for one in commands]
    assert {outcome["ok"] for outcome in outcomes} == {True, False}, "some must be refused, some not"
    first = copy.deepcopy((party.rooms, party.users))
    party.rooms.clear()
    party.users.clear()
    assert [party.apply(copy.deepcopy(one)) for one in commands] == outcomes
    assert (party.rooms, party.users) == first


@pytest.mark.parametrize("seed", range(20))
def test_what_is_always_true_of_a_room(party, seed):
    for one in random_commands(seed, 400):
        party.apply(one)
        for room in party.rooms.values():
            assert [message["seq"] for message in room.messages] == list(range(1, len(room.messages) + 1))
            assert len(set(room.speakers)) == len(room.speakers)
            assert room.host not in room.speakers
            assert not set(room.waiting) & {room.host, *room.speakers}
            assert room.closes_at - room.opened_at <= party.LONGEST_ROOM
            assert not (room.closed and room.waiting)


def test_what_the_log_holds_rebuilds_the_party(join, party):
    """Replaying what real tabs did gives the rooms and the people that they left behind."""
    since = max((position for position, _ in party.journal.replay()), default=0)
    asha, bilal = join("asha"), join("bilal")
    room = asha.host("Tea")
    bilal.watch(room)
    bilal.request(room, key="ask")
    asha.approve(room, "bilal")
    asha.approve(room, "bilal")  # refused by the rule, and in the log
    bilal.message(room, "Hello", key="hello")
    bilal.message(room, "Hello", key="hello")  # once in the log
    left_behind = copy.deepcopy((party.rooms, party.users))
    party.rooms.clear()
    party.users.clear()
    log = [command for _, command in party.journal.replay(after=since)]
    assert [command["kind"] for command in log].count("message") == 1
    for one in log:
        party.apply(one)
    assert (party.rooms, party.users) == left_behind
