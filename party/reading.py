"""What a browser sent, distrusted here, once: a function for each field of the contract.

Each takes the event's object, and gives a value that the rules can take as it is, or refuses with `bad_input`.
"""

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from party import rules
from party.rules import MOODS, Refused

Data = Mapping[str, Any]

MAX_TOPIC, MAX_PITCH, MAX_TEXT = 120, 140, 2_000  # characters
MAX_NAME, MAX_ID, MAX_KEY = 40, 40, 64
MOST_MINUTES = 30  # that a host may choose; the owner may set more
INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # Unicode's categories of control, format and white space


def limits(room_minutes: float) -> dict[str, Any]:
    """What the page must know, so that it offers nothing that would be refused. `room_minutes` is the owner's."""
    return {
        "maxTopic": MAX_TOPIC,
        "maxPitch": MAX_PITCH,
        "maxText": MAX_TEXT,
        "roomMinutes": room_minutes,
        "mostMinutes": MOST_MINUTES,
        "longestRoom": rules.LONGEST_ROOM,
        "closedLife": rules.CLOSED_LIFE,
        "takeBackWithin": rules.TAKE_BACK_WITHIN,
        "moods": rules.MOODS,
        "pulseEvery": rules.PULSE_EVERY,
    }


def room(data: Data) -> str:
    return text_under(data, "room", MAX_ID)


def user(data: Data) -> str:
    return text_under(data, "user", MAX_NAME)


def topic(data: Data) -> str:
    return one_line(text_under(data, "topic", MAX_TOPIC))


def minutes(data: Data) -> int | None:
    return number_under(data, "minutes", 1, MOST_MINUTES)


def continues(data: Data) -> str | None:
    return None if data.get("continues") is None else text_under(data, "continues", MAX_ID)


def unnamed(data: Data) -> bool:
    return data.get("unnamed") is not None and flag_under(data, "unnamed")


def liked(data: Data) -> bool:
    return flag_under(data, "liked")


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


def flag_under(data: Data, name: str) -> bool:
    """The true or false under `name`. Refuses anything else."""
    value = data.get(name)
    if not isinstance(value, bool):
        raise Refused("bad_input", f"Please give true or false as {name}.")
    return value


def choice_under(data: Data, name: str, choices: Collection[str]) -> str:
    """The one of `choices` that stands under `name`. Refuses anything else."""
    value = data.get(name)
    if value not in choices:
        raise Refused("bad_input", f"Please give one of these as {name}: {', '.join(choices)}.")
    return str(value)
