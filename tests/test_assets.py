"""The page's files: what a browser gets is what stands in the file, compressed, and of one version."""

import gzip
import json
import os
import re
import subprocess
import sys
import time
from urllib.request import Request, urlopen

import brotli
import pytest
from conftest import browser_of
from flask import Flask, render_template
from servers import ROOT, running_server

import app
from runtime import assets, settings, web, words

UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}
FOR_EVER = "max-age=31536000, immutable"
OF_THE_PAGE = {"loader.js": "import './feed.js';\n" + "// Why.\n" * 99, "feed.js": "on();\n", "party.css": "p {}\n"}


@pytest.fixture
def browser():
    return app.app.test_client()


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Starts a process of a small party with the files in `tmp_path`; gives a browser. Asked again, it is as if the
    process had been started again."""
    static, pages = tmp_path / "static", tmp_path / "templates"
    monkeypatch.setattr(assets, "STATIC", static)
    monkeypatch.setattr(settings, "INSTANCE", tmp_path / "instance")
    monkeypatch.setattr(assets, "SERVED", tmp_path / "instance" / "served")
    monkeypatch.setattr(words, "IN", dict(words.IN))
    write(static, {"words/en.json": (ROOT / "static/words/en.json").read_text(), **OF_THE_PAGE})
    write(pages, {"page.html": "{{ static }} {{ words.party.name }}"})

    def launch(development=False):
        files = assets.read_files()
        version = assets.version_of(files)
        address = "static" if development else f"static/{version}"
        for name, value in {"FILES": files, "VERSION": version, "ADDRESS": address}.items():
            monkeypatch.setattr(assets, name, value)
        monkeypatch.setattr(settings, "DEV", development)
        party = Flask("party", template_folder=pages, static_folder=None)
        web.set_up(party, sign_in_seconds=60, limits={})
        party.add_url_rule("/", view_func=lambda: render_template("page.html"))
        return party.test_client()

    return launch


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


# --- What a browser gets ----------------------------------------------------------------------------------------------


def test_every_file_is_sent_as_it_stands_there_compressed_to_who_takes_that(browser):
    there = {path.relative_to(assets.STATIC).as_posix() for path in assets.STATIC.rglob("*.*")}
    assert there - {f"vendor/{assets.VUE_FOR_DEVELOPMENT.file}"} == set(assets.FILES), "nothing is left out"
    for name in assets.FILES:
        data = (ROOT / "static" / name).read_bytes()
        for address in (f"/static/{name}", f"/{assets.ADDRESS}/{name}"):
            for taken, encoding in (("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("", None)):
                answer = browser.get(address, headers={"Accept-Encoding": taken})
                is_small = answer.headers.get("Content-Encoding") is None and len(data) < 200
                expected = None if name.endswith(".png") or is_small else encoding
                assert answer.headers.get("Content-Encoding") == expected, name
                assert UNPACK[expected](answer.data) == data, name
                assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_a_browser_is_told_what_each_file_is(browser):
    types = {
        ".css": "text/css",
        ".js": "text/javascript",
        ".json": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain",
        ".webmanifest": "application/manifest+json",
    }
    assert types.keys() == assets.KINDS
    for name in assets.FILES:
        answer = browser.get(f"/{assets.ADDRESS}/{name}")
        assert answer.mimetype == types["." + name.rpartition(".")[2]], name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers, "other sites need none of it"


@pytest.mark.parametrize("name", ["../secret_key", "..%2Fsecret_key", "vendor/../../app.py", ".DS_Store", "vendor", ""])
def test_nothing_else_is_served(browser, name):
    for folder in ("static", assets.ADDRESS, "static/000000000000", "static/.."):
        assert browser.get(f"/{folder}/{name}").status_code == 404


@pytest.mark.parametrize("way", ["..", "%2e%2e", ".%2e", "..%2f..%2finstance", "000000000000/../.."])
def test_what_lies_beside_the_files_is_not_served(launch, tmp_path, way):
    browser = launch()
    (tmp_path / "instance" / "secret_key").write_text("secret")
    assert (assets.SERVED / ".." / "secret_key").exists()
    assert browser.get(f"/static/{way}/secret_key").status_code == 404


def test_what_no_browser_needs_is_not_served(launch):
    write(assets.STATIC, {"loader.js~": "old", ".loader.js.swp": "half", "notes.md": "for us"})
    browser = launch()
    assert browser.get("/static/loader.js").status_code == 200
    for name in ("loader.js~", ".loader.js.swp", "notes.md"):
        assert browser.get(f"/static/{name}").status_code == 404


def test_an_unchanged_file_is_not_sent_twice(launch):
    browser = launch()
    first = browser.get("/static/loader.js")
    assert first.headers["Cache-Control"] == "no-cache", "asked for anew each time"
    again = browser.get("/static/loader.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    write(assets.STATIC, {"loader.js": OF_THE_PAGE["loader.js"].replace("Why", "How")})  # in the same second, as long
    changed = launch().get("/static/loader.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, b"How" in changed.data) == (200, True)


@pytest.mark.parametrize("name", ["manifest.webmanifest", "service-worker.js"])
def test_what_counts_for_all_below_its_address_comes_from_beside_the_page(browser, name):
    answer = browser.get(f"/{name}")
    assert answer.data == (ROOT / "static" / name).read_bytes()
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"], "a worker has the page's policy"


# --- Versions ---------------------------------------------------------------------------------------------------------


def test_an_address_with_a_version_always_means_the_same_bytes(browser):
    answer = browser.get(f"/{assets.ADDRESS}/loader.js")
    assert answer.headers["Cache-Control"] == FOR_EVER
    assert "Last-Modified" not in answer.headers and "ETag" not in answer.headers, "nobody asks whether it has changed"
    assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
    assert assets.version_of(assets.FILES) == assets.VERSION
    assert assets.version_of({**assets.FILES, "loader.js": b"changed"}) != assets.VERSION


def test_the_pages_name_every_file_with_its_version(browser):
    page = browser_of("asha").get("/").text + browser.get("/sign-in").text
    named = re.findall(r'"(static/[^"]+)"', page)
    assert len(named) > 8 and all(name.startswith(assets.ADDRESS + "/") for name in named), named


def test_the_pages_name_only_files_that_are_there(browser):
    page = browser_of("asha").get("/").text + browser.get("/sign-in").text + browser.get("/offline").text
    named = set(re.findall(r'"/?(static/[^"]+)"', page))
    assert {name for name in named if browser.get(f"/{name}").status_code != 200} == set()


def test_a_process_goes_on_with_its_own_version_while_a_new_one_is_put_in_place(launch):
    browser = launch()
    address = browser.get("/").text.split()[0]
    write(assets.STATIC, {"loader.js": "new", "more.js": "new"})
    for place in ("/static", f"/{address}"):
        assert browser.get(f"{place}/loader.js").text == OF_THE_PAGE["loader.js"]
        assert browser.get(f"{place}/more.js").status_code == 404


def test_a_page_that_was_on_its_way_gets_its_own_files_before_and_after_a_restart(launch):
    old = launch()
    old_page = old.get("/").text.split()[0]
    write(assets.STATIC, {"loader.js": "new"})
    new = launch()
    new_page = new.get("/").text.split()[0]
    assert old_page != new_page
    for process in (old, new):  # as while one process after the other is restarted
        for page, expected in ((old_page, OF_THE_PAGE["loader.js"]), (new_page, "new")):
            answer = process.get(f"/{page}/loader.js")
            assert (answer.text, answer.mimetype) == (expected, "text/javascript")
            assert answer.headers["Cache-Control"] == FOR_EVER
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_page_whose_files_are_gone_gets_a_script_that_fetches_it_anew(browser):
    answer = browser.get("/static/000000000000/loader.js")
    assert answer.data == (ROOT / "static/outdated.js").read_bytes()
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript"), "a browser runs no 404"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "import" not in re.sub(r"/\*.*?\*/", "", answer.text, flags=re.S), "of its version nothing else is there"
    assert browser.get("/static/000000000000/party.css").status_code == 404


def test_the_versions_before_go_in_time(launch):
    for number in range(assets.KEPT_VERSIONS + 3):
        write(assets.STATIC, {"feed.js": f"on({number});"})
        launch()
        os.utime(assets.SERVED / assets.VERSION, (number, number))  # a second passes
    assert len(list(assets.SERVED.iterdir())) == assets.KEPT_VERSIONS
    write(assets.STATIC, {"feed.js": "on(3);"})
    launch()
    again = assets.SERVED / assets.VERSION
    assert again.stat().st_mtime > 1_000, "it was there, and counts as started last"
    write(assets.STATIC, {"feed.js": "on('new');"})
    launch()
    assert (again / "feed.js").read_text() == "on(3);"
    assert len(list(assets.SERVED.iterdir())) == assets.KEPT_VERSIONS


# A few of the files, so that compressing them is not what takes the time; of processes that have all imported already.
FEW = ("feed.js", "words.js", "loader.js", "party.css", "manifest.webmanifest", "icons/icon.svg")
FOUR_AT_ONCE = """
import multiprocessing, pathlib, sys
from runtime import assets
served, *few = sys.argv[1:]
assets.FILES = {name: assets.FILES[name] for name in few}
process = multiprocessing.get_context("fork").Process
processes = [process(target=assets.kept_in, args=[pathlib.Path(served)]) for _ in range(4)]
for each in processes:
    each.start()
for each in processes:
    each.join()
sys.exit([each.exitcode for each in processes] != [0] * 4)
"""


def test_processes_that_start_at_once_share_one_folder_that_is_whole(tmp_path):
    folder, is_there = tmp_path / "served" / assets.VERSION, False
    with subprocess.Popen([sys.executable, "-c", FOUR_AT_ONCE, folder.parent, *FEW], cwd=ROOT) as starting:
        while starting.poll() is None or not is_there:
            time.sleep(0.002)
            is_there = folder.exists()
            assert is_there or starting.returncode is None
            assert not is_there or [name for name in FEW if (folder / name).read_bytes() != assets.FILES[name]] == []
    assert starting.returncode == 0
    assert list(folder.parent.iterdir()) == [folder]


def test_a_second_start_makes_nothing_anew(launch, monkeypatch):
    launch()
    monkeypatch.setattr(assets, "make", None)
    assert launch().get("/static/loader.js").status_code == 200


def test_where_nothing_can_be_written_a_process_has_a_folder_of_its_own(launch, tmp_path):
    (tmp_path / "instance").write_text("in the way")  # root may write everywhere else
    browser = launch()
    assert browser.get(f"/{assets.ADDRESS}/loader.js").text == OF_THE_PAGE["loader.js"]


def test_the_folder_can_be_opened_by_its_owner_alone(launch, tmp_path):
    launch()
    assert (tmp_path / "instance").stat().st_mode & 0o777 == 0o700


# --- Pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken, encoding", [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0", None)])
def test_a_page_is_sent_compressed_to_who_takes_that(browser, taken, encoding):
    answer = browser.get("/offline", headers={"Accept-Encoding": taken})
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert UNPACK[encoding](answer.data) == browser.get("/offline").data


def test_nothing_of_a_cdn_is_preloaded():
    """Where it cannot be reached, Firefox would never run the module, also when it is imported again."""
    page = browser_of("asha").get("/").text
    assert settings.ASSETS == "cdn" and "cdn.jsdelivr.net" in page
    assert re.findall(r'rel="(?:modulepreload|preload|prefetch)" href="(?!static/)[^"]+"', page) == []


# --- During development -----------------------------------------------------------------------------------------------


def change(static, templates):
    """Changes a file of each kind, as somebody does who works on the page."""
    said = (static / "words/en.json").read_text().replace("Discuss Party", "Another Party")
    write(static, {"loader.js": "changed", "added.js": "added", "words/en.json": said})
    write(templates, {"page.html": "changed {{ words.party.name }}"})


@pytest.mark.parametrize("development", [True, False])
def test_what_somebody_changes_is_seen_without_a_restart_during_development_alone(launch, tmp_path, development):
    browser = launch(development)
    before = browser.get("/").text
    assert before == f"{assets.ADDRESS} Discuss Party"
    assert browser.get(f"/{assets.ADDRESS}/loader.js").text == OF_THE_PAGE["loader.js"]
    change(assets.STATIC, tmp_path / "templates")
    seen = [browser.get(f"/{assets.ADDRESS}/{name}") for name in ("loader.js", "added.js")]
    if development:
        assert [answer.text for answer in seen] == ["changed", "added"]
        assert {answer.headers["Cache-Control"] for answer in seen} == {"no-store"}
        assert browser.get("/").text == "changed Another Party"
    else:
        assert (seen[0].text, seen[1].status_code) == (OF_THE_PAGE["loader.js"], 404)
        assert browser.get("/").text == before


@pytest.mark.server
def test_during_development_the_page_has_a_vue_that_names_component_and_line():
    assert not assets.missing(assets.COPIED)
    with running_server(PARTY_DEV="yes") as server:
        page = urlopen(Request(server.address, headers={"Cookie": server.cookies_of("asha")})).read().decode()
        library, _ = json.loads(re.search(r'id="libraries">(.+?)</script>', page)[1])
        own, integrity = "static/vendor/vue.esm-browser.js", assets.VUE_FOR_DEVELOPMENT.integrity
        assert library == {"name": "vue", "cdn": None, "integrity": integrity, "own": own}
        assert b"console.warn" in urlopen(server.address + library["own"]).read()
