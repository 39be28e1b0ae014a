"""Makes pages of rooms that have closed: for everybody, beside the blog."""

import unicodedata
from datetime import UTC, datetime
from urllib.parse import quote

from runtime import settings

LONGEST_WORDS = 120  # bytes in the name of a file, which may have 255 in all

# --- Names and addresses ----------------------------------------------------------------------------------------------


def name_of(page):
    """The name of its file, for what `views.published` gives: when it was, about what, and by the room's id no other's.
    The same for the same page."""
    day = datetime.fromtimestamp(page["opened_at"] // 1000, UTC).date().isoformat()
    return "-".join(filter(None, [day, words_of(page["topic"]), page["room"][:8]])) + ".html"


def words_of(topic):
    """The topic as part of an address: small letters, marks and digits of any script, with hyphens between words."""
    letters = unicodedata.normalize("NFKC", topic).lower()
    words = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in letters).split()
    while len("-".join(words).encode()) > LONGEST_WORDS:
        words = words[:-1] or [words[0].encode()[:LONGEST_WORDS].decode(errors="ignore")]
    return "-".join(words)


def address_of(name):
    """Where that file is found from outside."""
    return settings.published_at() + quote(name)


# --- The service ------------------------------------------------------------------------------------------------------


class Publisher:
    """A `follow.Worker`."""

    name = "publisher"
    SCHEMA = "CREATE TABLE IF NOT EXISTS pages (room TEXT PRIMARY KEY)"

    def take(self, database, command, outcome, room):
        pass

    def gap(self, database, since, until):
        pass

    def rest(self, database, at):
        pass


def offer(app, visitor, look_at):
    pass
