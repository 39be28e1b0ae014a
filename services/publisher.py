"""Makes pages of rooms that have closed: for everybody, beside the blog."""


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
