"""A file that is there whole, or not at all."""

import contextlib
import os
import tempfile


@contextlib.contextmanager
def draft_of(path, once=False):
    """A file for its owner alone, which gets this path once it is whole and on the disk, and is gone where it fails.
    With `once`, what is there already stays: FileExistsError."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".draft", dir=path.parent)  # mode 0600
    try:
        with open(handle, "wb") as draft:
            yield draft
            draft.flush()
            os.fsync(handle)
            if hasattr(os, "geteuid") and os.geteuid() == 0:  # root does this for whoever the party runs as
                folder = path.parent.stat()
                os.chown(name, folder.st_uid, folder.st_gid)
        (os.link if once else os.replace)(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    if os.name == "posix":  # elsewhere no folder can be opened
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
