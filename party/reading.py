"""What a browser sent, distrusted here, once: a function for each field of the contract.

Each takes the event's object, and gives a value that the rules can take as it is, or refuses with `bad_input`.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from party import model, plans, rules
from party.doors import DOORS
from party.model import Refused
from party.rules import MOODS

Data = Mapping[str, Any]

MAX_TOPIC, MAX_PITCH, MAX_TEXT = 120, 140, 2_000  # characters
MAX_NAME, MAX_ID, MAX_KEY = 40, 40, 64
MAX_SAID = 1_000  # to the owner, and the owner's answer
MAX_ERROR, MOST_ERRORS = 80, 5  # the first words of a script's mistake, and how many a page tells
MAX_QUESTION = 120
SOURCE = re.compile(r"[A-Za-z0-9._-]{1,40}")  # what may stand in a link behind ?from=
DAY_SECONDS = 86_400  # the longest that a page can have been seen, or waited, in one go
MOST_TIMES = 1_000_000  # of whatever a page counts
MONTHS = {f"{month:02}" for month in range(1, 13)}
# What a person can tell the owner about, and what they choose from there.
ABOUT = {
    "room": ("yes", "partly", "no"),  # was it worth your time?
    "losing": ("very", "somewhat", "not"),  # how disappointed would you be, if the party were gone?
    "idea": (),
    "problem": (),
    "praise": (),
}
LATEST = 8_640_000_000_000_000  # milliseconds: the last time that a browser's dates know
MOST_MINUTES = 30  # that a host may choose; the owner may set more
INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # Unicode's categories of control, format and white space


def limits(room_minutes: float) -> dict[str, Any]:
    """What the page must know, so that it offers nothing that would be refused. `room_minutes` is the owner's."""
    return {
        "maxTopic": MAX_TOPIC,
        "maxPitch": MAX_PITCH,
        "maxText": MAX_TEXT,
        "maxSaid": MAX_SAID,
        "roomMinutes": room_minutes,
        "mostMinutes": MOST_MINUTES,
        "longestRoom": model.LONGEST_ROOM,
        "closedLife": model.CLOSED_LIFE,
        "takeBackWithin": rules.TAKE_BACK_WITHIN,
        "moods": rules.MOODS,
        "pulseEvery": rules.PULSE_EVERY,
        "plannedFrom": plans.PLANNED_FROM,
        "plannedUntil": plans.PLANNED_UNTIL,
    }


def room(data: Data) -> str:
    return text_under(data, "room", MAX_ID)


def user(data: Data) -> str:
    return text_under(data, "user", MAX_NAME)


def topic(data: Data) -> str:
    return one_line(text_under(data, "topic", MAX_TOPIC))


def minutes(data: Data) -> int | None:
    return number_under(data, "minutes", 1, MOST_MINUTES)


def planning(data: Data) -> dict[str, Any]:
    """When a room is to open, where it is not to open now; and whether the lobby shows it, where that is said."""
    planned = {"opens_at": at(data)} if data.get("at") is not None else {}
    return planned | ({"listed": flag_under(data, "listed")} if data.get("listed") is not None else {})


def at(data: Data) -> int:
    return required_number(data, "at", 0, LATEST)


def coming(data: Data) -> bool:
    return flag_under(data, "coming")


def publishing(data: Data, is_possible: bool) -> dict[str, Any]:
    """Whether the room is to be published; nothing where it is not. `is_possible`: whether this party does that."""
    if data.get("publish") is None or not flag_under(data, "publish"):
        return {}
    if not is_possible:
        raise Refused("forbidden", "This party publishes nothing.")
    return {"publish": True}


def out(data: Data) -> bool:
    return flag_under(data, "out")


def continues(data: Data) -> str | None:
    return None if data.get("continues") is None else text_under(data, "continues", MAX_ID)


def unnamed(data: Data) -> bool:
    return data.get("unnamed") is not None and flag_under(data, "unnamed")


def liked(data: Data) -> bool:
    return flag_under(data, "liked")


def door(data: Data) -> dict[str, Any]:
    """How wide it is to be open. What is not said of it is false."""
    told = {name: data.get(name) is not None and flag_under(data, name) for name in ("whole", "renew", "out")}
    return {"open": choice_under(data, "open", DOORS), **told}


def pitch(data: Data) -> str:
    """The empty text where there is none."""
    return one_line(text_under(data, "pitch", MAX_PITCH)) if data.get("pitch") else ""


def text(data: Data) -> str:
    return text_under(data, "text", MAX_TEXT)


def key(data: Data) -> str:
    """As it was sent."""
    text_under(data, "key", MAX_KEY)
    return str(data["key"])


def optional_key(data: Data) -> str | None:
    return None if data.get("key") is None else key(data)


def feedback(data: Data) -> dict[str, Any]:
    """What somebody tells the owner: a choice, words, or both. Words that may be missing are left out."""
    about = choice_under(data, "about", ABOUT)
    said: dict[str, Any] = {"about": about, "talk": data.get("talk") is not None and flag_under(data, "talk")}
    if about == "room":
        said["room"] = room(data)
    if ABOUT[about]:
        said["choice"] = choice_under(data, "choice", ABOUT[about])
    if not ABOUT[about] or data.get("text"):
        said["text"] = text_under(data, "text", MAX_SAID)
    if about == "problem":
        said |= {name: one_line(text_under(data, name, MAX_ERROR)) for name in ("version", "error") if data.get(name)}
    return said


def measures(data: Data) -> dict[str, Any]:
    """What a page measured while it was seen. What it does not tell counts as none; times that it may not know are left
    out, and so is whatever else there is."""
    seconds = round(measure_under(data, "seconds", DAY_SECONDS), 1)
    inside = round(measure_under(data, "inside", DAY_SECONDS), 1) if "inside" in data else 0
    counts = ("asked", "unavailable", "failed", "reconnections")
    return {
        "seconds": seconds,
        "inside": min(inside, seconds),
        **{name: milliseconds(data, name) for name in ("paint", "live") if data.get(name) is not None},
        **({"wait": wait(data)} if data.get("wait") is not None else {}),
        **{name: number_under(data, name, 0, MOST_TIMES) or 0 for name in counts},
        "errors": errors(data),
    }


def wait(data: Data) -> dict[str, int]:
    """How long they waited for acknowledgements."""
    given = object_under(data, "wait")
    return {name: milliseconds(given, name) for name in ("median", "slowest")}


def milliseconds(data: Data, name: str) -> int:
    return round(measure_under(data, name, DAY_SECONDS * 1000))


def errors(data: Data) -> list[str]:
    given = data.get("errors", [])
    if not isinstance(given, list) or len(given) > MOST_ERRORS:
        raise Refused("bad_input", f"Please give at most {MOST_ERRORS} texts as errors.")
    return [one_line(text_under({"error": one}, "error", MAX_ERROR)) for one in given]


def mood(data: Data) -> str:
    return choice_under(data, "mood", MOODS)


def seq(data: Data, most: int) -> int:
    """`most`, here and below, is how many messages a room can have."""
    return required_number(data, "seq", 1, most)


def before(data: Data, most: int) -> int:
    """A seq, or the one behind the last."""
    return required_number(data, "before", 1, most + 1)


def after(data: Data, most: int) -> int | None:
    """A seq, or 0 for before the first."""
    return number_under(data, "after", 0, most)


def reply(data: Data, most: int) -> int | None:
    return number_under(data, "reply", 1, most)


# --- What the owner enters: each field of a form is text --------------------------------------------------------------


def answer(form: Data) -> dict[str, Any]:
    """To which feedback, and what."""
    return {"to": text_under(form, "to", MAX_ID), "text": text_under(form, "text", MAX_SAID)}


def goals(form: Data) -> dict[str, Any]:
    """What the owner asks of the party, and from which share on the answer is yes."""
    question = one_line(text_under(form, "question", MAX_QUESTION))
    return {"question": question, **{name: percent_under(form, name) for name in ("spoke", "returned", "voices")}}


def spent(form: Data) -> dict[str, Any]:
    """In which month, and how much, in whatever money the owner reckons."""
    return {"month": month_under(form, "month"), "amount": amount_under(form, "amount")}


# --- What the fields are made of --------------------------------------------------------------------------------------


def text_under(data: Data, name: str, limit: int) -> str:
    """The text under `name`, stripped. Refuses what is missing, not text, without anything to see, or longer than
    `limit` characters."""
    value = data.get(name)
    if not isinstance(value, str) or all(unicodedata.category(char) in INVISIBLE for char in value):
        raise Refused("bad_input", f"Please give a {name}.")
    if len(value) > limit:
        raise Refused("bad_input", f"That {name} is longer than {limit:,} characters.")
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r" for char in value):
        raise Refused("bad_input", f"That {name} holds characters that nobody can see.")
    return value.strip()


def one_line(text: str) -> str:
    """With each run of white space made one space."""
    return " ".join(text.split())


def number_under(data: Data, name: str, low: int, high: int) -> int | None:
    """The whole number under `name`, or None where there is none. Refuses anything else."""
    value = data.get(name)
    if value is None or (type(value) is int and low <= value <= high):
        return value
    raise Refused("bad_input", f"Please give a whole number from {low:,} to {high:,} as {name}.")


def required_number(data: Data, name: str, low: int, high: int) -> int:
    """The whole number under `name`, which must be there."""
    value = number_under(data, name, low, high)
    if value is None:
        raise Refused("bad_input", f"Please give a whole number as {name}.")
    return value


def measure_under(data: Data, name: str, high: int) -> float:
    """The number from 0 to `high` under `name`, which may have a fraction. Refuses anything else."""
    value = data.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= high:
        return float(value)
    raise Refused("bad_input", f"Please give a number from 0 to {high:,} as {name}.")


def flag_under(data: Data, name: str) -> bool:
    """The true or false under `name`. Refuses anything else."""
    value = data.get(name)
    if not isinstance(value, bool):
        raise Refused("bad_input", f"Please give true or false as {name}.")
    return value


def object_under(data: Data, name: str) -> Data:
    """The object under `name`. Refuses anything else."""
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise Refused("bad_input", f"Please give an object as {name}.")
    return value


def choice_under(data: Data, name: str, choices: Collection[str]) -> str:
    """The one of `choices` that stands under `name`. Refuses anything else."""
    value = data.get(name)
    if not isinstance(value, str) or value not in choices:
        raise Refused("bad_input", f"Please give one of these as {name}: {', '.join(choices)}.")
    return value


def percent_under(form: Data, name: str) -> int:
    """A whole number from 1 to 100. Refuses anything else."""
    value = str(form.get(name, "")).strip()
    if is_digits(value, 3) and 1 <= int(value) <= 100:
        return int(value)
    raise Refused("bad_input", f"Please give a whole number from 1 to 100 as {name}.")


def month_under(form: Data, name: str) -> str:
    """A month like 2026-11. Refuses anything else."""
    year, _, month = str(form.get(name, "")).strip().partition("-")
    if is_digits(year, 4) and len(year) == 4 and month in MONTHS:
        return f"{year}-{month}"
    raise Refused("bad_input", f"Please give a {name} like 2026-11.")


def amount_under(form: Data, name: str) -> float:
    """An amount of money like 12, 12.5 or 12,50. Refuses anything else."""
    whole, _, cents = str(form.get(name, "")).strip().replace(",", ".").partition(".")
    if is_digits(whole, 8) and (not cents or is_digits(cents, 2)):
        return float(f"{whole}.{cents or 0}")
    raise Refused("bad_input", f"Please give an amount like 12.50 as {name}.")


def is_digits(text: str, most: int) -> bool:
    """Whether it is a whole number of at most so many digits."""
    return len(text) <= most and text.isascii() and text.isdecimal()
