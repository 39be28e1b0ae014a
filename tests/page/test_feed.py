"""What was said, as the page shows it."""

import re
import statistics

import pytest
from person import seat
from playwright.sync_api import expect
from servers import running_server
from visitor import PHONE, Cable


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


def test_a_reply_shows_what_it_answers_to_and_leads_there(discussion):
    long = discussion.says(discussion.bilal, "A long story. " * 40)
    discussion.fill(30)
    discussion.says(discussion.chen, "Is that true?", reply=long["seq"])
    asha = discussion.enter("asha", speaks=False)
    quote = asha.message("Is that true?").get_by_role("button", name="In reply to bilal A long story.")
    expect(quote).to_be_in_viewport()
    lines = "text => text.clientHeight / parseFloat(getComputedStyle(text).lineHeight)"
    assert round(quote.locator(".quote__text").evaluate(lines)) == 2, "two lines of it are enough"
    original = asha.feed.get_by_role("listitem").first
    expect(original).not_to_be_in_viewport()
    quote.click()
    expect(original).to_be_in_viewport()


def test_a_reply_leads_to_what_is_not_loaded_yet_and_there_is_a_way_back(discussion):
    discussion.fill(900)
    discussion.says(discussion.bilal, "As was said", reply=3)
    asha = discussion.enter("asha")
    quote = asha.message("As was said").get_by_role("button", name="In reply to")
    expect(quote).to_have_text(re.compile("An earlier message"))
    quote.click()
    original = asha.message(re.compile(r"Message 3\."))
    expect(original).to_be_in_viewport()
    expect(original).to_have_class(re.compile("message--marked"))
    expect(original).to_be_focused()
    assert asha.feed.get_by_role("listitem").count() < 400, "a phone renders no thousands of messages"
    discussion.says(discussion.chen, "While you were away")
    expect(original).to_be_in_viewport()
    expect(original).not_to_have_class(re.compile("message--marked"))
    asha.feed.evaluate("log => (log.scrollTop = log.scrollHeight)")
    expect(asha.message("Message 303.")).to_have_count(1)  # what comes after is there on the way down
    asha.room.get_by_role("button", name="↓ 1 new").click()
    expect(asha.message("While you were away")).to_be_in_viewport()
    expect(asha.message("As was said")).to_contain_text("Message 3.")
    expect(asha.room.get_by_role("button", name=re.compile("↓"))).to_have_count(0)


@pytest.mark.parametrize("motion, moves", [("reduce", False), ("no-preference", True)])
def test_the_mark_moves_only_for_those_who_like_motion(discussion, motion, moves):
    discussion.says(discussion.bilal, "Look here")
    asha = discussion.enter("asha", speaks=False, reduced_motion=motion)
    bubble = asha.message("Look here").locator(".message__bubble")
    duration = bubble.evaluate("bubble => getComputedStyle(bubble).transitionDuration")
    assert (duration != "0s") is moves


def test_replying_with_a_mouse(discussion):
    asked = discussion.says(discussion.chen, "Who comes along?")
    asha = discussion.enter("asha")
    expect(asha.feed.get_by_role("button", name="Reply", exact=True)).to_have_count(0)
    asha.message("Who comes along?").hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    expect(asha.writing).to_be_focused()
    asha.say("I do")
    assert discussion.chen.hears("message", lambda message: message["text"] == "I do")["reply"] == asked["seq"]
    expect(asha.message("I do")).to_contain_text("Who comes along?")


def test_replying_with_a_keyboard(discussion):
    first, _ = (discussion.says(discussion.chen, text) for text in ("First", "Second"))
    asha = discussion.enter("asha")
    asha.feed.focus()
    for key in ("Tab", "ArrowUp", "Tab"):
        asha.page.keyboard.press(key)
    expect(asha.message("First").get_by_role("button", name="Reply", exact=True)).to_be_focused()
    asha.page.keyboard.press("Enter")
    expect(asha.writing).to_be_focused()
    asha.page.keyboard.type("To the first")
    asha.page.keyboard.press("Enter")
    said = discussion.chen.hears("message", lambda message: message["text"] == "To the first")
    assert said["reply"] == first["seq"]


def test_replying_with_a_thumb(discussion):
    asked = discussion.says(discussion.chen, "Who comes along?")
    asha = discussion.enter("asha", **PHONE)
    asha.message("Who comes along?").get_by_text("Who comes along?").tap()
    reply = asha.feed.get_by_role("button", name="Reply", exact=True)
    box = reply.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    reply.tap()
    asha.writing.fill("I do")
    asha.room.get_by_role("button", name="Send").tap()
    assert discussion.chen.hears("message", lambda message: message["text"] == "I do")["reply"] == asked["seq"]


def test_a_second_tap_and_a_tap_elsewhere_put_the_actions_away(discussion):
    for text in ("First", "Second"):
        discussion.says(discussion.chen, text)
    asha = discussion.enter("asha", **PHONE)
    first, second = (asha.message(text).get_by_text(text) for text in ("First", "Second"))
    first.tap()
    expect(asha.message("First").get_by_role("button", name="Reply", exact=True)).to_be_visible()
    second.tap()
    expect(asha.message("Second").get_by_role("button", name="Reply", exact=True)).to_be_visible()
    expect(asha.feed.get_by_role("button", name="Reply", exact=True)).to_have_count(1)
    second.tap()
    expect(asha.feed.get_by_role("button", name="Reply", exact=True)).to_have_count(0)


def test_a_watcher_is_offered_no_reply(discussion):
    discussion.says(discussion.chen, "Look, but do not touch")
    asha = discussion.enter("asha", speaks=False)
    asha.message("Look, but").hover()
    asha.feed.focus()
    asha.page.keyboard.press("Tab")
    assert not asha.feed.evaluate("log => log.contains(document.activeElement)")
    expect(asha.feed.get_by_role("button")).to_have_count(0)


def test_words_are_taken_back_for_everybody_and_come_back_to_their_author(discussion):
    asha, dana = discussion.enter("asha"), discussion.enter("dana", speaks=False)
    for text in ("Earlier", "Wrong window"):
        asha.say(text)
    expect(dana.message("Wrong window")).to_be_visible()
    said = discussion.chen.hears("message", lambda message: message["text"] == "Wrong window")
    discussion.says(discussion.chen, "What do you mean?", reply=said["seq"])
    expect(dana.message("What do you mean?")).to_contain_text("Wrong window")
    asha.message("Earlier").hover()
    expect(asha.feed.get_by_role("button", name="Reply", exact=True)).to_be_visible()
    expect(asha.feed.get_by_role("button", name="Take back")).to_have_count(0)
    asha.feed.get_by_role("listitem").nth(1).hover()
    asha.feed.get_by_role("button", name="Take back").click()
    for visitor in (asha, dana):
        expect(visitor.feed.get_by_role("listitem").nth(1)).to_contain_text("taken back")
        expect(visitor.message("What do you mean?")).to_contain_text("taken back")
        expect(visitor.feed).not_to_contain_text("Wrong window")
    expect(asha.writing).to_have_value("Wrong window")
    expect(asha.writing).to_be_focused()
    asha.feed.get_by_role("listitem").nth(1).hover()
    expect(asha.feed.get_by_role("button", name="Reply", exact=True)).to_have_count(0)


def test_words_that_come_back_disturb_no_others(discussion):
    asha = discussion.enter("asha")
    asha.say("Wrong window")
    asha.message("Wrong window").filter(has_text="sent").hover()
    asha.writing.fill("Something better")
    asha.message("Wrong window").hover()
    asha.feed.get_by_role("button", name="Take back").click()
    expect(asha.feed).to_contain_text("taken back")
    expect(asha.writing).to_have_value("Something better")


def test_words_can_be_taken_back_for_two_minutes(discussion):
    asha = discussion.signed_in("asha")
    asha.page.clock.install()
    seat_asha = discussion.server.person("asha")
    seat(discussion.bilal, seat_asha, discussion.room)
    asha.page.goto(f"./#room={discussion.room}")
    asha.say("For a while")
    asha.message("For a while").hover()
    take_back = asha.feed.get_by_role("button", name="Take back")
    asha.page.clock.fast_forward(110_000)
    expect(take_back).to_be_visible()

    def is_gone():
        # Not once: each news of the lobby sets the page's clock by the server's again.
        asha.page.clock.fast_forward(121_000)
        return take_back.count() == 0

    assert any(is_gone() for _ in range(20))
    seat_asha.line.hang_up()


def test_what_was_taken_back_in_a_tunnel_is_gone_after_it(discussion):
    cable = Cable(discussion.server.port)
    asha = discussion.enter("asha", speaks=False, address=cable.address)
    said = discussion.says(discussion.chen, "Forget this")
    expect(asha.message("Forget this")).to_be_visible()
    cable.cut()
    assert discussion.chen.ask("take_back", {"room": discussion.room, "seq": said["seq"]})["ok"]
    cable.mend()
    expect(asha.feed.get_by_role("listitem")).to_contain_text("taken back", timeout=10_000)
    expect(asha.feed).not_to_contain_text("Forget this")
    cable.close()


def test_a_mention_stands_out_and_ones_own_more(discussion):
    text = "@bilal and @ASHA, see https://tea.example/@asha or write to me@asha.example <b>@chen</b>"
    discussion.says(discussion.chen, text)
    asha = discussion.enter("asha", speaks=False)
    message = asha.message("see")
    expect(message.get_by_role("strong")).to_have_text(["@bilal", "@ASHA", "@chen"])
    expect(message.locator(".mention--me")).to_have_text("@ASHA")
    expect(message.get_by_role("link")).to_have_attribute("href", "https://tea.example/@asha")
    expect(message).to_contain_text("<b>@chen</b>")


MENTIONS = {
    "@asha": True,
    "Thanks, @Asha!": True,
    "(@asha)": True,
    "@asha's tea, @asha.": True,
    "tea,@asha": True,
    "مرحبا @asha": True,
    "asha": False,
    "@ashanti": False,
    "@asha1": False,
    "@asha-marie": False,
    "me@asha": False,
    "me@asha.example": False,
    "@asha.example": False,
    "@asha@server.example": False,
    "https://tea.example/@asha": False,
    "tea.example/@asha": False,
    "@@asha": False,
}


def test_a_mention_is_a_whole_name_and_no_address(discussion):
    asha = discussion.enter("asha", speaks=False)
    found = asha.page.evaluate(
        """async texts => {
            const { mentions } = await import('./static/components/mentions.js');
            return Object.fromEntries(texts.map(text => [text, mentions(text, 'asha')]));
        }""",
        list(MENTIONS),
    )
    assert found == MENTIONS


def test_a_new_message_is_followed_by_those_near_the_end_alone(discussion):
    discussion.fill(60)
    asha = discussion.enter("asha", speaks=False)
    expect(asha.message("Message 60.")).to_be_in_viewport()
    scroll_to = "(log, fromEnd) => { log.scrollTop = log.scrollHeight - log.clientHeight - fromEnd; }"
    asha.feed.evaluate(scroll_to, 60)
    discussion.says(discussion.chen, "Near")
    expect(asha.message("Near")).to_be_in_viewport()
    asha.feed.evaluate(scroll_to, 120)
    expect(asha.room.get_by_role("button", name="↓ Newest")).to_be_visible()
    place = asha.message("Message 58.").bounding_box()
    for text in ("Far", "Farther"):
        discussion.says(discussion.chen, text)
    expect(asha.room.get_by_role("button", name="↓ 2 new")).to_be_visible()
    assert asha.message("Message 58.").bounding_box() == place


def test_the_newest_message_stays_in_sight_when_a_keyboard_opens(discussion):
    discussion.fill(40)
    asha = discussion.enter("asha", **PHONE)
    expect(asha.message("Message 40.")).to_be_in_viewport()
    asha.page.set_viewport_size({"width": 390, "height": 500})
    expect(asha.message("Message 40.")).to_be_in_viewport(ratio=1)
    expect(asha.writing).to_be_in_viewport(ratio=1)


def test_the_newest_message_stays_in_sight_when_the_feed_shrinks_while_it_scrolls(discussion):
    """A scroll event that was on its way then sees the end far away, though nobody scrolled."""
    discussion.fill(40)
    asha = discussion.enter("asha", speaks=False)
    expect(asha.message("Message 40.")).to_be_in_viewport()
    asha.feed.evaluate("log => { log.style.blockSize = '200px'; log.dispatchEvent(new Event('scroll')); }")
    asha.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    log, last = asha.feed.bounding_box(), asha.message("Message 40.").bounding_box()
    assert last["y"] + last["height"] <= log["y"] + log["height"]


def test_a_screen_reader_hears_each_new_message_once_and_nothing_else(discussion):
    discussion.fill(450)
    asha = discussion.signed_in("asha")
    asha.page.add_init_script("""
        globalThis.heard = [];
        new MutationObserver(changes => {
            for (const { addedNodes } of changes) for (const node of addedNodes) {
                const live = (node.nodeType === 1 ? node : node.parentElement)?.closest('[role=log], [aria-live]');
                if (live && node.textContent.trim()) heard.push(node.textContent.trim());
            }
        }).observe(document, { childList: true, subtree: true });
    """)
    seat_asha = discussion.server.person("asha")
    seat(discussion.bilal, seat_asha, discussion.room)
    asha.page.goto(f"./#room={discussion.room}")
    expect(asha.message("Message 450.")).to_be_in_viewport()
    asha.feed.evaluate("log => (log.scrollTop = 0)")
    asha.room.get_by_role("button", name="Earlier messages").click()
    expect(asha.message("Message 60.")).to_have_count(1)
    asha.say("My own")
    expect(asha.message("My own")).to_contain_text("sent")
    for text in ("New", "Newer"):
        discussion.says(discussion.chen, text)
    expect(asha.message("Newer")).to_be_visible()
    assert asha.page.evaluate("heard") == ["chen: New", "chen: Newer"]
    seat_asha.line.hang_up()


def test_a_link_leads_only_to_pages_and_says_nothing_of_where_from(discussion):
    text = "http://tea.example/a, (https://tea.example/b). ftp://tea.example/c javascript:alert(1) tea.example"
    discussion.says(discussion.chen, text)
    asha = discussion.enter("asha", speaks=False)
    links = asha.message("ftp").get_by_role("link")
    expect(links).to_have_text(["http://tea.example/a", "https://tea.example/b"])
    for link in links.all():
        assert set(link.get_attribute("rel").split()) == {"noopener", "noreferrer", "nofollow", "ugc"}


def test_text_runs_in_its_own_direction_and_a_time_can_be_read_by_machines(discussion):
    said = discussion.says(discussion.chen, "مرحبا بالعالم")
    discussion.says(discussion.bilal, "Hello", reply=said["seq"])
    asha = discussion.enter("asha", speaks=False)
    direction = "it => getComputedStyle(it).direction"
    message = asha.feed.get_by_role("listitem").first
    assert message.locator(".message__text").evaluate(direction) == "rtl"
    assert asha.message("Hello").locator(".message__text").evaluate(direction) == "ltr"
    assert asha.message("Hello").locator(".quote__text").evaluate(direction) == "rtl"
    assert message.locator("bdi").inner_text() == "chen"
    at = message.locator("time").evaluate("time => Date.parse(time.dateTime)")
    assert at == said["at"]
    shown = asha.page.evaluate("at => new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' }).format(at)", at)
    expect(message.locator("time")).to_have_text(shown)


@pytest.mark.parametrize("width, size", [(320, "100%"), (390, "200%")])
def test_nothing_in_the_room_scrolls_sideways(discussion, width, size):
    said = discussion.says(discussion.chen, "w" * 300 + " @asha https://tea.example/" + "long" * 60)
    discussion.says(discussion.bilal, "w" * 100, reply=said["seq"])
    asha = discussion.enter("asha", viewport={"width": width, "height": 1200})
    asha.page.evaluate("size => (document.documentElement.style.fontSize = size)", size)
    asha.message("@asha").first.hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    asha.writing.press_sequentially("@b")
    expect(asha.room.get_by_role("option")).to_be_visible()
    sticking_out = """() => [...document.querySelectorAll('html, .room, .room :not(.visually-hidden)')]
        .filter(it => !['visible', 'clip'].includes(getComputedStyle(it).overflowX))
        .filter(it => it.scrollWidth > it.clientWidth + 1)
        .map(it => `${it.className} ${it.scrollWidth} > ${it.clientWidth}`)"""
    assert asha.page.evaluate(sticking_out) == []
    for part in (asha.writing, asha.room.get_by_role("button", name="Send"), asha.room.get_by_role("option")):
        box = part.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def cpu_of(page, act):
    """How long the page's main thread works during `act`, in milliseconds: the same on a busy machine."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked():
        metrics = {metric["name"]: metric["value"] for metric in devtools.send("Performance.getMetrics")["metrics"]}
        return metrics["TaskDuration"] * 1000

    before = worked()
    act()
    return worked() - before


SLOW_PHONE = 4  # times slower than a machine that runs tests


def test_writing_and_reading_stay_quick_in_a_room_of_five_thousand_messages(discussion):
    discussion.fill(4_999)
    discussion.says(discussion.bilal, "In reply", reply=1)
    asha = discussion.enter("asha")
    asha.message("In reply").get_by_role("button").click()
    expect(asha.message(re.compile(r"Message 1\."))).to_be_in_viewport(timeout=20_000)  # now the page holds them all
    asha.room.get_by_role("button", name="↓ Newest").click()
    asha.page.bring_to_front()

    def write():
        for key in "Thequickbrownfoxjumps":
            asha.page.keyboard.press(key)

    asha.writing.focus()
    assert cpu_of(asha.page, write) / 21 * SLOW_PHONE < 50

    def listen():
        for n in range(10):
            discussion.says(discussion.chen, f"Aside {n}.")
            asha.page.evaluate("new Promise(requestAnimationFrame)")

    assert cpu_of(asha.page, listen) / 10 * SLOW_PHONE < 200
    expect(asha.message("Aside 9.")).to_be_in_viewport()


@pytest.mark.alone
def test_the_end_of_a_long_feed_is_there_at_once(discussion):
    discussion.fill(2_000)
    asha = discussion.signed_in("asha")
    asha.page.goto("./")
    asha.card(discussion.topic).get_by_role("button", name="Watch").wait_for()
    took = []
    for _ in range(5):
        took.append(
            asha.page.evaluate(
                """topic => new Promise(done => {
                    const card = [...document.querySelectorAll('article')].find(card => card.innerText.includes(topic));
                    const start = performance.now();
                    [...card.querySelectorAll('button')].find(button => button.innerText === 'Watch').click();
                    (function look() {
                        const last = [...document.querySelectorAll('.message__text')].at(-1);
                        const isLast = last?.innerText === 'Message 2000.';
                        const isThere = isLast && last.getBoundingClientRect().bottom < innerHeight;
                        requestAnimationFrame(isThere ? () => done(performance.now() - start) : look);
                    })();
                })""",
                discussion.topic,
            )
        )
        asha.leave()
    assert statistics.median(took) < 300, took
