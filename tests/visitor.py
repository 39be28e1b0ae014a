"""Somebody with a browser, and what gets in their way, for the tests of the page."""

import contextlib
import re
import socket
import threading

from axe_playwright_python.base import AXE_SCRIPT
from person import Person, SocketLine, assert_ok, come_in_over_http, sign_in_over_http
from playwright.sync_api import expect
from servers import ROOT, password_of

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
VENDOR = ROOT / "static" / "vendor"
# What Chromium prints by itself when a server or the CDN is away; everything else on the console is our fault.
EXPECTED_ON_CONSOLE = re.compile(
    r"Failed to load resource|WebSocket connection to|ERR_INTERNET|preload|blocked by Playwright"
)


# What a page that fits has: nothing to scroll sideways, at the top and in each part that scrolls; but for a table of
# many columns, which scrolls by itself.
STICKS_OUT = """
  () => [document.scrollingElement, ...document.querySelectorAll('main *, dialog[open], dialog[open] *')]
    .filter((part) => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== 'visible')
    .filter((part) => !part.matches('input, textarea, .visually-hidden, .table--wide'))
    .filter((part) => getComputedStyle(part).textOverflow !== 'ellipsis')
    .map((part) => part.className || part.tagName)
"""


# Of all that axe has to say the page gives this alone: the rest is long, and takes longer to send than to find.
FAULTS = """
  async (rules) => {
    const which = rules.length ? { runOnly: rules } : { rules: { 'target-size': { enabled: true } } }
    const { violations } = await axe.run({ resultTypes: ['violations'], ...which })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => [id, node.html.slice(0, 200), node.failureSummary ?? null]))
  }
"""


class Visitor:
    """Somebody with a browser. (Ask for a field by its role: `get_by_label` also finds those of closed dialogs.)"""

    USUALLY = {
        "locale": "en-GB",
        "service_workers": "block",  # one would fetch past the routes of a test
        "reduced_motion": "reduce",  # a press waits until what it presses stands still
    }

    def __init__(self, browser, address, name, **how):
        self.name, self.address = name, address
        self.context = browser.new_context(base_url=address, **self.USUALLY | how)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(10_000)
        self.trouble = []
        self.page = self.new_tab()

    def new_tab(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("console", lambda message: self._note(message))
        page.on("dialog", lambda dialog: self.trouble.append(f"a dialog: {dialog.message}"))
        return page

    def _note(self, message):
        if message.type in ("error", "warning") and not EXPECTED_ON_CONSOLE.search(message.text):
            self.trouble.append(message.text)

    def sign_in(self, path=None):
        """Comes in signed in; with a path by the form, as somebody who was sent a link."""
        if path is None:
            name, _, value = sign_in_over_http(self.address, self.name, password_of(self.name)).partition("=")
            self.context.add_cookies([{"name": name, "value": value, "url": self.address}])
            self.page.goto("./")
            return self
        self.page.goto(path)
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("Password").fill(password_of(self.name))
        self.page.get_by_role("button", name="Sign in").click()
        return self

    def come_in(self, link, **how):
        """Comes in by that link as a guest who is called like this visitor, without the entrance's page."""
        answer, cookies = come_in_over_http(self.address, link, self.name, **how)
        name, _, value = cookies.partition("=")
        self.context.add_cookies([{"name": name, "value": value, "url": self.address}])
        self.page.goto(f"./#room={assert_ok(answer)['room']}")
        return self

    def card(self, topic):
        return self.page.get_by_role("article").filter(has=self.page.get_by_role("heading", name=topic, exact=True))

    @property
    def room(self):
        return self.page.locator(".room")

    @property
    def sheet(self):
        """The one that is open."""
        return self.page.get_by_role("dialog")

    def host(self, topic, minutes=30):
        self.page.get_by_role("button", name="Host a room").click()
        self.sheet.get_by_role("textbox", name="Topic").fill(topic)
        self.sheet.get_by_text(str(minutes), exact=True).click()
        self.sheet.get_by_role("button", name="Open the room").click()
        expect(self.room.get_by_role("heading", name=topic)).to_be_visible()
        expect(self.writing).to_be_visible()
        self.wait_for_all_of_the_room()

    def watch(self, topic):
        self.card(topic).get_by_role("link", name=topic, exact=True).click()
        expect(self.room.get_by_role("button", name="Ask to speak")).to_be_visible()
        self.wait_for_all_of_the_room()

    def wait_for_all_of_the_room(self):
        """Of what is in each live room, one module comes behind the rest. When its server goes away before that, a page
        says that it is not whole."""
        self.page.evaluate("""async () => {
            await import(new URL('closing.js', document.querySelector('script[type=module]').src))
        }""")

    @property
    def pitch(self):
        return self.room.get_by_role("textbox", name="What would you add?")

    def ask(self, pitch=""):
        ask = self.room.get_by_role("button", name="Ask to speak")
        expect(ask).to_be_visible()
        if not self.pitch.is_visible():
            ask.click()
        self.pitch.fill(pitch)
        self.room.get_by_role("button", name="Ask to speak").click()
        expect(self.room.get_by_text("You are next")).to_be_visible()

    def approve(self, name):
        """Steps to the request where one is seen at a time."""
        button = self.room.get_by_role("button", name=f"Let in {name}")
        following = self.room.get_by_role("button", name="The next request")
        while not button.is_visible() and following.is_visible():
            following.click()
        button.click()

    @property
    def writing(self):
        return self.room.get_by_role("textbox", name="Message")

    def say(self, text):
        self.writing.fill(text)
        self.writing.press("Enter")

    def write(self, text):
        """Like `say`, by the button: on a touch keyboard Enter is a new line."""
        self.writing.fill(text)
        self.room.get_by_role("button", name="Send").click()

    def message(self, text):
        return self.feed.get_by_role("listitem").filter(has_text=text)

    def sent(self, text):
        """The message, once the party has it: then it shows its time."""
        return self.message(text).filter(has=self.page.get_by_role("time"))

    def like(self, text):
        """The thumb beside the message; where nobody likes it, it is there for whoever points at it."""
        return self.message(text).get_by_role("button", name="Well said")

    @property
    def feed(self):
        return self.room.get_by_role("region", name="Discussion")

    def reads(self):
        """The texts in the feed, without their times."""
        return self.feed.locator(".message__text").evaluate_all("""texts => texts.map(text => {
            const words = text.cloneNode(true);
            words.querySelector('.message__time')?.remove();
            return words.textContent;
        })""")

    def open_menu(self):
        self.room.get_by_role("button", name="More", exact=True).click()
        return self.sheet

    def close_room(self):
        self.open_menu().get_by_role("button", name="Close the room").click()
        self.sheet.get_by_role("button", name="Yes, close it").click()
        expect(self.room.get_by_text(re.compile("closed the room"))).to_be_visible()

    def leave(self):
        self.room.get_by_role("button", name="Back to the lobby").click()
        expect(self.room).to_have_count(0)


def seat(host, visitor, topic):
    visitor.watch(topic)
    visitor.ask()
    host.approve(visitor.name)
    expect(visitor.writing).to_be_visible()


@contextlib.contextmanager
def people_without_a_page(address, *names):
    """People without a page, on the same server."""
    people = [Person(name, SocketLine(address, sign_in_over_http(address, name, password_of(name)))) for name in names]
    yield people
    for person in people:
        person.line.hang_up()


def close_rooms(party, names):
    """Leaves no room and no plan to the next test, also when this one failed half-way."""
    with people_without_a_page(party.address, *names) as people:
        for person in people:
            lobby = person.heard("lobby")[0]
            for end, cards in ((person.close, lobby["rooms"]), (person.call_off, lobby["plans"])):
                for card in cards:
                    if card["host"] == person.name:
                        end(card["id"])


def violations(page, *rules):
    """What axe finds wrong with the page as it is now: (rule, element, why). By all its usual rules and the
    size of what is pressed, or by these."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    return [tuple(found) for found in page.evaluate(FAULTS, rules)]


class Cable:
    """A stretch of wire between a browser and a server, which a test can cut."""

    def __init__(self, port):
        self.server, self.ends, self.is_whole = ("127.0.0.1", port), set(), True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_whole:
                near.close()
                continue
            try:
                far = socket.create_connection(self.server)
            except OSError:
                near.close()
                continue
            self.ends |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # unlike close, this also wakes the thread that carries the other way

    def cut(self):
        self.is_whole = False
        for end in list(self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.ends.clear()

    def mend(self):
        self.is_whole = True

    def close(self):
        self.cut()
        self.listener.close()
