"""A service that only counts, of which every test knows what it must have counted: `python tests/counting.py` runs it
as `python -m services` runs others."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

import services
from services import __main__, follow


class Counting:
    """What it was given, in order."""

    name = "counting"
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS taken (place INTEGER PRIMARY KEY, id, text, outcome, room);
        CREATE TABLE IF NOT EXISTS gaps (since, until)
    """

    def take(self, database, command, outcome, room):
        said = "ok" if outcome["ok"] else outcome["code"]
        row = (command["id"], command.get("text"), said, room and room.id)
        database.execute("INSERT INTO taken (id, text, outcome, room) VALUES (?, ?, ?, ?)", row)

    def gap(self, database, since, until):
        database.execute("INSERT INTO gaps VALUES (?, ?)", (since, until))

    def rest(self, database, at):
        pass


def taken(column="id"):
    """That of all it was given, in order; none before it began."""
    return [row[0] for row in rows(f"SELECT {column} FROM taken ORDER BY place")]


def gaps():
    return [tuple(row) for row in rows("SELECT since, until FROM gaps")]


def rows(query):
    with follow.reading("counting") as database:
        return database.execute(query).fetchall() if database else []


if __name__ == "__main__":
    services.made = lambda name: Counting()
    follow.NEWS_SECONDS = follow.AGAIN_SECONDS = 0.02  # for tests that wait for it
    __main__.main()
