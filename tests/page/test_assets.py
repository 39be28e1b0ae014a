"""What the page is made of: its modules and styles, and Vue and Socket.IO from the CDN, else the server's own copy."""

import pytest
from playwright.sync_api import expect
from servers import ROOT, running_server
from visitor import VENDOR, seat


def own_copy(route):
    name = route.request.url.rsplit("/", 1)[1]
    headers = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
    return (VENDOR / name).read_bytes(), headers


def give(route):
    body, headers = own_copy(route)
    route.fulfill(body=body, headers=headers)


def tamper(route):
    body, headers = own_copy(route)
    route.fulfill(body=body + b"\nalert('tampered')", headers=headers)


CDN = {
    "fine": give,
    "refused": lambda route: route.abort("connectionrefused"),
    "failing": lambda route: route.fulfill(status=500),
    "tampered": tamper,
    "hanging": lambda route: None,
}


# Measured by the page itself: a test sees it later.
LIVE = """
  (function look() {
    if (document.querySelector('#party h1')) window.live = performance.now();
    else requestAnimationFrame(look);
  })();
"""


@pytest.mark.alone
@pytest.mark.parametrize("cdn", CDN)
def test_the_page_is_live_soon_whatever_the_cdn_does(visit, cdn):
    dana = visit("dana").sign_in()
    dana.context.route("https://cdn.jsdelivr.net/**", CDN[cdn])
    fetched = []
    dana.page.on("request", lambda request: fetched.append(request.url))
    dana.page.evaluate("sessionStorage.clear()")
    dana.page.add_init_script(LIVE)
    dana.page.goto("./", wait_until="domcontentloaded")
    live = dana.page.get_by_role("button", name="Host a room")
    dana.page.wait_for_function("window.live")
    took = dana.page.evaluate("live")
    assert took < (2_500 if cdn == "hanging" else 2_000)
    own = [url for url in fetched if "/vendor/" in url]
    assert bool(own) is (cdn != "fine"), fetched
    # What failed once is not waited for again in this session.
    fetched.clear()
    dana.page.reload()
    expect(live).to_be_visible(timeout=1_500)
    assert any("cdn.jsdelivr.net" in url for url in fetched) is (cdn == "fine"), fetched
    dana.trouble[:] = [trouble for trouble in dana.trouble if "integrity" not in trouble]


def test_local_assets_ask_no_cdn(visit):
    with running_server(PARTY_ASSETS="local") as server:
        asha = visit("asha", server.address)
        fetched = []
        asha.page.on("request", lambda request: fetched.append(request.url))
        asha.sign_in()
        expect(asha.page.get_by_role("heading", name="It is quiet here")).to_be_visible()
        assert all(url.startswith(server.address) for url in fetched), fetched


def test_during_development_vue_warns_of_nothing_and_a_mistake_names_its_component_file_and_line(visit):
    """As somebody sees it who works on the page: the whole of Vue warns of a wrong prop, name or event."""
    with running_server(PARTY_DEV="yes") as server:
        asha, bilal = (visit(name, server.address).sign_in() for name in ("asha", "bilal"))
        asha.host("Tea")
        for item in ("Invite", "More"):
            asha.room.get_by_role("button", name=item, exact=True).click()
            expect(asha.page.get_by_role("dialog")).to_be_visible()
            asha.page.keyboard.press("Escape")
        seat(asha, bilal, "Tea")
        bilal.say("With @asha")
        asha.message("With @asha").hover()
        asha.message("With @asha").get_by_role("button", name="Reply").click()
        asha.say("Without")
        expect(bilal.message("Without")).to_be_visible()

        people, place = (ROOT / "static/people.js").read_text(), "async choose(name) {\n"
        line = people[: people.index(place)].count("\n") + 2
        spoilt = people.replace(place, f"{place}      spoilt();\n")
        asha.page.route("**/people.js", lambda route: route.fulfill(body=spoilt, content_type="text/javascript"))
        asha.page.reload()
        expect(asha.message("Without")).to_be_visible()
        assert asha.trouble == []
        with asha.page.expect_event("pageerror") as error:
            asha.room.get_by_role("button", name="More about bilal").click()
        assert f"/static/people.js:{line}:" in error.value.stack
        assert "[Vue warn]: Unhandled error" in asha.trouble[0] and "<RoomPeople " in asha.trouble[0]
        asha.trouble.clear()
        asha.page.unroute("**/people.js")
        asha.page.reload()
        asha.close_room()
        bilal.leave()
        expect(bilal.page.get_by_role("region", name="Closed lately")).to_be_visible()
