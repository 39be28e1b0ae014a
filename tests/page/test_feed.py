"""What was said, as the page shows it."""

import re

from playwright.sync_api import expect
from servers import running_server


def test_a_long_feed_keeps_its_place(visit):
    with running_server() as server:  # without a pace
        asha = visit("asha", server.address).sign_in()
        bilal = server.person("bilal")
        room = bilal.host("Long")
        for n in range(1, 261):
            bilal.message(room, f"Message {n}.")
        asha.watch("Long")
        expect(asha.message("Message 260.")).to_be_in_viewport()
        asha.feed.evaluate("log => (log.scrollTop = 0)")
        first = asha.message("Message 61.")
        expect(first).to_be_in_viewport()
        asha.room.get_by_role("button", name="Earlier messages").click()
        expect(asha.message("Message 1.")).to_have_count(1)
        expect(first).to_be_in_viewport()
        bilal.message(room, "While you read")
        asha.room.get_by_role("button", name="↓ 1 new").click()
        expect(asha.message("While you read")).to_be_in_viewport()
        expect(asha.room.get_by_role("button", name=re.compile("new|Newest"))).to_have_count(0)


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ constructor.constructor('alert(1)')() }}",
    'javascript:alert(1) https://example.org/" onmouseover="alert(1)',
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1)) data:text/html,<script>alert(1)</script>",
]


def test_what_people_write_stays_text(asha, bilal):
    asha.page.evaluate("addEventListener('securitypolicyviolation', () => console.error('policy violation'))")
    asha.host(HOSTILE[0] + HOSTILE[2])
    topic = HOSTILE[0] + HOSTILE[2]
    expect(bilal.card(topic)).to_be_visible()
    bilal.watch(topic)
    bilal.ask(HOSTILE[1])
    expect(asha.room.get_by_text(HOSTILE[1])).to_be_visible()
    for text in HOSTILE:
        asha.say(text)
        expect(bilal.message(text)).to_have_count(1)
    links = bilal.feed.get_by_role("link")
    assert all(href.startswith("https://example.org/") for href in links.evaluate_all("all => all.map(a => a.href)"))
    asha.close_room()
