"""What the page is made of: our own files in `static/`, and Vue and the Socket.IO client.

A browser gets what stands in the file; WhiteNoise serves it. It opens files while it serves, so the first start of a
version puts a copy of them aside: while somebody puts a new version in place, a process goes on with its own, whole.
Addresses name the version, so each always means the same bytes, and no browser mixes two versions.

No third-party code stands in this repository. The page takes both libraries from a CDN, and from the server's
own copies in `static/vendor/` when the CDN fails. `python -m runtime.assets` makes those copies: it takes the
files out of a wheel that carries them unmodified, so pip is all that it needs, and trusts only the hashes below.
"""

import atexit
import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from flask import Response, send_from_directory
from werkzeug.exceptions import NotFound
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor
from whitenoise.media_types import MediaTypes

from runtime import settings
from runtime.obstacles import obstacle

STATIC = settings.ROOT / "static"


class Library(NamedTuple):
    """A file of somebody else's that the page runs."""

    name: str
    file: str  # its name in VENDOR and in the wheel
    address: str  # at the CDN
    integrity: str  # as browsers check it; the same for the CDN's copy and for ours
    licence: str


VUE = Library(
    name="vue",
    file="vue.esm-browser.prod.js",
    address="https://cdn.jsdelivr.net/npm/vue@3.5.22/dist/vue.esm-browser.prod.js",
    integrity="sha384-PEZhz27BK33mMUPP3bGcFAc1WvX8nSZGS0vAfWXwGhENgs3dMAxz9K207h50yx4j",
    licence="MIT, (c) 2018-present Yuxi (Evan) You and Vue contributors",
)
# Three times as large: it warns, and its errors name the component.
VUE_FOR_DEVELOPMENT = VUE._replace(
    file="vue.esm-browser.js",
    address="https://cdn.jsdelivr.net/npm/vue@3.5.22/dist/vue.esm-browser.js",
    integrity="sha384-zE9othEUKWu6wOCZ5xuMrpWpvawnIrwbPK+ocw/FJU6gcnqcoPF0P6bpPJliZDX+",
)
SOCKET_IO = Library(
    name="socket.io",
    file="socket.io.min.js",
    address="https://cdn.jsdelivr.net/npm/socket.io-client@4.8.1/dist/socket.io.min.js",
    integrity="sha384-mkQ3/7FUtcGyoppY6bz/PORYoGqOl7/aSUMn2ymDOJcapfS6PHqxhRTMh1RR0Q6+",
    licence="MIT, (c) 2014-2024 Guillermo Rauch",
)
LIBRARIES = (VUE_FOR_DEVELOPMENT if settings.DEV else VUE, SOCKET_IO)  # what the page runs
COPIED = (VUE, VUE_FOR_DEVELOPMENT, SOCKET_IO)
VENDOR = STATIC / "vendor"
LICENCES = "LICENCES.txt"

WHEEL = "nicegui==3.18.0"
WHEEL_HASH = "sha256:a2bd51642312d98aab6d8b641245d796ff1b89da5829777170bcc488140c3dcd"
WHEEL_FOLDER = "nicegui/static/"
WHEEL_LICENCE = "nicegui-3.18.0.dist-info/licenses/LICENSE"


class NotFetched(Exception):
    """The own copies could not be made; the text is a sentence that says why."""


# --- The files of this version ----------------------------------------------------------------------------------------

# Of what lies in `static/`, an editor's backup for one, only this is for browsers.
KINDS = {".css", ".js", ".json", ".png", ".svg", ".txt", ".webmanifest"}


def read_files():
    """{name: bytes} of everything in `static/` that a browser may get, but for what development alone needs. Stops with
    a sentence at one that cannot be read."""
    paths = sorted(path for path in STATIC.rglob("*") if path.suffix in KINDS and path.name != VUE_FOR_DEVELOPMENT.file)
    try:
        return {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise SystemExit(obstacle(Path(error.filename), error)) from None


def version_of(files):
    """A word for exactly these files."""
    lines = (f"{name} {hashlib.sha256(data).hexdigest()}\n" for name, data in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


FILES = read_files()
VERSION = "development" if settings.DEV else version_of(FILES)
ADDRESS = "static" if settings.DEV else f"static/{VERSION}"  # of the files, seen from the page


def in_an_address(name):
    """The drawing as a `data:` address: it takes no request, and is there also when the party has another version."""
    return "data:image/svg+xml," + quote(" ".join(FILES[name].decode().split()), safe=" =:/,'")


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


# --- Serving ----------------------------------------------------------------------------------------------------------

SERVED = settings.INSTANCE / "served"  # a folder for each version, for all processes
# A page that was on its way during a restart still gets its own files. Enough for a day on which somebody tries things.
KEPT_VERSIONS = 10
NOT_INDEXED = {"X-Robots-Tag": "noindex, nofollow"}
# They count for all that lies below their address, or are looked for there.
BESIDE_THE_PAGE = ("/manifest.webmanifest", "/service-worker.js")
HEADERS = {
    "Cache-Control": "max-age=31536000, immutable",  # a year is the longest that caches take for an answer
    # What is no page may do nothing if somebody opens it as one: stricter than the pages' policy, and shorter.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
# One that the system has may be wrong: some take a script for plain text, which no browser runs.
TYPES = {".webmanifest": "application/manifest+json"}  # beside those that WhiteNoise knows


class Files(WhiteNoise):
    """The page's files in front of the application. During development they are looked for at each request."""

    def __init__(self, application, folder):
        super().__init__(
            application,
            autorefresh=settings.DEV,
            max_age=None,
            allow_all_origins=False,
            mimetypes=TYPES,
            add_headers_function=self.add_own_headers,
        )
        for address in {"static", ADDRESS}:
            self.add_files(folder, address)

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] in BESIDE_THE_PAGE:
            environ = environ | {"PATH_INFO": f"/static{environ['PATH_INFO']}"}
        return super().__call__(environ, start_response)

    @staticmethod
    def add_own_headers(headers, path, url):
        if settings.DEV:
            own = {"Cache-Control": "no-store"}
        elif url.startswith(f"/{ADDRESS}/"):
            own = HEADERS
        else:  # asked for anew each time
            own = {"Cache-Control": "no-cache", "ETag": f'W/"{VERSION}"'} | NOT_INDEXED
        # A module is UTF-8 whatever is said of it, a style is what its page is, and a page asks for twenty of them.
        headers["Content-Type"] = headers["Content-Type"].partition(";")[0]
        for name, value in own.items():
            headers[name] = value


def serve(app):
    """Answer for the page's files in front of `app`."""
    app.wsgi_app = Files(app.wsgi_app, STATIC if settings.DEV else folder_of_this_version())
    app.add_url_rule("/static/<version>/<path:name>", view_func=file_of_another_version)


def file_of_another_version(version, name):
    """For a page that another process made, or that was made before a restart.

    Where its files are gone, its first script brings it the page of now. Not a 404, which a browser does not run: the
    page would stay as it came, for ever and without a word.
    """
    with contextlib.suppress(NotFound):
        mimetype = MediaTypes(extra_types=TYPES).get_type(name)
        response = send_from_directory(SERVED, f"{version}/{name}", mimetype=mimetype)
        response.headers.update(HEADERS)
        return response
    if name != "loader.js":
        raise NotFound
    return Response(FILES["outdated.js"], mimetype="text/javascript", headers={"Cache-Control": "no-store"})


def folder_of_this_version():
    """Where this version's files lie with compressed copies of them: below SERVED, or, where nothing can be written
    there, in a folder of this process alone. Stops with a sentence where that cannot be either."""
    try:
        settings.INSTANCE.mkdir(mode=0o700, exist_ok=True)
        return kept_in(SERVED)
    except OSError as error:
        why = error
    try:
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return kept_in(Path(folder))
    except OSError:
        raise SystemExit(obstacle(SERVED, why)) from None


def kept_in(place):
    """The folder in `place` with this version's files, which is made where it is missing. Raises OSError."""
    folder = place / VERSION
    if not folder.exists():
        place.mkdir(exist_ok=True)
        make(folder)
    with contextlib.suppress(OSError):  # another process may do the same
        folder.touch()  # started last
        for old in sorted(place.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT_VERSIONS]:
            shutil.rmtree(old)
    return folder


def make(folder):
    """Make the folder, which is there whole or not at all, however many processes do so at once. Raises OSError."""
    compressor = Compressor(quiet=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        for name, data in FILES.items():
            path = Path(part, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            # Without a time WhiteNoise sends neither a date nor a tag: what is immutable is never asked for again.
            os.utime(path, (0, 0))
            if compressor.should_compress(name):
                compressor.compress(str(path))
        for path in Path(part).rglob("*.*"):  # else a power cut could leave empty files under their names
            with path.open("rb") as file:
                os.fsync(file.fileno())
        try:
            os.rename(part, folder)
        except OSError:
            if not folder.exists():  # another process was not faster
                raise


# --- Own copies of the libraries --------------------------------------------------------------------------------------


def missing(libraries=LIBRARIES):
    """One sentence about own copies that are not there or not the right bytes; None when all is well."""
    wrong = [library.file for library in libraries if not has_own_copy(library)]
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
        files = {library.file: wheel.read(WHEEL_FOLDER + library.file) for library in COPIED}
        note = licences(wheel.read(WHEEL_LICENCE).decode())
    for library in COPIED:
        if integrity_of(files[library.file]) != library.integrity:
            raise NotFetched(f"{library.file} in {WHEEL} is not the file that the page expects.")
    VENDOR.mkdir(parents=True, exist_ok=True)
    # The note comes first: no file stands there without its licence.
    for name, data in {LICENCES: note.encode(), **files}.items():
        part = VENDOR / f"{name}.part"
        part.write_bytes(data)
        part.replace(VENDOR / name)


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
    lines = [f"{library.file}: {library.licence}\n  {library.address}" for library in COPIED]
    lines.append(f"\nAll were taken, unmodified, out of {WHEEL}, whose licence is:\n\n{wheel_licence}")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        if missing(COPIED):
            fetch()
    except NotFetched as error:
        sys.exit(f"No own copies of the page's libraries: {error}")
    except OSError as error:
        sys.exit(f"No own copies of the page's libraries: {obstacle(VENDOR, error)}")
