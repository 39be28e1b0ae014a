"""What the page is made of: our own files in `static/`, and Vue and the Socket.IO client.

The files are read once, at the start. So while somebody puts a new version in place, a process goes on with the old
one, whole. Their address names that version, so it always means the same bytes, and no browser mixes two versions.

No third-party code stands in this repository. The page takes both files from a CDN, and from the server's
own copies in `static/vendor/` when the CDN fails. `python assets.py` makes those copies: it takes the files
out of a wheel that carries both unmodified, so pip is all that it needs, and trusts only the hashes below.
"""

import base64
import gzip
import hashlib
import posixpath
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import brotli

STATIC = Path(__file__).resolve().parent / "static"
# Not asked of the system: some take a script for plain text, which no browser runs.
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
}
ENCODINGS = ("br", "gzip")  # the best first; browsers take `br` by https, and from this machine
# What `together` understands of our modules, and all that they may use: imports and exports by name, each a statement
# of its own; comments on lines of their own.
IMPORT = re.compile(r"^import \{[^}]*\} from '(\.[^']+)';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function|class) )", re.MULTILINE)
COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
PAGE, STYLE = "page.js", "page.css"  # the modules of the page, and its styles, each together
STYLES = ("styles/party.css", "styles/feed.css", "styles/print.css")


class Library(NamedTuple):
    """A file of somebody else's that the page runs."""

    name: str
    file: str  # its name in VENDOR and in the wheel
    address: str  # at the CDN
    integrity: str  # as browsers check it; the same for the CDN's copy and for ours
    licence: str


LIBRARIES = (
    Library(
        name="vue",
        file="vue.esm-browser.prod.js",
        address="https://cdn.jsdelivr.net/npm/vue@3.5.22/dist/vue.esm-browser.prod.js",
        integrity="sha384-PEZhz27BK33mMUPP3bGcFAc1WvX8nSZGS0vAfWXwGhENgs3dMAxz9K207h50yx4j",
        licence="MIT, (c) 2018-present Yuxi (Evan) You and Vue contributors",
    ),
    Library(
        name="socket.io",
        file="socket.io.min.js",
        address="https://cdn.jsdelivr.net/npm/socket.io-client@4.8.1/dist/socket.io.min.js",
        integrity="sha384-mkQ3/7FUtcGyoppY6bz/PORYoGqOl7/aSUMn2ymDOJcapfS6PHqxhRTMh1RR0Q6+",
        licence="MIT, (c) 2014-2024 Guillermo Rauch",
    ),
)
VENDOR = STATIC / "vendor"
LICENCES = "LICENCES.txt"

WHEEL = "nicegui==3.18.0"
WHEEL_HASH = "sha256:a2bd51642312d98aab6d8b641245d796ff1b89da5829777170bcc488140c3dcd"
WHEEL_FOLDER = "nicegui/static/"
WHEEL_LICENCE = "nicegui-3.18.0.dist-info/licenses/LICENSE"


class NotFetched(Exception):
    """The own copies could not be made; the text is a sentence that says why."""


class File:
    """A file of `static/`, as it is sent."""

    def __init__(self, name, data):
        self.name, self.data = name, data
        self.type = TYPES[posixpath.splitext(name)[1]]
        self.hash = hashlib.sha256(data).hexdigest()
        self._encoded = {None: data}

    def encoded(self, encoding):
        """The bytes in an encoding of ENCODINGS, or None for the plain ones.

        Made when they are first asked for, so that a start need not wait for it, and once: 10 ms for the longest of
        ours. Vue takes 200 ms, so `python assets.py` does it beforehand.
        """
        if encoding not in self._encoded:
            beforehand = self._compressed_beforehand(encoding)
            self._encoded[encoding] = beforehand or compressed(self.data, encoding, best=True)
        return self._encoded[encoding]

    def _compressed_beforehand(self, encoding):
        beforehand = STATIC / f"{self.name}.{encoding}"
        try:
            data = beforehand.read_bytes()
            return data if brotli.decompress(data) == self.data else None
        except (OSError, brotli.error):
            return None


def compressed(data, encoding, best=False):
    """The bytes in an encoding of ENCODINGS: as small as can be, or else without keeping anybody waiting."""
    if encoding == "br":
        return brotli.compress(data, quality=11 if best else 5)
    return gzip.compress(data, 9 if best else 6, mtime=0)


def read_files():
    """{name: File} of everything in `static/` that a browser may get."""
    paths = sorted(path for path in STATIC.rglob("*") if path.suffix in TYPES)
    return {name: File(name, path.read_bytes()) for path in paths if (name := path.relative_to(STATIC).as_posix())}


def version_of(files):
    """A word for exactly these files."""
    return hashlib.sha256("".join(f"{name} {file.hash}\n" for name, file in files.items()).encode()).hexdigest()[:12]


def together(name, files):
    """The module `name` and all that it imports, through others too, as one module without comments.

    Each by itself would be a response with headers of its own, found only by reading the one before, and compressed
    without the others: on a slow line the page would take twice as long. Raises ValueError where two modules have the
    same name for something, or import or export in a way that is not understood here.
    """
    taken, parts = set(), []

    def take(name):
        if name not in taken:
            taken.add(name)
            source = files[name].data.decode()
            for path in IMPORT.findall(source):
                take(posixpath.normpath(posixpath.join(posixpath.dirname(name), path)))
            parts.append(EXPORT.sub("", COMMENT.sub("", IMPORT.sub("", source))))

    take(name)
    one = "".join(parts)
    names = NAME.findall(one)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"Two modules below {name} have the same name for something: {', '.join(sorted(twice))}.")
    if left := re.search(r"^(?:import|export)\b.*", one, re.MULTILINE):
        raise ValueError(f"A module below {name} has a form of import or export that nobody expects: {left[0]}")
    return one


FILES = read_files()
FILES[PAGE] = File(PAGE, together("loader.js", FILES).encode())
FILES[STYLE] = File(STYLE, b"\n".join(FILES[name].data for name in STYLES))
VERSION = version_of(FILES)
ADDRESS = f"static/{VERSION}"  # of the files, seen from the page


def for_page(use_cdn):
    """What the page's loader must know of each library: `cdn` is None where only the own copy is to be used."""
    return [
        {
            "name": library.name,
            "cdn": library.address if use_cdn else None,
            "integrity": library.integrity,
            "own": f"{ADDRESS}/{VENDOR.name}/{library.file}",
        }
        for library in LIBRARIES
    ]


def missing():
    """One sentence about own copies that are not there or not the right bytes; None when all is well."""
    wrong = [library.file for library in LIBRARIES if not has_own_copy(library)]
    if not wrong:
        return None
    return f"static/vendor/ has no right copy of {' and '.join(wrong)}: `python assets.py` fetches it."


def has_own_copy(library):
    """Whether the file in VENDOR is there and is, byte for byte, the one that `library` names."""
    try:
        return integrity_of((VENDOR / library.file).read_bytes()) == library.integrity
    except OSError:
        return False


def integrity_of(data):
    """The bytes' hash in the form that an `integrity` attribute wants."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def fetch():
    """Put every library and a note of the licences into VENDOR, replacing what is there.

    A file appears there whole and checked, or not at all. Raises NotFetched, or OSError when VENDOR cannot
    be written.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(download_wheel(Path(folder))) as wheel:
        files = {library.file: wheel.read(WHEEL_FOLDER + library.file) for library in LIBRARIES}
        note = licences(wheel.read(WHEEL_LICENCE).decode())
    for library in LIBRARIES:
        if integrity_of(files[library.file]) != library.integrity:
            raise NotFetched(f"{library.file} in {WHEEL} is not the file that the page expects.")
    VENDOR.mkdir(parents=True, exist_ok=True)
    # The note comes first: no file stands there without its licence.
    for name, data in {LICENCES: note.encode(), **files}.items():
        part = VENDOR / f"{name}.part"
        part.write_bytes(data)
        part.replace(VENDOR / name)


def compress():
    """Put a compressed copy beside each library."""
    for library in LIBRARIES:
        data = compressed((VENDOR / library.file).read_bytes(), "br", best=True)
        (VENDOR / f"{library.file}.br").write_bytes(data)


def download_wheel(folder):
    """The path of the wheel, in `folder`: unpacked by us, never installed, so none of its code runs."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash={WHEEL_HASH}\n")
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "--retries", "1"]
    download = ["download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    if subprocess.run([*pip, *download, "--dest", folder, "--requirement", wanted], check=False).returncode:
        raise NotFetched(f"pip could not fetch {WHEEL}, which carries Vue and the Socket.IO client.")
    return next(folder.glob("*.whl"))


def licences(wheel_licence):
    """The text that says which file is under which licence, and where it comes from."""
    lines = [f"{library.file}: {library.licence}\n  {library.address}" for library in LIBRARIES]
    lines.append(f"\nBoth were taken, unmodified, out of {WHEEL}, whose licence is:\n\n{wheel_licence}")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        if missing():
            fetch()
        compress()
    except (NotFetched, OSError) as error:
        sys.exit(f"No own copies of the page's libraries: {error}")
