"""Somebody with a page in another engine. Whatever a test says of the page's buttons and words stands here."""

from servers import password_of

from .drivers import what


class Friend:
    def __init__(self, window, address, name):
        self.window, self.address, self.name = window, address, name
        self.room = None

    # --- The way in, and the lobby ---

    def sign_in(self):
        """By the form, as somebody who was sent a link."""
        self.window.open(self.address)
        self.window.fill(what("textbox", "Name"), self.name)
        self.window.fill(what("textbox", "Password"), password_of(self.name))
        self.window.key("Enter")
        self.window.finds(self.host_button)
        return self

    host_button = what("button", "Host a room")
    host_dialog = what("dialog", "What shall we talk about?")

    topic = what("textbox", "Topic")

    def host(self, topic, minutes=30):
        self.window.press(self.host_button)
        self.window.fill(self.topic, topic)
        self.window.press(what("choice", str(minutes)))
        self.window.press(what("button", "Open the room"))
        self._is_in(topic)
        self.window.finds(self.writing)

    def card(self, topic):
        return what("article", topic)

    def open_card(self, topic):
        self.window.press(what("heading", topic, within=self.card(topic)))
        self._is_in(topic)

    def _is_in(self, topic):
        self.room = what("room", topic)
        self.window.finds(self.room)

    # --- In a room ---

    @property
    def writing(self):
        return what("textbox", "Message", within=self.room)

    @property
    def feed(self):
        return what("region", "Discussion", within=self.room)

    def in_room(self, role, name):
        return what(role, name, within=self.room)

    def ask(self, pitch):
        self.window.press(self.in_room("button", "Ask to speak"))
        self.window.fill(self.in_room("textbox", "What would you add?"), pitch)
        self.window.press(self.in_room("button", "Ask to speak"))
        self.window.sees("You are next", self.room)

    def let_in(self, name):
        self.window.press(self.in_room("button", f"Let in {name}"))

    def may_write(self):
        self.window.finds(self.writing)

    def may_only_watch(self):
        self.window.finds(self.in_room("button", "Ask to speak"))
        self.window.finds_no(self.writing)

    def say(self, text):
        self.window.fill(self.writing, text)
        self.window.key("Enter")

    def message(self, text):
        return what("listitem", text, within=self.feed)

    def sees(self, text, of):
        """A message, once, with the name of who wrote it."""
        self.window.sees(text, self.feed)
        self.window.waits_for("(message, of) => textOf(message).includes(of)", self.message(text), of)

    def sees_sent(self, text):
        """Of an own message: that it arrived, and when."""
        self.window.waits_for("(message) => one(message).querySelector('time') !== null", self.message(text))

    def sees_reconnecting(self):
        self.window.finds(what("status", "Reconnecting…"))

    # --- The feed's place ---

    def is_at_the_end(self):
        self.window.waits_for(
            "(feed) => { const { scrollTop, clientHeight, scrollHeight } = one(feed);"
            " return scrollHeight > clientHeight && scrollHeight - clientHeight - scrollTop < 2 }",
            self.feed,
        )

    def scroll_up_by(self, pixels):
        self.window.run(
            "(feed, pixels) => one(feed).scrollBy({ top: -pixels, behavior: 'instant' })", self.feed, pixels
        )
        self.window.finds(self.newest)

    def scroll_to_the_top(self):
        self.window.run("(feed) => (one(feed).scrollTop = 0)", self.feed)
        self.window.finds(self.newest)

    def ask_for_earlier_messages(self):
        self.window.press(self.in_room("button", "Earlier messages"))

    def height_of_feed(self):
        return self.window.run("(feed) => one(feed).clientHeight", self.feed)

    @property
    def newest(self):
        """The button that leads to the end, there only for who has scrolled up."""
        return self.in_room("button", "↓")

    def sees_news(self, count):
        self.window.finds(self.in_room("button", f"↓ {count} new"))

    def place_of(self, text):
        """How far a message is from the top of the feed."""
        return self.window.run(
            "(message, feed) => one(message).getBoundingClientRect().top - one(feed).getBoundingClientRect().top",
            self.message(text),
            self.feed,
        )

    # --- What opens and closes ---

    sheet = what("dialog", "")

    @property
    def menu_button(self):
        return self.in_room("button", "More")

    def is_in_the_room(self):
        return self.window.run("(room) => all(room).length > 0", self.room)

    def trouble(self):
        """What went wrong on the page."""
        return self.window.run("() => JSON.parse(sessionStorage.getItem('trouble') ?? '[]')")
