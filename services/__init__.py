"""What reads along in the log, and makes something of its own of it. The party does not notice: each runs in a process
beside it, and can be switched off."""

from importlib import import_module


def made(name):
    """A new `follow.Service` of that name: `Figures` of services/figures.py for figures. Loaded only now: who shows
    pages does not need what reckons."""
    return getattr(import_module(f"services.{name}"), name.capitalize())()


def offer(app, visitor, submit, view_for):
    """Let `app` show the services' pages: `visitor()` is who asks, `submit` the one way in for what they say, and
    `view_for(room_id, user, view)` what a view gives of a room that they may read."""
    from services import feedback, hooks, insights, moments, publisher  # the services' own process needs no pages

    feedback.offer(app, visitor)
    insights.offer(app, visitor, submit)
    publisher.offer(app, visitor, view_for)
    moments.offer(app, visitor, view_for)
    hooks.offer(app)
