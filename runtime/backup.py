"""Copies of a whole party: the log, the secret key, the people's list, what the services know; and what is whole of a
damaged log.

A backup is a gzipped tar, to be read without us: `about.json` (which version made it, when, from which kind of log, how
many commands it holds, and the sha256 of each of the others), `secret_key`, `people.json`, `hooks.toml` and the
services' SQLite files where there are any, and `log.jsonl`, a line `[position, command]` for each command. One that
comes back is distrusted: nothing is unpacked by its name, and nothing is written before all of it is checked.

Each of the three gives sentences for the owner, as they become true. It raises ValueError with a sentence.
"""

import contextlib
import gzip
import hashlib
import io
import itertools
import os
import re
import shlex
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import orjson

from party.story import time_of
from runtime import lease, settings
from runtime.drafts import draft_of
from runtime.journal import Damaged, FileJournal, in_order, is_command, open_journal
from runtime.obstacles import ensure_own, obstacle

ABOUT, LOG = "about.json", "log.jsonl"
SECRETS = settings.SECRET_KEY_FILE, settings.PEOPLE_FILE, settings.HOOKS_FILE  # the last two where there are any
LARGEST = 1_000_000  # bytes of a line of the log, of which none of ours has a tenth, and of each small file
SQLITE = b"SQLite format 3\0"  # so begins a store
DATED = "party-%Y-%m-%d-%H%M%S.backup"  # UTC
OURS = re.compile(r"party-\d{4}-\d\d-\d\d-\d{6}\.backup(\..*\.draft)?")  # a draft is what was stopped half-way


@contextlib.contextmanager
def naming_the_setting():
    """What a journal refuses with is a sentence about its setting."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"PARTY_JOURNAL {error}") from None


@contextlib.contextmanager
def naming(path):
    """What the system refuses in this is about that path."""
    try:
        yield
    except OSError as error:
        raise ValueError(obstacle(Path(path), error)) from None


# --- Backup -----------------------------------------------------------------------------------------------------------


def backup(where, keep=None):
    """Write one while the party runs: what was acknowledged before is in it. `where` is a new file; or a folder, which
    gets a dated one, and of those that it has keeps the newest `keep`."""
    now = datetime.now(UTC)
    with naming(where):
        path = place_of(where, now)
    if keep and path == Path(where):
        raise ValueError(f"{where} is no folder: only there are old ones to be told from new ones.")
    with (
        naming(path),
        contextlib.ExitStack() as copies,
        tempfile.TemporaryFile(dir=path.parent) as log,
        draft_of(path) as draft,
    ):
        secrets = {name: data for name in SECRETS if (data := secret(name))}
        if settings.SECRET_KEY_FILE not in secrets:
            raise ValueError(f"There is no secret key in {settings.INSTANCE}, nor in PARTY_SECRET_KEY: has it begun?")
        # Before the log: a service finds in it where it was.
        stores = {name: copy for name in settings.STORES if (copy := copies.enter_context(copy_of_store(name, path)))}
        about = {"version": settings.VERSION, "made": now.isoformat(timespec="seconds")} | copy_log(log)
        about["sha256"] |= {name: hashlib.sha256(data).hexdigest() for name, data in secrets.items()}
        about["sha256"] |= {name: hashlib.file_digest(copy, "sha256").hexdigest() for name, copy in stores.items()}
        with tarfile.open(fileobj=draft, mode="w:gz", compresslevel=6) as tar:
            for name, data in {ABOUT: orjson.dumps(about, option=orjson.OPT_INDENT_2), **secrets}.items():
                add(tar, name, io.BytesIO(data), now)
            for name, copy in {**stores, LOG: log}.items():
                add(tar, name, copy, now)
    names = " and ".join([*secrets, *stores])
    yield f"{path}: {about['commands']:,} commands, {names}; {path.stat().st_size:,} bytes."
    for name in settings.STORES:
        if (settings.INSTANCE / name).exists() and name not in stores:
            yield f"{settings.INSTANCE / name} cannot be read, and is not in it."
    if not about["commands"]:
        yield "The log is empty. Does PARTY_JOURNAL name the party's log?"
    if keep:
        with naming(path.parent):
            forget_all_but(keep, path)
    note = settings.INSTANCE / settings.BACKED_UP_FILE  # its time says when
    try:
        note.unlink(missing_ok=True)  # it may be another user's
        note.touch(mode=0o600)
    except OSError as error:
        yield f"The backup is whole, but not noted where the figures look for it: {obstacle(note, error)}"


def place_of(where, now):
    """The path of the file that a backup to `where` makes."""
    path = Path(where)
    if path.resolve().is_relative_to(settings.ROOT):
        raise ValueError(
            f"{where} is in the party's own folder, and would go with it. Name a place outside, such as"
            f" {settings.ROOT.parent / 'party-backups'}/."
        )
    if where.endswith("/"):
        path.mkdir(mode=0o700, exist_ok=True)
    if path.is_dir():
        path = path / now.strftime(DATED)
    if path.exists():
        raise ValueError(f"{path} is there already, and was left as it is.")
    return path


def secret(name):
    """What is kept under that name; None where there is nothing."""
    if name == settings.SECRET_KEY_FILE and settings.SECRET_KEY:
        return settings.SECRET_KEY.encode()
    path = settings.INSTANCE / name
    with naming(path):
        data = path.read_bytes() if path.exists() else b""
    return data if data.strip() else None


@contextlib.contextmanager
def copy_of_store(name, path):
    """A file with a copy, made while its service writes; None where there is nothing to copy, or it is damaged: that is
    no reason for no backup. For a while it stands beside `path`, like a draft of it."""
    store = settings.INSTANCE / name
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", suffix=".draft") as copy:
        yield copy if store.exists() and is_copied(store, copy.name) else None


def is_copied(store, copy):
    uri = f"{store.absolute().as_uri()}?mode=ro"
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(sqlite3.connect(uri, uri=True)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        target.execute("PRAGMA journal_mode = OFF")  # no other file beside it
        source.backup(target)
        return True
    return False


def copy_log(copy):
    """Write the whole log into that file, from its beginning; gives what about.json says of it."""
    if settings.JOURNAL == "memory:":
        raise ValueError("PARTY_JOURNAL is memory:, which no other process can read, and which ends with its own.")
    with naming_the_setting():
        journal = open_journal(settings.JOURNAL)
        while True:
            first, digest, count = None, hashlib.sha256(), 0
            copy.seek(0)
            copy.truncate()
            for position, command in journal.replay():
                line = orjson.dumps([position, command], option=orjson.OPT_APPEND_NEWLINE)
                copy.write(line)
                digest.update(line)
                first, count = first or position, count + 1
            # What was trimmed meanwhile may be missing in the middle: then all of it anew.
            if first == next(iter(journal.replay()), (None,))[0]:
                break
    kind = "redis" if settings.is_redis(settings.JOURNAL) else "file"
    return {"journal": kind, "commands": count, "sha256": {LOG: digest.hexdigest()}}


def add(tar, name, file, now):
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = file.seek(0, io.SEEK_END), 0o600, int(now.timestamp())
    file.seek(0)
    tar.addfile(member, file)


def forget_all_but(keep, made):
    """Of our backups in the folder keep the newest ones; drafts from before them go too. The one just made stays: by a
    clock that went back it is the oldest."""
    ours = sorted(path for path in made.parent.iterdir() if OURS.fullmatch(path.name) and path.is_file())
    whole = [path for path in ours if path.suffix == ".backup"]
    for path in ours:
        if path < whole[-keep:][0] and path != made:
            path.unlink()


# --- Restore ----------------------------------------------------------------------------------------------------------


def restore(path):
    """Put a backup into an empty place: into the log that PARTY_JOURNAL names, of whichever kind, and into instance/.
    All of it, or nothing."""
    with naming(path):
        ensure_own(settings.INSTANCE)
        if not Path(path).is_file():
            raise ValueError(f"There is no backup in {path}: name the file itself.")
    with naming(path), tar_in(path) as tar:
        about, secrets, stores = checked(path, tar)
        if numbers(about["version"]) > numbers(settings.VERSION):
            yield f"Version {about['version']} made it, which is newer than this one: what only that one knows waits."
        there = {name: secret(name) for name in SECRETS}
        if there[settings.SECRET_KEY_FILE] not in (None, secrets[settings.SECRET_KEY_FILE]):
            raise ValueError(f"There is another secret key in {settings.INSTANCE}, or in PARTY_SECRET_KEY.")
        missing = {name: data for name, data in secrets.items() if not there[name]}
        with contextlib.ExitStack() as if_it_fails:
            for name, data in missing.items():
                with naming(settings.INSTANCE / name):
                    settings.INSTANCE.mkdir(mode=0o700, parents=True, exist_ok=True)
                    with draft_of(settings.INSTANCE / name) as draft:
                        draft.write(data)
                if_it_fails.callback((settings.INSTANCE / name).unlink)
            put_back = [name for name in stores if put_store_back(name, tar, if_it_fails)]
            with naming_the_setting():
                open_journal(settings.JOURNAL).fill(entries_in(path, tar))
            if_it_fails.pop_all()
    named = "".join(f", {name}" for name in (*missing, *put_back))
    yield f"Put back from {about['made']}: {about['commands']:,} commands{named}."
    for name in set(stores) - set(put_back):
        yield f"{settings.INSTANCE / name} was there, and was left as it is."
    for name in SECRETS[1:]:
        if there[name] not in (None, secrets.get(name)):
            yield f"{settings.INSTANCE / name} was there, with others in it, and was left as it is."


def put_store_back(name, tar, if_it_fails):
    """Gives whether there was none. Raises ValueError where its service runs."""
    path = settings.INSTANCE / name
    settings.INSTANCE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with naming(path), lease.on(path) as is_free:
        if path.exists():
            return False
        if not is_free:
            raise ValueError(f"{path} is in use: a service runs on it. End that first.")
        for part in ("-wal", "-shm"):  # of one that is gone: they would be taken for its own
            Path(f"{path}{part}").unlink(missing_ok=True)
        with draft_of(path) as draft:
            shutil.copyfileobj(tar.extractfile(name), draft)
        if_it_fails.callback(path.unlink)
        return True


@contextlib.contextmanager
def tar_in(path):
    """What stands in the backup, once all its bytes are read."""
    try:
        with gzip.open(path) as whole:
            while whole.read(LARGEST):  # to the checksum at its end
                pass
        with tarfile.open(path, "r:gz") as tar:
            yield tar
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} is no backup, or not a whole one: {error}.") from None


def checked(path, tar):
    """(what about.json says, {name: the bytes of each of the secrets in it}, the names of the stores in it), once all
    is as it should be."""
    members = list(itertools.islice(tar, len(SECRETS) + len(settings.STORES) + 3))
    names = [member.name for member in members]
    stores = [name for name in names if name in settings.STORES]
    small = [member for member in members if member.name not in (LOG, *stores)]
    if (
        len(set(names)) != len(names)
        or not {ABOUT, LOG, settings.SECRET_KEY_FILE} <= set(names) <= {ABOUT, LOG, *SECRETS, *settings.STORES}
        or not all(member.isreg() and not member.issparse() for member in members)
        or max(member.size for member in small) > LARGEST
        or any(tar.extractfile(name).read(len(SQLITE)) != SQLITE for name in stores)
    ):
        raise ValueError(f"{path} is no backup of a party: it does not hold exactly the files of one.")
    about = about_in(path, tar)
    for name in set(names) - {ABOUT}:
        if hashlib.file_digest(tar.extractfile(name), "sha256").hexdigest() != about["sha256"].get(name):
            raise ValueError(f"{path} is damaged: its {name} is not what was written.")
    if sum(1 for _ in entries_in(path, tar)) != about["commands"]:
        raise ValueError(f"{path} is damaged: its log does not hold {about['commands']:,} commands.")
    return about, {name: tar.extractfile(name).read() for name in names if name in SECRETS}, stores


def about_in(path, tar):
    try:
        about = orjson.loads(tar.extractfile(ABOUT).read())
        numbers(about["version"])
        if all(type(about[name]) is kind for name, kind in (("made", str), ("commands", int), ("sha256", dict))):
            return about
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ValueError(f"{path} is no backup that this version can read: its {ABOUT} says something else.")


def numbers(version):
    """What versions are compared by."""
    return tuple(map(int, version.split(".")))


def entries_in(path, tar):
    """(position, command) for each line of the log in a backup. Raises ValueError at the first that is none."""
    lines, last = tar.extractfile(LOG), None
    while line := lines.readline(LARGEST):
        entry = None
        with contextlib.suppress(ValueError):
            entry = orjson.loads(line)
        if not (isinstance(entry, list) and len(entry) == 2 and follows(last, entry[0]) and is_command(entry[1])):
            raise ValueError(f"{path} is damaged: what its log holds behind position {last} is no command.")
        yield tuple(entry)
        last = entry[0]


def follows(last, position):
    """Whether a log has this position behind that one: a file the next number, a Redis Stream any that is higher."""
    if type(position) is int:
        return 0 < position < 1 << 62 and last in (None, position - 1)
    is_of_a_stream = isinstance(position, str) and re.fullmatch(r"\d{1,19}-\d{1,19}", position)
    return bool(is_of_a_stream) and type(last) is not int and in_order(position) > in_order(last or "0-0")


# --- Rescue -----------------------------------------------------------------------------------------------------------


def rescue(file):
    """Write what is whole before the first damage into a new log beside the damaged one, which stays as it is."""
    path = Path(file)
    new, wal = (path.with_name(name) for name in (f"rescued-{path.name}", f"{path.name}-wal"))
    with naming(path):
        ensure_own(path.parent)
        if not path.exists() and not wal.exists():
            raise ValueError(f"There is no log in {path}.")
        if new.exists():
            raise ValueError(f"{new} is there already, and was left as it is.")
    with contextlib.suppress(Damaged), contextlib.closing(FileJournal(path)) as journal:
        journal.follow(lambda entries: None, None)
        raise ValueError(f"{path} is whole: a party can start on it.")
    count, last = 0, None

    def counted(entries):
        nonlocal count, last
        for position, last in entries:
            count += 1
            yield position, last

    # Of a copy, since SQLite may write into what it opens.
    with naming(new), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        copy = Path(folder) / path.name
        for part in filter(Path.exists, (path, wal)):
            shutil.copyfile(part, copy.with_name(part.name))
        # Zeros behind its end: of a file that is shorter than it says SQLite gives nothing, not even what is there, and
        # for an empty one it throws the write-ahead log away.
        copy.touch()
        os.truncate(copy, 2 * copy.stat().st_size + 4096)
        try:
            FileJournal(new).fill(counted(FileJournal(copy).whole()))
        finally:
            Path(f"{new}-lock").unlink(missing_ok=True)
            if not count:
                new.unlink(missing_ok=True)
    if not count:
        raise ValueError(f"Nothing whole is left in {path}. Move it aside, and start, or restore a backup first.")
    aside = path.with_name(f"damaged-{datetime.now(UTC):%Y-%m-%d-%H%M%S}")
    yield f"{new}: {count:,} commands are whole; the last is from {time_of(last['at'])}."
    yield "To put it in its place:"
    yield f"  mkdir -m 700 {shlex.quote(str(aside))} && mv {shlex.quote(str(path))}* {shlex.quote(str(aside))}/"
    yield f"  mv {shlex.quote(str(new))} {shlex.quote(str(path))}"
