"""How soon the page is there: what goes over the line, what is readable when, and that nothing jumps."""

import gzip
import re
import statistics

import brotli
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import browser_of
from person import form_token
from playwright.sync_api import expect
from servers import ROOT, running_server

import app
import users
from runtime import assets, settings, words

# A phone on a slow mobile network, as CDP emulates it: bytes a second, milliseconds, and a processor slowed four times.
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
SLOWER = 4

PAGE_SCRIPT = re.compile(r"/page\.\w+\.js")
TOPICS = ["What should we cook for forty people?", "<b>Is</b> the {{ four }}-day week worth it?"]
UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}


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


@pytest.fixture
def phone(browser, server):
    """Opens a phone of somebody signed in, with nothing cached; gives its empty tab."""
    contexts = []

    def phone(name="farida", **how):
        contexts.append(browser.new_context(base_url=server.address, **PHONE, **how))
        key, _, value = server.cookies_of(name).partition("=")
        contexts[-1].add_cookies([{"name": key, "value": value, "url": server.address}])
        return contexts[-1].new_page()

    yield phone
    for context in contexts:
        context.close()


WATCH = """
  Object.assign(window, { shift: 0, shifts: [] });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      shift += entry.value;
      shifts.push(...entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 80)));
    }
  }).observe({ type: 'layout-shift', buffered: true });
  (function look() {
    window.readable ??= document.querySelector('.card h2')?.checkVisibility() ? performance.now() : undefined;
    window.live ??= document.querySelector('#party .card') ? performance.now() : undefined;
    if (!window.live) requestAnimationFrame(look);
  })();
"""


# When each was asked for, and when it had come.
SCRIPTS = """
  performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))
    .map(({ startTime, responseEnd }) => [startTime, responseEnd])
"""


class Visit:
    """A first visit to the lobby over a slow line, with what it took."""

    def __init__(self, page):
        line = page.context.new_cdp_session(page)
        line.send("Network.enable")
        self.names, self.bytes = {}, {}  # by request
        line.on("Network.responseReceived", lambda event: self.note(event, "names", event["response"]["url"]))
        line.on("Network.loadingFinished", lambda event: self.note(event, "bytes", event["encodedDataLength"]))
        line.on("Network.webSocketFrameReceived", lambda event: self.frames.append(event["response"]["payloadData"]))
        self.frames = []
        line.send("Network.emulateNetworkConditions", LINE)
        line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(WATCH)
        page.goto("./")
        page.wait_for_function("window.live")
        # The first lobby that comes over the socket: what the page shows is now what is.
        while not any(frame.startswith('42["lobby"') for frame in self.frames):
            line.send("Runtime.evaluate", {"expression": "1"})  # lets events come in
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.readable, self.live, self.shift, self.shifts = page.evaluate("[readable, live, shift, shifts]")
        self.scripts = page.evaluate(SCRIPTS)

    def note(self, event, what, value):
        getattr(self, what)[event["requestId"]] = value


@pytest.fixture(scope="module")
def visits(browser, server):
    """{language: first visits}. Three in English: on a busy machine one may be slow."""
    visits = {language: [] for language in words.IN}
    for language in (*visits, "en", "en"):
        context = browser.new_context(base_url=server.address, locale=language, **PHONE)
        key, _, value = server.cookies_of("farida").partition("=")
        context.add_cookies([{"name": key, "value": value, "url": server.address}])
        visits[language].append(Visit(context.new_page()))
        context.close()
    return visits


@pytest.mark.parametrize("language", words.IN)
def test_the_page_takes_at_most_100_kb_until_the_first_message_may_come(visits, language):
    """Headers included, its own copies of the libraries too."""
    for visit in visits[language]:
        assert any(name.endswith(f"/page.{language}.js") for name in visit.names.values()), "in that language"
        assert any("socket.io" in name for name in visit.names.values()), "the scripts must be among them"
        assert sum(visit.bytes.values()) <= 100_000, {visit.names.get(id): n for id, n in visit.bytes.items()}


def test_the_lobby_is_readable_within_a_second_on_a_slow_phone(visits):
    assert statistics.median(visit.readable for visit in visits["en"]) < 1_000


def test_nothing_jumps_when_the_page_comes_to_life(visits):
    for visit in visits["en"]:
        assert visit.live > visit.readable, "the page must have been there before its scripts"
        assert visit.shift < 0.02, visit.shifts


def test_no_script_is_found_only_by_reading_another(visits):
    """Else a slow line would wait for one after the other."""
    for visit in visits["en"]:
        assert max(asked for asked, _ in visit.scripts) < min(come for _, come in visit.scripts), visit.scripts


def test_the_lobby_is_readable_without_javascript(phone):
    page = phone(java_script_enabled=False)
    page.goto("./")
    card = page.get_by_role("article").filter(has_text=TOPICS[0])
    expect(card).to_contain_text("asha hosts, with bilal, chen, dana")
    expect(card).to_contain_text(re.compile("(30|29) min left"))
    expect(page.get_by_role("heading", name=TOPICS[1])).to_be_visible()


def test_the_lobby_is_accessible_before_its_scripts_have_come(phone):
    page = phone()
    open_without_scripts(page)
    assert not Axe().run(page).response["violations"]


def test_what_the_lobby_needs_comes_while_somebody_signs_in(phone):
    page = phone()
    page.goto("sign-in", wait_until="networkidle")
    page.goto("./")
    expect(page.locator("#party").get_by_role("article")).to_have_count(2)
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.js')).map((e) => e.transferSize)"
    )
    assert len(sizes) == 3 and not any(sizes), sizes


def open_without_scripts(page):
    """Opens the lobby as it is before its scripts have come; gives what lets them come."""
    held = []
    page.route(PAGE_SCRIPT, lambda route: held.append(route))
    with page.expect_request(PAGE_SCRIPT):
        page.goto("./", wait_until="commit")
    return lambda: held[0].continue_()


LOOK = """
  (lobby) => [...lobby.querySelectorAll('h1, .card, .card *')].map((part) => {
    const { x, y, width, height } = part.getBoundingClientRect();
    const own = [...part.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim());
    const { color, fontSize } = getComputedStyle(part);
    const words = own.join('').replace(/\\d+:\\d\\d left|\\d+ min left/, 'left');
    return [part.getAttribute('class')?.replace(' button--later', ''), words, color, fontSize, x, y, width, height];
  })
"""


def test_what_the_server_paints_is_what_the_page_shows_when_it_is_live(phone):
    """Text, colours, sizes and places, for somebody new and for a speaker."""
    for name in ("farida", "chen"):
        page = phone(name)
        go_on = open_without_scripts(page)
        painted = page.locator("#painted")
        expect(painted.get_by_role("heading", name=TOPICS[0])).to_be_visible()
        before = painted.evaluate(LOOK)
        go_on()
        expect(page.locator("#party").get_by_role("heading", name=TOPICS[0])).to_be_visible()
        assert page.locator("#party").evaluate(LOOK) == before
        expect(painted).to_have_count(0)


@pytest.mark.parametrize("language", words.IN)
def test_the_server_puts_times_and_names_as_the_page_does(phone, language):
    page = phone(locale=language)
    page.goto("./")
    times = [0, 999, 1_000, 1_001, 61_000, 600_000, 601_000, 601_001, 661_000, 1_740_000, 1_800_000]
    counts = [0, 1, 2, 21]
    names = [*users.PEOPLE, "Éowyn", "小林", "🦊"]
    theirs = page.evaluate(
        """async ([address, times, counts, names]) => {
          const { timeLeft } = await import(`${address}/words/times.js`);
          const { fill, words } = await import(`${address}/words/words.js`);
          const { hueOf } = await import(`${address}/words/names.js`);
          const watching = (count) => fill(words.card.watching, { count });
          return [times.map(timeLeft), counts.map(watching), names.map(hueOf)];
        }""",
        ["./" + assets.ADDRESS, times, counts, names],
    )
    sentences = words.IN[language]
    assert theirs == [
        [words.time_left(sentences["clock"], time) for time in times],
        [words.fill(sentences["card"]["watching"], count=count) for count in counts],
        [words.hue_of(name) for name in names],
    ]


def test_a_language_with_one_form_for_every_number_can_be_written():
    assert words.fill({"other": "{count} 人"}, count=1) == "1 人"


def test_a_tap_before_the_page_is_live_is_not_lost(phone):
    page = phone()
    go_on = open_without_scripts(page)
    page.get_by_role("article").filter(has_text=TOPICS[0]).get_by_role("link", name="Watch").click()
    go_on()
    expect(page.get_by_role("dialog").get_by_role("heading", name=TOPICS[0])).to_be_visible()


def test_a_file_is_sent_compressed_to_who_takes_that():
    browser = app.app.test_client()
    there = {path.relative_to(assets.STATIC).as_posix() for path in assets.STATIC.rglob("*.*")}
    assert {name for name in there if not name.endswith(".br")} == set(assets.FILES) - set(assets.MADE), (
        "of each kind the type is known"
    )
    for name, file in assets.FILES.items():
        for taken, encoding in (("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0", None), ("", None)):
            answer = browser.get(f"/static/{name}", headers={"Accept-Encoding": taken})
            expected = None if name.endswith(".png") else encoding
            assert answer.headers.get("Content-Encoding") == expected, name
            assert UNPACK[expected](answer.data) == file.data, name
        assert name in assets.MADE or file.data == (ROOT / "static" / name).read_bytes(), name


def test_an_unchanged_file_is_not_sent_twice():
    browser = app.app.test_client()
    tags = set()
    for encoding in ("br", "gzip", ""):
        asked = {"Accept-Encoding": encoding}
        first = browser.get("/static/styles/party.css", headers=asked)
        assert first.headers["Cache-Control"] == "no-cache", "asked for anew each time"
        again = browser.get("/static/styles/party.css", headers={**asked, "If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        tags.add(first.headers["ETag"])
    assert len(tags) == 3, "what is not the same bytes has not the same name"


def test_an_address_with_a_version_always_means_the_same_bytes():
    browser = app.app.test_client()
    answer = browser.get(f"/{assets.ADDRESS}/styles/party.css")
    assert answer.headers["Cache-Control"] == "public, immutable, max-age=31536000"
    assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
    assert browser.get("/static/000000000000/styles/party.css").status_code == 404
    changed = {**assets.FILES, "styles/party.css": assets.File("styles/party.css", b"body { color: red }")}
    assert assets.version_of(changed) != assets.VERSION


def test_an_address_with_a_version_needs_no_tag():
    assert "ETag" not in app.app.test_client().get(f"/{assets.ADDRESS}/styles/party.css").headers


def without_a_version(route):
    """The page as a party of another version made it."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace(assets.VERSION, "0" * 12))


def test_a_page_whose_version_is_gone_is_fetched_again(phone):
    """As for who opened it just before a restart."""
    page = phone()
    page.route("**/", without_a_version, times=1)
    with page.expect_response(re.compile("/static/000000000000/page")) as script:
        page.goto("./#room=nowhere")
    assert script.value.headers["cache-control"] == "no-store"
    expect(page.get_by_role("dialog").get_by_text("There is no such room.")).to_be_visible()
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


def test_the_page_names_every_file_with_its_version():
    page = browser_of("asha").get("/").text + app.app.test_client().get("/sign-in").text
    named = re.findall(r'"(static/[^"]+)"', page)
    assert len(named) > 8 and all(name.startswith(assets.ADDRESS + "/") for name in named), named


def test_the_pages_modules_come_as_one():
    modules = {
        "main.js": "import { on,\n  off } from './parts/lamp.js';\n/** Why. */\n\nconst main = on(); // here\n",
        "parts/lamp.js": "import { main } from '../main.js';\n// How.\n"
        "export const on = () =>\n  'http://on';\nexport const off = `1`;\n",
    }
    files = {name: assets.File(name, source.encode()) for name, source in modules.items()}
    one = assets.together("main.js", files)
    assert one == "const on = () =>\n'http://on';\nconst off = `1`;\nconst main = on();\n"
    for bad in ("const off = 2;\n", "export default 3;\n", "import * as all from './parts/lamp.js';\n", "`\n  a`;\n"):
        files["main.js"] = assets.File("main.js", (modules["main.js"] + bad).encode())
        with pytest.raises(ValueError, match="same name|nobody expects|several lines"):
            assets.together("main.js", files)


def test_nothing_of_a_cdn_is_preloaded():
    """Where it cannot be reached, Firefox would never run the module, also when it is imported again."""
    page = browser_of("asha").get("/").text
    assert settings.ASSETS == "cdn" and "cdn.jsdelivr.net" in page
    assert re.findall(r'rel="(?:modulepreload|preload|prefetch)" href="(?!static/)[^"]+"', page) == []


def test_the_libraries_are_compressed_before_the_server_starts(tmp_path, monkeypatch):
    """Else the first visitor would stop everybody for the time that Vue takes."""
    monkeypatch.setattr(assets, "VENDOR", tmp_path)
    for library in assets.LIBRARIES:
        (tmp_path / library.file).write_bytes(library.file.encode())
    assets.compress()
    monkeypatch.delattr(assets, "compressed")
    theirs = [assets.File(f"vendor/{library.file}", library.file.encode()) for library in assets.LIBRARIES]
    for file in (*theirs, *(assets.File(name, made.data) for name, made in assets.MADE.items())):
        assert brotli.decompress(file.encoded("br")) == file.data


def test_what_each_visit_takes_is_compressed_when_the_door_opens(monkeypatch):
    """Also where nobody has run `python -m runtime.assets` since the files changed."""
    monkeypatch.setattr(assets, "FILES", {name: assets.File(name, file.data) for name, file in assets.FILES.items()})
    assets.prepare()
    monkeypatch.delattr(assets, "compressed")
    browser = browser_of("asha")
    needed = set(re.findall(rf'"{assets.ADDRESS}/([^"]+)"', browser.get("/").text.replace("&#34;", '"')))
    needed |= {library["own"].removeprefix(assets.ADDRESS + "/") for library in assets.for_page(use_cdn=False)}
    assert len({name for name in needed if name.endswith((".js", ".css"))}) == 4
    for name in needed:
        for encoding in ("br", "gzip"):
            answer = browser.get(f"/{assets.ADDRESS}/{name}", headers={"Accept-Encoding": encoding})
            assert answer.status_code == 200, name


def test_a_compressed_copy_of_other_bytes_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "VENDOR", tmp_path)
    for left_behind in (brotli.compress(b"old"), b"not brotli"):
        (tmp_path / "vue.js.br").write_bytes(left_behind)
        assert brotli.decompress(assets.File("vue.js", b"new").encoded("br")) == b"new"
    (tmp_path / "vue.js.br").write_bytes(beforehand := brotli.compress(b"new", quality=0))
    assert assets.File("vue.js", b"new").encoded("br") == beforehand


def test_the_length_of_a_compressed_page_says_nothing_of_its_token():
    """The same token never stands in two pages, so there is nothing to guess letter by letter; each opens the form."""
    browser = app.app.test_client()
    tokens = [form_token(browser.get("/sign-in").text) for _ in range(20)]
    for start in range(0, len(tokens[0]), 8):
        assert len({token[start : start + 8] for token in tokens}) == 20
    for token in tokens[:3]:
        form = {"name": "asha", "password": "wrong", "token": token}
        assert browser.post("/sign-in", data=form).status_code == 401, "the form is taken, the password is not"
    for forged in ("", "0" * len(tokens[0]), "x" * len(tokens[0]), tokens[0][:-2], tokens[0] + "00", tokens[0].upper()):
        assert browser.post("/sign-in", data={**form, "token": forged}).status_code == 400, forged
    other = app.app.test_client()
    assert other.post("/sign-in", data=form).status_code == 400, "somebody else's token"


def test_pages_are_sent_compressed_and_say_so():
    browser = browser_of("asha")
    plain = browser.get("/")
    for encoding in ("br", "gzip"):
        answer = browser.get("/", headers={"Accept-Encoding": encoding})
        assert answer.headers["Content-Encoding"] == encoding
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert int(answer.headers["Content-Length"]) == len(answer.data) < len(plain.data) / 2
        assert "</html>" in UNPACK[encoding](answer.data).decode()
