"""The contract's events, one promise after the other: in this process, on eventlet and on threads."""

import pytest
from conftest import EVENTS
from person import FIELDS, assert_ok, assert_refused, seat


def test_the_whole_story(asha, bilal, chen):
    room = asha.host("Should tea have milk?", minutes=20)
    chen.hears("lobby", lambda lobby: any(card["topic"] == "Should tea have milk?" for card in lobby["rooms"]))
    bilal.watch(room)
    chen.watch(room)
    assert assert_ok(bilal.request(room, pitch="I brew  for a living"))["place"] == 1
    waiting = asha.hears("waiting", lambda told: told["waiting"])["waiting"]
    assert [(one["user"], one["pitch"]) for one in waiting] == [("bilal", "I brew for a living")]
    assert_ok(asha.approve(room, "bilal"))
    bilal.hears("approved", lambda told: told == {"room": room, "pitch": "I brew for a living"})
    sent = assert_ok(bilal.message(room, "Milk goes last.", key="milk-1"))["message"]
    assert {name: sent[name] for name in ("room", "seq", "user", "text", "key")} == {
        "room": room, "seq": 1, "user": "bilal", "text": "Milk goes last.", "key": "milk-1"
    }  # fmt: skip
    assert chen.hears("message") == sent
    assert_refused(chen.message(room, "First!"), "forbidden")
    assert_ok(asha.close(room))
    closed = chen.hears("closed")
    gone_at = chen.hears("room", lambda view: view["closed"])["gone_at"]
    assert closed == {"room": room, "reason": "host", "by": "asha", "gone_at": gone_at}
    assert_refused(bilal.message(room, "One more thing"), "closed")
    chen.hears("lobby", lambda lobby: room in lobby["gone"])


def test_one_change_of_a_room_reaches_everybody_in_the_lobby_as_one_frame(join_anywhere, asha, bilal, chen):
    in_the_lobby = [join_anywhere("dana"), join_anywhere("emeka")]  # of two processes, one at each

    def frames_about(room):
        for person in (*in_the_lobby, in_the_lobby[0]):  # so that what is told through a process is told at the other
            person.line.settle()
        told = [[room in (*lobby["gone"], *(card["id"] for card in lobby["rooms"])) for lobby in person.heard("lobby")]
                for person in in_the_lobby]  # fmt: skip
        return [sum(about) for about in told]

    room, frames = asha.host(), 1
    assert frames_about(room) == [1, 1], "a room is opened"
    for what, change, more in (
        ("a newcomer", lambda: bilal.watch(room), 1),
        ("once more", lambda: bilal.watch(room), 0),
        ("a request", lambda: bilal.request(room), 0),
        ("a speaker", lambda: asha.approve(room, "bilal"), 1),
        ("another newcomer", lambda: chen.watch(room), 1),
        ("who listened leaves", lambda: chen.leave(room), 1),
        ("who keeps a seat leaves", lambda: bilal.leave(room), 0),
        ("another host", lambda: asha.hand_over(room, "bilal"), 1),
        ("the end", lambda: bilal.close(room), 1),
    ):
        assert_ok(change())
        frames += more
        assert frames_about(room) == [frames, frames], what


def test_a_tab_that_goes_in_hears_the_room_first(asha, bilal):
    room = asha.host("Tea")
    assert_ok(bilal.watch(room))
    assert bilal.heard("room"), "with the acknowledgement at the latest"
    view = bilal.hears("room", lambda view: not view["away"])  # who is inside through another process comes a bit later
    assert view.pop("closes_at") - view.pop("opened_at") == 30 * 60_000
    assert view == {
        "id": room, "topic": "Tea", "host": "asha", "speakers": [], "seats": 8, "away": [], "watching": 1,
        "listening": ["bilal"], "waiting": 0,
        "more_time": 0, "pulse": {"agree": 0, "say_more": 0, "off_topic": 0}, "seq": 0, "closed": None,
        "closed_at": None, "gone_at": None, "continued_in": None, "door": "closed", "guests": {},
        "publish": False, "publishes_at": None, "published": False,
    }  # fmt: skip


def test_watching_gives_the_feed_and_the_queue_to_the_host_alone(asha, bilal, chen):
    room = asha.host()
    asha.message(room, "One")
    chen.request(room)
    ack = assert_ok(bilal.watch(room))
    assert [message["text"] for message in ack["messages"]] == ["One"]
    assert ack["earlier"] is False
    assert "waiting" not in ack
    assert [one["user"] for one in asha.watch(room)["waiting"]] == ["chen"]


def test_a_feed_has_no_gap_and_every_page_of_it_can_be_had(asha, bilal):
    room = asha.host()
    for n in range(1, 451):
        asha.message(room, f"Message {n}")
    newest = assert_ok(bilal.watch(room))
    assert [message["seq"] for message in newest["messages"]] == list(range(251, 451))
    assert (newest["earlier"], newest["later"]) == (True, False)
    middle = assert_ok(bilal.history(room, before=251))
    assert [message["seq"] for message in middle["messages"]] == list(range(51, 251))
    first = assert_ok(bilal.history(room, before=51))
    assert [message["seq"] for message in first["messages"]] == list(range(1, 51))
    assert (middle["earlier"], first["earlier"]) == (True, False)
    missed = assert_ok(bilal.watch(room, after=100))
    assert [message["seq"] for message in missed["messages"]] == list(range(101, 451))
    assert bilal.watch(room, after=450) == {
        "ok": True, "room": room, "messages": [], "earlier": True, "later": False, "taken_back": [], "likes": {},
        "liked": [],
    }  # fmt: skip
    assert bilal.watch(room, after=0)["earlier"] is False
    assert [message["seq"] for message in bilal.history(room, before=9_999)["messages"]] == list(range(251, 451))
    assert bilal.history(room, before=1) == {"ok": True, "messages": [], "earlier": False}


def test_who_comes_back_catches_up_a_thousand_at_a_time(join, clean_party):
    asha, bilal = join("asha"), join("bilal")
    room = asha.host()
    for n in range(1_250):
        asha.message(room, f"Message {n}")
    missed, rest = bilal.watch(room, after=100), bilal.watch(room, after=1_100)
    assert [message["seq"] for message in missed["messages"]] == list(range(101, 1_101))
    assert [message["seq"] for message in rest["messages"]] == list(range(1_101, 1_251))
    assert (missed["later"], rest["later"]) == (True, False)
    assert bilal.watch(room, after=250)["later"] is False, "a thousand are all that there are"


def test_history_is_for_those_inside(asha, bilal):
    room = asha.host()
    assert_refused(bilal.history(room, before=1), "forbidden")
    bilal.watch(room)
    bilal.leave(room)
    assert_refused(bilal.history(room, before=1), "forbidden")
    assert_refused(bilal.leave(room), "forbidden")


def test_who_has_left_hears_no_more_and_comes_back_to_everything(asha, bilal):
    room = asha.host()
    bilal.watch(room)
    bilal.leave(room)
    asha.message(room, "While you were out")
    assert bilal.reads(room) == []
    assert [message["text"] for message in bilal.watch(room, after=0)["messages"]] == ["While you were out"]


def test_the_queue_keeps_its_order_and_everybody_knows_their_place(asha, bilal, chen):
    room = asha.host()
    assert bilal.request(room)["place"] == 1
    assert chen.request(room)["place"] == 2
    assert asha.sees_waiting(room) == ["bilal", "chen"]
    bilal.withdraw(room)
    assert chen.hears("place", lambda told: told["place"] == 1)["room"] == room
    assert asha.sees_waiting(room) == ["chen"]


def test_asking_twice_is_a_conflict_and_changes_nothing(asha, bilal):
    room = asha.host()
    bilal.request(room)
    assert_refused(bilal.request(room), "conflict")
    assert asha.sees_waiting(room) == ["bilal"]


def test_a_denied_person_is_told_and_may_ask_again(asha, bilal):
    room = asha.host()
    bilal.request(room)
    assert_ok(asha.deny(room, "bilal"))
    assert bilal.hears("denied") == {"room": room}
    assert_refused(bilal.message(room), "forbidden")
    assert bilal.request(room)["place"] == 1


def test_a_removed_speaker_watches_again(asha, bilal):
    room = asha.host()
    seat(asha, bilal, room)
    assert asha.sees(room)["speakers"] == ["bilal"]
    assert_ok(asha.remove(room, "bilal"))
    assert bilal.hears("removed") == {"room": room}
    assert_refused(bilal.message(room), "forbidden")
    assert bilal.sees(room)["speakers"] == []
    assert bilal.sees(room)["watching"] == 1


def test_a_speaker_keeps_the_seat_while_away(asha, bilal):
    room = asha.host()
    seat(asha, bilal, room)
    bilal.leave(room)
    assert asha.sees(room)["speakers"] == ["bilal"]
    bilal.watch(room)
    assert_ok(bilal.message(room, "Back"))


def test_who_could_speak_but_is_not_there_is_away(join_anywhere, asha, bilal, chen):
    room = asha.host()
    for person in (bilal, chen):
        seat(asha, person, room)
    dana = join_anywhere("dana")
    dana.watch(room)
    assert dana.hears("room", lambda view: view["speakers"] == ["bilal", "chen"] and view["away"] == [])
    for person in (chen, bilal, asha):
        person.leave(room)
    assert dana.hears("room", lambda view: view["away"] == ["asha", "bilal", "chen"])["watching"] == 1
    bilal.watch(room)
    assert dana.hears("room", lambda view: view["away"] == ["asha", "chen"])


def test_the_host_hands_over_to_a_speaker_and_becomes_one(join_anywhere, asha, bilal, chen):
    room, other_tab = asha.host(), join_anywhere("asha")
    seat(asha, bilal, room)
    seat(asha, chen, room)
    join_anywhere("dana").request(room, pitch="Me too")
    for tab in (asha, other_tab):
        tab.hears("waiting", lambda told: [one["user"] for one in told["waiting"]] == ["dana"])
    assert assert_ok(asha.hand_over(room, "bilal")) == {"ok": True}
    assert [one["pitch"] for one in bilal.hears("waiting")["waiting"]] == ["Me too"]
    view = bilal.sees(room)
    assert (view["host"], view["speakers"]) == ("bilal", ["chen", "asha"])
    join_anywhere("emeka").request(room)
    assert bilal.hears("waiting", lambda told: len(told["waiting"]) == 2)
    assert asha.sees_waiting(room) == other_tab.sees_waiting(room) == ["dana"], "they hear of the queue no more"
    assert_refused(asha.approve(room, "dana"), "forbidden")
    assert_ok(asha.message(room, "I keep a seat"))
    assert_ok(bilal.approve(room, "dana"))


def test_an_answer_names_the_message_that_it_answers(asha, bilal):
    room = asha.host()
    bilal.watch(room)
    first = asha.message(room, "Milk first?")["message"]
    answer = assert_ok(asha.message(room, "Milk last.", reply=1))["message"]
    assert "reply" not in first and answer["reply"] == 1
    assert bilal.hears("message", lambda message: message["seq"] == 2) == answer
    assert bilal.watch(room)["messages"] == [first, answer]
    assert_refused(asha.message(room, "To what?", reply=3), "not_found")
    assert asha.message(room, "After that", reply=None)["message"]["seq"] == 3, "what was refused has no number"


def test_words_that_are_taken_back_go_everywhere_and_leave_a_trace(join_anywhere, asha, bilal):
    room = asha.host()
    bilal.watch(room)
    asha.message(room, "A slip", key="slip")
    answer = asha.message(room, "An answer to it", key="answer", reply=1)["message"]
    assert_refused(asha.take_back(room, 1), "conflict")
    assert assert_ok(asha.take_back(room, 2)) == {"ok": True}
    assert bilal.hears("taken_back") == {"room": room, "seq": 2}
    trace = answer | {"text": "", "taken_back": True}
    assert trace["reply"] == 1
    assert bilal.history(room, before=3)["messages"][1] == bilal.watch(room)["messages"][1] == trace
    assert asha.message(room, "An answer to it", key="answer", reply=1) == {"ok": True, "message": trace}, "not twice"
    assert_refused(asha.message(room, "Another answer", key="answer", reply=1), "conflict")
    assert_refused(asha.take_back(room, 2), "conflict")
    assert asha.message(room, "Better", reply=2)["message"]["reply"] == 2


def test_who_comes_back_is_told_what_was_taken_back_meanwhile(asha, bilal):
    room = asha.host()
    for n in range(1, 5):
        asha.message(room, f"Message {n}")
        if n in (2, 4):
            asha.take_back(room, n)
    assert bilal.watch(room, after=0)["taken_back"] == []
    assert bilal.watch(room, after=3)["taken_back"] == [2], "4 comes without its words"
    assert bilal.watch(room, after=4)["taken_back"] == [2, 4]
    assert "taken_back" not in bilal.watch(room)


def test_the_queue_and_the_watchers_say_how_it_goes_and_nobody_hears_who(asha, bilal, chen):
    room = asha.host()
    bilal.watch(room)
    chen.watch(room)
    chen.request(room)
    assert assert_ok(bilal.pulse(room, "agree")) == {"ok": True}
    assert_ok(chen.pulse(room, "say_more"))
    expected = {"agree": 1, "say_more": 1, "off_topic": 0}
    for person in (asha, bilal):
        person.hears("room", lambda view: view["pulse"] == expected)
    ack = bilal.pulse(room, "off_topic")
    assert_refused(ack, "slow_down")
    assert 1 <= ack["retry_after"] <= 10
    assert asha.sees(room)["pulse"] == expected


def test_everybody_inside_may_like_what_others_say_and_nobody_hears_who(join_anywhere, asha, bilal, chen):
    room, other_tab = asha.host(), join_anywhere("bilal")
    for person in (bilal, chen):
        person.watch(room)
    asha.message(room, "Milk goes last.")
    asha.message(room, "Or first.")
    assert assert_ok(bilal.like(room, 1)) == {"ok": True, "likes": 1}
    assert assert_ok(bilal.like(room, 1))["likes"] == 1, "once each"
    other_tab.hears("liked", lambda told: told == {"room": room, "seq": 1, "liked": True})
    assert assert_ok(chen.like(room, 1))["likes"] == 2
    assert assert_ok(chen.like(room, 2))["likes"] == 1
    asha.hears("likes", lambda told: told["room"] == room and told["likes"].get("1") == 2)
    assert asha.heard("liked") == []
    assert_refused(asha.like(room, 1), "forbidden")
    assert_refused(bilal.like(room, 3), "not_found")
    ack = assert_ok(bilal.watch(room))
    assert (ack["likes"], ack["liked"]) == ({"1": 2, "2": 1}, [1])
    assert assert_ok(bilal.like(room, 1, liked=False))["likes"] == 1
    asha.hears("likes", lambda told: told["likes"].get("1") == 1)
    asha.take_back(room, 2)
    assert_refused(bilal.like(room, 2), "conflict")
    asha.close(room)
    ack = assert_ok(chen.watch(room))
    assert (ack["likes"], ack["liked"]) == ({"1": 1}, [1]), "what was taken back is liked no more"


def test_who_listens_is_named_in_order_unless_a_tab_of_theirs_listens_unnamed(join_anywhere, asha, bilal, chen):
    room, dana = asha.host(), join_anywhere("dana")

    def everybody_sees(listening, watching):
        for person in (asha, dana):
            person.hears("room", lambda view: (view["listening"], view["watching"]) == (listening, watching))

    for n, person in enumerate((dana, chen, bilal), start=1):
        person.watch(room)
        everybody_sees(["dana", "chen", "bilal"][:n], n)
    second = join_anywhere("chen")
    second.watch(room, unnamed=True)
    everybody_sees(["dana", "bilal"], 3)
    second.watch(room, unnamed=False)
    everybody_sees(["dana", "bilal", "chen"], 3)
    second.watch(room, unnamed=True)
    everybody_sees(["dana", "bilal"], 3)
    second.leave(room)
    everybody_sees(["dana", "bilal", "chen"], 3)
    bilal.request(room)
    bilal.watch(room, unnamed=True)
    everybody_sees(["dana", "chen"], 3)
    asha.approve(room, "bilal")
    view = asha.hears("room", lambda view: view["speakers"] == ["bilal"])
    assert (view["listening"], view["watching"]) == (["dana", "chen"], 2), "who speaks is named as a speaker"
    dana.line.hang_up()
    asha.hears("room", lambda view: view["listening"] == ["chen"])


def test_who_is_writing_is_told_until_they_have_said_it(asha, bilal, chen):
    room = asha.host()
    seat(asha, bilal, room)
    chen.watch(room)
    assert assert_ok(bilal.writing(room)) == {"ok": True}
    asha.hears("writing", lambda told: told == {"room": room, "users": ["bilal"]})
    assert_ok(asha.writing(room))
    assert_ok(bilal.writing(room))
    chen.hears("writing", lambda told: told["users"] == ["bilal", "asha"])
    asha.leave(room)
    asha.message(room, "Said from outside")
    chen.hears("writing", lambda told: told["users"] == ["bilal"])
    bilal.message(room, "What I was writing")
    assert chen.hears("writing", lambda told: told["users"] == [])
    assert_refused(chen.writing(room), "forbidden")


def test_a_closed_room_is_carried_on_by_who_can_read_it_and_those_with_a_seat_there_keep_it(
    join_anywhere, asha, bilal, chen
):
    room, dana = asha.host("Tea"), join_anywhere("dana")
    for person in (bilal, dana):
        seat(asha, person, room)
    bilal.hears("room", lambda view: view["speakers"] == ["bilal", "dana"] and not view["away"])
    assert_refused(bilal.ask("host", {"topic": "Tea", "continues": room}), "conflict")
    assert_refused(bilal.ask("host", {"topic": "Tea", "continues": "no-such-room"}), "not_found")
    dana.leave(room)
    bilal.hears("room", lambda view: view["away"] == ["dana"])
    asha.close(room)
    assert_refused(chen.ask("host", {"topic": "Tea", "continues": room}), "closed")
    key = bilal.new_key()
    new = bilal.host("Tea again", continues=room, key=key)
    asha.hears("room", lambda view: view["id"] == room and view["continued_in"] == new)
    view = bilal.sees(new)
    assert (view["host"], view["speakers"], view["continued_in"]) == ("bilal", ["asha"], None)
    assert_ok(asha.message(new, "As I was saying"))
    ack = asha.ask("host", {"topic": "Me too", "continues": room})
    assert_refused(ack, "conflict")
    assert ack["room"] == new
    assert bilal.host("Tea again", continues=room, key=key) == new, "sent again it is still the same"
    bilal.close(new)
    newest = asha.host("Once more", continues=room)
    bilal.hears("room", lambda view: view["id"] == room and view["continued_in"] == newest)


def test_more_time_is_asked_for_once_each_until_it_is_given(asha, bilal, chen):
    room = asha.host()
    for person in (bilal, chen):
        person.watch(room)
        assert assert_ok(person.more_time(room)) == {"ok": True}
    asha.hears("room", lambda view: view["more_time"] == 2)
    assert_refused(bilal.more_time(room), "conflict")
    asha.extend(room)
    assert asha.sees(room)["more_time"] == 0
    assert_ok(bilal.more_time(room))
    assert bilal.sees(room)["more_time"] == 1


def test_two_tabs_are_one_person(join_anywhere, asha, bilal):
    room = asha.host()
    other_tab = join_anywhere("bilal")
    bilal.watch(room)
    other_tab.watch(room)
    assert asha.sees(room)["watching"] == 1, "a person is counted once"
    bilal.request(room)
    asha.approve(room, "bilal")
    assert other_tab.hears("approved") == {"room": room, "pitch": ""}
    other_tab.message(room, "From the other tab")
    assert bilal.reads(room) == other_tab.reads(room) == ["From the other tab"]
    bilal.line.hang_up()
    other_tab.message(room, "Still here")
    assert asha.sees(room)["speakers"] == ["bilal"]
    assert asha.reads(room) == ["From the other tab", "Still here"]


def test_a_new_tab_is_told_what_waits_for_its_person(join_anywhere, asha, bilal):
    room = asha.host()
    bilal.request(room, pitch="Me")
    assert asha.sees_waiting(room) == ["bilal"]
    assert [one["pitch"] for one in join_anywhere("asha").hears("waiting")["waiting"]] == ["Me"]
    assert join_anywhere("bilal").hears("place") == {"room": room, "place": 1}


def test_a_waiting_person_who_comes_back_is_told_the_place(join_anywhere, asha, bilal):
    room = asha.host()
    bilal.request(room)
    assert bilal.hears("place")["place"] == 1, "the place must have been told before"
    bilal.line.hang_up()
    reloaded = join_anywhere("bilal")
    reloaded.watch(room)
    assert reloaded.hears("place") == {"room": room, "place": 1}


def test_extending_adds_ten_minutes_and_ends_at_two_hours(asha):
    room = asha.host()
    before = asha.sees(room)["closes_at"]
    assert_ok(asha.extend(room))
    assert asha.sees(room)["closes_at"] == before + 10 * 60_000
    for _ in range(8):
        assert_ok(asha.extend(room))
    assert_refused(asha.extend(room), "limit")
    view = asha.sees(room)
    assert view["closes_at"] - view["opened_at"] == 120 * 60_000


def test_the_last_extension_ends_at_two_hours_too(asha):
    room = asha.host(minutes=25)
    for _ in range(10):
        assert_ok(asha.extend(room))
    view = asha.sees(room)
    assert view["closes_at"] - view["opened_at"] == 120 * 60_000


def test_a_key_that_hosted_a_room_which_is_gone_hosts_anew(join, clean_party):
    asha = join("asha")
    first = asha.host("Tea", key="once")
    asha.close(first)
    clean_party.submit("forget", room=first)
    assert asha.host("Tea", key="once") != first


def test_the_lobby_hears_who_goes_in_and_out(asha, bilal, chen):
    room = asha.host()

    def watching(count):
        return lambda lobby: any(card["id"] == room and card["watching"] == count for card in lobby["rooms"])

    bilal.watch(room)
    assert chen.hears("lobby", watching(1))
    bilal.leave(room)
    assert chen.hears("lobby", watching(0))


def test_the_lobby_greets_with_all_live_cards(join_anywhere, asha):
    room = asha.host("Coffee", minutes=15)
    lobby = join_anywhere("dana").hears("lobby")
    card = next(card for card in lobby["rooms"] if card["id"] == room)
    assert (card["topic"], card["host"], card["speakers"]) == ("Coffee", "asha", [])
    assert card["closes_at"] - card["opened_at"] == 15 * 60_000
    assert 0 <= lobby["now"] - card["opened_at"] < 60_000
    assert lobby["gone"] == []


READS = ("watch", "history", "leave", "writing")  # these can simply be repeated
OF_GUESTS = ("put_out",)  # tests/test_guests.py has these
OF_PLANS = ("move", "call_off", "coming")  # and tests/test_plans.py these
OF_PUBLISHING = ("withhold", "leave_out")  # and tests/test_publishing.py these
SHOWN_ELSEWHERE = (*READS, *OF_GUESTS, *OF_PLANS, *OF_PUBLISHING)


@pytest.mark.parametrize("event", [event for event in EVENTS if event not in SHOWN_ELSEWHERE])
def test_the_same_key_gives_the_first_outcome_and_changes_nothing(event, asha, bilal):
    room = asha.host("Tea")
    bilal.watch(room)
    asha.hears("room", lambda view: view["watching"] == 1)
    if event in ("withdraw", "approve", "deny", "remove", "hand_over"):
        bilal.request(room)
    if event in ("remove", "hand_over"):
        asha.approve(room, "bilal")
    if event in ("take_back", "like"):
        asha.message(room, "Once")
    if event == "feedback":
        asha.close(room)
    person = bilal if event in ("request", "withdraw", "like", "pulse", "more_time") else asha
    payload = FIELDS | {"room": room, "text": "Once", "key": person.new_key()}
    first = assert_ok(person.ask(event, payload))
    if event == "message":  # it makes no new view by itself; another reason for one may come later
        asha.leave(room)
        asha.watch(room)
    before = asha.sees(room)
    assert person.ask(event, payload) == first
    assert asha.sees(room) == before
    assert asha.reads(room) == (["Once"] if event in ("message", "take_back", "like") else [])
    # Of what only somebody inside may send, the room is looked at before the key.
    others = {"host": {"topic": "Twice"}, "pulse": {"mood": "off_topic"}, "more_time": {"room": asha.host("Other")}}
    others["like"] = {"liked": False}
    if event == "more_time":
        bilal.watch(others[event]["room"])
    other = payload | others.get(event, {"room": "another", "user": "x", "text": "Twice"})
    assert_refused(person.ask(event, other), "conflict")


def test_reading_changes_nothing_and_needs_no_key(asha, bilal):
    room, key = asha.host("Tea"), bilal.new_key()
    asha.message(room, "One")
    first = assert_ok(bilal.watch(room, key=key))
    assert bilal.watch(room, key=key) == first
    assert_ok(bilal.history(room, before=2, key=key))
    assert_ok(bilal.leave(room, key=key))
    assert_refused(bilal.history(room, before=2, key=key), "forbidden")


def test_a_refusal_is_remembered_with_its_key_too(asha, bilal):
    room = asha.host()
    key = asha.new_key()
    assert_refused(asha.approve(room, "bilal", key=key), "not_found")
    bilal.request(room)
    assert_refused(asha.approve(room, "bilal", key=key), "not_found")
    assert_ok(asha.approve(room, "bilal", key=asha.new_key()))


def test_two_people_may_use_the_same_key(asha, bilal):
    room = asha.host()
    bilal.request(room)
    asha.approve(room, "bilal")
    assert assert_ok(asha.message(room, "Mine", key="k"))["message"]["seq"] == 1
    assert assert_ok(bilal.message(room, "Mine", key="k"))["message"]["seq"] == 2


BAD_PAYLOADS = [
    [], [None], [[]], [7], ["room"], [{}], [{}, {}], [{"room": None}], [{"room": 7}], [{"room": ["x"]}], [{"room": {}}],
    [{"room": ""}], [{"room": "   "}], [{"room": "\ud800"}], [{"room": "x" * 41}],
]  # fmt: skip


def test_nonsense_gets_a_clear_sentence(asha):
    for event in EVENTS:
        for payload in BAD_PAYLOADS:
            assert_refused(asha.ask(event, *payload), "bad_input")
    assert_refused(asha.ask("dance", {}), "bad_input")


@pytest.mark.parametrize(
    "event, wrong",
    [
        ("host", {"topic": "x" * 121}),
        ("host", {"topic": " \n\u200b"}),
        ("host", {"topic": "Tea", "minutes": 0}),
        ("host", {"topic": "Tea", "minutes": 31}),
        ("host", {"topic": "Tea", "minutes": 1.5}),
        ("host", {"topic": "Tea", "minutes": True}),
        ("host", {"topic": "Tea", "minutes": "10"}),
        ("host", {"topic": "Tea", "minutes": float("inf")}),
        ("host", {"topic": "Tea", "key": ""}),
        ("host", {"topic": "Tea", "key": 7}),
        ("host", {"topic": "Tea", "key": "x" * 65}),
        ("host", {"topic": "Tea", "continues": 7}),
        ("host", {"topic": "Tea", "continues": ""}),
        ("watch", {"unnamed": 1}),
        ("watch", {"after": -1}),
        ("watch", {"after": "1"}),
        ("watch", {"after": float("inf")}),
        ("history", {}),
        ("history", {"before": 0}),
        ("request", {"pitch": "x" * 141}),
        ("request", {"pitch": 7}),
        ("approve", {}),
        ("approve", {"user": ["bilal"]}),
        ("message", {"text": "Hello"}),
        ("message", {"text": "", "key": "k"}),
        ("message", {"text": " \n ", "key": "k"}),
        ("message", {"text": "x" * 2001, "key": "k"}),
        ("message", {"text": "lone \udc00", "key": "k"}),
        ("message", {"text": "null \0", "key": "k"}),
        ("message", {"text": "Hello", "key": "k", "reply": 0}),
        ("message", {"text": "Hello", "key": "k", "reply": "1"}),
        ("hand_over", {}),
        ("take_back", {}),
        ("take_back", {"seq": 0}),
        ("take_back", {"seq": 1.5}),
        ("like", {"liked": True}),
        ("like", {"seq": 1}),
        ("like", {"seq": 1, "liked": 1}),
        ("pulse", {}),
        ("pulse", {"mood": "angry"}),
        ("pulse", {"mood": ["agree"]}),
        ("feedback", {}),
        ("feedback", {"about": "weather"}),
        ("feedback", {"about": ["room"]}),
        ("feedback", {"about": "room"}),
        ("feedback", {"about": "room", "choice": "very"}),
        ("feedback", {"about": "room", "choice": "yes", "text": "x" * 1001}),
        ("feedback", {"about": "room", "choice": "yes", "text": 7}),
        ("feedback", {"about": "losing", "choice": "yes"}),
        ("feedback", {"about": "idea"}),
        ("feedback", {"about": "idea", "text": " "}),
        ("feedback", {"about": "praise", "text": "Good", "talk": "yes"}),
        ("feedback", {"about": "problem", "text": "It broke", "error": "x" * 81}),
        ("feedback", {"about": "problem", "text": "It broke", "version": 7}),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_and_changes_nothing(event, wrong, asha):
    room = asha.host()
    before = asha.sees(room)
    assert_refused(asha.ask(event, {"room": room, **wrong}), "bad_input")
    assert asha.sees(room) == before


def test_the_longest_values_are_taken(asha, bilal):
    room = asha.host("x" * 120, minutes=1)
    assert asha.sees(room)["topic"] == "x" * 120
    assert_ok(bilal.request(room, pitch="x" * 140))
    assert assert_ok(asha.message(room, "🫖" * 2000, key="x" * 64))["message"]["text"] == "🫖" * 2000


def test_text_is_kept_as_it_was_written(asha):
    room = asha.host("  Tea   or\ncoffee ")
    assert asha.sees(room)["topic"] == "Tea or coffee"
    text = "<b>bold</b> {{ 7 * 7 }}\n\n  indented\ttoo 👩‍👩‍👧"
    assert asha.message(room, f"\n{text}  ")["message"]["text"] == text


def test_nobody_hosts_more_than_three_rooms(asha, bilal):
    rooms = [asha.host() for _ in range(3)]
    assert_refused(asha.ask("host", {"topic": "A fourth"}), "limit")
    assert_ok(bilal.ask("host", {"topic": "Mine"}))
    asha.close(rooms[0])
    assert_ok(asha.ask("host", {"topic": "A fourth"}))
