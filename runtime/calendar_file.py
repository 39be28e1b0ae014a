"""A plan as a file that calendars read: iCalendar (RFC 5545), published as RFC 5546 says.

It brings no token: whoever is handed the file finds the way to the room, and there the sign-in.
"""

from datetime import UTC, datetime

from flask import Response, abort, request

from party.model import is_guest
from runtime.clock import now

FROM = "-//Discuss Party//Discuss Party//EN"


def offer(app, visitor, plan_of):
    """Let `app` give friends the file of a plan. `visitor()` is who asks, `plan_of(room_id)` a view of it, or None."""

    @app.get("/plans/<room_id>.ics")
    def plan_as_file(room_id):
        """The file. For whom it is not there, and of whatever is no plan, there is nothing at that address."""
        who = visitor()
        plan = plan_of(room_id) if who and not is_guest(who[0]) else None
        if not plan:
            abort(404)
        answer = Response(file_of(plan, request.root_url, now()), content_type="text/calendar; charset=utf-8")
        answer.headers["Content-Disposition"] = "attachment; filename=plan.ics"
        answer.cache_control.no_store = True
        return answer


def file_of(plan, address, at):
    """The plan of a room of the party at this address, as it is at that time. Another one with the same UID and a
    higher SEQUENCE takes its place in a calendar."""
    from icalendar import Calendar, Event, vCalAddress  # 40 ms and 2 MB that few ask for

    host = vCalAddress(address)  # a must for what is published; the party knows nobody's address
    host.params["CN"] = plan["host"]
    link = f"{address}#room={plan['id']}"
    parts = {
        "uid": f"{plan['id']}@discuss-party",
        "sequence": plan["version"],
        "dtstamp": moment(at),
        "dtstart": moment(plan["opens_at"]),
        "dtend": moment(plan["closes_at"]),
        "summary": plan["topic"],
        "organizer": host,
        "description": link,  # some calendars show no URL
        "url": link,
    }
    event, calendar = Event(), Calendar()
    for name, value in parts.items():
        event.add(name, value)
    for name, value in {"prodid": FROM, "version": "2.0", "method": "PUBLISH"}.items():
        calendar.add(name, value)
    calendar.add_component(event)
    return calendar.to_ical()


def moment(at):
    """A time of ours as calendars have it: UTC, in whole seconds."""
    return datetime.fromtimestamp(at // 1000, UTC)
