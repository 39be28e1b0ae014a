"""Says what one missed: whole messages, picked; or, where the owner has one, what an AI says with its sources."""


class Moments:
    """A `follow.Worker`."""

    name = "moments"
    SCHEMA = "CREATE TABLE IF NOT EXISTS moments (room TEXT PRIMARY KEY)"

    def take(self, database, command, outcome, room):
        pass

    def gap(self, database, since, until):
        pass

    def rest(self, database, at):
        pass


def offer(app, visitor, look_at):
    pass
