"""The end of a discussion: what the page says of it, and the copy that can be saved."""

import re
from itertools import product

from discussion import Discussion
from markdown_it import MarkdownIt
from person import assert_ok
from playwright.sync_api import expect
from servers import running_server
from visitor import Cable

# A page takes what it lacks within five seconds of the end.
TAKES_AT_ONCE = "Math.random = () => 0"
TAKES_LATE = "Math.random = () => 1"


def downloaded(visitor):
    with visitor.page.expect_download() as download:
        visitor.room.get_by_role("button", name="Save a copy").click()
    return download.value


def numbers_in(text):
    return [int(number) for number in re.findall(r"Message (\d+)\.", text)]


def make_forgotten(discussion):
    """The party keeps sixteen closed rooms."""
    for _ in range(16):
        assert_ok(discussion.bilal.close(discussion.bilal.host("Another")))


def test_the_end_says_what_happened_and_until_when_it_can_be_read(discussion):
    asha, dana = discussion.enter("asha"), discussion.enter("dana", speaks=False)
    asha.say("I speak too")
    expect(dana.message("I speak too")).to_be_visible()
    discussion.says(discussion.bilal, "Good night")
    asha.writing.fill("Half a thought")
    assert_ok(discussion.bilal.close(discussion.room))
    for visitor in (asha, dana):
        ending = visitor.room.locator(".ending")
        expect(ending.get_by_role("status")).to_have_text("bilal closed the room. 1 minute, 2 messages, 2 voices")
        gone_at = discussion.bilal.hears("room", lambda view: view["gone_at"])["gone_at"]
        time_format = "new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' })"
        shown = visitor.page.evaluate(f"at => {time_format}.format(at)", gone_at)
        expect(ending).to_contain_text(f"Readable until {shown}")
        expect(visitor.writing).to_have_count(0)
        expect(visitor.room.get_by_role("button", name="More", exact=True)).to_have_count(0)
        visitor.message("I speak too").hover()
        expect(visitor.feed.get_by_role("button")).to_have_count(0)
    expect(asha.room.get_by_label("You were writing")).to_have_value("Half a thought")
    expect(asha.room.locator(".ending__reason")).to_be_focused()  # where one wrote is gone
    asha.page.reload()
    expect(asha.room.locator(".ending")).to_contain_text("2 messages")


def test_who_loses_the_network_in_the_closing_round_has_all_that_its_end_takes(discussion):
    asha = discussion.enter("asha", speaks=False)
    asha.page.add_init_script(TAKES_AT_ONCE)
    asha.page.clock.install()
    asha.page.reload()
    asha.room.get_by_role("button", name="Ask to speak").wait_for()
    fetched = asha.page.expect_request_finished
    with fetched(lambda request: request.url.endswith("ending.js")), fetched(lambda it: it.url.endswith("ending.css")):
        asha.page.clock.fast_forward("28:00")
    asha.page.route(re.compile(r"ending\."), lambda route: route.abort())
    assert_ok(discussion.bilal.close(discussion.room))
    expect(asha.room.locator(".ending")).to_contain_text("bilal closed the room.")


def test_a_closed_room_is_carried_on_with_its_topic_by_those_who_are_there(discussion):
    bilal, asha, dana = discussion.signed_in("bilal"), discussion.enter("asha"), discussion.enter("dana", speaks=False)
    bilal.page.goto(f"./#room={discussion.room}")
    bilal.close_room()
    bilal.room.get_by_role("button", name="Carry on in a new room").click()
    expect(bilal.sheet.get_by_role("textbox", name="Topic")).to_have_value(discussion.topic)
    bilal.sheet.get_by_role("button", name="Open the room").click()
    expect(bilal.writing).to_be_visible()
    expect(bilal.feed).not_to_contain_text("closed")
    for visitor in (asha, dana):
        expect(visitor.room.get_by_role("button", name="Carry on in a new room")).to_have_count(0)
        visitor.room.get_by_role("button", name="It goes on in a new room: go there").click()
        expect(visitor.room.get_by_role("heading", name=discussion.topic)).to_be_visible()
        assert visitor.page.url == bilal.page.url
    expect(dana.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    asha.say("Where were we?")  # with the seat that asha had
    for visitor in (bilal, dana):
        expect(visitor.sent("Where were we?")).to_be_visible()
    discussion.room = bilal.page.url.rpartition("=")[2]


def test_whoever_carries_on_after_somebody_else_comes_into_the_same_room(discussion):
    asha = discussion.enter("asha")
    closed = discussion.room
    assert_ok(discussion.bilal.close(closed))
    asha.room.get_by_role("button", name="Carry on in a new room").click()
    discussion.room = discussion.bilal.host("Tea, again", continues=closed)
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(asha.room.get_by_role("heading", name="Tea, again")).to_be_visible()
    expect(asha.writing).to_be_visible()
    assert asha.page.url.endswith(discussion.room)


def test_the_whole_discussion_can_be_taken_away(discussion):
    discussion.fill(450)
    said = discussion.says(discussion.chen, "What *about* <b>tea</b>?")
    discussion.says(discussion.bilal, "Yes\nplease", reply=said["seq"])
    gone = discussion.says(discussion.chen, "Oops")
    assert discussion.chen.ask("take_back", {"room": discussion.room, "seq": gone["seq"]})["ok"]
    asha = discussion.enter("asha", speaks=False)
    assert_ok(discussion.bilal.close(discussion.room))
    download = downloaded(asha)
    assert download.suggested_filename == f"{discussion.topic}.md"
    text = download.path().read_text()
    assert numbers_in(text) == list(range(1, 451))
    assert text.startswith(f"# {discussion.topic}\n\n")
    assert "bilal hosted. chen spoke." in text
    assert "What \\*about\\* \\<b\\>tea\\</b\\>?" in text
    assert "\n> chen: What \\*about\\* \\<b\\>tea\\</b\\>?\n\nYes\\\nplease\n" in text
    assert text.endswith("\n\n*taken back*\n")


ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\u0085", "\u2028", "\u2029"]
ROOM = {"topic": "# Tea ---", "host": "asha", "opened_at": 0}
STRUCTURES = [
    "# A heading",
    "A heading\n===",
    "A heading\n---",
    "- a list",
    "+ a list",
    "* a list",
    "1. a list",
    "1) a list",
    "> a quote",
    "    some code",
    "\tsome code",
    "```\nsome code\n```",
    "~~~\nsome code\n~~~",
    "Some `*code*`",
    "`` two `` and ` one",
    "`code with a \\` and a `` in it`",
    "*strong* __strong__ ~~gone~~",
    "[a link](https://evil.example)",
    "![a picture](https://evil.example/a.png)",
    "[a link]: https://evil.example",
    "<script>alert(1)</script>",
    "<!-- a comment -->",
    "&lt;b&gt;",
    "a | table\n--- | ---",
    "$x$",
    "***",
    "_ _ _",
    "two\n\nparagraphs",
    "a break  \nof a line\\",
    "www.evil.example",
    "\r# one\u2028# two\u0085# three",
    *(f"One{end}**bilal** 10:00{end}{end}I agree" for end in ENDS),
]


# What stands between backticks is code in the feed too.
CODE = {"*code*", "code with a \\"}


def test_nothing_that_people_wrote_becomes_markdown(discussion):
    """To a reader of Markdown there are our heading, names, quotes and breaks, and otherwise words and code."""
    asha = discussion.enter("asha", speaks=False)
    messages = [
        {"seq": seq, "user": user, "text": text, "at": 0, "reply": max(1, seq - 1)}
        for seq, (user, text) in enumerate(product(["_asha_", "<b>"], STRUCTURES), 1)
    ]
    markdown = asha.page.evaluate(
        """async ({ room, messages }) => {
            const { asMarkdown } = await import('./static/ending.js');
            return asMarkdown(room, messages);
        }""",
        {"room": ROOM, "messages": messages},
    )
    reader = MarkdownIt("gfm-like", {"linkify": False})
    tokens = reader.parse(markdown)
    ours = {"heading", "paragraph", "blockquote", "inline"}
    assert {token.type.removesuffix("_open").removesuffix("_close") for token in tokens} == ours
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1"]
    parts = [part for token in tokens for part in token.children or ()]
    kinds = {"text", "text_special", "code_inline", "hardbreak"}
    assert {part.type for part in parts} - {"strong_open", "strong_close", "link_open", "link_close"} <= kinds
    links = [part.attrs["href"] for part in parts if part.type == "link_open"]
    shown = [part.content for part in parts if part.type == "text"]
    assert all(link in shown for link in links), "a link says where it leads"
    strong = sum(part.type == "strong_open" for part in parts)
    assert strong == len(messages), "a name for each message, and no other"
    assert {part.content for part in parts if part.type == "code_inline"} == CODE, "as in the feed"


def test_the_whole_discussion_is_printed_and_nothing_else(discussion):
    discussion.fill(450)
    asha = discussion.enter("asha", speaks=False, color_scheme="dark")
    assert_ok(discussion.bilal.close(discussion.room))
    drawn = asha.page.evaluate_handle("""() => {
        const drawn = [];
        globalThis.print = () => {
            dispatchEvent(new Event('beforeprint'));
            drawn.push(document.querySelectorAll('.printed__message').length);
        };
        return drawn;
    }""")
    asha.room.get_by_role("button", name="Print").click()
    printed = asha.page.locator(".printed")
    expect(printed.locator(".printed__message")).to_have_count(450)
    assert drawn.json_value() == [450], "it must be there when the browser draws it"
    expect(printed).to_be_hidden()
    asha.page.emulate_media(media="print", color_scheme="dark")
    expect(printed).to_be_visible()
    expect(asha.room).to_be_hidden()
    expect(asha.page.get_by_role("heading", name=discussion.topic)).to_be_visible()
    looks = asha.page.evaluate("""() => {
        const style = selector => getComputedStyle(document.querySelector(selector));
        return [style('body').backgroundColor, style('body').color, style('.printed__message').breakInside];
    }""")
    assert looks == ["rgb(255, 255, 255)", "rgb(0, 0, 0)", "avoid"]
    pages = len(re.findall(rb"/Type\s*/Page\b", asha.page.pdf()))
    assert 10 < pages < 60, "all of it, and no screenful of nothing"
    asha.page.emulate_media(media="screen")
    asha.page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(printed).to_have_count(0)
    expect(asha.room).to_be_visible()


def test_the_page_keeps_the_last_copy(visit):
    short_lived = "import app; app.model.CLOSED_LIFE = 3_000; app.main()"
    with running_server(program=("-c", short_lived)) as server:
        discussion = Discussion(server, visit)
        discussion.fill(450)
        asha = discussion.enter("asha", speaks=False)
        asha.page.evaluate(TAKES_AT_ONCE)
        assert_ok(discussion.bilal.close(discussion.room))
        ending = asha.room.locator(".ending")
        expect(ending).to_contain_text("Readable until")
        expect(ending).to_contain_text("What stands here is the last copy.", timeout=10_000)
        expect(ending).not_to_contain_text("Readable until")
        expect(ending.get_by_role("button", name="Carry on in a new room")).to_have_count(0)
        assert "Message 1." in downloaded(asha).path().read_text(), "it was all taken before it went"
        expect(asha.room.get_by_role("status").filter(has_text="not")).to_have_count(0)


def test_what_is_not_whole_is_not_taken_away(discussion):
    discussion.fill(450)
    cable = Cable(discussion.server.port)
    asha = discussion.enter("asha", speaks=False, address=cable.address)
    asha.page.evaluate(TAKES_LATE)
    taken = asha.page.evaluate_handle(
        "() => { const taken = []; globalThis.print = () => taken.push('print'); return taken; }"
    )
    asha.page.on("download", lambda _: taken.evaluate("taken => taken.push('download')"))
    assert_ok(discussion.bilal.close(discussion.room))
    expect(asha.room.locator(".ending")).to_contain_text("450 messages")
    expect(asha.room.locator(".worth")).to_be_visible()  # all of the page has come
    cable.cut()
    for button in ("Save a copy", "Print"):
        asha.room.get_by_role("button", name=button).click()
    expect(asha.page.get_by_text("The party is not answering.").first).to_be_visible(timeout=10_000)
    assert taken.json_value() == []
    asha.page.evaluate(TAKES_AT_ONCE)
    cable.mend()
    expect(asha.room.locator(".ending")).to_contain_text("1 voice", timeout=15_000)  # it knows it all by now
    assert numbers_in(downloaded(asha).path().read_text()) == list(range(1, 451))
    cable.close()


def test_the_page_takes_everything_at_the_end_without_being_asked(discussion):
    """The party may forget the room before its time, and a person may print by the keyboard."""
    discussion.fill(450)
    asha = discussion.enter("asha", speaks=False)
    asha.page.evaluate(TAKES_AT_ONCE)
    assert_ok(discussion.bilal.close(discussion.room))
    expect(asha.room.locator(".ending")).to_contain_text("1 voice")
    asha.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(asha.page.locator(".printed__message")).to_have_count(450)
    expect(asha.page.locator(".printed")).not_to_contain_text("Only")


def test_a_part_says_that_it_is_one(discussion):
    discussion.fill(450)
    asha = discussion.enter("asha", speaks=False)
    asha.page.evaluate(TAKES_LATE)
    assert_ok(discussion.bilal.close(discussion.room))
    ending = asha.room.locator(".ending")
    expect(ending).to_contain_text("Readable until")
    make_forgotten(discussion)
    part = "Only 200 of the 450 messages are here."
    text = downloaded(asha).path().read_text()
    assert part in text
    assert numbers_in(text) == list(range(251, 451))
    expect(ending).to_contain_text(part)
    expect(ending).to_contain_text("This is gone from the party. What stands here is the last copy.")
    expect(ending).not_to_contain_text("Readable until")
    expect(ending).not_to_contain_text("voice")  # there may be others
    asha.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(asha.page.locator(".printed")).to_contain_text(part)


def test_the_address_of_a_download_outlives_the_click(discussion):
    """Safari reads it later."""
    discussion.says(discussion.bilal, "Hello")
    asha = discussion.enter("asha", speaks=False)
    assert_ok(discussion.bilal.close(discussion.room))
    expect(asha.room.locator(".ending")).to_be_visible()
    asha.page.evaluate("() => { globalThis.revoked = []; URL.revokeObjectURL = address => revoked.push(address); }")
    asha.page.clock.install()
    downloaded(asha)
    asha.page.clock.fast_forward(10_000)
    assert asha.page.evaluate("revoked") == []
    asha.page.clock.fast_forward(60_000)
    assert [address[:5] for address in asha.page.evaluate("revoked")] == ["blob:"], "nor is it kept for good"


FILE_NAMES = {
    "Tea: black/green\\white?": "Tea black green white.md",
    "../../.bashrc": "bashrc.md",
    "Report\u202efdp.exe": "Report fdp.exe.md",
    "One\ttab\x00\x7f": "One tab.md",
    "CON. ": "CON.md",
    "...": "Room.md",
    "Té 茶 👩\u200d🌾": "Té 茶 👩\u200d🌾.md",
    "茶" * 120: "茶" * 60 + ".md",
    "🌾" * 120: "🌾" * 60 + ".md",
}


def test_any_topic_makes_a_file_name_that_every_system_takes(discussion):
    asha = discussion.enter("asha", speaks=False)
    names = asha.page.evaluate(
        """async (topics) => {
            const { fileNameOf } = await import('./static/ending.js');
            return Object.fromEntries(topics.map((topic) => [topic, fileNameOf(topic)]));
        }""",
        list(FILE_NAMES),
    )
    assert names == FILE_NAMES
    assert max(len(name.encode()) for name in names.values()) <= 255
