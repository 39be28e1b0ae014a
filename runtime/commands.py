"""What the owner asks for in a terminal: `flask --app app trace`. Each works while the party runs."""

import click

from party import story
from runtime import settings
from runtime.journal import Unavailable, open_journal


def offer(app):
    """Let `flask --app app` do all of these."""
    for command in (trace,):
        app.cli.add_command(command)


@click.command()
@click.argument("room", required=False)
@click.option("--user", help="Only what this person did, and what was done to them.")
@click.option("--text", is_flag=True, help="Show messages, pitches and signals too.")
def trace(room, user, text):
    """Print the story of ROOM, or of a person, from the log.

    A line for each command: when (UTC), position in the log, who, what, with which outcome, through which sign-in.
    """
    if not room and not user:
        raise click.UsageError("Name a room (the ID in its link), or --user NAME.")
    line = None
    try:
        for line in story.lines(open_journal(settings.JOURNAL).replay(), room, user, with_words=text):
            click.echo(line)
    except (ValueError, Unavailable) as error:
        raise click.ClickException(f"PARTY_JOURNAL {str(error).rstrip('.')}.") from None
    if line is None:
        raise click.ClickException("Nothing in the log is about that. Does PARTY_JOURNAL name the party's log?")
