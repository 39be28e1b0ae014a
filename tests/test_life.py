"""The life of a room, by a clock that the test moves."""

import time

from conftest import in_process
from person import assert_ok, assert_refused, seat

from party import model, rules
from runtime.journal import Unavailable

asha, bilal, chen = map(in_process, ("asha", "bilal", "chen"))


def test_the_room_closes_when_its_time_is_up_and_says_so_once(asha, bilal, clock, clean_party):
    room = asha.host(minutes=10)
    bilal.watch(room)
    clock.passes(minutes=9, seconds=59)
    clean_party.tick()
    assert bilal.heard("closed") == []
    clock.passes(seconds=1)
    for _ in range(3):
        clean_party.tick()
    gone_at = clock() + model.CLOSED_LIFE
    assert bilal.heard("closed") == [{"room": room, "reason": "time", "by": None, "gone_at": gone_at}]
    assert bilal.sees(room)["closed"] == "time"


def test_a_message_is_late_at_the_very_millisecond(asha, clock):
    room = asha.host(minutes=1)
    clock.at += 59_999
    assert_ok(asha.message(room, "In time"))
    clock.at += 1
    assert_refused(asha.message(room, "Late"), "closed")


def test_extending_is_more_time(asha, clock, clean_party):
    room = asha.host(minutes=10)
    asha.extend(room)
    clock.passes(minutes=19)
    clean_party.tick()
    assert asha.heard("closed") == []
    clock.passes(minutes=1)
    assert asha.hears("closed")["reason"] == "time"


def test_a_room_that_everybody_left_closes_after_five_minutes(asha, bilal, clock, clean_party):
    room = asha.host()
    bilal.watch(room)
    bilal.leave(room)
    asha.leave(room)
    clean_party.tick()
    clock.passes(minutes=4, seconds=59)
    clean_party.tick()
    assert clean_party.state.rooms[room].closed is None
    clock.passes(seconds=1)
    clean_party.tick()
    assert clean_party.state.rooms[room].closed == "abandoned"
    assert bilal.heard("closed") == [], "who left hears no more"


def test_coming_back_in_time_keeps_the_room(asha, clock, clean_party):
    room = asha.host()
    asha.leave(room)
    clean_party.tick()
    clock.passes(minutes=4)
    asha.watch(room)
    clean_party.tick()
    asha.leave(room)
    clean_party.tick()
    clock.passes(minutes=4)
    clean_party.tick()
    assert clean_party.state.rooms[room].closed is None


def test_a_host_gone_for_a_minute_is_followed_by_the_longest_standing_speaker_present(
    asha, bilal, chen, join, clock, clean_party
):
    room, dana = asha.host(), join("dana")
    for person in (bilal, chen, dana):
        seat(asha, person, room)
    bilal.leave(room)
    asha.line.hang_up()
    clean_party.tick()
    clock.passes(seconds=59)
    assert chen.sees(room)["host"] == "asha"
    clock.passes(seconds=1)
    view = chen.sees(room)
    assert (view["host"], view["speakers"]) == ("chen", ["bilal", "dana", "asha"])
    assert_ok(chen.extend(room))


def test_the_new_host_gets_the_queue_and_the_old_one_keeps_a_seat(asha, bilal, chen, join, clock, clean_party):
    room = asha.host()
    seat(asha, bilal, room)
    chen.request(room, pitch="Me too")
    asha.line.hang_up()
    clean_party.tick()
    clock.passes(minutes=1)
    assert bilal.sees_waiting(room) == ["chen"]
    asha = join("asha")
    asha.watch(room)
    assert_refused(asha.approve(room, "chen"), "forbidden")
    assert_ok(asha.message(room, "I am back"))


def test_a_host_who_is_back_within_a_minute_stays_host(asha, bilal, chen, join, clock, clean_party):
    room = asha.host()
    seat(asha, bilal, room)
    chen.request(room)
    asha.line.hang_up()
    clean_party.tick()
    clock.passes(seconds=59)
    asha = join("asha")
    assert [one["user"] for one in asha.watch(room)["waiting"]] == ["chen"], "requests are kept"
    clean_party.tick()
    clock.passes(minutes=1)
    assert bilal.sees(room)["host"] == "asha"


def test_a_host_with_another_tab_inside_is_not_gone(asha, bilal, join, clock, clean_party):
    room, other_tab = asha.host(), join("asha")
    other_tab.watch(room)
    seat(asha, bilal, room)
    asha.line.hang_up()
    clean_party.tick()
    clock.passes(minutes=2)
    assert bilal.sees(room)["host"] == "asha"


def test_with_no_speaker_present_the_room_waits_for_its_host(asha, bilal, clock, clean_party):
    room = asha.host()
    bilal.watch(room)
    asha.line.hang_up()
    clean_party.tick()
    clock.passes(minutes=10)
    assert bilal.sees(room)["host"] == "asha"
    assert clean_party.state.rooms[room].closed is None


def test_a_closed_room_is_read_by_those_who_were_inside_alone(asha, bilal, chen, join, clock):
    room = asha.host()
    bilal.watch(room)
    asha.message(room, "Words to keep")
    asha.close(room)
    bilal.line.hang_up()
    ack = assert_ok(join("bilal").watch(room))
    assert [message["text"] for message in ack["messages"]] == ["Words to keep"]
    assert_refused(chen.watch(room), "closed")


def test_a_signal_counts_for_a_minute(asha, bilal, chen, clock, clean_party):
    room = asha.host()
    for person in (bilal, chen):
        person.watch(room)
    bilal.pulse(room, "agree")
    clock.passes(seconds=30)
    chen.pulse(room, "agree")
    assert asha.sees(room)["pulse"]["agree"] == 2
    clock.at += 29_999
    assert asha.sees(room)["pulse"]["agree"] == 2
    clock.at += 1
    assert asha.sees(room)["pulse"]["agree"] == 1, "nobody did anything, and it is over all the same"
    clock.passes(seconds=30)
    assert asha.sees(room)["pulse"] == {"agree": 0, "say_more": 0, "off_topic": 0}
    assert clean_party.news.rooms_of_the_moment(clean_party.presence) == set(), "from then on a tick need not look"


def test_the_latest_signal_of_a_person_counts_and_one_in_ten_seconds(asha, bilal, clock):
    room = asha.host()
    bilal.watch(room)
    assert_ok(bilal.pulse(room, "agree"))
    for later, seconds in ((1, 10), (8_999, 1), (999, 1)):
        clock.at += later
        ack = bilal.pulse(room, "off_topic")
        assert_refused(ack, "slow_down")
        assert ack["retry_after"] == seconds
    clock.at += 1
    assert_ok(bilal.pulse(room, "off_topic"))
    assert asha.sees(room)["pulse"] == {"agree": 0, "say_more": 0, "off_topic": 1}


def test_a_message_can_be_taken_back_for_two_minutes(asha, clock, clean_party):
    room = asha.host()
    for n in (1, 2):
        asha.message(room, f"Message {n}")
        clock.at += 119_999
        if n == 1:
            assert_ok(asha.take_back(room, 1))
    clock.at += 1
    assert_refused(asha.take_back(room, 2), "conflict")
    assert [message["text"] for message in clean_party.state.rooms[room].messages] == ["", "Message 2"]


def test_each_refusal_to_take_back_says_why(asha, bilal, clock):
    room = asha.host()
    seat(asha, bilal, room)
    for text in ("One", "Two", "Three"):
        asha.message(room, text)
    bilal.message(room, "Four")
    assert asha.take_back(room, 4)["error"] == "That message is not yours."
    assert asha.take_back(room, 2)["error"] == "Only your last message can be taken back."
    assert_ok(asha.take_back(room, 3))
    assert asha.take_back(room, 3)["error"] == "You have taken that message back already."
    assert asha.take_back(room, 2)["error"] == "Only your last message can be taken back."
    clock.passes(minutes=2)
    assert bilal.take_back(room, 4)["error"] == "It is too late to take that message back."


def test_who_says_no_more_that_they_write_is_forgotten_after_six_seconds(asha, bilal, chen, join, clock, clean_party):
    room, dana = asha.host(), join("dana")
    for person in (bilal, chen, dana):
        seat(asha, person, room)

    def told():
        clean_party.tick()
        return asha.heard("writing")[-1]["users"]

    for person in (asha, bilal, chen, dana):
        person.writing(room)
        clock.passes(seconds=1)
    assert told() == ["asha", "bilal", "chen"], "three, the longest first"
    asha.writing(room)
    clock.passes(seconds=3)
    assert told() == ["asha", "chen", "dana"], "bilal has stopped"
    newcomer = join("emeka")
    newcomer.watch(room)
    assert newcomer.heard("writing") == [{"room": room, "users": ["asha", "chen", "dana"]}]
    asha.remove(room, "chen")
    dana.line.hang_up()
    assert told() == ["asha"]
    asha.close(room)
    assert told() == []
    clock.passes(seconds=3)
    clean_party.tick()
    assert clean_party.news.rooms_of_the_moment(clean_party.presence) == set(), "from then on a tick need not look"


def test_in_a_crowd_nobody_is_told_who_is_writing(asha, clean_party):
    room = asha.host()
    asha.writing(room)
    clean_party.presence.add(room, {f"extra{n}": 1 for n in range(99)})
    assert asha.hears("writing")["users"] == ["asha"]
    clean_party.presence.add(room, {"extra99": 1})
    assert asha.hears("writing", lambda told: not told["users"])
    listening = asha.sees(room)["listening"]
    assert listening == [f"extra{n}" for n in range(50)]


def test_a_thousand_likes_are_told_at_once(asha, bilal, clean_party):
    room = asha.host()
    asha.message(room)
    asha.message(room)
    bilal.watch(room)
    clean_party.tick()
    before = len(bilal.line.events())
    for n in range(200):
        clean_party.submit("like", f"extra{n}", room=room, seq=1, liked=True)
    clean_party.tick()
    assert bilal.line.events()[before:] == [("likes", {"room": room, "likes": {"1": 200}})]


def test_a_room_that_closes_forgets_what_was_of_the_moment(asha, bilal, clean_party):
    room = asha.host()
    bilal.watch(room)
    bilal.pulse(room)
    bilal.more_time(room)
    assert asha.sees(room)["pulse"]["agree"] == asha.sees(room)["more_time"] == 1
    asha.close(room)
    assert asha.sees(room)["pulse"]["agree"] == asha.sees(room)["more_time"] == 0
    kept = clean_party.state.rooms[room]
    assert not kept.pulse and not kept.more_time and not kept.waiting


def test_a_closed_room_says_when_it_is_gone(asha, clock, clean_party):
    room = asha.host(minutes=10)
    assert asha.sees(room)["gone_at"] is None
    clock.passes(minutes=10)
    assert asha.sees(room)["gone_at"] == clock.at + 120 * 60_000
    clock.passes(minutes=120)
    clean_party.tick()
    assert room not in clean_party.state.rooms


def test_a_new_tab_hears_of_the_closed_rooms_that_its_person_was_inside(asha, bilal, join, clock, clean_party):
    first, live, second = asha.host("First"), asha.host("Live"), asha.host("Second")
    for room in (first, live):
        bilal.watch(room)
    clean_party.tick()
    closed_at = {}
    for room in (first, second):
        clock.passes(minutes=1)
        asha.close(room)
        closed_at[room] = clock.at
    lobby = join("asha").heard("lobby")[0]
    assert [card["id"] for card in lobby["rooms"]] == [live]
    assert lobby["closed"] == [
        {"id": room, "topic": topic, "host": "asha", "closed_at": closed_at[room],
         "gone_at": closed_at[room] + 120 * 60_000, "published": False}
        for room, topic in ((second, "Second"), (first, "First"))
    ]  # fmt: skip
    tab = join("bilal")
    assert [room["id"] for room in tab.heard("lobby")[0]["closed"]] == [first]
    assert join("chen").heard("lobby")[0]["closed"] == []
    asha.close(live)
    assert "closed" not in tab.hears("lobby", lambda lobby: live in lobby["gone"]), "only the first says it"


def test_a_closed_room_is_forgotten_after_two_hours(asha, clock, clean_party):
    room = asha.host()
    asha.close(room)
    clean_party.tick()
    clock.passes(minutes=119)
    clean_party.tick()
    assert_ok(asha.watch(room))
    clock.passes(minutes=1)
    clean_party.tick()
    assert_refused(asha.watch(room), "not_found")
    left = (clean_party.state.rooms, clean_party.presence.people, clean_party.news.told)
    assert left == ({}, {}, {}), "nothing of it is left"


def test_the_room_closed_first_is_forgotten_first(asha, clock, clean_party, monkeypatch):
    monkeypatch.setattr(rules, "CLOSED_ROOMS", 2)
    closed = []
    for n in range(3):
        closed.append(asha.host(f"Room {n}"))
        clock.passes(seconds=1)
        asha.close(closed[-1])
    assert_refused(asha.watch(closed[0]), "not_found")
    assert_ok(asha.watch(closed[1]))


def test_a_message_changes_the_card_but_not_every_time(asha, bilal, clock, clean_party):
    """Newest activity and last words first at once, then in steps: a lively room is no reason to tell everybody of each
    word."""
    room = asha.host()
    clean_party.tick()

    def cards():
        clean_party.tick()
        return [card for lobby in bilal.heard("lobby")[1:] for card in lobby["rooms"]]

    before = len(cards())
    for n in range(41):
        asha.message(room, f"No {n}")
        cards()
        clock.passes(seconds=1)
    told = cards()[before:]
    assert [card["last"]["text"] for card in told] == ["No 0", "No 10", "No 20", "No 30", "No 40"]
    assert [card["active_at"] - card["opened_at"] for card in told] == [0, 10_000, 20_000, 30_000, 40_000]
    clock.passes(seconds=9)
    asha.message(room, "After a while")
    assert cards()[-1]["last"] == {"user": "asha", "text": "After a while"}
    clock.passes(seconds=10)
    asha.message(room, "A slip")
    assert cards()[-1]["last"]["text"] == "A slip", "the premise"
    asha.take_back(room, 43)
    assert cards()[-1]["last"]["text"] == "After a while", "what is taken back goes at once"


def test_a_change_is_told_once_also_where_a_tick_comes_in_between(asha, bilal, chen, clock, clean_party, monkeypatch):
    """As where the log is on another machine: what a command said is told, and then the tab goes in."""
    append_and_wait = clean_party.append_and_wait

    def slowly(command):
        outcome = append_and_wait(command)
        clean_party.tick()
        return outcome

    monkeypatch.setattr(clean_party, "append_and_wait", slowly)
    frames = len(chen.heard("lobby"))
    room = asha.host()
    for change, more in (
        (lambda: None, 1),
        (lambda: bilal.watch(room), 1),
        (lambda: bilal.request(room), 0),
        (lambda: asha.approve(room, "bilal"), 1),
        (lambda: asha.message(room, "The first word"), 1),
        (lambda: clock.passes(seconds=10), 0),
        (lambda: asha.message(room, "The second"), 1),
        (lambda: asha.message(room, "The third"), 0),
        (lambda: bilal.pulse(room), 0),  # the words wait, though something else is new there
        (lambda: chen.request(room), 0),
        (lambda: bilal.line.hang_up(), 0),
        (lambda: asha.remove(room, "bilal"), 1),
        (lambda: clock.passes(seconds=10), 0),
        (lambda: asha.close(room), 1),
    ):
        change()
        for _ in range(3):
            clean_party.tick()
        frames += more
        assert len(chen.heard("lobby")) == frames


def test_a_card_shows_the_last_words_in_one_line(asha, bilal, clean_party):
    room = asha.host()
    assert bilal.hears("lobby", lambda lobby: lobby["rooms"])["rooms"][0]["last"] is None
    asha.message(room, "  Two\n\nlines " + "x" * 300)
    last = {"user": "asha", "text": "Two lines " + "x" * 190}
    assert bilal.hears("lobby", lambda lobby: lobby["rooms"] and lobby["rooms"][0]["last"] == last)


def test_the_clock_of_the_party_is_one_that_nobody_sets(monkeypatch, clean_party):
    before = clean_party.now()
    monkeypatch.setattr(time, "time_ns", lambda: (before + 3_600_000) * 1_000_000)
    monkeypatch.setattr(time, "time", lambda: before / 1_000 + 3_600)
    assert 0 <= clean_party.now() - before < 60_000


def test_the_longest_room_is_gone_with_everything_by_the_end_of_the_day(asha, bilal, clock, clean_party):
    """Nothing that a room needs is left behind when it is gone."""
    room = asha.host()
    bilal.watch(room)
    bilal.request(room)
    for _ in range(60):
        clock.passes(minutes=5)
        clean_party.tick()
    assert not clean_party.state.rooms and not clean_party.presence.people
    for part in ("told", "told_cards", "stale_rooms", "stale_cards", "lively_cards", "stale_likes"):
        assert not getattr(clean_party.news, part), part
    assert not any(tab.room_ids for tab in clean_party.presence.tabs.values())


def away(*_):
    raise Unavailable("away")


def test_nobody_is_missed_while_the_other_processes_cannot_be_asked(asha, bilal, clock, clean_party, monkeypatch):
    """Who is gone here may have come in there meanwhile."""
    room = asha.host()
    seat(asha, bilal, room)
    asha.line.hang_up()
    clean_party.tick()
    with monkeypatch.context() as outage:
        outage.setattr(clean_party.journal, "exchange", away)
        clock.passes(minutes=2)
        clean_party.tick()
    assert bilal.sees(room)["host"] == "asha"
    clock.passes(seconds=59)
    assert bilal.sees(room)["host"] == "asha", "her minute begins when the others can be asked again"
    clock.passes(seconds=1)
    assert bilal.sees(room)["host"] == "bilal"


def test_people_inside_through_another_process_are_there(asha, clock, clean_party, monkeypatch):
    room = asha.host()
    elsewhere = {"another process": {room: {"asha": 1, "chen": 2}}}
    monkeypatch.setattr(clean_party.journal, "exchange", lambda note: elsewhere)
    assert asha.sees(room)["watching"] == 1
    asha.line.hang_up()
    for _ in range(3):
        clean_party.tick()
        clock.passes(minutes=4)
    view = clean_party.room_view(clean_party.state.rooms[room])
    assert (view["host"], view["watching"], view["closed"]) == ("asha", 1, None)
    elsewhere = {}
    clean_party.tick()
    assert clean_party.room_view(clean_party.state.rooms[room])["watching"] == 0
    clock.passes(minutes=5)
    clean_party.tick()
    assert clean_party.state.rooms[room].closed == "abandoned"


def test_who_listens_and_who_writes_through_another_process_is_told_here(asha, bilal, clean_party, monkeypatch):
    room = asha.host()
    seat(asha, bilal, room)
    said = {"one": {room: {"chen": 1, "dana": 2}, f"unnamed:{room}": {"dana": 1}, f"writing:{room}": {"bilal": 1}}}
    monkeypatch.setattr(clean_party.journal, "exchange", lambda note: said)
    assert (asha.sees(room)["listening"], asha.sees(room)["watching"]) == (["chen"], 2)
    assert asha.hears("writing")["users"] == ["bilal"]
    said = {"one": {room: {"emeka": 1, "dana": 1, "chen": 1}}}
    assert asha.sees(room)["listening"] == ["chen", "emeka", "dana"], "who stays keeps the place"
    assert asha.heard("writing")[-1]["users"] == []
    assert clean_party.presence.note() == {room: {"asha": 1, "bilal": 1}}
    said = {}
    assert (asha.sees(room)["listening"], asha.sees(room)["watching"]) == ([], 0)


def test_what_the_other_processes_are_told_is_made_anew_only_after_a_change_here(asha, bilal, clock, clean_party):
    room, presence = asha.host(), clean_party.presence
    seat(asha, bilal, room)

    def happens(what):
        before = presence.note()
        what()
        clean_party.tick()
        return before, presence.note()

    def elsewhere():
        presence.hear({"another process": {room: {"chen": 1}}})
        asha.message(room)

    before, after = happens(elsewhere)
    assert after is before == {room: {"asha": 1, "bilal": 1}}
    unnamed, writing = f"unnamed:{room}", f"writing:{room}"
    since = clock.at
    for what, said in (
        (lambda: bilal.watch(room, unnamed=True), {room: {"asha": 1, "bilal": 1}, unnamed: {"bilal": 1}}),
        (lambda: bilal.watch(room), {room: {"asha": 1, "bilal": 1}}),
        (lambda: bilal.writing(room), {room: {"asha": 1, "bilal": 1}, writing: {"bilal": since}}),
        (lambda: clock.passes(seconds=6), {room: {"asha": 1, "bilal": 1}}),
        (lambda: bilal.leave(room), {room: {"asha": 1}}),
        (lambda: asha.line.hang_up(), {}),
    ):
        before, after = happens(what)
        assert after == said and after is not before


def test_who_goes_in_while_the_log_is_away_can_read_and_is_a_visitor_afterwards(
    asha, bilal, clock, clean_party, monkeypatch
):
    room = asha.host(minutes=10)
    asha.message(room, "Words to keep")
    with monkeypatch.context() as outage:
        outage.setattr(clean_party.journal, "append", away)
        ack = assert_ok(bilal.watch(room))
        assert [message["text"] for message in ack["messages"]] == ["Words to keep"]
        assert_refused(asha.message(room, "Not kept"), "unavailable")
        clean_party.tick()
        assert "bilal" not in clean_party.state.rooms[room].visitors
    clean_party.tick()
    assert "bilal" in clean_party.state.rooms[room].visitors
    clock.passes(minutes=10)
    clean_party.tick()
    assert_ok(bilal.watch(room))


def test_a_tab_that_goes_while_its_command_is_put_into_the_log_is_inside_nowhere(asha, bilal, clean_party, monkeypatch):
    room, append_and_wait = asha.host(), clean_party.append_and_wait

    def hung_up_meanwhile(command):
        bilal.line.hang_up()
        clean_party.tick()
        return append_and_wait(command)

    monkeypatch.setattr(clean_party, "append_and_wait", hung_up_meanwhile)
    bilal.watch(room)
    assert clean_party.presence.names_in(room) == {"asha"}


def test_an_event_that_fails_here_is_answered_with_a_sentence_and_the_line_goes_on(asha, clean_party, monkeypatch):
    with monkeypatch.context() as mistake:
        mistake.setattr(clean_party, "submit", lambda *_, **__: 1 / 0)
        assert_refused(asha.ask("host", {"topic": "Tea"}), "unavailable")
    assert asha.host()


def test_who_may_not_read_a_closed_room_may_not_while_the_log_is_away(asha, bilal, clock, clean_party, monkeypatch):
    room = asha.host()
    asha.close(room)
    monkeypatch.setattr(clean_party.journal, "append", away)
    monkeypatch.setattr(clean_party.journal, "catch_up", away)
    assert_refused(bilal.watch(room), "closed")


def test_people_are_counted_in_a_room_that_is_heard_of_later_than_of_them(asha, clean_party, monkeypatch):
    """Who is inside comes by another way than what happened, which may be slower."""
    told_once = {"another process": {"later": {"chen": 1}}}
    monkeypatch.setattr(clean_party.journal, "exchange", lambda note: told_once)
    clean_party.tick()
    clean_party.tick()
    opening = {"id": "later", "at": clean_party.now(), "kind": "host", "user": "asha", "key": None}
    clean_party.receive(1, opening | {"topic": "Tea", "lasts": 60_000})
    assert clean_party.room_view(clean_party.state.rooms["later"])["watching"] == 1


def test_nobody_is_handed_more_rooms_than_they_may_host(asha, bilal, clean_party):
    mine = [bilal.host(f"Mine {n}") for n in range(rules.LIVE_ROOMS_EACH)]
    room = asha.host("One too many")
    seat(asha, bilal, room)
    assert_refused(asha.hand_over(room, "bilal"), "limit")
    assert asha.sees(room)["host"] == "asha"
    bilal.close(mine[0])
    assert_ok(asha.hand_over(room, "bilal"))
