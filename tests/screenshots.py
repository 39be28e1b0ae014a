"""Draws every state of the page, on a desk and on a phone, in light and in dark: `make screenshots`.

They go to tests/screenshots/, with a page that shows them next to each other; those of the README go to docs/pictures/
as well.
"""

import html
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from conftest import browser_path
from playwright.sync_api import sync_playwright
from servers import ROOT, running_server
from states import a_party, states
from stores import a_talk, keep_feedback, keep_page, keep_report, sample
from visitor import PHONE, Visitor

FOLDER = ROOT / "tests" / "screenshots"
SIZES = {"desk": {"viewport": {"width": 1280, "height": 800}}, "phone": PHONE}
# (state, size, colour) → its name in docs/pictures/
README = {
    ("lobby, with a busy room", "desk", "light"): "lobby",
    ("busy, as the host", "desk", "light"): "host",
    ("busy, as a listener", "phone", "light"): "watcher",
    ("busy, as the host", "phone", "dark"): "phone",
    ("the owner's page, thriving", "desk", "light"): "insights",
    ("a published page", "desk", "light"): "page",
    ("a published page", "phone", "dark"): "page_phone",
}
SAID = {"id": "1", "at": 1_795_200_000_000, "about": "idea", "text": "A room that comes back each Tuesday?"}


def draw(browser, size):
    """Draws all states in one size; gives (state, colour, file name) of each."""
    visitors = []
    with a_party() as server:

        def visit(name, address=server.address, **how):
            visitors.append(Visitor(browser, address, name, **SIZES[size] | how))
            return visitors[-1]

        shown = itertools.chain(states(visit), owners_page(visit), pages(visit))
        for number, (state, visitor) in enumerate(shown, start=1):
            for colour in ("light", "dark"):
                visitor.page.emulate_media(color_scheme=colour)
                name = f"{number:02} {state}, {size}, {colour}.png"
                visitor.page.screenshot(path=FOLDER / name)
                if kept := README.get((state, size, colour)):
                    visitor.page.screenshot(path=ROOT / "docs" / "pictures" / f"{kept}.png", scale="css")
                yield state, colour, name
        for visitor in visitors:
            visitor.context.close()


def owners_page(visit):
    """Yields like `states`: the first screen of what the owner sees of three parties."""
    for name in ("thriving", "dying", "too_early"):
        with tempfile.TemporaryDirectory() as folder, running_server(**reading_from(folder)) as server:
            keep_report(Path(folder), sample(name))
            keep_feedback(Path(folder), SAID)
            asha = visit("asha", server.address).sign_in()
            asha.page.goto("insights")
            yield f"the owner's page, {name}", asha


def pages(visit):
    """Yields like `states`: what everybody can read of a room, and the list of such pages."""
    with tempfile.TemporaryDirectory() as folder, running_server(**reading_from(folder)) as server:
        name = keep_page(Path(folder), a_talk())
        anybody = visit("asha", server.address)
        for state, address in (("a published page", name), ("all published pages", "")):
            anybody.page.goto(f"published/{address}")
            yield state, anybody


def reading_from(folder):
    """The settings of a party whose services left their stores in that folder, and run no more."""
    journal = {"PARTY_INSTANCE": folder, "PARTY_JOURNAL": f"{folder}/party.db"}
    return journal | {"PARTY_SERVICES": "figures,feedback", "PARTY_SERVICES_BESIDE": "no"}


def sheet(pictures):
    """A page that shows them, a row for each state."""
    rows = ["<!doctype html><title>Every state</title><style>img { height: 30rem; margin: 0.5rem }</style>"]
    for state, names in pictures.items():
        rows += [f"<h2>{html.escape(state)}</h2>", *(f'<img src="{html.escape(name)}">' for name in names.values())]
    return "\n".join(rows)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    pictures = {}
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=browser_path(), args=sandbox)
        for size in SIZES:
            for state, colour, name in draw(browser, size):
                pictures.setdefault(state, {})[size, colour] = name
        browser.close()
    (FOLDER / "index.html").write_text(sheet(pictures))
    print(f"{sum(map(len, pictures.values()))} pictures of {len(pictures)} states: {FOLDER / 'index.html'}")


if __name__ == "__main__":
    main()
