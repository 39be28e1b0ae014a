"""What the entrance promises: to whom the link of a room opens it, and to nobody else."""

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser

import pytest
from conftest import browser_of
from person import assert_ok, assert_refused, form_token, seat

import users
from party.model import is_guest
from party.state import State
from runtime import entrance, settings
from runtime.journal import Unavailable

NOWHERE = "That link leads nowhere. Ask for a new one."
TAKEN = "Somebody here has that name already. Please take another."


@pytest.fixture
def room(join):
    """An open room with its door, and asha who hosts it."""
    asha = join("asha")
    room = asha.host("Tea or coffee")
    return Behind(asha, room, assert_ok(asha.door(room, "ask"))["token"])


class Behind:
    """A room, and the token of its door."""

    def __init__(self, host, id, token):
        self.host, self.id, self.token = host, id, token
        self.party = host.line.party

    def link(self, **given):
        return {"room": self.id, "door": self.token, **given}

    @property
    def guests(self):
        return self.party.state.rooms[self.id].guests


class Browser:
    """Of somebody who was sent a link."""

    def __init__(self, party, address="203.0.113.1", client=None, language="en"):
        self.client = client or party.app.test_client()
        self.around = {"environ_base": {"REMOTE_ADDR": address}, "headers": {"Accept-Language": language}}

    def post(self, where, form):
        """The object that comes, with its status under `status`."""
        token = form_token(self.client.get("/sign-in").text)
        return self.post_as_it_is(where, {"token": token, **form})

    def post_as_it_is(self, where, form):
        answer = self.client.post(where, data=form, **self.around)
        self.headers = answer.headers
        return answer.get_json() | {"status": answer.status_code}

    def look(self, form):
        return self.post("/entrance", form)

    def come_in(self, form, name="Gita"):
        return self.post("/guest", {**form, **({"name": name} if name is not None else {"unnamed": "yes"})})

    @property
    def cookie(self):
        with self.client.session_transaction() as session:
            return session.get("sign_in")


@pytest.fixture
def visit(clean_party):
    return lambda **given: Browser(clean_party, **given)


def logged(party):
    return [command["kind"] for _, command in party.journal.replay()]


def test_the_token_of_a_door_has_128_bits_that_only_the_secret_key_and_its_id_give():
    token = entrance.token_of("a secret", "0123456789abcdef")
    assert len(token) == 22 and len(base64.urlsafe_b64decode(token + "==")) == 16
    assert token == entrance.token_of("a secret", "0123456789abcdef"), "the same in every process"
    others = {entrance.token_of("a secret", "0123456789abcdee"), entrance.token_of("b secret", "0123456789abcdef")}
    assert token not in others
    assert entrance.hash_of(token) == hashlib.sha256(token.encode()).hexdigest()


def test_the_log_and_the_records_know_no_token(room, visit, caplog):
    visit().come_in(room.link())
    text = json.dumps([command for _, command in room.party.journal.replay()])
    assert room.token not in text and entrance.hash_of(room.token) in text
    assert room.token not in caplog.text


# --- What stands behind a link ---


def test_the_entrance_says_what_it_leads_into(room, visit):
    room.host.message(room.id, "Not for guests")
    seen = visit().look(room.link())
    assert seen.pop("now") > 0 and seen.pop("closes_at") > seen.pop("opened_at")
    assert seen == {
        "status": 200,
        "ok": True,
        "id": room.id,
        "topic": "Tea or coffee",
        "host": "asha",
        "speakers": [],
        "guests": {},
        "watching": 0,
        "door": "ask",
        "publish": False,
    }


def test_the_last_words_are_shown_where_the_host_lets_guests_read_them(room, visit):
    room.host.message(room.id, "Come in!")
    assert "last" not in visit().look(room.link())
    assert_ok(room.host.door(room.id, "ask", whole=True))
    assert visit().look(room.link())["last"] == {"user": "asha", "text": "Come in!"}


def dead_links(room):
    """Why each leads nowhere, and the link."""
    other = room.host.host("Another")
    assert_ok(room.host.door(other, "watch"))
    old = room.link()
    changed = assert_ok(room.host.door(room.id, "ask", renew=True))["token"]
    assert changed != room.token
    room.token = changed
    return {
        "wrong": room.link(door="A" * 22),
        "old": old,
        "empty": room.link(door=""),
        "missing": {"room": room.id},
        "long": room.link(door="A" * 9_000),
        "the hash": room.link(door=entrance.hash_of(changed)),
        "of another room": {"room": other, "door": changed},
        "of no room": {"room": "0" * 16, "door": changed},
    }


def test_every_link_that_leads_nowhere_gets_one_and_the_same_answer(room, visit):
    links = dead_links(room)
    answers = {}
    for why, link in links.items():
        for where, form in (
            ("/entrance", link),
            ("/guest", {**link, "name": "Gita"}),
            ("/guest", {**link, "unnamed": "yes"}),
        ):
            answers[why, where, len(form)] = visit().post(where, form)
    assert_ok(room.host.door(room.id, "closed"))
    answers["closed"] = visit().look(room.link())
    assert_ok(room.host.door(room.id, "ask"))
    answers["opened anew"] = visit().look(room.link())
    assert_ok(room.host.close(room.id))
    answers["ended"] = visit().come_in(room.link())
    assert all(
        answer == {"ok": False, "code": "not_found", "error": NOWHERE, "status": 404} for answer in answers.values()
    )
    assert "guest_in" not in logged(room.party)


def test_who_has_no_link_learns_of_no_name(room, visit):
    for name in ("asha", "Gita", "x" * 99, "guest", ""):
        assert visit().come_in(room.link(door="wrong"), name)["error"] == NOWHERE


@pytest.mark.alone
def test_a_link_that_leads_nowhere_says_so_in_the_same_time(room, visit):
    links = dead_links(room)
    del links["long"]  # which takes longer to be read
    took = {why: [] for why in links}
    browser = visit()
    token = form_token(browser.client.get("/sign-in").text)
    for _ in range(40):
        for why, link in links.items():
            began = time.perf_counter()
            browser.post_as_it_is("/entrance", {"token": token, **link})
            took[why].append(time.perf_counter() - began)
    least = {why: min(times) for why, times in took.items()}  # whatever else the machine does
    assert max(least.values()) < 1.5 * min(least.values()), least


def test_where_the_owner_wants_no_doors_nobody_comes_in(room, visit, monkeypatch):
    monkeypatch.setattr(settings, "DOORS", False)
    assert visit().look(room.link())["error"] == NOWHERE
    assert visit().come_in(room.link())["error"] == NOWHERE
    for open in ("watch", "ask"):
        assert_refused(room.host.door(room.id, open), "forbidden")
    assert assert_ok(room.host.door(room.id, "closed"))["token"] is None, "those that are open can be closed"


@pytest.mark.parametrize("where", ["/entrance", "/guest"])
def test_a_form_of_another_site_gets_nowhere(where, room, visit):
    for token in ("", "0" * 144, form_token(visit().client.get("/sign-in").text)):
        answer = visit().post_as_it_is(where, {"token": token, **room.link(name="Gita")})
        assert (answer["status"], answer["code"]) == (400, "bad_input")
    assert room.guests == {}


def test_the_answers_are_in_the_language_of_who_asks(room, visit):
    spanish = visit(language="es-MX")
    assert spanish.look(room.link(door=""))["error"] == "Ese enlace no lleva a ninguna parte. Pide uno nuevo."
    assert spanish.come_in(room.link(), "ɡuest")["error"].endswith("quién es qué lo dice la página.")


def test_what_cannot_be_kept_is_said_with_an_id(room, visit, monkeypatch, caplog):
    def away(command):
        raise Unavailable("the disk is full")

    monkeypatch.setattr(room.party.journal, "append", away)
    browser = visit()
    answer = browser.come_in(room.link())
    assert (answer["status"], answer["code"]) == (503, "unavailable") and answer["id"] in caplog.text
    assert browser.cookie is None and room.guests == {}


def test_who_has_the_link_of_a_room_that_is_planned_learns_when_it_opens(room, visit, clock):
    at = clock() + 60_000
    planned = assert_ok(room.host.ask("host", {"topic": "Thursday", "at": at, "minutes": 10}))["room"]
    link = {"room": planned, "door": assert_ok(room.host.door(planned, "watch"))["token"]}
    browser = visit()
    assert browser.look(link) == {
        "status": 200,
        "ok": True,
        "id": planned,
        "topic": "Thursday",
        "host": "asha",
        "opens_at": at,
        "minutes": 10,
        "door": "watch",
        "publish": False,
        "now": clock(),
    }
    answer = browser.come_in(link)
    assert (answer["status"], answer["error"]) == (409, "That room has not opened yet.")
    assert browser.look({**link, "door": "wrong"})["error"] == NOWHERE
    clock.passes(minutes=1)
    room.party.tick()
    assert_ok(browser.come_in(link))


# --- Coming in ---


def test_a_guest_comes_in_by_the_link_and_a_name(room, visit, join):
    browser = visit()
    answer = browser.come_in(room.link(), "  Ｇita ")
    assert answer == {"status": 200, "ok": True, "room": room.id, "user": answer["user"]}
    (user,) = room.guests
    assert answer["user"] == user and is_guest(user) and room.guests[user].name == "Gita"
    assert browser.cookie.items() >= {"user": user, "number": None, "room": room.id}.items()
    gita = join(user, browser.client)
    assert_ok(gita.watch(room.id))
    page = browser.client.get("/").text
    assert f'data-user="{user}"' in page and f'data-guest="Gita" data-room="{room.id}"' in page
    assert "Tea or coffee" not in page, "what is live is for friends"


def test_who_only_watches_may_stay_unnamed(room, visit):
    browser = visit()
    assert_ok(browser.come_in(room.link(), name=None))
    ((user, guest),) = room.guests.items()
    assert (guest.name, guest.skeletons) == (None, [])
    assert f'data-user="{user}"' in (page := browser.client.get("/").text) and 'data-guest=""' in page
    assert_ok(visit().come_in(room.link(), name=None)), "nameless people are not alike"


def test_a_reload_and_a_second_tab_are_the_same_guest(room, visit):
    browser = visit()
    first = assert_ok(browser.come_in(room.link()))
    for name in ("Gita", "Somebody else", None):
        again = browser.come_in(room.link(), name)
        assert (again["user"], again["room"]) == (first["user"], room.id)
    assert len(room.guests) == 1 and logged(room.party).count("guest_in") == 1


def test_who_asks_again_because_the_answer_was_lost_is_the_same_guest(room, visit):
    browser = visit()
    form = {"token": form_token(browser.client.get("/sign-in").text), **room.link(name="Gita")}
    with browser.client.session_transaction() as session:
        before = dict(session)

    def ask():
        with browser.client.session_transaction() as session:
            session.clear()
            session.update(before)  # as a browser has it that heard no answer
        return assert_ok(browser.post_as_it_is("/guest", form))["user"], browser.cookie

    first = ask()
    assert ask() == first and list(room.guests) == [first[0]]
    assert_taken(visit().come_in(room.link())), "another browser"
    assert "data-guest" in browser.client.get("/").text
    assert_ok(room.host.put_out(room.id, first[0]))
    again, _ = ask()
    assert again != first[0] and not room.guests[again].is_out, "who was shown out stays out"


def test_who_was_shown_out_cannot_come_back_by_that_cookie_but_anew(room, visit):
    browser = visit()
    first = assert_ok(browser.come_in(room.link()))["user"]
    assert_ok(room.host.put_out(room.id, first))
    assert browser.client.get("/").status_code == 302
    assert "You are no guest there any more." in browser.client.get("/sign-in").text
    again = assert_ok(browser.come_in(room.link()))["user"]
    assert again != first and not room.guests[again].is_out
    assert_ok(room.host.put_out(room.id, again))
    assert_ok(room.host.door(room.id, "ask", renew=True))
    assert_refused(browser.come_in(room.link()), "not_found")


def test_a_friend_with_the_link_comes_as_who_they_are(room, clean_party, visit):
    browser = visit(client=browser_of("bilal"))
    page = browser.client.get("/sign-in")
    assert page.status_code == 302, "the page takes them to the room"
    token = form_token(browser.client.get("/").text)
    for door in (room.token, "wrong"):
        answer = browser.post_as_it_is("/guest", {"token": token, "room": room.id, "door": door, "name": "Gita"})
        assert answer == {"status": 200, "ok": True, "room": room.id, "user": "bilal"}
    assert browser.cookie["user"] == "bilal" and room.guests == {}


def test_a_guest_of_another_room_is_there_no_more_once_they_are_here(room, visit):
    other = Behind(room.host, id := room.host.host("Another"), assert_ok(room.host.door(id, "ask"))["token"])
    browser = visit()
    first = assert_ok(browser.come_in(room.link()))["user"]
    assert browser.client.get("/sign-in").status_code == 200, "the page may show them another link"
    assert_refused(browser.come_in(other.link(door="wrong")), "not_found")
    assert not room.guests[first].is_out and browser.cookie["user"] == first, "nothing is half done"
    second = assert_ok(browser.come_in(other.link()))["user"]
    assert browser.cookie["user"] == second != first
    assert room.guests[first].is_out and not other.guests[second].is_out


def test_a_guest_whose_room_is_gone_is_told_so_at_the_entrance(room, visit, clock):
    browser = visit()
    assert_ok(browser.come_in(room.link()))
    assert_ok(room.host.close(room.id))
    assert browser.client.get("/").status_code == 200, "they can read it"
    clock.passes(minutes=121)
    room.party.tick()
    assert browser.client.get("/").headers["Location"] == "sign-in"
    assert "You are no guest there any more." in browser.client.get("/sign-in").text
    assert "You are no guest" not in visit().client.get("/sign-in").text, "to nobody else"


def test_a_guest_of_a_party_that_forgot_everything_is_a_stranger(room, visit, monkeypatch):
    """As after a restart with `memory:`. A friend's cookie says enough to go on; a guest's room is gone."""
    browser, friend = visit(), visit(client=browser_of("bilal"))
    assert_ok(browser.come_in(room.link()))
    monkeypatch.setattr(room.party.journal, "began", room.party.now() + 1)
    room.party.rebuild([])
    assert room.party.state == State()
    assert browser.client.get("/").headers["Location"] == "sign-in"
    assert "You are no guest there any more." in browser.client.get("/sign-in").text
    assert_refused(browser.come_in(room.link()), "not_found")
    assert room.party.state == State(), "nor does their cookie enter anything"
    assert friend.client.get("/").status_code == 200


def test_the_owners_pages_are_not_for_guests_and_what_their_page_measures_is_taken(room, visit):
    browser = visit()
    user = assert_ok(browser.come_in(room.link()))["user"]
    for path in ("/insights", "/insights/features.csv"):
        assert browser.client.get(path).status_code == 404
    assert browser.client.post("/insights/goals").status_code == 404
    assert browser.client.get("/feedback").status_code == 401
    measures = {"seconds": 30, "inside": 20}
    form = {"token": form_token(browser.client.get("/").text), "measured": json.dumps(measures)}
    assert browser.client.post("/measured", data=form).status_code == 204
    (told,) = (each for _, each in room.party.journal.replay() if each["kind"] == "measured")
    assert told["user"] == user and told["measures"].items() >= measures.items()


# --- Names ---


def assert_taken(answer):
    assert (answer["status"], answer["code"], answer["error"]) == (409, "conflict", TAKEN)


@pytest.mark.parametrize("name", ["asha", "ASHA.", "аѕһа", "𝕒𝕤𝕙𝕒", "bilal", "BlLAL", "Emeka", "erneka"])
def test_nobody_is_called_like_one_of_the_people(name, room, visit):
    assert_taken(visit().come_in(room.link(), name))
    assert room.guests == {}


def test_nobody_is_called_like_who_hosts_or_has_spoken_there_whoever_the_people_are_now(room, visit, join, monkeypatch):
    seat(room.host, bilal := join("bilal"), room.id)
    bilal.message(room.id, "Milk first")
    room.host.remove(room.id, "bilal")
    seat(room.host, join("chen"), room.id)
    monkeypatch.setattr(users, "NUMBERS", {"zoe": 1})
    for name in ("asha", "BlLAL", "Chen", "zoe"):
        assert_taken(visit().come_in(room.link(), name))
    assert_ok(visit().come_in(room.link(), "dana"))


def test_nobody_is_called_like_another_guest_of_that_room(room, visit):
    assert_ok(visit().come_in(room.link(), "Lena"))
    for name in ("lena", "Iena", "LENA", "1ena"):
        assert_taken(visit(address="203.0.113.2").come_in(room.link(), name))
    other = Behind(room.host, id := room.host.host("Another"), assert_ok(room.host.door(id, "ask"))["token"])
    assert_ok(visit().come_in(other.link(), "Lena")), "elsewhere"


def test_a_name_that_is_none_is_refused_with_its_reason(room, visit):
    answer = visit().come_in(room.link(), "guest 7")
    assert (answer["status"], answer["code"]) == (400, "bad_input") and "leave out" in answer["error"]


def test_who_the_people_are_counts_as_it_is_now(monkeypatch):
    assert users.skeletons() is users.skeletons(), "made once"
    monkeypatch.setattr(users, "NUMBERS", {"zoe": 1})
    assert users.skeletons() == {"zoe"}


# --- Limits by address ---


def test_ten_come_in_from_one_address_within_a_minute(room, visit, clock):
    for n in range(10):
        assert_ok(visit().come_in(room.link(), f"Gita {n}"))
    late = visit()
    answer = late.come_in(room.link(), "Gita 10")
    assert (answer["status"], answer["code"], answer["retry_after"]) == (429, "slow_down", 60)
    assert late.headers["Retry-After"] == "60" and late.cookie is None
    assert_ok(visit(address="203.0.113.2").come_in(room.link(), "Gita 11")), "from elsewhere"
    clock.passes(seconds=60)
    assert_ok(late.come_in(room.link(), "Gita 10"))


def test_a_network_of_ipv6_counts_as_one_address():
    assert entrance.household("2001:db8:1:2:3::4") == entrance.household("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert entrance.household("2001:db8:1:3::4") != entrance.household("2001:db8:1:2::4")
    assert entrance.household("203.0.113.7") == entrance.household("::ffff:203.0.113.7") == "203.0.113.7"
    assert entrance.household("203.0.113.7") != entrance.household("203.0.113.8")
    for address in ("203.0.113.7", "2001:db8:1:2::4"):
        written = (f"{address}:7", f"{address}:8") if "." in address else (f"[{address}]:7", f"[{address}]:8")
        assert {entrance.household(one) for one in written} == {entrance.household(address)}, "of each connection"
    assert entrance.household(None) == entrance.household(""), "of nobody that a proxy names"


def test_addresses_are_in_memory_alone_and_few(room, visit, monkeypatch):
    monkeypatch.setattr(entrance.entries, "TRACKED", 3)
    for n in range(10):
        assert_ok(visit(address="203.0.113.77").come_in(room.link(), f"Gita {n}"))
    assert_refused((late := visit(address="203.0.113.77")).come_in(room.link(), "Hugo"), "slow_down")
    for n in range(3):
        assert_ok(visit(address=f"203.0.113.{n}").come_in(room.link(), f"Ines {n}"))
    assert_ok(late.come_in(room.link(), "Hugo")), "of four the first is forgotten"
    assert "203.0.113.77" not in json.dumps([command for _, command in room.party.journal.replay()])


def test_reloading_and_looking_count_for_nothing(room, visit):
    browser = visit()
    for _ in range(12):
        assert_ok(browser.look(room.link()))
    for _ in range(12):
        assert_ok(browser.come_in(room.link()))


# --- Robots ---

# One stands for all of them: nothing here reads what a browser calls itself.
ROBOT = {"User-Agent": "WhatsApp/2.23.20.0"}


class Links(HTMLParser):
    """All addresses that a page names."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found |= {value for name, value in attributes if name in ("href", "src", "action") and value}


def test_a_robot_that_follows_the_link_changes_nothing_and_learns_nothing(room, clean_party):
    """A fragment is asked of no server: what a robot asks for is the address before it."""
    assert_ok(room.host.message(room.id, "What is said inside"))
    before = logged(clean_party)
    asked, todo = set(), {"/", f"/?room={room.id}&door={room.token}", "/robots.txt", "/sitemap.xml"}
    todo |= {f"/entrance?room={room.id}&door={room.token}", f"/guest?room={room.id}&door={room.token}&name=Gita"}
    while todo - asked:
        address = (todo - asked).pop()
        asked.add(address)
        for method in ("GET", "HEAD"):
            answer = clean_party.app.test_client().open(address, method=method, headers=ROBOT)
            is_file = address.startswith(("/static", "/v"))  # a page that brings it says so itself
            assert is_file or answer.headers["X-Robots-Tag"] == "noindex, nofollow"
            told = answer.data.decode(errors="ignore") + str(answer.headers)
            assert not re.search("Tea or coffee|What is said inside|data-(guest|room)", told), address
            if answer.mimetype == "text/html":
                assert "asha" not in told, "as in no page"
                found = {
                    link.partition("#")[0]
                    for link in Links(answer.text).found
                    if not link.startswith(("http", "data:"))
                }
                todo |= {f"/{link.lstrip('./')}" for link in found}
            if "Location" in answer.headers:
                todo.add(f"/{answer.headers['Location'].lstrip('./')}")
    assert {"/sign-in", "/privacy"} <= asked and len(asked) > 8, asked
    assert logged(clean_party) == before and len(room.guests) == 0


def test_every_search_engine_is_told_to_look_at_nothing(clean_party):
    answer = clean_party.app.test_client().get("/robots.txt")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.text.splitlines()[-2:] == ["User-agent: *", "Disallow: /"]
