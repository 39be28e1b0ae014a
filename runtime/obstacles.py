"""What a start stumbles over: a sentence for each, with what mends it."""

import errno
import logging
import os
from pathlib import Path

from runtime import settings

log = logging.getLogger("party")

SHORT_KEY = 16  # characters


def obstacle(path, error):
    """A sentence on what the system will not do with `path`, by its OSError, and on the command that mends it."""
    there = Path(os.path.realpath(path))  # behind links, since one may lead where we may not look
    seen = next(place for place in (there, *there.parents) if os.path.lexists(place))
    mending = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        mending = f" Make room there and start again; `df -h {seen}` shows how much there is."
    elif error.errno == errno.EROFS:
        mount = next(place for place in (seen, *seen.parents) if os.path.ismount(place))
        mending = f" `mount -o remount,rw {mount}` lets it be written; for a unit of systemd, its ReadWritePaths= does."
    elif error.errno == errno.ENOENT:
        mending = f" `mkdir -p {path.parent}` makes its folder."
    elif error.errno in (errno.EACCES, errno.EPERM):
        mending = f" {_permission(there, seen)}"
    elif error.errno in (errno.EEXIST, errno.ENOTDIR):
        mending = f" {seen} is no folder: `mv {seen} {seen}.aside` makes room for one."
    return f"{path} cannot be used: {error.strerror or error}.{mending}"


def why_not_listening(error):
    """The rest of a sentence about HOST and PORT, and what to set instead."""
    everywhere = ". With HOST=0.0.0.0 it listens on every address that this machine has"
    hints = {
        errno.EADDRINUSE: ", perhaps by this party. End that, or set another PORT",
        errno.EADDRNOTAVAIL: everywhere,
        errno.EACCES: ". Set a PORT of 1024 or more, and put a proxy in front",
    }
    if (getattr(error, "errno", None) or -1) < 0:  # of a name that is none the system has no number of its own
        return f"No machine is known by that name{everywhere}."
    return f"{error.strerror.partition(' (')[0]}{hints.get(error.errno, '')}."  # the library adds to these words


def _permission(path, seen):
    """What lets us use `path`, of which `seen` is the last part that we may see."""
    who, instance = _name_of(os.geteuid()), Path(os.path.realpath(settings.INSTANCE))
    if seen.lstat().st_uid == os.geteuid():
        return f"`chmod -R u+rwX {instance if seen.is_relative_to(instance) else seen}` mends that."
    if seen.is_relative_to(instance):
        return f"It belongs to who ran it first: `chown -R {who}: {instance}` as root mends that."
    if path.is_relative_to(instance) and os.access(seen, os.X_OK):
        return f"`mkdir -p {instance} && chown -R {who}: {instance}` as root mends that."
    if seen == path:
        return f"`chown {who}: {path}` as root mends that."
    return f"{who} may not write in {seen}: name another place."


def _name_of(user):
    import pwd  # only systems with users and modes say that something is not permitted

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # as in a container that gives any number
        return user


def ensure_own(folder):
    """Raises ValueError, with a sentence, where this is root and the folder another's: who runs the party could not
    use what root makes there."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and folder.exists() and (owner := folder.stat().st_uid):
        raise ValueError(f"{folder} belongs to {_name_of(owner)}: put `runuser -u {_name_of(owner)} --` in front.")


def warn_of_settings(secret):
    """Tell of what a party starts with all the same."""
    if len(secret) < SHORT_KEY:
        log.warning("PARTY_SECRET_KEY is so short that it can be guessed, and with it every password.")
    if settings.DISK == "thrown-away":
        if not settings.SECRET_KEY:
            log.warning("With this disk the secret key will be lost, and everybody's password: set PARTY_SECRET_KEY.")
        if not settings.is_redis(settings.JOURNAL):
            log.warning("With this disk the rooms will be lost: set PARTY_JOURNAL to the address of a Redis.")
        if settings.SERVICES:
            lost = "figures, feedback, published pages and hooks"
            log.warning("With this disk %s will be lost: without them, PARTY_SERVICES=none.", lost)
        if (settings.INSTANCE / settings.PEOPLE_FILE).exists():
            log.warning("With this disk the list of people will be lost: write their names into users.py.")
