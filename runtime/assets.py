"""What the page is made of: our own files in `static/`, and Vue and the Socket.IO client.

The files are read once, at the start. So while somebody puts a new version in place, a process goes on with the old
one, whole. Their address names that version, so it always means the same bytes, and no browser mixes two versions.

No third-party code stands in this repository. The page takes both files from a CDN, and from the server's
own copies in `static/vendor/` when the CDN fails. `python -m runtime.assets` makes those copies: it takes the
files out of a wheel that carries both unmodified, so pip is all that it needs, and trusts only the hashes below.
"""

import base64
import gzip
import hashlib
import json
import posixpath
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import brotli
from flask import Blueprint, Response, abort, request

from runtime.settings import ROOT

STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates" / "vue"
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
# of its own; comments on lines of their own, or behind a statement. (With a quote in it, it may be no comment.)
IMPORT = re.compile(r"^import \{[^}]*\} from '(\.[^']+)';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function|class) )", re.MULTILINE)
COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
ASIDE = re.compile(r"(?<=[;,{]) +// [^'\"`\n]*$", re.MULTILINE)
INDENTATION = re.compile(r"^[ \n]+", re.MULTILINE)
REMARK = re.compile(r"/\*.*?\*/\n?", re.DOTALL)  # in a style
TEMPLATE = re.compile(r"^<template .*?^</template>\n", re.MULTILINE | re.DOTALL)
STYLE = "page.css"  # the styles of the page, together
# What stands in no script's words: the server writes these two pages.
OTHER_PAGES = ("signIn", "offline")
YEAR_SECONDS = 31_536_000  # the longest that caches take for an answer
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

        Made when they are first asked for, and once. That stops everybody for some milliseconds, so what each visit
        takes is made before the first comes (`prepare`).
        """
        if encoding not in self._encoded:
            beforehand = self._compressed_beforehand(encoding)
            self._encoded[encoding] = beforehand or compressed(self.data, encoding, best=True)
        return self._encoded[encoding]

    def _compressed_beforehand(self, encoding):
        beforehand = VENDOR / f"{posixpath.basename(self.name)}.{encoding}"
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
    """The module `name` and all that it imports, through others too, as one module without comments and indentation.

    Each by itself would be a response with headers of its own, found only by reading the one before, and compressed
    without the others: on a slow line the page would take twice as long. Raises ValueError where two modules have the
    same name for something, or import or export in a way that is not understood here, or hold a text of several lines,
    which would lose its indentation.
    """
    taken, parts = set(), []

    def take(name):
        if name not in taken:
            taken.add(name)
            source = files[name].data.decode()
            for path in IMPORT.findall(source):
                take(posixpath.normpath(posixpath.join(posixpath.dirname(name), path)))
            parts.append(EXPORT.sub("", ASIDE.sub("", COMMENT.sub("", IMPORT.sub("", source)))))

    take(name)
    one = "".join(parts)
    names = NAME.findall(one)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"Two modules below {name} have the same name for something: {', '.join(sorted(twice))}.")
    if left := re.search(r"^(?:import|export)\b.*", one, re.MULTILINE):
        raise ValueError(f"A module below {name} has a form of import or export that nobody expects: {left[0]}")
    if left := next((line for line in one.splitlines() if line.count("`") % 2), None):
        raise ValueError(f"A module below {name} has a text of several lines, or a lone backtick: {left.strip()}")
    return INDENTATION.sub("", one)


def furniture(language, files):
    """The statement that puts into the document what its scripts look for there: Vue's templates, and the words.

    Both are the same for everybody. Beside the modules they are compressed better than in each page, and once.
    """
    words = json.loads(files[f"words/{language}.json"].data)
    said = json.dumps({part: words[part] for part in words if part not in OTHER_PAGES}, ensure_ascii=False)
    said = said.replace("<", "\\u003c")  # no sentence ends the element that it stands in
    templates = "".join(TEMPLATE.findall("".join(path.read_text() for path in sorted(TEMPLATES.glob("*.html")))))
    markup = f'<script type="application/json" id="words">{said}</script>'
    markup += INDENTATION.sub("", templates).replace(">\n<", "><")  # as Vue itself does it
    # In single quotes: markup is full of double ones, which would have to be escaped.
    text = json.dumps(markup, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"document.body.insertAdjacentHTML('beforeend', '{text}');\n"


def page_script(language):
    """The name of all that the page runs, in that language."""
    return f"page.{language}.js"


def made_of(files):
    """{name: File} of what is put together from `files`: the page's script in each language, and its style."""
    script = together("loader.js", files)
    languages = [name[len("words/") : -len(".json")] for name in files if re.fullmatch(r"words/[^/]+\.json", name)]
    made = {page_script(language): furniture(language, files) + script for language in languages}
    made[STYLE] = INDENTATION.sub("", REMARK.sub("", "".join(files[name].data.decode() for name in STYLES)))
    return {name: File(name, text.encode()) for name, text in made.items()}


FILES = read_files()
MADE = made_of(FILES)
FILES |= MADE
OUTDATED = File("outdated.js", together("outdated.js", FILES).encode())
VERSION = version_of(FILES)
ADDRESS = f"static/{VERSION}"  # of the files, seen from the page


def in_an_address(name):
    """The image as a `data:` address: it takes no request, and is there also when the party has another version."""
    drawing = INDENTATION.sub("", FILES[name].data.decode()).replace("\n", "")
    return "data:image/svg+xml," + quote(drawing, safe=" =:/,'")


ICON, ICON_UNSEEN = in_an_address("favicon.svg"), in_an_address("favicon-unseen.svg")


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


def prepare():
    """Compress what each visit takes, so that the first visitor stops nobody. It takes 0.2 s, or where `compress` was
    run for these very files, 10 ms."""
    for name in (*MADE, *(f"{VENDOR.name}/{library.file}" for library in LIBRARIES)):
        for encoding in ENCODINGS if name in FILES else ():
            FILES[name].encoded(encoding)


# --- Serving ----------------------------------------------------------------------------------------------------------

served = Blueprint("files", __name__)


def best_encoding(response):
    """The encoding that the browser takes, or None; and the response says so."""
    response.vary.add("Accept-Encoding")
    encoding = next((known for known in ENCODINGS if request.accept_encodings[known]), None)
    if encoding:
        response.content_encoding = encoding
    return encoding


@served.get("/static/<path:name>")
@served.get(f"/{ADDRESS}/<path:name>", defaults={"has_version": True})
def static_file(name, has_version=False):
    """A file of ours. Under an address with its version a browser never asks again, under one without each time."""
    file = FILES.get(name) or abort(404)
    response = Response(mimetype=file.type)
    encoding = None if file.type == "image/png" else best_encoding(response)
    response.set_data(file.encoded(encoding))
    if has_version:
        response.cache_control.public = response.cache_control.immutable = True
        response.cache_control.max_age = YEAR_SECONDS
        # What is no page may do nothing if somebody opens it as one: stricter than the pages' policy, and shorter.
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response
    response.cache_control.no_cache = True
    response.set_etag(f"{file.hash[:16]}-{encoding}")
    return response.make_conditional(request)


@served.get("/static/<version>/page.<language>.js")
def outdated(version, language):
    """For a page of another version, whose script nobody has any more: what brings it the page of now.

    Not a 404, which a browser does not run: the page would stay as it was painted, for ever and without a word.
    """
    response = Response(OUTDATED.data, mimetype=OUTDATED.type)
    response.cache_control.no_store = True
    return response


@served.get("/<any('manifest.webmanifest', 'service-worker.js'):name>")
def beside_the_page(name):
    """What counts for all that lies below its own address, and so must come from where the page is."""
    return static_file(name)


# --- The libraries ----------------------------------------------------------------------------------------------------


def missing():
    """One sentence about own copies that are not there or not the right bytes; None when all is well."""
    wrong = [library.file for library in LIBRARIES if not has_own_copy(library)]
    if not wrong:
        return None
    return f"static/vendor/ has no right copy of {' and '.join(wrong)}: `python -m runtime.assets` fetches it."


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
    """Put compressed copies beside the libraries, of them and of what is put together from our files."""
    theirs = {library.file: (VENDOR / library.file).read_bytes() for library in LIBRARIES}
    for name, data in (theirs | {name: file.data for name, file in MADE.items()}).items():
        (VENDOR / f"{name}.br").write_bytes(compressed(data, "br", best=True))


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
