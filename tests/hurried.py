"""A party, and its services beside it, to whom an hour is a second: `python tests/hurried.py`, for tests that wait for
what takes hours."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

HOUR_SECONDS = 1


def hurry_services():
    from services import follow, hooks

    follow.NEWS_SECONDS = follow.AGAIN_SECONDS = hooks.NEWS_SECONDS = hooks.LOOK_SECONDS = 0.05
    hooks.AGAIN_AFTER = len(hooks.AGAIN_AFTER) * (int(HOUR_SECONDS * 100),)


def hurry_party():
    from runtime import beside, transport

    beside.PROGRAM = sys.executable, __file__, "services", "--beside"
    beside.LISTENING_SECONDS, beside.PAUSE_SECONDS = 0, 0.1
    again_and_again = transport.again_and_again
    transport.again_and_again = lambda party, seconds, *tasks: again_and_again(party, min(seconds, 0.1), *tasks)


if __name__ == "__main__":
    if sys.argv[1:2] == ["services"]:
        del sys.argv[1]
        from services import __main__ as program

        hurry_services()
    else:
        import app as program

        hurry_party()
    from party import publishing

    publishing.LEAVE_OUT_WITHIN = HOUR_SECONDS * 1_000  # the log is replayed by both, and has to tell both the same
    program.main()
