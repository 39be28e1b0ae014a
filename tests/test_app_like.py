"""The page as an app on a phone: its icons, its installation, and what it shows without a network."""

import base64
import json
import re
import time
from urllib.request import urlopen

import icons
import pytest
from conftest import browser_path, how_to_launch
from playwright.sync_api import expect
from servers import ROOT, Prefix, password_of, running_server

import app
from runtime import assets


@pytest.fixture(scope="module")
def server():
    with running_server(PARTY_ASSETS="local", PARTY_PROXIES="1") as server:
        yield server


@pytest.fixture(scope="module")
def prefix(server):
    prefix = Prefix(server.port)
    yield prefix
    prefix.listener.close()


@pytest.fixture
def address(prefix):
    """Of the same party below a path, which is the harder case."""
    prefix.refusal = None
    return prefix.address


@pytest.fixture(scope="module")
def phone(playwright, tmp_path_factory):
    """A browser with a profile, which installing needs."""
    profile = tmp_path_factory.mktemp("profile")
    context = playwright.chromium.launch_persistent_context(profile, **how_to_launch(browser_path()))
    yield context
    context.close()


@pytest.fixture
def page(phone):
    page = phone.new_page()
    page.trouble = []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    yield page
    phone.set_offline(False)
    page.close()
    assert not page.trouble


def sign_in(page, address, name="asha"):
    page.context.clear_cookies()
    page.goto(address + "sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password_of(name))
    page.get_by_role("button", name="Sign in").click()
    expect(lobby(page)).to_be_visible()


def lobby(page):
    return page.get_by_role("button", name="Host a room")


def sign_out(page):
    page.get_by_role("button", name="choices, and sign out").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out", exact=True).click()


def sign_in_and_wait_for_the_worker(page, address):
    sign_in(page, address)
    page.evaluate("navigator.serviceWorker.ready")


def ask_browser(page, command):
    line = page.context.new_cdp_session(page)
    answer = line.send(command)
    line.detach()
    return answer


@pytest.mark.parametrize("below_a_path", [False, True], ids=["at the top", "below a path"])
def test_the_page_can_be_installed(page, server, address, below_a_path):
    address = address if below_a_path else server.address
    sign_in_and_wait_for_the_worker(page, address)
    assert ask_browser(page, "Page.getInstallabilityErrors")["installabilityErrors"] == []
    manifest = ask_browser(page, "Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["manifest"]["startUrl"] == manifest["manifest"]["scope"] == address
    assert page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)") == address


def test_offline_a_calm_page_stands_in_and_the_lobby_comes_back_by_itself(page, address):
    sign_in_and_wait_for_the_worker(page, address)
    page.context.set_offline(True)
    for path in ("", "sign-in", "nowhere/at/all"):
        page.goto(address + path)
        expect(page.get_by_role("heading", name="No connection")).to_be_visible()
        expect(page.get_by_text("You are offline")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(247, 239, 228)", "styled"
        form = "['.top', '.lobby', '.quiet'].map((part) => getComputedStyle(document.querySelector(part)).marginInline)"
        assert page.evaluate(form) != ["0px"] * 3 and page.locator(".quiet").bounding_box()["x"] > 8, "in its form"
        assert page.get_by_role("banner").get_by_role("presentation").evaluate("image => image.naturalWidth") > 0
    page.goto(address + "#room=nowhere")
    page.context.set_offline(False)
    expect(page.locator(".room").get_by_text("There is no such room.")).to_be_visible()
    assert page.url == address + "#room=nowhere"


def test_a_proxy_whose_party_is_away_is_no_party(page, address, prefix):
    """Its error page would stand there for ever: nothing on it tries again."""
    sign_in_and_wait_for_the_worker(page, address)
    for prefix.refusal in ("503 Service Unavailable", "504 Gateway Timeout", "502 Bad Gateway"):
        page.goto(address)
        expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    page.evaluate("window.isTheSame = true")
    for _ in range(2):  # when it asks again, it has done with the answer before
        while b"manifest" not in prefix.refused.get(timeout=10):
            pass
    assert page.evaluate("window.isTheSame"), "it did not go on to the proxy's error"
    prefix.refusal = None
    expect(lobby(page)).to_be_visible()


TAP = """
  async (link) => {
    const told = [];
    const openWindow = clients.openWindow.bind(clients);
    clients.openWindow = async (address) => told.push(address);
    WindowClient.prototype.focus = async function () { return this; };  // allowed after a real tap alone
    const event = new ExtendableEvent('notificationclick');
    event.notification = { close() {}, data: { link } };
    const done = new Promise((resolve) => (event.waitUntil = resolve));
    dispatchEvent(event);
    await (await done);
    return told;
  }
"""


def tap(page, link):
    """Taps a notification that leads to `link`; gives the addresses of windows that the worker opens for it."""
    scope = page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)")
    [*_, worker] = [worker for worker in page.context.service_workers if worker.url.startswith(scope + "service")]
    return worker.evaluate(TAP, link)


def test_a_tap_on_a_notification_leads_the_tab_there_at_the_first_visit_too(page, server):
    sign_in_and_wait_for_the_worker(page, server.address)
    link = f"{server.address}#room=nowhere"
    assert tap(page, link) == []
    expect(page.locator(".room").get_by_text("There is no such room.")).to_be_visible()
    assert page.url == link


def test_a_tap_on_a_notification_takes_nobody_out_of_another_room(page, server):
    sign_in_and_wait_for_the_worker(page, server.address)
    asha = server.person("asha")
    rooms = [asha.host(topic) for topic in ("One", "Other", "Third")]
    links = [f"{server.address}#room={room}" for room in rooms]
    other = page.context.new_page()
    other.goto(server.address)
    for tab, topic in ((page, "One"), (other, "Other")):
        tab.get_by_role("link", name=topic, exact=True).click()
        expect(tab.locator(".room").get_by_role("heading", name=topic)).to_be_visible()
    addresses = [page.url, other.url]
    assert addresses == links[:2]
    for link in links[:2]:
        assert tap(page, link) == [], "the tab that shows it is there"
    assert tap(page, links[2]) == [links[2]], "both tabs are in another room"
    assert [page.url, other.url] == addresses
    other.get_by_role("button", name="Back to the lobby").click()
    assert tap(page, links[2]) == []
    expect(other).to_have_url(links[2])
    assert page.url == links[0]
    other.close()
    for room in rooms:
        asha.close(room)


def test_a_draft_is_there_again_after_the_network_was_away(page, server):
    sign_in_and_wait_for_the_worker(page, server.address)
    asha = server.person("asha")
    room = asha.host("Tunnel")
    page.goto(f"{server.address}#room={room}")
    writing = page.get_by_role("textbox", name="Message")
    writing.fill("Half a thought")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    page.context.set_offline(False)
    expect(writing).to_have_value("Half a thought")
    asha.close(room)


def test_a_form_that_could_not_be_sent_is_not_sent_later(page, address):
    sign_in_and_wait_for_the_worker(page, address)
    page.context.set_offline(True)
    sign_out(page)
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    page.context.set_offline(False)
    expect(lobby(page)).to_be_visible()


KEPT = """
  async () => {
    const answers = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        answers.push([request.url, await (await cache.match(request)).text()]);
      }
    }
    return answers;
  }
"""


def test_what_a_page_tells_as_it_goes_is_not_lost_on_its_way_through_the_worker(page, server, address):
    """A browser drops what a page that is gone had sent, where a worker only lets it pass."""
    sign_in_and_wait_for_the_worker(page, address)
    before = times_measured(server)
    for _ in range(3):
        page.goto(address)
        page.wait_for_function("navigator.serviceWorker.controller")
        page.wait_for_function("performance.getEntriesByType('resource').some(({ name }) => /measuring/.test(name))")
        page.evaluate(f"import('./{assets.ADDRESS}/measuring.js')")  # it has begun when this has ended
        page.goto(address + "privacy")
    deadline = time.monotonic() + 5
    while times_measured(server) < before + 3 and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert times_measured(server) >= before + 3


def times_measured(server):
    with urlopen(f"{server.address}metrics") as figures:
        found = re.search(r'party_requests_total\{endpoint="measured",status="204"\} (\S+)', figures.read().decode())
    return float(found[1]) if found else 0


def test_the_phone_keeps_nothing_with_a_name_or_a_token(page, address):
    """So whoever comes next finds nothing, not even without a network."""
    sign_in_and_wait_for_the_worker(page, address)
    page.reload()
    page.goto(address + "sign-in")
    page.goto(address)
    kept = dict(page.evaluate(KEPT))
    own = {url.removeprefix(address) for url in kept if url.startswith(address)}
    assert own == {"offline", "static/party.css", "static/offline.js"}
    for text in kept.values():
        assert "asha" not in text and "token" not in text
    sign_out(page)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.context.set_offline(True)
    page.go_back()
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    assert "asha" not in page.content()


def test_a_new_version_brings_a_new_worker_and_the_old_ones_files_go(page, address):
    sign_in_and_wait_for_the_worker(page, address)
    before = page.evaluate("caches.keys()")
    assert f"{address}?{assets.VERSION}" in before
    page.context.clear_cookies()
    page.goto(address + "sign-in")  # which brings no worker itself
    page.evaluate(
        """async () => {
          const { installing } = await navigator.serviceWorker.register('service-worker.js?new');
          await new Promise((done) => {
            installing.onstatechange = () => installing.state === 'activated' && done();
          });
        }"""
    )
    others = {name for name in before if not name.startswith(address + "?")}
    assert set(page.evaluate("caches.keys()")) == {f"{address}?new", *others}, "of other parties nothing goes"


def test_without_tls_the_page_lives_without_a_worker(page, server):
    sign_in(page, f"http://party.example:{server.port}/")
    assert page.evaluate("[isSecureContext, 'serviceWorker' in navigator]") == [False, False]
    page.reload()
    expect(lobby(page)).to_be_visible()


def test_the_manifest_says_what_a_phone_needs():
    manifest = json.loads(app.app.test_client().get("/manifest.webmanifest").data)
    assert manifest["start_url"] == manifest["scope"] == "./", "relative: a party may live below a path"
    assert manifest["display"] == "standalone"
    purposes = {(icon["sizes"], icon.get("purpose", "any")) for icon in manifest["icons"]}
    assert purposes == {("any", "any"), ("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")}
    for icon in manifest["icons"]:
        answer = app.app.test_client().get("/" + icon["src"])
        assert (answer.status_code, answer.mimetype) == (200, icon["type"])
        if icon["type"] == "image/png":
            assert "{0}x{0}".format(int.from_bytes(answer.data[16:20])) == icon["sizes"]
    shown = re.search(r"--paper: light-dark\((#\w+), (#\w+)\)", (ROOT / "static" / "party.css").read_text())
    for path in ("/sign-in", "/offline"):
        page = app.app.test_client().get(path).text
        assert re.findall(r'theme-color" content="(#\w+)"', page) == list(shown.groups()), "the colours of the page"
    assert manifest["theme_color"] == manifest["background_color"] == shown[1]


DIFFERENCE = """
  async (images) => {
    const [one, other] = await Promise.all(images.map(async (image) => {
      const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${image}`)).blob());
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      canvas.drawImage(bitmap, 0, 0);
      return canvas.getImageData(0, 0, bitmap.width, bitmap.height).data;
    }));
    return one.length === other.length ? one.filter((value, at) => Math.abs(value - other[at]) > 16).length : Infinity;
  }
"""


@pytest.mark.parametrize("name", icons.DRAWN)
def test_an_icon_is_what_its_drawing_shows(browser, name):
    """`make icons` draws them. Another Chromium may smooth an edge a little otherwise."""
    drawn, there = icons.drawn(browser, *icons.DRAWN[name]), (icons.ICONS / name).read_bytes()
    page = browser.new_page()
    difference = page.evaluate(DIFFERENCE, [base64.b64encode(image).decode() for image in (drawn, there)])
    page.close()
    assert difference < 0.001 * icons.DRAWN[name][1] ** 2, "`make icons` was not run since the drawing changed"
