"""The party in a process that dies where it is told to on a message's way, or that has an old bug put back.

    python tests/crashing.py FUSE [--bug NAME]

As soon as the file FUSE names a step, the next message that comes to that step kills the process, as SIGKILL from
outside would. The product has no hooks for this: its functions are wrapped here. Needs the project in PYTHONPATH.
"""

import app  # first: with it everything becomes cooperative, as in the party itself

# isort: split

import argparse
import contextlib
import dataclasses
import functools
import os
import secrets
import signal
from pathlib import Path

from party import rules

# In the order of a message's way.
STEPS = ("before append", "after append", "after apply", "before ack")


def put_in_the_steps(fuse):
    """Let a message die at each of the steps when `fuse` says so, through which process it came alone."""

    def come_to(step):
        with contextlib.suppress(FileNotFoundError):
            if fuse.read_text() == step:
                os.kill(os.getpid(), signal.SIGKILL)

    def is_our_message(command):
        return command["kind"] == "message" and command["id"] in app.awaited

    append, receive, announce, acknowledge = app.journal.append, app.receive, app.announce, app.acknowledge

    def dying_append(command):
        if command["kind"] == "message":
            come_to("before append")
        return append(command)

    def dying_receive(position, command):
        if is_our_message(command):
            come_to("after append")
        receive(position, command)

    def dying_announce(command, outcome):
        if is_our_message(command):
            come_to("after apply")
        announce(command, outcome)

    def dying_acknowledge(handler, sid, payload):
        ack = acknowledge(handler, sid, payload)
        if handler is app.on_message and ack["ok"]:
            come_to("before ack")
        return ack

    app.journal.append, app.receive = dying_append, dying_receive
    app.announce, app.acknowledge = dying_announce, dying_acknowledge


# --- The bugs: each replaces what the party does by what it must not do -----------------------------------------------


def messages_go_through(submit):
    """Let `submit(command)` do what the party's own does, for messages that are new and allowed."""
    right_submit = app.submit

    @functools.wraps(right_submit)
    def wrong_submit(kind, user=None, **body):
        command = {"id": secrets.token_hex(8), "at": app.now(), "kind": kind, "user": user} | body
        if kind != "message" or app.foresee(command):
            return right_submit(kind, user, **body)
        app.awaited[command["id"]] = None
        return submit(command)

    app.submit = wrong_submit


def append_later(command):
    app.socketio.sleep(0.05)  # meanwhile what was told goes out, with the next turn of the loop
    app.journal.append(command)


def acknowledge_before_append():
    def submit(command):
        room = app.state.rooms[command["room"]]
        outcome = rules.say(dataclasses.replace(room, messages=list(room.messages)), command)
        app.socketio.start_background_task(append_later, command)
        return {"ok": True} | outcome

    messages_go_through(submit)


def apply_before_append():
    def submit(command):
        with app.lock:
            outcome = app.apply_and_answer(command)
            app.announce(command, outcome)
        append_later(command)
        return outcome

    messages_go_through(submit)


def no_key_memory():
    app.state.remember = lambda command, outcome: None


def read_position_lost():
    """Whoever reads on a new connection to Redis reads on from the log's end."""
    journal = app.journal
    news, line = journal._news, None

    def news_from_now_on():
        nonlocal line
        before, line = line, journal._line.client_id()
        if before not in (None, line):
            journal._position = journal._reader.xrevrange(journal.STREAM, count=1)[0][0]
        yield from news()

    journal._news = news_from_now_on


BUGS = {
    "acknowledge before append": acknowledge_before_append,
    "apply before append": apply_before_append,
    "no key memory": no_key_memory,
    "read position lost": read_position_lost,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fuse", type=Path)
    parser.add_argument("--bug", choices=BUGS)
    arguments = parser.parse_args()
    if arguments.bug:
        BUGS[arguments.bug]()
    put_in_the_steps(arguments.fuse)
    app.main()
