"""The log as a story, for people: when, who, what, with which outcome."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from party.model import Command, Outcome
from party.state import State

# What somebody said to a few, or without a name: in a story only when asked for.
PRIVATE = {"text", "pitch", "mood", "liked", "choice", "question"}
# What has a column of its own, or is the server's business alone.
NO_DETAILS = {"id", "at", "kind", "user", "room", "key", "most", "through", "instead", "changes"}
NO_DETAILS |= {"doors", "hash", "door", "skeletons"}  # of a door, and of who comes in by it


def lines(
    entries: Iterable[tuple[object, Command]], room: str | None, user: str | None, with_words: bool
) -> Iterator[str]:
    """A line for each command that is about the room, about the user, or about both where both are given.

    `entries` are a whole log, (position, command): the outcomes are found by applying it.
    """
    state = State()
    hidden = NO_DETAILS if with_words else NO_DETAILS | PRIVATE
    for position, command in entries:
        outcome = outcome_of(state, command)
        if is_about(room, user, command, outcome):
            details = [f"{name}={value!r}" for name, value in command.items() if name not in hidden]
            who = command["user"] or ("(a stranger)" if command["kind"] == "opened" else "(the party)")
            start = (time_of(command["at"]), str(position), who, command["kind"])
            end = (f"→ {result(state, command, outcome)}", f"through {command.get('through') or '(none)'}")
            yield "  ".join((*start, *details, *end))


def is_about(room: str | None, user: str | None, command: Command, outcome: Outcome) -> bool:
    return (not room or room in (command.get("room"), outcome.get("room"))) and (
        not user or user in (command["user"], command.get("who"), command.get("gone"))
    )


def outcome_of(state: State, command: Command) -> Outcome:
    """Apply the command; one that another version wrote, and this one does not understand, tells no more than that."""
    try:
        return state.apply(command)
    except Exception:
        return {"code": "? (this version does not know it)"}


def result(state: State, command: Command, outcome: Outcome) -> str:
    """What became of it: "ok", with the seq of a message; the code of a refusal; or "?" and why nobody knows."""
    # Where the log was cut between the command and the sign-in that it came through.
    if "through" in command and not state.sign_in_of(command["user"], command["through"]):
        return "? (what it follows from is no longer in the log)"
    return outcome.get("code") or "ok" + (f" seq={outcome['message']['seq']}" if "message" in outcome else "")


def time_of(at: int) -> str:
    """In UTC, to the millisecond."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
