"""What the owner asks for in a terminal: `flask --app app trace`, `backup`, `restore`, `rescue`."""

import click

from party import story
from runtime import backup as backups
from runtime import settings
from runtime.journal import open_journal


def offer(app):
    """Let `flask --app app` do all of these."""
    for command in (trace, backup, restore, rescue):
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
    except ValueError as error:
        raise click.ClickException(f"PARTY_JOURNAL {error}") from None
    if line is None:
        raise click.ClickException("Nothing in the log is about that. Does PARTY_JOURNAL name the party's log?")


@click.command()
@click.argument("where")
@click.option("--keep", type=click.IntRange(1), help="Of the backups in that folder keep the newest so many.")
def backup(where, keep):
    """Copy the party, its secret key and its people to WHERE, while it runs.

    WHERE is a new file, or a folder, which gets a file with the date in its name. One that ends with / is made.
    """
    tell(backups.backup(where, keep))


@click.command()
@click.argument("file")
def restore(file):
    """Put the backup FILE into an empty place: into instance/, and the log that PARTY_JOURNAL names, of either kind."""
    tell(backups.restore(file))


@click.command()
@click.argument("file")
def rescue(file):
    """Write what is whole of the damaged log FILE, up to the first damage, into a new file beside it."""
    tell(backups.rescue(file))


def tell(sentences):
    try:
        for sentence in sentences:
            click.echo(sentence)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
