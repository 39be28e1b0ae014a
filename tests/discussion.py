"""A discussion of people without a page, which somebody with one comes into."""

import itertools
import json

from person import assert_ok, seat


class Discussion:
    """A room that bilal hosts and chen speaks in, on a server without a pace."""

    topics = (f"Tea, the {n}th" for n in itertools.count(4))

    def __init__(self, server, visit):
        self.server, self.visit, self.topic = server, visit, next(self.topics)
        self.bilal, self.chen = server.person("bilal"), server.person("chen")
        self.room = self.bilal.host(self.topic)
        seat(self.bilal, self.chen, self.room)

    def says(self, person, text, **more):
        """Gives the message."""
        return assert_ok(person.message(self.room, text, **more))["message"]

    def fill(self, count):
        """Message 1. to Message `count`., of bilal, without waiting for each."""
        for n in range(1, count + 1):
            message = {"room": self.room, "text": f"Message {n}.", "key": self.bilal.new_key()}
            if n % 200 and n < count:
                self.bilal.line.send("42" + json.dumps(["message", message]))
            else:
                assert_ok(self.bilal.ask("message", message))

    def signed_in(self, name, address=None, **how):
        """Somebody with a page, in the lobby."""
        address = address or self.server.address
        visitor = self.visit(name, address, **how)
        cookie, value = self.server.cookies_of(name).split("=", 1)
        visitor.context.add_cookies([{"name": cookie, "value": value, "url": address}])
        return visitor

    def enter(self, name, speaks=True, **how):
        """Somebody with a page, inside; with a seat, unless they only watch."""
        visitor = self.signed_in(name, **how)
        if speaks:
            seat_of = self.server.person(name)
            seat(self.bilal, seat_of, self.room)
            seat_of.line.hang_up()
        visitor.page.goto(f"./#room={self.room}")
        (visitor.writing if speaks else visitor.room.get_by_role("button", name="Ask to speak")).wait_for()
        visitor.wait_for_all_of_the_room()
        return visitor

    def end(self):
        self.bilal.close(self.room)
        for person in (self.bilal, self.chen):
            person.line.hang_up()
