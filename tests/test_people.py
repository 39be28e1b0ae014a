"""Who gets in: passwords, the sign-in page, sign-ins and their end, and what every page carries."""

import itertools
import os
import re
import secrets
import statistics
import subprocess
import sys
import time

import pytest
import requests
from conftest import browser_of, sid_of
from person import InProcessLine, Person, SocketLine, form_token, sign_in_over_http
from servers import ROOT, SECRET, password_of, running_redis, running_server

import users
from party import rules
from runtime import entrance, settings


def try_to_sign_in(browser, name="asha", password=None, address="127.0.0.1", **fields):
    pages = (browser.get(path) for path in ("/sign-in", "/"))  # the second for who is signed in already
    token = form_token(next(page.text for page in pages if page.status_code == 200))
    form = {"name": name, "password": password_of(name) if password is None else password, "token": token} | fields
    return browser.post("/sign-in", data=form, environ_base={"REMOTE_ADDR": address})


@pytest.fixture
def browser(clean_party):
    return clean_party.app.test_client()


def test_a_password_is_four_words_of_64_bits_that_can_be_read_aloud():
    word = users.password("secret", "asha", 1)
    assert re.fullmatch(r"([bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz]-?){4}", word)
    # The reference vectors of the proquint paper, for the sixteen bits of a word.
    assert [users._word(bits) for bits in (0x7F00, 0x0001, 0xFFFF)] == ["lusab", "babad", "zuzuz"]


def test_a_password_depends_on_the_secret_the_name_and_the_number():
    passwords = {
        users.password(secret, name, number)
        for secret in ("one", "two")
        for name in ("asha", "bilal")
        for number in (1, 2)
    }
    assert len(passwords) == 8
    assert users.password("one", "asha", 1) == users.password("one", "asha", 1)


@pytest.mark.server
def test_the_list_shows_a_line_for_each_person_with_a_link_that_works():
    env = {**os.environ, "PARTY_EXTRAS": "2", "HOST": "127.0.0.1", "PORT": "5000"}
    lines = subprocess.check_output([sys.executable, "users.py"], cwd=ROOT, env=env, text=True).splitlines()
    assert lines.pop() == "asha is the owner: http://127.0.0.1:5000/insights says whether it works."
    assert [line.split()[0] for line in lines] == [*users.PEOPLE, "extra1", "extra2"]
    name, password, link = lines[0].split()
    assert password == password_of("asha")
    assert link == f"http://127.0.0.1:5000/sign-in#name=asha&password={password}"
    there = subprocess.check_output(
        [sys.executable, "users.py", "https://blog.example/party"], cwd=ROOT, env=env, text=True
    )
    assert f"https://blog.example/party/sign-in#name=asha&password={password}" in there


def test_the_secret_key_is_made_once_and_kept_for_the_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "SECRET_KEY", "")
    monkeypatch.setattr(settings, "INSTANCE", tmp_path / "instance")
    key = users.secret_key()
    assert len(key) >= 40
    assert users.secret_key() == key
    assert (tmp_path / "instance").stat().st_mode & 0o777 == 0o700
    assert [file.name for file in (tmp_path / "instance").iterdir()] == ["secret_key"]
    assert (tmp_path / "instance" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_where_a_key_is_made_anew_for_people_who_had_passwords_the_owner_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(settings, "SECRET_KEY", "")
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    users.secret_key()
    assert not caplog.records, "a first key is no news"
    users.write_list({"people": {"asha": 1}})
    (tmp_path / "secret_key").unlink()
    users.secret_key()
    assert "everybody has another password" in caplog.text


def test_the_right_password_signs_in_also_when_it_was_read_aloud(browser):
    assert try_to_sign_in(browser).headers["Location"] == "./"
    assert try_to_sign_in(browser, " Asha ", password_of("asha").upper().replace("-", "  ")).status_code == 303
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("typed", ["zoë de  Vries", " ZOË DE VRIES", "Zoe\u0308 de Vries"])
def test_a_name_is_whatever_the_owner_writes_and_typed_in_any_capitals(typed, browser, join, monkeypatch):
    name = "Zoë de Vries"
    monkeypatch.setitem(users.NUMBERS, name, 1)
    monkeypatch.setitem(users._AS_TYPED, users._plain(name), name)
    password = users.password(SECRET, name, 1)
    assert try_to_sign_in(browser, typed, password).status_code == 303
    zoe, bilal = join(name, browser), join("bilal")
    room = bilal.host()
    zoe.request(room)
    assert bilal.approve(room, name)["ok"]
    assert zoe.message(room)["message"]["user"] == name
    assert users.invite("https://blog.example/", name, password) == (
        f"https://blog.example/sign-in#name=Zo%C3%AB%20de%20Vries&password={password}"
    )


def test_who_is_signed_in_needs_no_form(browser):
    assert browser.get("/sign-in").status_code == 200
    try_to_sign_in(browser)
    answer = browser.get("/sign-in")
    assert (answer.status_code, answer.headers["Location"]) == (302, "./"), "a browser keeps what stands behind the #"
    browser.post("/sign-out", data={"token": form_token(browser.get("/").text)})
    assert browser.get("/sign-in").status_code == 200


@pytest.mark.parametrize(
    "name, password", [("asha", "wrong"), ("nobody", "wrong"), ("", ""), ("asha", ""), ("asha", "é")]
)
def test_a_wrong_name_or_password_is_refused_with_the_same_sentence(name, password, browser):
    answer = try_to_sign_in(browser, name, password)
    assert answer.status_code == 401
    assert "That name and password do not go together." in answer.text
    assert browser.get("/").status_code == 302


def test_the_password_of_nobody_lets_nobody_in(browser):
    assert try_to_sign_in(browser, "nobody", users.password(SECRET, "nobody", 0)).status_code == 401


def test_an_unknown_name_takes_as_long_as_a_wrong_password():
    times = {"asha": [], "nobody": []}
    for _ in range(5_000):
        for name, taken in times.items():  # by turns, so that a machine that slows down slows both
            began = time.perf_counter()
            users.is_password(SECRET, name, users.PEOPLE.get(name), "lusab-babad-gutih-tugad")
            taken.append(time.perf_counter() - began)
    assert 0.9 < statistics.median(times["asha"]) / statistics.median(times["nobody"]) < 1.1


def test_the_eleventh_wrong_try_waits_and_nobody_else_does(browser, clock):
    for _ in range(10):
        assert try_to_sign_in(browser, password="wrong", address="10.0.0.1").status_code == 401
        clock.passes(seconds=1)
    blocked = try_to_sign_in(browser, address="10.0.0.1")
    assert (blocked.status_code, blocked.headers["Retry-After"]) == (429, "170")
    assert try_to_sign_in(browser, password="wrong", address="10.0.0.2").status_code == 429, "the name is guarded too"
    assert try_to_sign_in(browser, address="10.0.0.2").status_code == 303, "the right password opens it elsewhere"
    assert try_to_sign_in(browser, "bilal", address="10.0.0.3").status_code == 303
    clock.passes(minutes=3)
    assert try_to_sign_in(browser, address="10.0.0.1").status_code == 303, "nobody is locked out for good"


def test_wrong_tries_at_two_processes_on_one_redis_count_together(two_processes):
    servers = itertools.cycle(two_processes)
    assert [wrong_try(next(servers), f"extra{n}", "192.0.2.1") for n in range(40, 51)] == [401] * 10 + [429]
    assert [wrong_try(next(servers), "extra51", f"192.0.2.{n}") for n in range(2, 13)] == [401] * 10 + [429]
    assert next(servers).cookies_of("extra51"), "the right password opens it elsewhere"


def wrong_try(server, name, address):
    """The status of an answer to a wrong password from that address."""
    browser = requests.Session()
    browser.headers["X-Forwarded-For"] = address
    form = {"name": name, "password": "wrong", "token": form_token(browser.get(server.address + "sign-in").text)}
    return browser.post(server.address + "sign-in", form).status_code


@pytest.mark.server
def test_without_redis_a_sign_in_is_answered_with_a_sentence_within_two_seconds():
    with running_redis() as redis, running_server(PARTY_JOURNAL=redis.address, PARTY_PROXIES="1") as server:
        assert server.cookies_of("asha"), "it works before"
        redis.freeze()
        began = time.monotonic()
        assert wrong_try(server, "asha", "192.0.2.1") == 503
        assert time.monotonic() - began < 2
        redis.thaw()


def test_a_stranger_is_turned_away_without_asking_the_log(browser, clean_party, monkeypatch):
    """Else a crowd of them would be in the way of everybody's commands."""
    monkeypatch.setattr(clean_party.journal, "catch_up", lambda: pytest.fail("the log was asked"))
    assert browser.get("/").status_code == 302
    handshake = browser.get("/").request.environ
    assert clean_party.refusal_of_visitor(handshake)[0] == "401 Unauthorized"


def test_a_form_from_elsewhere_is_refused(browser):
    answer = try_to_sign_in(browser, token="forged")
    assert answer.status_code == 400
    assert browser.get("/").status_code == 302
    browser = browser_of("asha")
    assert browser.post("/sign-out", data={}).status_code == 400
    assert browser.get("/").status_code == 200, "still signed in"


def test_signing_in_makes_a_new_sign_in_each_time(browser, clean_party):
    try_to_sign_in(browser)
    first = browser.get_cookie("party").value
    try_to_sign_in(browser)
    assert browser.get_cookie("party").value != first
    assert len(clean_party.state.users["asha"].sign_ins) == 2


def test_signing_out_ends_the_sign_in_on_the_server(join, clean_party):
    browser = browser_of("asha")
    tab, stolen = join("asha", browser), browser.get_cookie("party").value
    answer = browser.post("/sign-out", data={"token": form_token(browser.get("/").text)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "sign-in")
    assert tab.ask("host", {"topic": "Tea"})["code"] == "signed_out"
    browser.set_cookie("party", stolen)
    assert browser.get("/").status_code == 302


def test_a_raised_number_ends_a_persons_sign_ins_everywhere(join, clean_party, monkeypatch):
    browser = browser_of("asha")
    tab, other = join("asha", browser), join("bilal")
    monkeypatch.setitem(users.NUMBERS, "asha", 2)
    assert tab.ask("host", {"topic": "Tea"})["code"] == "signed_out"
    assert browser.get("/").status_code == 302
    assert try_to_sign_in(browser, password=users.password(SECRET, "asha", 1)).status_code == 401
    assert try_to_sign_in(browser, password=users.password(SECRET, "asha", 2)).status_code == 303
    assert other.ask("host", {"topic": "Tea"})["ok"]


def said_elsewhere(party, kind, user, **body):
    """A command comes out of the log that another process put into it."""
    party.receive(1, {"id": secrets.token_hex(8), "at": party.now(), "kind": kind, "user": user, "key": None} | body)


def test_a_sign_out_ends_the_tabs_of_its_browser_at_the_next_tick_through_whichever_process(join, clean_party, hung_up):
    browser = browser_of("asha")
    one, two, other_browser, _ = join("asha", browser), join("asha", browser), join("asha"), join("bilal")
    clean_party.tick()
    assert hung_up == [], "the premise"
    said_elsewhere(clean_party, "sign_out", "asha", sign_in=clean_party.presence.tabs[sid_of(one)].sign_in_id)
    clean_party.tick()
    assert set(hung_up) == {sid_of(one), sid_of(two)}
    assert other_browser.host("Tea")


def test_a_raised_number_ends_a_persons_tabs_at_the_next_tick_through_whichever_process(join, clean_party, hung_up):
    tabs, _ = [join("asha"), join("asha")], join("bilal")
    clean_party.tick()
    said_elsewhere(clean_party, "renumber", "asha", number=2)
    clean_party.tick()
    assert set(hung_up) == {sid_of(tab) for tab in tabs}


def test_of_more_sign_ins_than_are_kept_the_oldest_ends_with_its_tabs(join, clean_party, hung_up):
    oldest = join("asha")
    for _ in range(rules.SIGN_INS_EACH - 1):
        browser_of("asha")
    clean_party.tick()
    assert hung_up == [], "the premise"
    browser_of("asha")
    clean_party.tick()
    assert hung_up == [sid_of(oldest)]


def test_a_connection_reads_its_cookie_once_at_its_handshake(clean_party, monkeypatch):
    browser, read = browser_of("asha"), []
    open_session = clean_party.app.session_interface.open_session
    monkeypatch.setattr(
        clean_party.app.session_interface,
        "open_session",
        lambda app, request: read.append(request) or open_session(app, request),
    )
    handed_on = {}  # by the gate to the connection
    browser.environ_base = handed_on
    handshake = browser.get("/socket.io/").request.environ
    read.clear()
    assert clean_party.refusal_of_visitor(handshake) is None
    handed_on["party.visitor"] = handshake["party.visitor"]
    asha = Person("asha", InProcessLine(clean_party, browser))
    room = asha.host()
    assert asha.message(room)["ok"] and asha.leave(room)["ok"]
    asha.line.hang_up()
    clean_party.tick()
    assert len(read) == 1


def test_what_a_rebuilt_log_no_longer_says_keeps_no_tab(join, clean_party, hung_up):
    tabs = [join("asha"), join("bilal")]
    clean_party.rebuild([])
    assert hung_up == [sid_of(tab) for tab in tabs]


def test_a_sign_in_that_ends_while_its_tab_is_coming_in_lets_it_in_no_more(join, clean_party, monkeypatch):
    browser, visitor = browser_of("asha"), clean_party.visitor

    def signed_out_meanwhile():
        user, sign_in = visitor()
        said_elsewhere(clean_party, "sign_out", user, sign_in=sign_in)
        return user, sign_in

    monkeypatch.setattr(clean_party, "visitor", signed_out_meanwhile)
    assert not join("asha", browser).line.client.is_connected()
    assert not clean_party.presence.tabs


def test_a_tab_that_only_listens_ends_within_a_minute_of_its_sign_ins_twelve_hours(join, clock, clean_party, hung_up):
    room, bilal = join("asha").host(), join("bilal")
    bilal.watch(room)
    clock.passes(minutes=12 * 60 - 1)
    clean_party.tick()
    assert hung_up == []
    clock.passes(minutes=1)
    clean_party.tick()
    assert sid_of(bilal) in hung_up


def test_a_tick_asks_for_no_sign_in_where_nothing_happened(join, clock, clean_party, monkeypatch):
    for name in ("asha", "bilal"):
        join(name)
    clean_party.tick()
    monkeypatch.setattr(clean_party, "sign_in_holds", lambda *_: pytest.fail("a sign-in was asked for"))
    for _ in range(59):
        clock.passes(seconds=1)
        clean_party.tick()


def test_a_sign_in_ends_after_twelve_hours(join, clock):
    browser = browser_of("asha")
    tab = join("asha", browser)
    clock.passes(minutes=12 * 60 - 1)
    assert browser.get("/").status_code == 200
    clock.passes(minutes=1)
    assert tab.ask("host", {"topic": "Tea"})["code"] == "signed_out"
    assert browser.get("/").status_code == 302


def test_a_forged_cookie_is_nobody(browser):
    browser.set_cookie("party", "eyJzaWduX2luIjp7InVzZXIiOiJhc2hhIn19.aaaaaa.bbbbbbbbbbb")
    assert browser.get("/").status_code == 302


@pytest.mark.server
def test_a_restart_signs_nobody_out():
    with running_server() as server:
        port, cookies = str(server.port), server.cookies_of("asha")
        server.person("asha", cookies).line.hang_up()
    with running_server(PORT=port) as server:
        assert server.person("asha", cookies).host("Tea")
    with running_server(PORT=port, PARTY_SECRET_KEY="another") as server, pytest.raises(Exception, match="401"):
        SocketLine(server.address, cookies)


def test_every_answer_carries_the_headers(browser):
    for path in ("/", "/sign-in", "/static/party.css", "/nowhere", "/socket.io/"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert re.findall(r"https://\S+?(?=[ ;])", policy) == [
            "https://cdn.jsdelivr.net/npm/vue@3.5.22/dist/vue.esm-browser.prod.js",
            "https://cdn.jsdelivr.net/npm/socket.io-client@4.8.1/dist/socket.io.min.js",
        ], "two exact files, never a whole CDN"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Strict-Transport-Security" not in headers, "not without TLS"


def test_pages_with_a_name_or_a_token_stay_out_of_caches(clean_party):
    browser = browser_of("asha")
    for path in ("/", "/sign-in"):
        assert browser.get(path).headers["Cache-Control"] == "no-store"


def test_the_length_of_a_compressed_page_says_nothing_of_its_token(clean_party):
    """The same token never stands in two pages, so there is nothing to guess letter by letter; each opens the form."""
    browser = clean_party.app.test_client()
    tokens = [form_token(browser.get("/sign-in").text) for _ in range(20)]
    for start in range(0, len(tokens[0]), 8):
        assert len({token[start : start + 8] for token in tokens}) == 20
    for token in tokens[:3]:
        form = {"name": "asha", "password": "wrong", "token": token}
        assert browser.post("/sign-in", data=form).status_code == 401, "the form is taken, the password is not"
    for forged in ("", "0" * len(tokens[0]), "x" * len(tokens[0]), tokens[0][:-2], tokens[0] + "00", tokens[0].upper()):
        assert browser.post("/sign-in", data={**form, "token": forged}).status_code == 400, forged
    other = clean_party.app.test_client()
    assert other.post("/sign-in", data=form).status_code == 400, "somebody else's token"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    cookie = try_to_sign_in(browser).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie, "not without TLS"


def test_an_answer_that_changes_no_sign_in_sets_no_cookie(clean_party):
    """It may come late, when somebody else has signed in with this browser."""
    browser = browser_of("asha")
    browser.get("/")
    assert "Set-Cookie" not in browser.get("/").headers
    assert "Set-Cookie" not in browser.get("/static/party.css").headers


@pytest.mark.server
def test_behind_a_proxy_with_tls_the_cookie_is_for_https_alone():
    with running_server(PARTY_PROXIES="1", PARTY_ORIGINS="https://blog.example") as server:
        from urllib.request import Request, urlopen

        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "blog.example", "X-Forwarded-For": "192.0.2.1"}
        answer = urlopen(Request(server.address + "sign-in", headers=forwarded))
        assert "; Secure" in answer.headers["Set-Cookie"]
        assert "Strict-Transport-Security" in answer.headers
        below = urlopen(Request(server.address + "sign-in", headers=forwarded | {"X-Forwarded-Prefix": "/party"}))
        assert "; Secure; HttpOnly; Path=/party/" in below.headers["Set-Cookie"], "it is below a path"
        assert "Strict-Transport-Security" not in below.headers, "it would count for the blog, too"


def test_a_page_that_is_not_there_shows_nothing_of_the_inside(browser, clean_party, monkeypatch):
    assert browser.get("/nowhere").status_code == 404
    assert browser.post("/").status_code == 405
    assert browser.post("/sign-in", data={"name": "x" * 20_000}).status_code == 413
    monkeypatch.setattr(entrance, "render_template", lambda *_, **__: 1 / 0)
    clean_party.app.testing = False
    answer = browser.get("/sign-in")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text


def test_markup_in_a_name_stays_text(browser):
    answer = try_to_sign_in(browser, '"><script>alert(1)</script>', "wrong")
    assert "<script>alert" not in answer.text


@pytest.mark.server
def test_nothing_secret_is_logged():
    with running_server() as server:
        cookies = sign_in_over_http(server.address, "asha", password_of("asha"))
        asha = server.person("asha", cookies)
        room = asha.host("A private topic")
        asha.message(room, "Private words")
        asha.line.send("42" + "[" * 50)
        asha.line.wait_until(lambda: asha.line.closed, "a malformed packet ends the line")
        status, said = server.stop()
    assert status == 0
    for secret in (SECRET, password_of("asha"), cookies, "127.0.0.1:", "Private", "A private topic", "asha"):
        assert secret not in said, said


def test_a_number_that_was_raised_locks_nobody_out_whatever_old_cookies_say(clean_party, monkeypatch):
    """With `memory:`, a cookie from before a restart is believed; not one with an old number."""
    monkeypatch.setitem(users.NUMBERS, "asha", 2)
    old, new = clean_party.app.test_client(), clean_party.app.test_client()
    with old.session_transaction() as session:
        session["sign_in"] = {"user": "asha", "id": "old", "since": clean_party.journal.began - 1, "number": 1}
    assert old.get("/").status_code == 302
    token = form_token(new.get("/sign-in").text)
    form = {"name": "asha", "password": users.password(SECRET, "asha", 2), "token": token}
    assert new.post("/sign-in", data=form).status_code == 303
    assert new.get("/").status_code == 200
