"""A person at the party, for tests: one verb per event, over the in-process client and over a real socket alike."""

import itertools
import json
import re
import threading
import time
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import websocket

PATIENCE = 10  # seconds that a test waits for what must come, also on a busy machine; no promise about speed


def until(fulfilled, promise="it does not come", patience=PATIENCE):
    """Waits for that."""
    deadline = time.monotonic() + patience
    while not fulfilled():
        assert time.monotonic() < deadline, promise
        time.sleep(0.01)


# Every field that an event needs beside `room` and `key`: what an event does not know, it ignores.
FIELDS = {"topic": "Coffee", "text": "Hi", "user": "bilal", "before": 1, "seq": 1, "mood": "agree", "liked": True}
# `at` is for `move` alone: with it, `host` plans a room.
FIELDS |= {"about": "room", "choice": "yes", "open": "ask", "coming": True, "out": True}


class Person:
    """Somebody signed in, in one tab. Every verb gives the acknowledgement."""

    keys = itertools.count(1)

    def __init__(self, name, line):
        self.name, self.line = name, line

    def ask(self, event, *payload):
        return self.line.ask(event, *payload)

    def host(self, topic="Tea", **more):
        """Opens a room; gives its id."""
        ack = self.ask("host", {"topic": topic, **more})
        assert ack["ok"], ack
        return ack["room"]

    def plan(self, topic="Tea", *, at, **more):
        """Plans a room; gives its id."""
        return self.host(topic, at=at, **more)

    def move(self, room, at, **more):
        return self.ask("move", {"room": room, "at": at, **more})

    def call_off(self, room, **more):
        return self.ask("call_off", {"room": room, **more})

    def withhold(self, room, **more):
        return self.ask("withhold", {"room": room, **more})

    def leave_out(self, room, out=True, **more):
        return self.ask("leave_out", {"room": room, "out": out, **more})

    def coming(self, room, coming=True, **more):
        return self.ask("coming", {"room": room, "coming": coming, **more})

    def watch(self, room, **more):
        return self.ask("watch", {"room": room, **more})

    def history(self, room, before, **more):
        return self.ask("history", {"room": room, "before": before, **more})

    def leave(self, room, **more):
        return self.ask("leave", {"room": room, **more})

    def request(self, room, **more):
        return self.ask("request", {"room": room, **more})

    def withdraw(self, room, **more):
        return self.ask("withdraw", {"room": room, **more})

    def approve(self, room, user, **more):
        return self.ask("approve", {"room": room, "user": user, **more})

    def deny(self, room, user, **more):
        return self.ask("deny", {"room": room, "user": user, **more})

    def remove(self, room, user, **more):
        return self.ask("remove", {"room": room, "user": user, **more})

    def hand_over(self, room, user, **more):
        return self.ask("hand_over", {"room": room, "user": user, **more})

    def door(self, room, open="ask", **more):
        return self.ask("door", {"room": room, "open": open, **more})

    def link(self, room, open="ask", **more):
        """Opens the door; gives the link to it, as seen from the party's address."""
        return f"#room={room}&door={assert_ok(self.door(room, open, **more))['token']}"

    def put_out(self, room, user, **more):
        return self.ask("put_out", {"room": room, "user": user, **more})

    def message(self, room, text="Hello", key=None, **more):
        return self.ask("message", {"room": room, "text": text, "key": key or self.new_key(), **more})

    def take_back(self, room, seq, **more):
        return self.ask("take_back", {"room": room, "seq": seq, **more})

    def writing(self, room, **more):
        return self.ask("writing", {"room": room, **more})

    def like(self, room, seq, liked=True, **more):
        return self.ask("like", {"room": room, "seq": seq, "liked": liked, **more})

    def pulse(self, room, mood="agree", **more):
        return self.ask("pulse", {"room": room, "mood": mood, **more})

    def more_time(self, room, **more):
        return self.ask("more_time", {"room": room, **more})

    def extend(self, room, **more):
        return self.ask("extend", {"room": room, **more})

    def close(self, room, **more):
        return self.ask("close", {"room": room, **more})

    def feedback(self, about, **more):
        return self.ask("feedback", {"about": about, **more})

    def new_key(self):
        return f"{self.name}-{next(self.keys)}"

    def heard(self, event):
        """The payloads of all such events that have come so far."""
        return [payload for name, payload in self.line.events() if name == event]

    def hears(self, event, such_that=lambda payload: True):
        """Waits until such an event has come; gives the newest that fits."""
        self.line.wait_until(lambda: any(map(such_that, self.heard(event))), f"{self.name} hears {event}")
        return [payload for payload in self.heard(event) if such_that(payload)][-1]

    def sees(self, room):
        """The room as it was told last, once everything that is on its way has come."""
        self.line.settle()
        return [view for view in self.heard("room") if view["id"] == room][-1]

    def sees_waiting(self, room):
        """The names in the queue, as the host was told last."""
        self.line.settle()
        told = [payload["waiting"] for payload in self.heard("waiting") if payload["room"] == room]
        return [waiting["user"] for waiting in told[-1]] if told else []

    def reads(self, room):
        """The texts of the feed as `message` events brought them."""
        self.line.settle()
        return [message["text"] for message in self.heard("message") if message["room"] == room]


def assert_ok(ack):
    assert ack["ok"], ack
    return ack


def assert_refused(ack, code):
    assert ack["ok"] is False, f"should have been refused: {ack}"
    assert ack["code"] == code, ack
    assert re.fullmatch(r"[A-Z].*\.", ack["error"]), "a refusal is a sentence for a person"


def seat(host, person, room):
    """Lets `person` in and gives them a seat, by the events alone."""
    person.watch(room)
    person.request(room)
    assert_ok(host.approve(room, person.name))


class InProcessLine:
    """A tab on the application in this process; time passes when it is asked to settle."""

    def __init__(self, party, browser):
        """`party` is the app module, `browser` a Flask test client that is signed in."""
        self.party, self.browser = party, browser
        self.client = party.socketio.test_client(party.app, flask_test_client=browser)
        self._events = []

    def ask(self, event, *payload):
        return self.client.emit(event, *payload, callback=True)

    def events(self):
        for packet in self.client.get_received() if self.client.is_connected() else []:
            # The test client keeps the payload of events named "message" bare, and all others in a list.
            payload = packet["args"] if packet["name"] == "message" else packet["args"][0]
            self._events.append((packet["name"], payload))
        return self._events

    def settle(self):
        self.party.tick()

    def wait_until(self, fulfilled, promise):
        self.settle()
        assert fulfilled(), f"should be true by now: {promise}"

    def hang_up(self):
        self.client.disconnect()


class SocketLine:
    """A tab on a real server: a WebSocket that keeps every frame it was sent. Raises OSError where the line ends while
    somebody waits for an answer: what became of the question is then unknown."""

    def __init__(self, address, cookies, origin=None):
        self.frames = []  # as they came
        self._acks, self._ids, self._news = {}, itertools.count(), threading.Condition()
        self.closed = None  # the WebSocket close code, once there is one (1006: without a goodbye)
        self.socket = websocket.create_connection(
            address.replace("http", "ws") + "socket.io/?EIO=4&transport=websocket",
            cookie=cookies,
            origin=origin or address.rstrip("/"),
            timeout=PATIENCE,
        )
        self.socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.socket.send("40")
        self._wait_for_answer(lambda: any(name == "lobby" for name, _ in self.events()), "the lobby comes first")

    def _read(self):
        code = 1006
        try:
            while True:
                opcode, data = self.socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    code = int.from_bytes(data[:2], "big") if data else 1005
                    break
                frame = data.decode()
                if frame == "2":
                    self.socket.send("3")
                with self._news:
                    if frame.startswith("43"):
                        id, ack = re.fullmatch(r"43(\d+)(.*)", frame, re.DOTALL).groups()
                        self._acks[int(id)] = json.loads(ack)[0]
                    self.frames.append(frame)
                    self._news.notify_all()
        except (OSError, websocket.WebSocketException):
            pass
        with self._news:
            self.closed = code
            self._news.notify_all()

    def ask(self, event, *payload):
        id = next(self._ids)
        # Text as browsers send it, unescaped; a lone surrogate, which has no bytes, keeps its escape.
        data = json.dumps([event, *payload], ensure_ascii=False).encode(errors="backslashreplace")
        self.socket.send(f"42{id}".encode() + data, opcode=websocket.ABNF.OPCODE_TEXT)
        self._wait_for_answer(lambda: id in self._acks, f"{event} is acknowledged")
        return self._acks.pop(id)

    def _wait_for_answer(self, has_come, promise):
        self.wait_until(lambda: has_come() or self.closed is not None, promise)
        if not has_come():
            raise ConnectionError(f"the line closed with {self.closed} before this came true: {promise}")

    def send(self, frame):
        """Sends a raw packet."""
        self.socket.send(frame)

    def events(self):
        return [tuple(json.loads(frame[2:])) for frame in list(self.frames) if frame.startswith("42")]

    def settle(self):
        """Waits until a tick of the server has passed: the lobby hears of every room that is opened."""
        topic = f"A tick {time.monotonic_ns()}"
        room = self.ask("host", {"topic": topic})["room"]

        def told():
            lobbies = [lobby for name, lobby in self.events() if name == "lobby"]
            return any(card["topic"] == topic for lobby in lobbies for card in lobby["rooms"])

        self.wait_until(told, "a tick passes")
        self.ask("close", {"room": room})

    def wait_until(self, fulfilled, promise):
        with self._news:
            assert self._news.wait_for(fulfilled, PATIENCE), f"did not come true in {PATIENCE} s: {promise}"

    def hang_up(self):
        self.socket.send_close()
        self._reader.join(PATIENCE)


def sign_in_over_http(address, name, password):
    """Signs in like a browser; gives the value of a Cookie header."""
    return send_form(address, "sign-in", {"name": name, "password": password})[1]


def come_in_over_http(address, link, name="Gita", cookies="", household=None):
    """Comes in by a room's link like a browser, a nameless one where the name is None; with `cookies` as who that is,
    from another `household` where the party believes a proxy. Gives the answer and the value of a Cookie header.
    """
    called = {"unnamed": "yes"} if name is None else {"name": name}
    form = dict(parse_qsl(link.partition("#")[2])) | called
    try:
        answer, cookies = send_form(address, "guest", form, cookies, household)
    except HTTPError as refusal:
        answer = refusal.read()
    return json.loads(answer), cookies


def send_form(address, path, form, cookies="", household=None):
    """Gives what comes, and the value of a Cookie header from then on. Raises HTTPError."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    browser.addheaders += [("X-Forwarded-For", household)] if household else []

    def known():
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar) or cookies

    def send(*what):
        given = {"Cookie": cookies} if cookies and not jar else {}  # it would be kept where what comes leads elsewhere
        return browser.open(Request(*what, headers=given)).read().decode()

    token = form_token(send(address + "sign-in"))
    return send(address + path, urlencode(form | {"token": token}).encode()), known()


def form_token(html):
    return re.search(r'name="token"\s+value="([^"]+)"', html).group(1)
