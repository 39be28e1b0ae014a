"""Tells other programs what happened, at addresses that the owner chose."""


class Hooks:
    """A `follow.Worker`."""

    name = "hooks"
    SCHEMA = "CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY)"

    def take(self, database, command, outcome, room):
        pass

    def gap(self, database, since, until):
        pass

    def rest(self, database, at):
        pass
