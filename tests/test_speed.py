"""How soon the page is there: what goes over the line, what is readable and live when, and that nothing jumps."""

import contextlib
import re
import statistics
from collections import Counter

import pytest
from conftest import browser_of
from playwright.sync_api import expect
from servers import password_of, running_server

from runtime import assets, words

# A phone on a slow mobile network, as CDP emulates it: bytes a second, milliseconds, and a processor slowed four times.
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
SLOWER = 4

TOPICS = ["What should we cook for forty people?", "<b>Is</b> the {{ four }}-day week worth it?"]


@pytest.fixture(scope="module")
def server():
    """A server that needs no CDN, with two rooms, one of them with three speakers."""
    with running_server(PARTY_ASSETS="local") as server:
        asha, *others = (server.person(name) for name in ("asha", "bilal", "chen", "dana"))
        room = asha.host(TOPICS[0])
        for person in others:
            person.watch(room)
            person.request(room)
            asha.approve(room, person.name)
        others[0].host(TOPICS[1], minutes=9)
        yield server


@contextlib.contextmanager
def phones(browser, server):
    """Gives what opens a phone of somebody signed in, with nothing cached, and gives its empty tab."""
    contexts = []

    def phone(name="farida", **how):
        # A service worker's requests would go past the slow line.
        contexts.append(browser.new_context(base_url=server.address, service_workers="block", **PHONE, **how))
        key, _, value = server.cookies_of(name).partition("=")
        contexts[-1].add_cookies([{"name": key, "value": value, "url": server.address}])
        return contexts[-1].new_page()

    yield phone
    for context in contexts:
        context.close()


@pytest.fixture
def phone(browser, server):
    with phones(browser, server) as phone:
        yield phone


# Measured by the page itself. "Readable" is when the cards stand there, "live" when the first lobby has come over the
# socket, so that what the page shows is what is.
WATCH = """
  Object.assign(window, { shift: 0, shifts: [] });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      shift += entry.value;
      shifts.push(...entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 80)));
    }
  }).observe({ type: 'layout-shift', buffered: true });
  window.brandNow = () => {
    const { x, y, height } = document.querySelector('#party .brand')?.getBoundingClientRect() ?? {};
    return x && [x, y, height];
  };
  (function look() {
    window.brandFirst ??= brandNow();
    if (document.querySelector('.card h2')?.checkVisibility()) window.readable = performance.now();
    else requestAnimationFrame(look);
  })();
  globalThis.WebSocket = class extends WebSocket {
    constructor(...all) {
      super(...all);
      this.addEventListener('message', ({ data }) => {
        if (data.startsWith?.('42["lobby"')) requestAnimationFrame(() => (window.live ??= performance.now()));
      });
    }
  };
"""


# When each was asked for, and when it had come.
SCRIPTS = """
  performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))
    .map(({ name, startTime, responseEnd }) => [name.split('/').at(-1), startTime, responseEnd])
"""


class Visit:
    """A first visit to the lobby over a slow line, with what it took, and a second one."""

    def __init__(self, page):
        line = page.context.new_cdp_session(page)
        line.send("Network.emulateNetworkConditions", LINE)
        line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(WATCH)
        self.first = open_lobby(page)
        page.wait_for_load_state("networkidle")  # a room's part comes after the lobby
        self.second = open_lobby(page)
        page.close()  # a page that is open slows the next one


def open_lobby(page):
    page.goto("./")
    page.wait_for_function("window.live && window.readable")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    scripts = SCRIPTS.strip()
    return page.evaluate(f"({{ readable, live, shift, shifts, brand: [brandFirst, brandNow()], scripts: {scripts} }})")


@pytest.fixture(scope="module")
def visits(browser, server):
    """Three: on a busy machine one may be slow."""
    with phones(browser, server) as phone:
        return [Visit(phone()) for _ in range(3)]


@pytest.mark.parametrize("language", words.IN)
def test_the_page_takes_at_most_120_kb_until_the_lobby_is_live_and_138_with_a_room(phone, language):
    """Headers included, its own copies of the libraries too."""
    page = phone(locale=language)
    line = page.context.new_cdp_session(page)
    names, sizes = {}, {}  # by request
    line.send("Network.enable")
    line.on("Network.responseReceived", lambda event: names.update({event["requestId"]: event["response"]["url"]}))
    line.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    page.add_init_script(WATCH)
    open_lobby(page)
    page.wait_for_load_state("networkidle")
    weights = Counter()
    for id, size in sizes.items():
        weights[names[id].rpartition("/")[2]] += size
    of_room = needed_by("room.js") - needed_by("loader.js")
    assert {"socket.io.min.js", "lobby.css", "room.css", "measuring.js"} | of_room <= weights.keys(), "all of it"
    assert sum(size for name, size in weights.items() if name not in of_room) <= 120_000, weights
    assert weights.total() <= 138_000, weights


@pytest.mark.alone
@pytest.mark.parametrize(
    "visit, what, limit", [("first", "readable", 1_500), ("first", "live", 1_800), ("second", "live", 800)]
)
def test_on_a_slow_phone_the_lobby_is_soon_readable_and_live_and_sooner_the_next_time(visits, visit, what, limit):
    took = [getattr(visited, visit)[what] for visited in visits]
    assert statistics.median(took) < limit, took


@pytest.mark.alone
def test_nothing_jumps_when_the_page_comes_to_life(visits):
    for visit in visits:
        for visited in (visit.first, visit.second):
            assert visited["shift"] < 0.02, visited["shifts"]
            first, now = visited["brand"]
            assert first == now, "drawn anew: no browser calls that a shift"


@pytest.mark.alone
def test_no_script_of_the_lobby_is_found_only_by_reading_another(visits):
    """Else a slow line would wait for one after the other."""
    for visit in visits:
        scripts = [script for script in visit.first["scripts"] if script[0] not in come_later()]
        assert max(asked for _, asked, _ in scripts) < min(come for _, _, come in scripts), scripts


@pytest.mark.alone
def test_the_page_preloads_the_modules_that_it_runs_and_no_others(visits):
    """Besides the libraries, which the loader asks for by itself; and what comes later, for which nobody waits."""
    page = browser_of("asha").get("/").text
    preloaded = re.findall(rf'rel="modulepreload" href="{assets.ADDRESS}/([^"]+)"', page)
    needed = needed_by("loader.js")
    assert len(needed) > 6, "they must be found"
    assert sorted(preloaded) == sorted(needed - {"loader.js"})
    libraries = {library.file for library in assets.LIBRARIES}
    for visit in visits:
        names = [name for name, _, _ in visit.first["scripts"] if name not in come_later()]
        assert sorted(names) == sorted(needed | libraries), "each once"


def needed_by(name, known=frozenset()):
    """The names of a module, and of all that it imports."""
    known |= {name}
    for imported in re.findall(r"^(?:import|\} from) .*?'\./([^']+)';", (assets.STATIC / name).read_text(), re.M):
        if imported not in known:
            known = needed_by(imported, known)
    return known


def come_later():
    """A room's part, and what measures the page."""
    return (needed_by("room.js") | {"measuring.js"}) - needed_by("loader.js")


def test_what_a_room_needs_is_fetched_while_somebody_signs_in(clean_party):
    page = clean_party.app.test_client().get("/sign-in").text
    fetched = re.findall(rf'rel="prefetch" href="{assets.ADDRESS}/([^"]+)"', page)
    modules = {name for name in fetched if "/" not in name and name.endswith(".js")}
    assert modules == needed_by("loader.js") | needed_by("room.js")


OF_OTHER_PAGES = {"insights.css", "privacy.css"}


def test_every_style_is_linked_and_nobody_waits_for_those_of_parts_that_come_later(clean_party):
    page, form = browser_of("asha").get("/").text, clean_party.app.test_client().get("/sign-in").text
    style = rf'rel="(\w+)" href="{assets.ADDRESS}/([^"]+\.css)"(?: data-part="\w+" (disabled))?'
    linked = {name: disabled for rel, name, disabled in re.findall(style, page)}
    on_form = {name: rel for rel, name, _ in re.findall(style, form)}
    assert linked.keys() | on_form.keys() == {path.name for path in assets.STATIC.glob("*.css")} - OF_OTHER_PAGES
    assert {name for name, disabled in linked.items() if not disabled} == {"party.css", "lobby.css"}
    waited_for = re.findall(rf'rel="stylesheet" href="{assets.ADDRESS}/([^"]+)">', form)
    assert set(waited_for) == {"party.css", "sign-in.css"}
    later = {"ending.css", "hosting.css", "moments.css", "people.css", "plans.css", "queue.css", "telling.css"}
    assert linked.keys() - on_form.keys() == later, "what the lobby and its rooms need comes while they type"


def test_what_the_lobby_needs_comes_while_somebody_signs_in(phone):
    page = phone()
    page.context.clear_cookies()  # who is signed in gets no form
    page.goto("sign-in", wait_until="networkidle")
    sign_in(page)
    expect(page.get_by_role("article")).to_have_count(2)
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter((e) => /[.](js|css)$/.test(e.name)).map((e) => e.transferSize)"
    )
    assert len(sizes) >= 12 and not any(sizes), sizes


def sign_in(page, name="farida"):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password_of(name))
    page.get_by_role("button", name="Sign in").click()


IDLE_SECONDS = 2


@pytest.mark.alone
def test_a_room_in_which_nothing_happens_costs_a_phone_next_to_nothing(server, phone):
    """Its clock moves, for half an hour, on a battery."""
    page = phone(reduced_motion="no-preference")
    page.goto("./")
    page.get_by_role("link", name=TOPICS[0], exact=True).click()
    page.get_by_role("button", name="Ask to speak").wait_for()
    line = page.context.new_cdp_session(page)
    line.send("Performance.enable")

    def busy():
        return {metric["name"]: metric["value"] for metric in line.send("Performance.getMetrics")["metrics"]}

    page.wait_for_load_state("networkidle")
    before = busy()
    page.wait_for_timeout(IDLE_SECONDS * 1000)
    after = busy()
    share = (after["TaskDuration"] - before["TaskDuration"]) / (after["Timestamp"] - before["Timestamp"])
    assert share < 0.1, f"{share:.0%} of a processor"


def without_a_version(route):
    """The page as a party of another version made it."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace(assets.VERSION, "0" * 12))


def test_a_page_whose_version_is_gone_is_fetched_again(phone):
    """As for who opened it just before a restart."""
    page = phone()
    page.route("**/", without_a_version, times=1)
    with page.expect_response(re.compile("/static/000000000000/loader.js")) as script:
        page.goto("./#room=nowhere")
    assert script.value.headers["cache-control"] == "no-store"
    expect(page.locator(".room").get_by_text("There is no such room.")).to_be_visible()
    assert page.evaluate("sessionStorage.outdated") is None, "the next restart counts anew"


@pytest.mark.parametrize("may_keep", [True, False], ids=["with storage", "without"])
def test_it_is_not_fetched_for_ever_and_the_page_says_so(phone, may_keep):
    page = phone()
    if not may_keep:
        page.add_init_script("Storage.prototype.setItem = () => { throw new Error('forbidden') }")
    fetched = []
    page.route("**/", lambda route: (fetched.append(route), without_a_version(route)))
    page.goto("./", wait_until="commit")
    expect(page.get_by_role("alert")).to_have_text("The page could not be loaded. Please reload it.", timeout=20_000)
    assert len(fetched) == (6 if may_keep else 1)
