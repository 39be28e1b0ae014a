"""What people tell the owner, and the owner's answer, there and back; and that nobody is asked twice."""

import json
import re

from discussion import Discussion
from person import assert_ok
from playwright.sync_api import expect
from visitor import PHONE

FIVE_MINUTES = 5 * 60_000


def close(discussion):
    assert_ok(discussion.bilal.close(discussion.room))


def sent(visitor):
    """What the page sends as `feedback` from now on, in order."""
    told = []

    def note(frame):
        if match := re.match(r'42\d+\["feedback",(.*)\]$', str(frame)):
            told.append(json.loads(match[1]))

    visitor.page.on("websocket", lambda socket: socket.on("framesent", note))
    return told


def give(visitor, answers=(), asks=False):
    """What the page is given when it asks what the owner answered; the list of what it asked."""
    asked = []
    given = {"answers": list(answers), "asks": asks}
    visitor.context.route("**/feedback", lambda route: (asked.append(route), route.fulfill(json=given)))
    return asked


def in_a_room_that_is_over(discussion):
    """Somebody with a page, and the list of what it sends as `feedback`."""
    asha = discussion.signed_in("asha")
    told = sent(asha)
    asha.page.goto(f"./#room={discussion.room}")
    expect(asha.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    close(discussion)
    expect(face(asha, "Yes")).to_be_visible()
    return asha, told


def answer(id, **more):
    return {
        "id": id,
        "about": "idea",
        "text": f"Idea {id}",
        "answer": f"Answer {id}",
        "at": 0,
        "answered_at": 0,
        **more,
    }


def wait_for_part(visitor):
    """Until this part has come, and shows what there is to show."""
    visitor.page.wait_for_function("document.querySelector('link[data-part=telling]').sheet")
    visitor.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def face(visitor, name):
    return visitor.room.get_by_role("button", name=name, exact=True)


def menu_button(visitor, answered=False):
    what = "choices, sign out, and an answer for you" if answered else "choices, and sign out"
    return visitor.page.get_by_role("button", name=f"{visitor.name}: {what}", exact=True)


def open_tell_us(visitor, answered=False):
    menu_button(visitor, answered).click()
    visitor.sheet.get_by_role("button", name="Tell us").click()
    expect(visitor.sheet.get_by_role("heading", name="Tell us")).to_be_visible()


def test_what_somebody_says_on_a_phone_comes_to_the_owner_at_a_desk_and_the_answer_back(logging_party, visit):
    discussion = Discussion(logging_party, visit)
    dana = discussion.enter("dana", speaks=False, **PHONE)
    close(discussion)
    face(dana, "Partly").click()
    dana.room.get_by_role("textbox", name="What made it so?").fill("Too many at once")
    dana.room.get_by_role("switch", name="May we talk to you?").check()
    dana.room.get_by_role("button", name="Send").click()
    expect(dana.room.get_by_role("status").filter(has_text="Thank you.")).to_be_focused()  # its button is gone

    owner = discussion.signed_in("asha")
    owner.page.goto("./")
    menu_button(owner).click()
    owner.sheet.get_by_role("link", name="Insights").click()
    said = owner.page.get_by_role("listitem").filter(has_text="Too many at once")
    while not said.count():
        owner.page.wait_for_timeout(100)  # the service reads the log every half second
        owner.page.reload()
    expect(said).to_contain_text("dana")
    said.get_by_role("textbox").fill("Six seats, from Monday on?")
    said.get_by_role("button", name="Answer").click()
    expect(owner.page.get_by_text("Six seats, from Monday on?")).to_have_count(1)

    dana.page.goto("./")
    open_tell_us(dana, answered=True)
    expect(dana.sheet.get_by_text("The owner has answered")).to_be_visible()
    expect(dana.sheet.get_by_text("Too many at once")).to_be_visible()
    expect(dana.sheet.get_by_text("Six seats, from Monday on?")).to_be_visible()
    dana.page.keyboard.press("Escape")
    expect(menu_button(dana)).to_be_focused()
    dana.page.reload()
    open_tell_us(dana)
    expect(dana.sheet.get_by_text("The owner has answered")).to_have_count(0)
    dana.sheet.get_by_text("Earlier answers").click()
    expect(dana.sheet.get_by_text("Six seats, from Monday on?")).to_be_visible()


def test_one_tap_is_enough_and_nobody_is_asked_again_of_the_same_room(discussion):
    asha = discussion.signed_in("asha")
    told = sent(asha)
    give(asha)
    asha.page.goto(f"./#room={discussion.room}")
    expect(asha.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(asha.room.get_by_text("Was it worth your time?")).to_have_count(0)
    close(discussion)
    face(asha, "Yes").click()
    expect(face(asha, "Yes")).to_have_attribute("aria-pressed", "true")
    expect(asha.room.get_by_role("button", name="That is all")).to_be_enabled()
    face(asha, "No").click()
    expect(face(asha, "Yes")).to_have_attribute("aria-pressed", "false")
    expect(asha.room.get_by_role("button", name="That is all")).to_be_enabled()
    assert [(one["about"], one["room"], one["choice"], one["talk"]) for one in told] == [
        ("room", discussion.room, "yes", False),
        ("room", discussion.room, "no", False),
    ]
    asha.room.get_by_role("button", name="That is all").click()
    expect(face(asha, "No")).to_have_count(0)
    asha.page.reload()
    wait_for_part(asha)
    expect(face(asha, "No")).to_have_count(0)


def test_of_two_taps_at_once_the_first_counts(discussion):
    asha, told = in_a_room_that_is_over(discussion)
    expect(face(asha, "Yes")).to_be_visible()
    asha.page.evaluate("document.querySelectorAll('.worth__face').forEach((face) => face.click())")
    expect(asha.room.get_by_role("button", name="That is all")).to_be_enabled()
    expect(face(asha, "Yes")).to_have_attribute("aria-pressed", "true")
    assert [one["choice"] for one in told] == ["yes"]


def test_who_thinks_better_of_being_talked_to_has_given_no_name(discussion):
    asha, told = in_a_room_that_is_over(discussion)
    face(asha, "Yes").click()
    talk = asha.room.get_by_role("switch", name="May we talk to you?")
    talk.check()
    expect(asha.room.get_by_role("button", name="Send")).to_be_enabled()
    face(asha, "No").click()
    expect(asha.room.get_by_role("button", name="Send")).to_be_enabled()
    talk.uncheck()
    asha.room.get_by_role("button", name="That is all").click()
    expect(face(asha, "No")).to_have_count(0)
    assert [one["talk"] for one in told] == [False, False]


def test_a_sentence_about_a_room_is_kept_until_it_is_sent(discussion):
    asha, told = in_a_room_that_is_over(discussion)
    rooms = [f"asha {n}" for n in range(50)]
    asha.page.evaluate(f"localStorage['party judged'] = '{json.dumps(rooms)}'")
    face(asha, "Partly").click()
    asha.room.get_by_role("textbox", name="What made it so?").fill("Too many at once")
    expect(asha.room.get_by_role("button", name="Send")).to_be_enabled()
    judged = asha.page.evaluate("JSON.parse(localStorage['party judged'])")
    assert judged == [*rooms[1:], f"asha {discussion.room}"], "the newest fifty"
    asha.page.reload()
    expect(face(asha, "Partly")).to_have_attribute("aria-pressed", "true")
    expect(asha.room.get_by_role("textbox", name="What made it so?")).to_have_value("Too many at once")
    asha.room.get_by_role("button", name="Send").click()
    expect(face(asha, "Partly")).to_have_count(0)
    assert (told[-1]["choice"], told[-1]["text"]) == ("partly", "Too many at once")
    asha.page.reload()
    wait_for_part(asha)
    expect(face(asha, "Partly")).to_have_count(0)


def test_where_this_part_cannot_be_had_the_page_says_so_and_asks_for_it_again(discussion):
    asha = discussion.enter("asha", speaks=False)
    asha.page.route("**/telling.js", lambda route: route.abort())
    with asha.page.expect_event("requestfailed"):
        close(discussion)
    asha.leave()
    menu_button(asha).click()
    asha.sheet.get_by_role("button", name="Tell us").click()
    expect(asha.page.get_by_role("status").filter(has_text="The party is not answering.")).to_be_visible()
    expect(asha.page.locator("#trouble")).to_be_empty()
    asha.page.unroute("**/telling.js")
    open_tell_us(asha)
    asha.page.keyboard.press("Escape")
    asha.page.get_by_role("link", name=discussion.topic).click()
    expect(face(asha, "Yes")).to_be_visible()
    asha.trouble.clear()


def test_a_tap_that_the_party_could_not_keep_is_told_again_and_counts_once(discussion):
    asha = discussion.signed_in("asha")
    keys = []

    def between(page):
        server = page.connect_to_server()

        def pass_on(frame):
            match = re.match(r'42(\d+)\["feedback",(.*)\]$', frame)
            if not match:
                return server.send(frame)
            keys.append(json.loads(match[2])["key"])
            if len(keys) == 1:
                page.send(
                    f'43{match[1]}[{{"ok": false, "code": "unavailable", "error": "Not now.", "retry_after": 0.01}}]'
                )
            else:
                server.send(frame)

        page.on_message(pass_on)
        server.on_message(page.send)

    asha.page.route_web_socket(re.compile("socket.io"), between)
    asha.page.goto(f"./#room={discussion.room}")
    expect(asha.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    close(discussion)
    face(asha, "Yes").click()
    expect(asha.room.get_by_role("button", name="That is all")).to_be_enabled()
    assert len(keys) == 2 and len(set(keys)) == 1


def test_a_tap_that_is_refused_is_not_shown_as_made(discussion):
    """As of a room that the party has forgotten meanwhile."""
    asha = discussion.enter("asha", speaks=False)
    close(discussion)
    expect(face(asha, "Yes")).to_be_visible()
    for _ in range(16):  # as many closed rooms as the party keeps
        assert_ok(discussion.bilal.close(discussion.bilal.host("Another")))
    face(asha, "Yes").click()
    expect(asha.room.get_by_role("alert").filter(has_text="There is no such room.")).to_be_visible()
    expect(face(asha, "Yes")).to_have_attribute("aria-pressed", "false")


def test_who_would_miss_the_party_is_asked_when_it_is_time_and_not_again_when_it_was_dismissed(discussion):
    asha = discussion.signed_in("asha")
    told = sent(asha)
    give(asha, asks=True)
    asha.page.goto(f"./#room={discussion.room}")
    expect(asha.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    close(discussion)
    question = asha.room.get_by_role("heading", name="How would you feel if you could no longer use this?")
    expect(face(asha, "Yes")).to_be_visible()
    expect(question).to_have_count(0)
    face(asha, "Yes").click()
    that_is_all = asha.room.get_by_role("button", name="That is all")
    expect(that_is_all).to_be_enabled()
    carry_on = asha.room.get_by_role("button", name="Carry on in a new room")
    carry_on.focus()
    that_is_all.evaluate("(button) => button.click()")
    expect(question).to_be_visible()
    expect(carry_on).to_be_focused()  # nobody's focus is taken away
    asha.room.get_by_role("button", name="Not now").click()
    expect(question).to_have_count(0)
    asha.page.evaluate("localStorage.setItem('party dismissed', Date.now() - 89 * 24 * 3_600_000)")
    asha.page.reload()
    wait_for_part(asha)
    expect(question).to_have_count(0)
    asha.page.evaluate("localStorage.setItem('party dismissed', Date.now() - 91 * 24 * 3_600_000)")
    asha.page.reload()
    expect(question).to_be_visible()
    asha.page.evaluate("document.querySelectorAll('.worth__losses .chip').forEach((loss) => loss.click())")
    expect(question).to_have_count(0)
    losing = [(one["choice"], one["talk"]) for one in told if one["about"] == "losing"]
    assert losing == [("very", False)], "of two taps at once the first"


def test_a_problem_brings_the_version_and_the_last_mistake_of_the_page(visit, server):
    asha = visit("asha", server.address)
    told = sent(asha)
    give(asha)

    def change(route):
        answer = route.fetch()
        failing = "\nglobalThis.fail = () => setTimeout(() => { throw new Error('Tea is out: \"my words\"') });"
        route.fulfill(response=answer, body=answer.text() + failing)

    asha.page.route("**/measuring.js", change)
    asha.sign_in()
    open_tell_us(asha)
    release = asha.page.evaluate("document.body.dataset.release")
    asha.sheet.get_by_role("textbox").fill("It hangs")
    expect(asha.sheet.get_by_text(release)).to_have_count(0)
    asha.sheet.get_by_text("A problem").click()
    expect(asha.sheet.get_by_text(f"Your version goes with it: {release}.")).to_be_visible()
    asha.page.keyboard.press("Escape")
    asha.page.evaluate("fail()")
    open_tell_us(asha)
    asha.sheet.get_by_text("A problem").click()
    expect(asha.sheet.get_by_text("and the last error of this page: Error: Tea is out: …")).to_be_visible()
    expect(asha.sheet.get_by_role("textbox")).to_have_value("It hangs")
    asha.sheet.get_by_role("button", name="Send").click()
    expect(asha.sheet.get_by_role("status")).to_have_text("Thank you. If the owner answers, you will read it here.")
    expect(asha.sheet.get_by_role("status")).to_be_focused()
    told[-1].pop("key")
    assert told[-1] == {
        "about": "problem",
        "text": "It hangs",
        "talk": False,
        "version": release,
        "error": "Error: Tea is out: …",
    }
    asha.trouble.clear()


def test_an_idea_brings_neither_and_what_is_not_sent_yet_is_kept(visit, server):
    asha = visit("asha", server.address)
    told = sent(asha)
    give(asha)
    asha.sign_in()
    open_tell_us(asha)
    asha.sheet.get_by_role("textbox").fill("A blue candle")
    give(asha, [answer("new")])
    asha.page.reload()
    asha.host("Tea")
    asha.room.get_by_role("button", name="More, and an answer for you").click()
    asha.sheet.get_by_role("button", name="Tell us").click()
    expect(asha.sheet.get_by_text("Answer new")).to_be_visible()
    expect(asha.sheet.get_by_role("textbox")).to_have_value("A blue candle")
    asha.sheet.get_by_role("button", name="Send").click()
    expect(asha.sheet.get_by_role("status")).to_be_visible()
    told[-1].pop("key")
    assert told == [{"about": "idea", "text": "A blue candle", "talk": False}]
    asha.page.keyboard.press("Escape")
    asha.close_room()


def test_answers_are_looked_for_as_somebody_comes_and_comes_back_after_five_minutes(visit, server):
    asha = visit("asha", server.address)
    asha.page.clock.install()
    asked = give(asha)
    with asha.page.expect_response("**/feedback"):
        asha.sign_in()
    come_back = "document.dispatchEvent(new Event('visibilitychange'))"
    asha.page.clock.fast_forward(FIVE_MINUTES - 60_000)
    asha.page.evaluate(come_back)
    asha.context.unroute("**/feedback")
    give(asha, [answer("new")])
    asha.page.clock.fast_forward(120_000)
    asha.page.evaluate(come_back)
    expect(menu_button(asha, answered=True)).to_be_visible()
    assert len(asked) == 1
    other_tab = asha.new_tab()
    other_tab.goto("./privacy")
    other_tab.evaluate("localStorage.setItem('party read answers', '[\"new\"]')")
    asha.page.wait_for_function("localStorage['party read answers']")
    asha.page.evaluate(come_back)
    expect(menu_button(asha)).to_be_visible()


def test_nobody_but_the_owner_finds_the_insights_and_everybody_what_is_kept(visit, server):
    bilal = visit("bilal", server.address).sign_in()
    menu_button(bilal).click()
    expect(bilal.sheet.get_by_role("link", name="Insights")).to_have_count(0)
    bilal.sheet.get_by_role("link", name="What is kept of you").click()
    expect(bilal.page.get_by_role("heading", name="What is kept of you", level=1)).to_be_visible()


def test_this_part_comes_only_when_somebody_opens_it(visit, server):
    asha = visit("asha", server.address)
    fetched = []
    asha.page.on("request", lambda request: fetched.append(request.url.rpartition("/")[2]))
    asha.sign_in()
    asha.page.wait_for_function("performance.getEntriesByType('resource').some((e) => /room.js/.test(e.name))")
    rarely = {"telling.js", "telling.css", "en.json"}
    assert not rarely & {*fetched}
    open_tell_us(asha)
    assert rarely <= {*fetched}
