"""Several processes behind a real nginx, with a real Redis, as `make cluster` starts them."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener, urlopen

import nginx_site
import pytest
import websocket
from person import (
    Person,
    SocketLine,
    assert_ok,
    assert_refused,
    come_in_over_http,
    form_token,
    seat,
    sign_in_over_http,
    until,
)
from playwright.sync_api import expect
from servers import FOR_EVERY_SERVER, ROOT, SECRET, free_port, free_ports, password_of, running_redis, running_server
from visitor import Visitor

from services import publisher

pytestmark = pytest.mark.server

NAMES = ("asha", "bilal", "chen", "dana", "emeka", "farida")
SETTINGS = {
    "PARTY_SECRET_KEY": SECRET,
    "PARTY_PACE": "0",
    "PARTY_ASSETS": "local",
    "PARTY_EXTRAS": "11",
    "PARTY_SERVICES": "none",
}
NGINX_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
LOST = (OSError, websocket.WebSocketException)


def is_free(port):
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


class Cluster:
    """`deploy/cluster.py` with a folder and ports of its own."""

    def __init__(self, folder, count=3, port=None, **settings):
        self.port, self.lines, self._news = port or free_ports(count + 1), [], threading.Condition()
        self.address = f"http://127.0.0.1:{self.port}/"
        self.ports = range(self.port + 1, self.port + 1 + count)
        command = ["deploy/cluster.py", "--processes", str(count), "--port", str(self.port), "--folder", str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            process_group=0,  # as a shell does: what follows Ctrl-C goes to the whole group
            env={**os.environ, **FOR_EVERY_SERVER, **SETTINGS, **settings},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.strip())
                self._news.notify_all()

    def says(self, words, times=1, patience=15):
        """Waits until it has said that, so often."""
        with self._news:
            said = self._news.wait_for(lambda: sum(words in line for line in self.lines) >= times, patience)
        assert said, f"{words!r} is missing in {self.lines}"

    def says_its_address(self):
        self.says("For a rolling restart")
        assert self.address in self.lines
        return self

    def children(self):
        """The ids of the processes that it started, and of their workers."""
        return descendants(self.process.pid)

    def process_on(self, port):
        """The id of the process that serves there."""
        return next(pid for pid in self.children() if f"PORT={port}" in environment(pid))

    def redis(self):
        """The id of its Redis."""
        return next(pid for pid in self.children() if "redis-server" in command_line(pid))

    def roll(self):
        """A rolling restart of all processes; gives how many seconds it took."""
        before, times = time.monotonic(), sum("Every process" in line for line in self.lines) + 1
        self.process.send_signal(signal.SIGHUP)
        self.says("Every process has been restarted.", times, patience=30)
        return time.monotonic() - before

    def cookies_of(self, name):
        return sign_in_over_http(self.address, name, password_of(name))

    def person(self, name, port=None, cookies=None):
        """Signs in through nginx and connects to the process on `port`, or wherever nginx leads."""
        address = f"http://127.0.0.1:{port}/" if port else self.address
        return Person(name, SocketLine(address, cookies or self.cookies_of(name)))

    def guest(self, link, name="Gita", port=None, **how):
        """The same for a guest, by a room's link."""
        answer, cookies = come_in_over_http(self.address, link, name, **how)
        return self.person(assert_ok(answer)["user"], port, cookies)

    def stop(self, number=signal.SIGINT):
        """Ends it; gives the exit status and what it said."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(timeout=20)
        finally:
            self.process.kill()
        return self.process.returncode, self.lines


def descendants(pid):
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [grandchild for child in children for grandchild in descendants(child)]


def environment(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_text().split("\0")
    except OSError:
        return []


def is_running(pid):
    """Until the last of its threads has ended: so long its files are open."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    has_ended, _, _ = select.select([descriptor], [], [], 0)
    os.close(descriptor)
    return not has_ended


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    running = Cluster(tmp_path_factory.mktemp("cluster")).says_its_address()
    yield running
    status, said = running.stop()
    assert status == 0, said
    assert not any("Traceback" in line for line in said), said


@pytest.fixture
def own_cluster(tmp_path):
    """Starts a cluster for one test."""
    clusters = []

    def own_cluster(**how):
        clusters.append(Cluster(tmp_path / "cluster", **how))
        return clusters[-1]

    yield own_cluster
    for running in clusters:
        running.stop()


@pytest.fixture
def join(cluster):
    """Lets people join, and closes their rooms at the end."""
    people = []

    def join(name, **how):
        people.append(cluster.person(name, **how))
        return people[-1]

    yield join
    for person in people:
        if person.line.closed is None:
            for room in {view["id"] for view in person.heard("room") if view["host"] == person.name}:
                person.close(room)
            person.line.hang_up()


def test_the_page_and_the_sign_in_work_through_nginx(cluster, join):
    cookies = cluster.cookies_of("asha")
    page = urlopen(Request(cluster.address, headers={"Cookie": cookies}))
    assert "Discuss Party" in page.read().decode()
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    script = urlopen(cluster.address + "static/loader.js")
    assert script.status == 200
    asha = join("asha", cookies=cookies)
    assert_ok(asha.message(asha.host(), "Through nginx"))


def test_through_nginx_a_visitor_is_told_that_the_party_is_well_and_no_figures(cluster):
    assert urlopen(cluster.address + "readyz").status == 200
    with pytest.raises(HTTPError) as refused:
        urlopen(cluster.address + "metrics")
    assert refused.value.code == 403
    assert urlopen(f"http://127.0.0.1:{cluster.ports[0]}/metrics").status == 200, "a program on this machine gets them"


def test_only_the_own_origin_may_connect_and_the_host_keeps_its_port(cluster):
    cookies = cluster.cookies_of("asha")
    for origin in ("http://evil.example", "http://127.0.0.1", f"http://127.0.0.1:{cluster.ports[0]}", "null"):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            SocketLine(cluster.address, cookies, origin)
        assert refused.value.status_code == 403, origin


@pytest.mark.parametrize(
    "forged, origin",
    [
        ("X-Forwarded-Host: evil.example", "http://evil.example"),
        ("X-Forwarded-Port: 80", "http://127.0.0.1:80"),
        ("X-Forwarded-Proto: https", "https://127.0.0.1:{port}"),
    ],
)
def test_a_visitor_cannot_choose_what_the_own_origin_is(forged, origin, cluster):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(
            cluster.address.replace("http", "ws") + "socket.io/?EIO=4&transport=websocket",
            cookie=cluster.cookies_of("asha"),
            origin=origin.format(port=cluster.port),
            header=[forged],
            timeout=5,
        )
    assert refused.value.status_code == 403


def test_a_visitor_cannot_choose_their_address(own_cluster):
    """Ten wrong tries block an address, on whichever process. Each is for another name, since they count for a name as
    well."""
    cluster = own_cluster(count=2).says_its_address()
    statuses = [try_to_sign_in(cluster.address, f"extra{n}", f"203.0.113.{n}") for n in range(1, 12)]
    assert statuses == [401] * 10 + [429]


def try_to_sign_in(address, name, forged):
    """A wrong password, with every header that could lie about the address; gives the status."""
    page = urlopen(address + "sign-in")
    form = {"name": name, "password": "wrong", "token": form_token(page.read().decode())}
    lies = ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded")
    headers = {"Cookie": page.headers["Set-Cookie"].partition(";")[0], **dict.fromkeys(lies, forged)}
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(address + "sign-in", urlencode(form).encode(), headers))
    return refused.value.code


def test_people_on_different_processes_talk(cluster, join):
    asha, bilal, chen = (join(name, port=port) for name, port in zip(NAMES, cluster.ports, strict=False))
    dana = join("dana")
    room = asha.host("Across")
    seat(asha, bilal, room)
    for person in (chen, dana):
        assert_ok(person.watch(room))
    assert_refused(chen.message(room, "May I?"), "forbidden")
    said = [assert_ok(person.message(room, f"No {n}"))["message"] for n in range(5) for person in (asha, bilal)]
    for person in (asha, bilal, chen, dana):
        person.hears("message", lambda message: message["seq"] == len(said))
        assert [message for message in person.heard("message") if message["room"] == room] == said
    assert_ok(asha.close(room))
    for person in (asha, bilal, chen, dana):
        assert person.hears("closed")["room"] == room


def test_the_counts_are_right_across_processes_within_two_seconds(cluster, join):
    asha, bilal, chen = (join(name, port=port) for name, port in zip(NAMES, cluster.ports, strict=False))
    room = asha.host("Counting")

    def everybody_sees(watching):
        since = time.monotonic()
        for person in (asha, bilal):
            until(
                lambda person=person: [view for view in person.heard("room") if view["id"] == room][-1]["watching"]
                == watching,
                f"{watching} are watching",
                2 - (time.monotonic() - since),
            )

    bilal.watch(room)
    everybody_sees(1)
    chen.watch(room)
    everybody_sees(2)
    chen.line.hang_up()
    everybody_sees(1)


def test_a_guest_of_one_process_is_a_guest_of_all_and_shown_out_of_all(cluster, join):
    """As is a link that was changed: within two seconds, wherever it was changed."""
    here, there, elsewhere = cluster.ports
    asha = join("asha", port=here)
    link = asha.link(room := asha.host("An open door"))
    cookies = {name: come_in_over_http(f"http://127.0.0.1:{there}/", link, name) for name in ("Gita", "Rude")}
    (gita, of_gita), (rude, of_rude) = cookies.values()
    tabs = [cluster.person(gita["user"], port, of_gita) for port in cluster.ports]
    out = [cluster.person(rude["user"], port, of_rude) for port in cluster.ports]
    for tab in (*tabs, *out):
        assert_ok(tab.watch(room))
    assert_ok(tabs[1].request(room))
    assert_ok(asha.approve(room, gita["user"]))
    said = assert_ok(tabs[2].message(room, "Hello"))["message"]
    for person in (asha, *tabs, *out):
        assert person.hears("message") == said
    since = time.monotonic()
    assert_ok(asha.put_out(room, rude["user"]))
    changed = asha.link(room, renew=True)
    for tab in out:
        tab.line.wait_until(lambda tab=tab: tab.line.closed is not None, "who is shown out is outside at once")
    assert time.monotonic() - since < 2
    for port in cluster.ports:
        address = f"http://127.0.0.1:{port}/"
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            SocketLine(address, of_rude)
        assert refused.value.status_code == 401
        assert_refused(come_in_over_http(address, link, "By the old link")[0], "not_found")
        assert_ok(come_in_over_http(address, changed, f"By the new link at {port - here}")[0])
    for tab in tabs:
        tab.hears("room", lambda view: list(view["guests"]) == [gita["user"]])
        assert tab.line.closed is None
        tab.line.hang_up()


def test_who_listens_and_who_writes_is_known_across_processes(cluster, join):
    asha, bilal, chen = (join(name, port=port) for name, port in zip(NAMES, cluster.ports, strict=False))
    room = asha.host("Known")
    seat(asha, bilal, room)
    chen.watch(room)
    for person in (asha, bilal):
        person.hears("room", lambda view: view["listening"] == ["chen"] and not view["away"])
    chen.watch(room, unnamed=True)
    for person in (asha, bilal):
        person.hears("room", lambda view: view["listening"] == [] and view["watching"] == 1)
    assert_ok(bilal.writing(room))
    for person in (asha, chen):
        person.hears("writing", lambda told: told["users"] == ["bilal"])
    assert_ok(bilal.message(room, "Written"))
    for person in (asha, chen):
        person.hears("writing", lambda told: told["users"] == [])


def test_signing_out_through_one_process_holds_on_the_others_within_two_seconds(cluster, join):
    cookies = cluster.cookies_of("farida")
    tabs = [join("farida", port=port, cookies=cookies) for port in cluster.ports]
    other = join("farida")
    page = urlopen(Request(cluster.address, headers={"Cookie": cookies})).read().decode()
    token = re.search(r'name="token" value="([^"]+)"', page).group(1)
    form = urlencode({"token": token}).encode()
    since = time.monotonic()
    urlopen(Request(f"http://127.0.0.1:{cluster.ports[0]}/sign-out", form, {"Cookie": cookies}))
    for tab in tabs:
        tab.line.wait_until(lambda tab=tab: tab.line.closed is not None, "the line of the signed-out tab is closed")
    assert time.monotonic() - since < 2
    for _ in cluster.ports:
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            SocketLine(cluster.address, cookies)
        assert refused.value.status_code == 401
    assert other.line.closed is None, "another sign-in of the same person holds"


# --- Restarts ---------------------------------------------------------------------------------------------------------


class Page:
    """Somebody whose page comes back by itself, like the real one, and says each thing until it is acknowledged."""

    def __init__(self, cluster, name, cookies=None):
        self.cluster, self.name, self.cookies = cluster, name, cookies or cluster.cookies_of(name)
        self.acknowledged, self.feed, self.codes, self.longest_wait = [], {}, [], 0
        self.room = None
        self.person = cluster.person(name, cookies=self.cookies)

    def go_in(self, room):
        self.room = room
        self.keep(assert_ok(self.person.watch(room, after=0))["messages"])

    def come_back(self):
        self.listen()
        self.codes.append(self.person.line.closed)
        self.person.line.socket.close()
        while True:
            try:
                self.person = self.cluster.person(self.name, cookies=self.cookies)
                return self.keep(assert_ok(self.person.watch(self.room, after=max(self.feed, default=0)))["messages"])
            except LOST:
                time.sleep(0.1)  # as every page, not to knock without a pause

    def say(self, text):
        key, since = self.person.new_key(), time.monotonic()
        while True:
            try:
                ack = self.person.message(self.room, text, key)
                if ack["ok"]:
                    break
                assert ack["code"] == "unavailable", ack
            except LOST:
                self.come_back()
        self.acknowledged.append(ack["message"])
        self.longest_wait = max(self.longest_wait, time.monotonic() - since)

    def listen(self):
        """Takes in what this line brought. In one line, each seq comes once and in order."""
        heard = self.person.heard("message")
        assert [message["seq"] for message in heard] == sorted({message["seq"] for message in heard})
        self.keep(heard)

    def hears(self, seq):
        """Waits until it has that message, and so all before it."""
        until(lambda: self.listen() or seq in self.feed, f"{self.name} gets message {seq}")

    def keep(self, messages):
        for message in messages:
            assert self.feed.setdefault(message["seq"], message) == message, "a seq is one message for ever"

    def keep_talking(self, until):
        for number in range(1_000_000):
            if until.is_set():
                break
            self.say(f"{self.name} {number}")


def test_a_rolling_restart_under_load_loses_nothing(cluster):
    pages = [Page(cluster, name) for name in NAMES]
    host = pages[0]
    room = host.person.host("Rolling", minutes=5)
    link = host.person.link(room)
    answer, cookies = come_in_over_http(cluster.address, link)
    pages.append(Page(cluster, answer["user"], cookies))
    for page in pages[1:]:
        seat(host.person, page.person, room)
    for page in pages:
        page.go_in(room)
    enough = threading.Event()
    threads = [threading.Thread(target=page.keep_talking, args=[enough]) for page in pages]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(len(page.acknowledged) > 20 for page in pages), "everybody talks before the restart", 30)
        seconds = cluster.roll()
        before = [len(page.acknowledged) for page in pages]
        until(
            lambda: all(len(page.acknowledged) > count + 20 for page, count in zip(pages, before, strict=True)),
            "everybody talks after the restart",
            30,
        )
    finally:
        enough.set()
        for thread in threads:
            thread.join(20)
    acknowledged = [message for page in pages for message in page.acknowledged]
    last = max(message["seq"] for message in acknowledged)
    for page in pages:
        page.hears(last)
    feed = [message for _, message in sorted(host.feed.items())]
    codes = [code for page in pages for code in page.codes]
    longest = max(page.longest_wait for page in pages)
    print(f"{seconds:.1f} s, {len(feed)} messages, lines closed with {codes}, {longest:.1f} s without an answer")
    assert [message["seq"] for message in feed] == list(range(1, len(feed) + 1)), "a seq without a gap"
    assert all(page.feed == host.feed for page in pages), "all see the same"
    assert sorted(message["seq"] for message in acknowledged) == list(host.feed), "nothing is lost, nothing there twice"
    assert all(host.feed[message["seq"]] == message for message in acknowledged)
    assert len({(message["user"], message["text"]) for message in feed}) == len(feed), "nothing is said twice"
    for page in pages:
        assert [message["text"] for message in page.acknowledged] == [
            message["text"] for message in feed if message["user"] == page.name
        ], "what one person says stays in order"
    assert 1012 in codes and set(codes) <= {1012, 1006}
    assert longest < 5, "everybody is back within a few seconds"
    assert_ok(come_in_over_http(cluster.address, link, "Another")[0])
    host.person.close(room)
    for page in pages:
        page.person.line.hang_up()


def test_no_visitor_sees_a_rolling_restart_in_an_answer(cluster):
    """Pages, forms and handshakes go to the next process where one is away."""
    cookies, enough, visits, failures = cluster.cookies_of("chen"), threading.Event(), [], []
    socket_address = cluster.address.replace("http", "ws") + "socket.io/?EIO=4&transport=websocket"

    def visit():
        try:
            while not enough.is_set():
                assert urlopen(Request(cluster.address, headers={"Cookie": cookies})).status == 200
                assert cluster.cookies_of("dana")
                origin = cluster.address.rstrip("/")
                websocket.create_connection(socket_address, cookie=cookies, origin=origin, timeout=5).close()
                visits.append(time.monotonic())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(visits) <= 10 and not failures:
        cluster.roll()
    enough.set()
    for thread in threads:
        thread.join(20)
    assert not failures
    assert len(visits) > 10


def test_a_process_that_hangs_keeps_one_visitor_waiting(own_cluster):
    """Whoever asks next gets an answer at once."""
    cluster = own_cluster(count=2).says_its_address()
    frozen = cluster.process_on(cluster.ports[0])
    os.kill(frozen, signal.SIGSTOP)
    waits = []
    for _ in range(12):
        since = time.monotonic()
        assert urlopen(cluster.address + "sign-in").status == 200
        waits.append(time.monotonic() - since)
    os.kill(frozen, signal.SIGCONT)
    assert sorted(waits)[-1] > 4, "one has met it"
    assert sorted(waits)[-2] < 1, waits


# Keeps every notice that the page shows, however short.
WATCH_NOTICES = """() => {
  window.notices = [];
  new MutationObserver(() => {
    const shown = [...document.querySelectorAll('.notice, [role=alert]')].map((notice) => notice.innerText);
    notices.push(...shown.filter(Boolean));
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def test_a_page_survives_a_rolling_restart(cluster, browser):
    asha, bilal = (Visitor(browser, cluster.address, name).sign_in() for name in ("asha", "bilal"))
    asha.host("Unbroken")
    bilal.watch("Unbroken")
    asha.say("Before")
    expect(bilal.message("Before")).to_have_count(1)
    for visitor in (asha, bilal):
        visitor.page.evaluate(WATCH_NOTICES)
    rolling = threading.Thread(target=cluster.roll)
    rolling.start()
    said = 0
    while rolling.is_alive() or not said:
        said += 1
        asha.say(f"Meanwhile {said};")
        expect(asha.message(f"Meanwhile {said};").get_by_role("time")).to_be_visible()
    rolling.join()
    asha.say("After")
    expect(bilal.message("After")).to_have_count(1)
    for number in range(1, said + 1):
        expect(bilal.message(f"Meanwhile {number};")).to_have_count(1)
        expect(asha.message(f"Meanwhile {number};")).to_have_count(1)
    for visitor in (asha, bilal):
        notices = set(visitor.page.evaluate("notices"))
        assert notices <= {"Restarting…", "Reconnecting…"}, notices
        assert not visitor.trouble
    asha.close_room()
    for visitor in (asha, bilal):
        visitor.context.close()


def test_a_process_that_dies_is_started_again(cluster, join):
    asha = join("asha")
    room = asha.host("Before the death")
    port = cluster.ports[1]
    before = cluster.process_on(port)
    os.kill(before, signal.SIGKILL)
    cluster.says(f"The process on port {port} has ended and is started again.")
    until(lambda: not is_free(port), "it listens again", 15)
    assert cluster.process_on(port) != before
    again = join("asha", port=port)
    assert_ok(again.watch(room))
    assert_ok(again.close(room))


def test_the_people_of_a_killed_process_are_gone_from_the_counts_within_thirty_seconds(cluster, join):
    asha = join("asha", port=cluster.ports[0])
    room = asha.host("Who is here?")
    lost = [join(name, port=cluster.ports[2]) for name in ("bilal", "chen")]
    for person in lost:
        assert_ok(person.watch(room))
    asha.hears("room", lambda view: view["id"] == room and view["watching"] == 2)
    os.kill(cluster.process_on(cluster.ports[2]), signal.SIGKILL)
    until(lambda: [view for view in asha.heard("room") if view["id"] == room][-1]["watching"] == 0, "they are gone", 30)
    assert all(person.line.closed == 1006 for person in lost)


def test_redis_and_nginx_that_die_are_started_again_and_the_rooms_are_there(own_cluster):
    cluster = own_cluster(count=2).says_its_address()
    page = Page(cluster, "asha")
    page.go_in(page.person.host("Still here"))
    page.say("Before")
    for name in ("redis-server", "nginx: master"):
        victim = next(pid for pid in cluster.children() if name in command_line(pid))
        os.kill(victim, signal.SIGKILL)
        cluster.says("has ended and is started again.", times=1 if "redis" in name else 2)
        page.say(f"After {name}")
    page.hears(3)
    texts = [message["text"] for _, message in sorted(page.feed.items())]
    assert texts == ["Before", "After redis-server", "After nginx: master"]


def test_a_rolling_restart_stops_where_a_process_does_not_come_back(own_cluster):
    """As with a new version that does not start: the others go on. Here Redis is frozen, so nobody could start."""
    cluster = own_cluster(count=2).says_its_address()
    page = Page(cluster, "asha")
    page.go_in(page.person.host("Half way"))
    first, second = map(cluster.process_on, cluster.ports)
    redis = cluster.redis()
    os.kill(redis, signal.SIGSTOP)
    cluster.process.send_signal(signal.SIGHUP)
    cluster.says(f"The process on port {cluster.ports[0]} did not come back: the rolling restart stops here.")
    assert is_running(second) and not is_running(first)
    os.kill(redis, signal.SIGCONT)
    page.say("It is tried again")
    cluster.says(f"The process on port {cluster.ports[0]} has ended and is started again.")
    until(lambda: not is_free(cluster.ports[0]), "it listens again", 15)
    assert cluster.process_on(cluster.ports[1]) == second


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


# --- Start and end ----------------------------------------------------------------------------------------------------


def test_it_prints_an_invite_link_for_everybody(cluster):
    for name in NAMES:
        link = f"{cluster.address}sign-in#name={name}&password={password_of(name)}"
        assert any(line.endswith(link) for line in cluster.lines)


@pytest.mark.parametrize("behind", [0, 2])
def test_a_second_cluster_is_refused_where_a_port_is_taken(cluster, own_cluster, behind):
    other = own_cluster(count=3, port=cluster.port - behind)
    status, said = other.process.wait(20), other.lines
    other.says("Choose another --port.")
    assert status == 1 and len(said) == 1, said
    assert said[0].startswith(f"Port {cluster.port} on 127.0.0.1: Address already in use")


def test_a_second_cluster_is_refused_in_the_same_folder(own_cluster):
    """Two of Redis on the same data would ruin it."""
    own_cluster(count=1).says_its_address()
    other = own_cluster(count=1)
    assert other.process.wait(20) == 1
    other.says("another cluster runs there")


def test_a_folder_is_in_use_as_long_as_a_redis_writes_there(own_cluster, tmp_path):
    cluster = own_cluster(count=1).says_its_address()
    redis, path = cluster.redis(), str(tmp_path / "cluster" / "redis.sock")
    with contextlib.closing(connected(path)) as line, contextlib.closing(connected(path)) as other_line:
        line.sendall(b"EVAL \"for i = 1, 4e9 do end\" 0\r\n")
        until(lambda: not answers(other_line), "Redis is too busy to notice that it should end")
        cluster.process.kill()
        cluster.process.wait()
        other = own_cluster(count=1)
        other.says("another cluster runs there")
        assert other.process.wait(5) == 1
    os.kill(redis, signal.SIGKILL)
    until(lambda: not is_running(redis), "Redis has ended")
    own_cluster(count=1).says_its_address()


def connected(path):
    line = socket.socket(socket.AF_UNIX)
    line.connect(path)
    line.settimeout(0.2)
    return line


def answers(line):
    line.sendall(b"PING\r\n")
    with contextlib.suppress(TimeoutError):
        return line.recv(100)


def test_a_setting_that_makes_no_sense_ends_the_start_with_a_sentence(own_cluster):
    cluster = own_cluster(count=2, PARTY_ROOM_MINUTES="-1")
    assert cluster.process.wait(20) == 1
    cluster.says("PARTY_ROOM_MINUTES must be")
    assert all(map(is_free, cluster.ports))


NOT_THIS_PROGRAM = "import sys; 'app.py' in sys.orig_argv and sys.exit('A version that does not start.')"


def test_a_process_that_does_not_start_ends_the_cluster_with_a_sentence(own_cluster, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NOT_THIS_PROGRAM)
    cluster = own_cluster(count=2, PYTHONPATH=str(tmp_path))
    assert cluster.process.wait(20) == 1
    cluster.says("A version that does not start.")
    cluster.says("did not start, so the cluster ends.")
    assert all(map(is_free, cluster.ports))


def test_one_process_reads_along_for_all_and_is_started_again_when_it_dies(own_cluster, tmp_path):
    own = {"PARTY_SERVICES": "figures", "PARTY_INSTANCE": str(tmp_path / "instance")}
    cluster = own_cluster(count=2, **own).says_its_address()

    def reading():
        return [pid for pid in cluster.children() if "-m services" in command_line(pid)]

    until(lambda: (tmp_path / "instance" / "figures.caught-up").exists(), "it has read everything")
    [first] = reading()
    os.kill(first, signal.SIGKILL)
    until(lambda: reading() not in ([], [first]), "another has begun")
    assert len(reading()) == 1, "none beside a process of the party"
    children = cluster.children()
    assert cluster.stop()[0] == 0
    assert not any(map(is_running, children))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_its_end_it_leaves_no_process_and_no_port_behind_and_the_rooms_are_kept(own_cluster, number):
    cluster = own_cluster(count=2).says_its_address()
    asha = cluster.person("asha")
    room = asha.host("Kept", minutes=20)
    children = cluster.children()
    assert len(children) >= 5, "Redis, two processes, nginx and its worker"
    status, said = cluster.stop(number)
    assert status == 0, said
    assert asha.line.closed == 1012
    assert not any(map(is_running, children))
    assert all(map(is_free, [cluster.port, *cluster.ports]))
    again = own_cluster(count=2, port=cluster.port).says_its_address()
    assert_ok(again.person("asha").watch(room))


def test_a_killed_cluster_takes_its_children_with_it(own_cluster):
    cluster = own_cluster(count=2).says_its_address()
    children = cluster.children()
    cluster.process.kill()
    cluster.process.wait()
    until(lambda: not any(map(is_running, children)), "they have ended")


# --- The files for a server beside a blog -----------------------------------------------------------------------------


def test_the_site_that_install_writes_serves_the_party_below_a_path_beside_a_blog_with_tls(tmp_path):
    """Only ports are those of this test."""
    https = free_port()
    make_certificate(tmp_path)
    with running_redis() as redis, contextlib.ExitStack() as stack:
        settings = {"PARTY_JOURNAL": redis.address, "PARTY_PROXIES": "1", "PARTY_ASSETS": "local"}
        processes = [stack.enter_context(running_server(**settings)) for _ in range(3)]
        # Those of pytest are for their owner alone.
        published = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        published.chmod(0o755)
        stack.enter_context(running_nginx(tmp_path, https, [process.port for process in processes], published))
        site = f"https://127.0.0.1:{https}"
        trusting = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        browser = build_opener(HTTPSHandler(context=trusting), StayHere())
        assert browser.open(site + "/").read() == b"The blog"
        assert browser.open(site + "/party").headers["Location"].endswith("/party/")
        form = browser.open(site + "/party/sign-in")
        token, cookie = form_token(form.read().decode()), form.headers["Set-Cookie"]
        assert "Secure" in cookie and "Path=/party/;" in cookie, "the blog does not get it"
        assert "Strict-Transport-Security" not in form.headers, "it would count for the blog, too"
        body = urlencode({"name": "asha", "password": password_of("asha"), "token": token}).encode()
        signed_in = browser.open(Request(site + "/party/sign-in", body, {"Cookie": cookie.partition(";")[0]}))
        assert (signed_in.status, signed_in.headers["Location"]) == (303, "./")
        cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
        assert b"asha" in browser.open(Request(site + "/party/", headers={"Cookie": cookie})).read()
        assert browser.open(site + "/party/static/loader.js").status == 200
        line = websocket.create_connection(
            f"wss://127.0.0.1:{https}/party/socket.io/?EIO=4&transport=websocket",
            cookie=cookie,
            origin=site,
            sslopt={"context": trusting},
            timeout=5,
        )
        assert json.loads(line.recv()[1:])["pingInterval"] == 15_000
        line.close()
        (published / "tea é.html").write_text("A page")
        answer = browser.open(site + "/party/published/tea%20%C3%A9.html")
        assert answer.read() == b"A page" and answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"] == publisher.POLICY, "as the party has it"
        with pytest.raises(HTTPError) as not_there:
            browser.open(site + "/party/published/of/nowhere")
        assert b"There is no page of that room" in not_there.value.read(), "of all but pages the party knows"
        for process in processes:
            process.stop()
        assert browser.open(site + "/party/published/tea%20%C3%A9.html").read() == b"A page", "without the party"


class StayHere(HTTPRedirectHandler):
    def http_error_302(self, request, answer, *_):
        return answer

    http_error_301 = http_error_303 = http_error_302


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=blog.example"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def running_nginx(folder, https, ports, published):
    """nginx with a blog and, below a path of it, what install.sh writes."""
    certificate = f"ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;"
    party = nginx_site.location("/party/").replace("/var/log/nginx/error.log", "stderr")
    party = party.replace(nginx_site.PAGES, str(published))
    site = nginx_site.site("blog.example", "/party/", len(ports)) + f"""
        server {{ listen 127.0.0.1:{https} ssl http2; {certificate}
        location / {{ return 200 "The blog"; }}
        location ~ \\.js$ {{ return 404; }}
        {party} }}"""
    for n, port in enumerate(ports):
        site = site.replace(f"127.0.0.1:{nginx_site.FIRST_PORT + n} ", f"127.0.0.1:{port} ")
    temporary = "".join(f"{kind}_temp_path temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid nginx.pid; error_log stderr crit; events {{}} http {{ access_log off; {temporary}\n{site}\n}}"
    )
    nginx = ["nginx", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]
    search = {**os.environ, "PATH": NGINX_PATH}
    checked = subprocess.run([*nginx, "-t"], env=search, capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and "[warn]" not in checked.stderr, checked.stderr
    process = subprocess.Popen(nginx, env=search)
    try:
        until(lambda: not is_free(https), "nginx listens", 15)
        yield
    finally:
        process.terminate()
        process.wait(10)
