"""What one missed: picked messages, what an AI says, and what nobody who may not read it is given."""

import pytest
from conftest import browser_of, guest_of

import app
from services import picking


def said(seq, text, user="asha", reply=None, likes=0):
    return {"seq": seq, "at": seq, "user": user, "name": user, "is_guest": False, "text": text, "reply": reply} | {
        "likes": likes
    }


def feed(*texts, **more):
    return [said(seq, text, **more) for seq, text in enumerate(texts, start=1)]


def picks(messages):
    return {one["seq"]: one["kind"] for one in picking.summarise({"messages": messages}, "any", 0)}


SMALL_TALK = [f"This is remark {one} of an evening" for one in "abcdefghijklmnopqrst"]


# --- Which messages ---------------------------------------------------------------------------------------------------


def test_what_was_approved_and_answered_most_a_question_and_the_last_words_are_picked():
    messages = feed(*SMALL_TALK)
    messages[4]["likes"] = 3
    messages[5]["likes"] = 1
    messages[9]["text"] = "Does anybody know a good bakery?"
    for user, seq in (("bilal", 12), ("chen", 13)):
        messages[seq] |= {"reply": 8, "user": user}
    found = picks(messages)
    assert (found[5], found[8], found[10], found[20]) == ("approved", "answered", "question", "last")
    assert found[6] == "approved" and list(found) == sorted(found) and len(found) <= 7


def test_what_others_come_back_to_is_central():
    texts = ["Bread rises slower when the kitchen is cold", "I grew up near a harbour with ships"]
    texts += ["My kitchen is cold so bread never rises", "Flour and bread and a cold kitchen, always"]
    texts += ["Yesterday somebody sang under our window", "Elections come next spring, they say"] * 2
    assert picks(feed(*texts, "Good night to you all")) == {1: "central", 4: "central", 9: "last"}


# --- What a person is given -------------------------------------------------------------------------------------------


def asked(browser, room, after=0):
    answer = browser.get(f"/moments/{room}?after={after}")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    return answer.json


def seqs(given):
    return [one["seq"] for one in given["moments"]]


@pytest.fixture
def talk(clean_party, join):
    """A room where asha said twenty things, of which bilal likes the third and the eighteenth."""
    asha, bilal = join("asha"), join("bilal")
    room = asha.host("Tea")
    bilal.watch(room)
    for text in SMALL_TALK:
        asha.message(room, text)
    for seq in (3, 18):
        bilal.like(room, seq)
    return room, asha, bilal


def test_who_comes_late_is_given_messages_as_they_were_said(talk):
    room, _, _ = talk
    given = asked(browser_of("chen"), room)
    assert (given["by"], given["of"]) == (None, 20)
    assert {"seq": 3, "kind": "approved"}.items() <= given["moments"][0].items()
    message = given["moments"][0]["message"]
    assert message == said(3, SMALL_TALK[2], likes=1) | {"at": message["at"]}


def test_who_comes_back_is_given_what_lies_behind_what_they_read(talk):
    room, _, _ = talk
    given = asked(browser_of("bilal"), room, after=10)
    assert given["of"] == 10 and seqs(given)[0] > 10 and 18 in seqs(given)
    for odd in ("-5", "x", "9" * 5000, ""):
        assert asked(browser_of("bilal"), room, after=odd)["of"] == 20
    assert asked(browser_of("bilal"), room, after=20) == {"by": None, "of": 0, "moments": []}


def test_what_was_taken_back_is_in_nobodys_moments(talk):
    room, asha, bilal = talk
    bilal.like(room, 20)
    assert 20 in seqs(asked(browser_of("chen"), room))
    asha.take_back(room, 20)
    given = asked(browser_of("chen"), room)
    assert given["of"] == 19 and 20 not in seqs(given)


def test_a_guest_is_given_nothing_of_what_was_said_before_they_came(talk):
    room, asha, bilal = talk
    asha.door(room, "watch")
    user, guest = guest_of(room)
    app.submit("watch", user, room=room)
    for text in SMALL_TALK:
        asha.message(room, f"{text} later")
    bilal.like(room, 25)
    given = asked(guest, room)
    assert given["of"] == 20 and min(seqs(given)) > 20 and 25 in seqs(given)
    asha.close(room)
    assert min(seqs(asked(guest, room))) > 20


def test_who_may_not_read_the_room_is_given_nothing(talk):
    room, asha, _ = talk
    assert app.app.test_client().get(f"/moments/{room}").status_code == 401
    assert browser_of("chen").get("/moments/nowhere").status_code == 404
    asha.close(room)
    assert browser_of("bilal").get(f"/moments/{room}").status_code == 200
    refused = browser_of("chen").get(f"/moments/{room}")
    assert refused.status_code == 404
    assert refused.text == "That room has closed. Only those who were inside can still read it."
