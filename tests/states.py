"""Every state that the page can be in, one after the other, as people get there: to be checked, or to be drawn."""

import contextlib
import re

from playwright.sync_api import expect
from servers import password_of
from visitor import Cable, people_without_a_page

TOPIC = "Which book changed how you see your town?"
PITCHES = {
    "dana": "I have a book about our river, and the maps in it",
    "emeka": "",
    "farida": "My grandfather's diary. He was the postman here for forty years and wrote down every door.",
}


def states(visit):
    """Yields (name of the state, the Visitor whose page is in it).

    `visit(name, address=…)` opens a browser on a server with two guests.
    """
    asha, bilal, chen = (visit(name) for name in ("asha", "bilal", "chen"))
    yield from signing_in(asha)
    for visitor in (bilal, chen):
        visitor.sign_in()
        expect(visitor.page.get_by_role("button", name="Host a room")).to_be_enabled()
    yield "lobby, quiet", chen
    yield from hosting(asha)
    yield from asking(asha, bilal, chen)
    yield from deciding(asha)
    yield from talking(asha, bilal, chen)
    yield from when_things_go_wrong(asha, visit)
    yield from ending(asha, bilal, chen)


def signing_in(asha):
    asha.page.goto("sign-in")
    yield "sign-in", asha
    asha.page.get_by_label("Name").fill("asha")
    asha.page.get_by_label("Password").fill("not the password")
    asha.page.get_by_role("button", name="Sign in").click()
    expect(asha.page.get_by_role("alert").filter(has_text="do not go together")).to_be_visible()
    yield "sign-in, refused", asha
    asha.page.get_by_label("Password").fill(password_of("asha"))
    asha.page.get_by_role("button", name="Sign in").click()


def hosting(asha):
    asha.page.get_by_role("button", name="Host a room").click()
    asha.page.get_by_label("Topic").fill(TOPIC)
    yield "hosting", asha
    asha.page.keyboard.press("Escape")
    asha.host(TOPIC)
    yield "room, just opened", asha


def asking(asha, bilal, chen):
    with people_without_a_page(asha.address, "dana", "emeka") as (dana, emeka):
        dana.host("Is the four-day week worth it?", minutes=25)
        emeka.host("What should we cook for forty people?", minutes=9)
        expect(chen.page.get_by_role("article")).to_have_count(3)
        yield "lobby", chen
        dana.host("Donaudampfschifffahrtsgesellschaftskapitänsmütze" + "x" * 60)
        expect(chen.page.get_by_role("article")).to_have_count(4)
        yield "lobby, with a long word", chen
    chen.watch(TOPIC)
    yield "watching", chen
    chen.room.get_by_role("button", name="Ask to speak").click()
    yield "asking to speak", chen
    bilal.watch(TOPIC)
    bilal.ask("The Death and Life of Great American Cities. I count shop doors now.")
    chen.room.get_by_label("What do you want to add?").press("Enter")
    expect(chen.room.get_by_text("You are 2nd.")).to_be_visible()
    yield "waiting", chen


def deciding(asha):
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, *PITCHES) as people:
        for person in people:
            person.watch(room)
            person.request(room, pitch=PITCHES[person.name])
        expect(asha.room.get_by_role("button", name="Deny farida")).to_be_visible()
        yield "queue", asha
        asha.room.get_by_role("button", name="Deny emeka").click()
        yield "queue, a denial to undo", asha
        expect(asha.room.get_by_role("button", name="Undo")).to_have_count(0, timeout=8_000)
        for person in people:
            person.withdraw(room)
        asha.approve("bilal")
        expect(asha.room.get_by_role("button", name="Approve bilal")).to_have_count(0)


def talking(asha, bilal, chen):
    expect(bilal.room.get_by_role("button", name="Say it")).to_be_visible()
    yield "let in, with a pitch to say", bilal
    asha.write("Mine is Invisible Cities. I read it on the tram and missed my stop three times.")
    expect(bilal.message("Invisible Cities")).to_be_visible()
    bilal.room.get_by_role("button", name="Say it").click()
    expect(asha.message("shop doors")).to_be_visible()
    asha.write("How many has our street?")
    expect(bilal.message("How many")).to_be_visible()
    bilal.write("Forty-one. It had sixty 📚")
    expect(asha.message("Forty-one")).to_be_visible()
    asha.write("What I should not have said")
    message = asha.message("What I should not have said")
    expect(message).to_contain_text("sent")
    point_at(asha, message.get_by_text("What I should not have said"))
    yield "what one can do with a message", asha
    message.get_by_role("button", name="Take back").click()
    expect(bilal.feed.get_by_text("taken back")).to_be_visible()
    asha.writing.fill("")
    asked = bilal.message("How many")
    point_at(bilal, asked.get_by_text("How many"))
    asked.get_by_role("button", name="Reply").click()
    bilal.writing.press_sequentially("All but @a")
    expect(bilal.room.get_by_role("listbox")).to_be_visible()
    yield "a reply, and a mention to choose", bilal
    bilal.writing.fill("All but the baker's")
    bilal.room.get_by_role("button", name="Send").click()
    expect(asha.message("All but the baker's")).to_be_visible()
    chen.room.get_by_role("button", name="Say more").click()
    expect(asha.room.get_by_role("group", name="How it feels to listen")).to_contain_text("Say more 1")
    for visitor in (asha, bilal, chen):
        expect(visitor.room.get_by_text("You may speak now.")).to_have_count(0, timeout=10_000)
    yield "talking, as the host", asha
    yield "talking, as a speaker", bilal
    yield "listening, with a signal given", chen
    asha.write("مرحبا بالعالم, @bilal")
    bilal.write("Here is my list: https://example.org/" + "doors-and-more-doors/" * 6)
    asha.write("w" * 120)
    expect(bilal.message("w" * 120)).to_be_visible()
    yield "talking, with long words and other letters", bilal
    asha.room.get_by_role("button", name="More about bilal").click()
    yield "about a speaker", asha
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Invite").click()
    yield "inviting", asha
    asha.page.keyboard.press("Escape")
    asha.room.get_by_role("button", name="Sound and notifications").click()
    yield "sound and notifications", asha
    asha.page.keyboard.press("Escape")


def point_at(visitor, words):
    """As one does with a mouse, or with a thumb."""
    if visitor.page.evaluate("matchMedia('(pointer: coarse)').matches"):
        words.tap()
    else:
        words.hover()


def when_things_go_wrong(asha, visit):
    with contextlib.closing(Cable(int(asha.address.rstrip("/").rpartition(":")[2]))) as cable:
        guest = visit("guest1", cable.address).sign_in(f"#{asha.page.url.partition('#')[2]}")
        expect(guest.room.get_by_text("You are watching.")).to_be_visible()
        guest.room.get_by_role("button", name="Ask to speak").click()
        guest.room.get_by_label("What do you want to add?").press("Enter")
        asha.approve("guest1")
        expect(guest.writing).to_be_visible()
        cable.cut()
        guest.write("Written in a tunnel")
        expect(guest.room.get_by_text("Reconnecting…")).to_be_visible()
        yield "reconnecting", guest
    lost = visit("guest2").sign_in("#room=gone")
    expect(lost.room.get_by_text("There is no such room")).to_be_visible()
    yield "no such room", lost
    lost.page.evaluate("fetch('sign-out', { method: 'POST', body: new FormData(document.querySelector('.top__me')) })")
    expect(lost.page.get_by_text("You are signed out.")).to_be_visible()
    yield "signed out", lost


def ending(asha, bilal, chen):
    bilal.writing.fill("What I still wanted to say")
    asha.room.get_by_role("button", name="Close the room").click()
    yield "closing", asha
    asha.room.get_by_role("button", name="Yes, close it").click()
    for visitor in (asha, bilal, chen):
        expect(visitor.room.get_by_text(re.compile("closed the room"))).to_be_visible()
    yield "closed", asha
    yield "closed, with a draft", bilal
    chen.leave()
    expect(chen.page.get_by_role("region", name="Closed lately")).to_be_visible()
    yield "lobby, with a closed room", chen
