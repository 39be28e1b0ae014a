"""What learns from the log: programs of their own, and the pages that show what they found."""


def offer(app, visitor, submit):
    """Let `app` show the services' pages: `visitor()` is who asks, `submit` the one way in for what they say."""
