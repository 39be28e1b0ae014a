"""A host opens the door and sends the link; whoever has it comes in, and nobody else. In real browsers, on a party that
is killed and started again in the middle, and on two processes that are restarted one after the other."""

import re

import pytest
from playwright.sync_api import expect
from servers import Server
from test_cluster import Cluster
from visitor import PHONE

TOPIC = "Whose bench is it?"
LINK = re.compile(r"#room=\w+&door=[\w-]{22}$")


class OneProcess:
    """A party on a file, or in memory."""

    def __init__(self, journal):
        self.journal, self.server = journal, Server(PARTY_JOURNAL=journal)
        self.address, self.port = self.server.address, self.server.port

    def begin_again(self):
        self.server.kill()
        self.server = Server(PARTY_JOURNAL=self.journal, PORT=str(self.port))

    def end(self):
        assert "Traceback" not in self.server.stop()[1]


class TwoProcesses:
    """Behind nginx, on one Redis."""

    def __init__(self, folder):
        self.cluster = Cluster(folder, count=2).says_its_address()
        self.address, self.begin_again = self.cluster.address, self.cluster.roll

    def end(self):
        assert self.cluster.stop()[0] == 0


@pytest.fixture
def place(request, tmp_path):
    kind = request.param
    place = TwoProcesses(tmp_path) if kind == "two processes" else OneProcess(str(tmp_path / "party.db"))
    yield place
    place.end()


def open_door(host, way):
    host.room.get_by_role("button", name="Let guests in by a link").click()
    host.sheet.get_by_text(way, exact=True).click()
    expect(host.sheet.get_by_role("textbox", name="The link to this room")).to_have_value(LINK)


def copied_link(host):
    host.sheet.get_by_role("button", name="Copy the link").click()
    expect(host.sheet.get_by_role("status").filter(has_text="Link copied.")).to_be_visible()
    return host.page.evaluate("navigator.clipboard.readText()")


def come_in(guest, link):
    guest.page.goto(link)
    expect(guest.page.get_by_role("heading", level=1)).to_have_text(TOPIC)
    guest.page.get_by_role("textbox", name="What should we call you?").fill(guest.name)
    guest.page.get_by_role("button", name="Come in and listen").tap()
    expect(guest.room).to_be_visible()
    guest.wait_for_all_of_the_room()


def speak(host, guest, text):
    guest.ask()
    host.approve(f"{guest.name} (guest)")
    expect(guest.writing).to_be_visible()
    guest.write(text)
    expect(host.message(text)).to_contain_text("guest")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("place", ["one process", "two processes"], indirect=True)
def test_a_link_is_sent_used_misused_and_changed(visit, place):
    asha = visit("asha", place.address).sign_in()
    asha.host(TOPIC)
    open_door(asha, "By link: ask too")
    link = copied_link(asha)
    assert link.startswith(f"{place.address}#room=")
    asha.page.keyboard.press("Escape")
    asha.write("Only friends hear this")

    gita = visit("Gita", place.address, **PHONE)
    come_in(gita, link)
    speak(asha, gita, "I sit there every morning")
    gita.page.reload()
    expect(gita.writing).to_be_visible()
    expect(gita.message("I sit there every morning")).to_be_visible()

    place.begin_again()
    gita.write("Still the same")
    expect(asha.message("Still the same")).to_contain_text("Gita")
    assert gita.reads() == ["I sit there every morning", "Still the same"], "and nothing from before they came"

    asha.room.get_by_role("button", name="More about Gita (guest)").click()
    asha.room.get_by_role("button", name="Show Gita (guest) out").click()
    asha.sheet.get_by_role("button", name="Show out, and change the link").click()
    expect(asha.page.get_by_role("status").filter(has_text="Gita (guest) is out")).to_be_visible()
    expect(gita.page.get_by_text("The host has shown you out")).to_be_visible()
    gita.page.reload()
    expect(gita.page.get_by_text("You are no guest there any more.")).to_be_visible()
    for browser in (gita, visit("Fresh", place.address, **PHONE)):
        browser.page.goto("about:blank")
        browser.page.goto(link)
        expect(browser.page.get_by_role("heading", name="This link leads nowhere")).to_be_visible()

    asha.open_menu().get_by_role("button", name="Invite").click()
    changed = copied_link(asha)
    asha.page.keyboard.press("Escape")
    assert changed != link
    place.begin_again()
    gita.page.goto("about:blank")
    come_in(gita, changed)
    speak(asha, gita, "Sorry for before")
    asha.close_room()
    expect(gita.room.get_by_text("asha closed the room.")).to_be_visible()


def test_where_rooms_are_in_memory_a_guest_goes_with_them_and_is_told_so(visit):
    place = OneProcess("memory:")
    asha, gita = visit("asha", place.address).sign_in(), visit("Gita", place.address, **PHONE)
    asha.host(TOPIC)
    open_door(asha, "By link: listen")
    link = copied_link(asha)
    come_in(gita, link)
    place.begin_again()
    expect(asha.page.get_by_text("There is no such room.")).to_be_visible()
    gita.page.goto("about:blank")
    gita.page.goto(link)
    expect(gita.page.get_by_role("heading", name="This link leads nowhere")).to_be_visible()
    place.end()
