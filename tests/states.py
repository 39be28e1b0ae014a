"""Every state that the page can be in, one after the other, as people get there: to be checked, or to be drawn."""

import contextlib
import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect
from servers import PUBLISHING, password_of, running_server
from visitor import Cable, people_without_a_page

TOPIC = "Which book changed how you see your town?"
PITCHES = {
    "dana": "I have a book about our river, and the maps in it",
    "emeka": "",
    "farida": "My grandfather's diary. He was the postman here for forty years and wrote down every door.",
}


def a_party():
    """With ten more people, and rooms that can be published, as some of these states are."""
    return running_server(program=("-c", PUBLISHING), PARTY_PACE="5", PARTY_EXTRAS="10")


def states(visit):
    """Yields (name of the state, the Visitor whose page is in it).

    `visit(name, address=…, locale=…)` opens a browser on `a_party`.
    """
    asha, bilal, chen = (visit(name) for name in ("asha", "bilal", "chen"))
    yield from signing_in(asha)
    for visitor in (bilal, chen):
        visitor.sign_in()
        expect(visitor.page.get_by_role("button", name="Host a room")).to_be_enabled()
    yield "lobby, quiet", chen
    chen.page.get_by_role("button", name="chen: choices").click()
    yield "choices", chen
    chen.page.keyboard.press("Escape")
    yield from hosting(asha)
    yield from asking(asha, bilal, chen)
    yield from deciding(asha)
    yield from talking(asha, bilal, chen)
    yield from when_things_go_wrong(asha, visit)
    yield from ending(asha, bilal, chen)
    yield from guests(visit)
    yield from planning(visit)
    yield from busy(visit)


def signing_in(asha):
    asha.page.goto("privacy")
    yield "what is kept", asha
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
    asha.sheet.get_by_role("textbox", name="Topic").fill(TOPIC)
    yield "hosting", asha
    asha.sheet.get_by_role("button", name="Later…").click()
    expect(asha.sheet.get_by_label("Day")).to_be_visible()
    yield "planning", asha
    asha.sheet.get_by_role("button", name="Now").click()
    asha.sheet.get_by_role("switch", name="This will be published").click()
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(asha.writing).to_be_visible()
    yield "room, just opened", asha


def asking(asha, bilal, chen):
    with people_without_a_page(asha.address, "dana", "emeka") as (dana, emeka):
        dana.message(dana.host("Is the four-day week worth it?", minutes=25), "On Fridays nobody works anyway.")
        emeka.host("What should we cook for forty people?", minutes=9)
        expect(chen.page.get_by_role("article")).to_have_count(3)
        yield "lobby", chen
        long = dana.host("Donaudampfschifffahrtsgesellschaftskapitänsmütze" + "x" * 60)
        planned = dana.host("What is a museum for?", at=tomorrow_at_noon(), minutes=20)
        expect(chen.page.get_by_role("article")).to_have_count(5)
        chen.page.get_by_role("button", name="I’ll come").click()
        expect(chen.page.get_by_text("1 is coming")).to_be_visible()
        yield "lobby, with a long word and a plan", chen
        dana.close(long)
        dana.ask("call_off", {"room": planned})
        expect(chen.page.get_by_role("article")).to_have_count(3)
    chen.watch(TOPIC)
    yield "listening", chen
    chen.room.get_by_role("button", name="Ask to speak").click()
    chen.pitch.fill("The one about the baker's daughter, since it has our street in it.")
    yield "asking to speak", chen
    bilal.watch(TOPIC)
    bilal.ask("The Death and Life of Great American Cities. I count shop doors now.")
    chen.pitch.press("Enter")
    expect(chen.room.get_by_text("You are second in line")).to_be_visible()
    yield "waiting", chen


def tomorrow_at_noon():
    at = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int(at.timestamp() * 1000)


def deciding(asha):
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, *PITCHES) as people:
        for person in people:
            person.watch(room)
            person.request(room, pitch=PITCHES[person.name])
        expect(asha.room.get_by_role("button", name="Let in bilal")).to_be_visible()
        yield "queue", asha
        asha.room.get_by_role("button", name="Not now, bilal").click()
        undo = asha.room.get_by_role("button", name="Undo: bilal goes on waiting")
        expect(undo).to_have_attribute("aria-disabled", "false")
        yield "queue, a denial to undo", asha
        undo.click()
        for person in people:
            person.withdraw(room)
        asha.approve("bilal")
        expect(asha.room.get_by_role("button", name="Let in bilal")).to_have_count(0)


def talking(asha, bilal, chen):
    expect(bilal.room.get_by_text("These were your words")).to_be_visible()
    yield "let in, with words to say", bilal
    chen.room.get_by_role("button", name="Never mind").click()
    asha.write("Mine is Invisible Cities. I read it on the tram and missed my stop three times.")
    expect(bilal.message("Invisible Cities")).to_be_visible()
    bilal.room.get_by_role("button", name="Send").click()
    expect(asha.message("shop doors")).to_be_visible()
    asha.write("How many has our street?")
    expect(bilal.message("How many")).to_be_visible()
    bilal.write("Forty-one. It had sixty 📚")
    expect(asha.message("Forty-one")).to_be_visible()
    for visitor in (asha, chen):
        point_at(visitor, visitor.message("Forty-one").get_by_text("Forty-one"))
        visitor.message("Forty-one").get_by_role("button", name="Well said").click()
    expect(bilal.message("Forty-one").get_by_role("img", name="Well said: 2")).to_be_visible()
    asha.write("What I should not have said")
    message = asha.message("What I should not have said")
    expect(message.get_by_role("time")).to_be_visible()
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
    yield "talking, as the host", asha
    asha.writing.press_sequentially("The baker's is")
    expect(bilal.room.get_by_text("asha is writing…")).to_be_visible()
    yield "talking, as a speaker", bilal
    yield "listening, with a signal given", chen
    asha.write("مرحبا بالعالم, @bilal")
    bilal.write("Here is my list: https://example.org/" + "doors-and-more-doors/" * 6 + " and `make doors`")
    asha.write("w" * 120)
    expect(bilal.message("w" * 120)).to_be_visible()
    yield "talking, with long words and other letters", bilal
    open_people(asha)
    asha.room.get_by_role("button", name="More about bilal").click()
    yield "people", asha
    asha.room.get_by_role("button", name="More about bilal").click()
    close_sheet(asha)
    asha.open_menu()
    yield "menu, as the host", asha
    asha.sheet.get_by_role("button", name="Invite").click()
    expect(asha.sheet.get_by_role("button", name="Copy the link")).to_be_visible()
    yield "inviting", asha
    close_sheet(asha)


def open_people(visitor):
    """They stand beside the feed where there is space."""
    people = visitor.room.get_by_role("button", name="People", exact=True)
    if people.is_visible():
        people.click()


def close_sheet(visitor):
    if visitor.sheet.is_visible():
        visitor.page.keyboard.press("Escape")


def point_at(visitor, words):
    """As one does with a mouse, or with a thumb."""
    if visitor.page.evaluate("matchMedia('(pointer: coarse)').matches"):
        words.tap()
    else:
        words.hover()


def when_things_go_wrong(asha, visit):
    with contextlib.closing(Cable(int(asha.address.rstrip("/").rpartition(":")[2]))) as cable:
        late = visit("extra1", cable.address).sign_in(f"#{asha.page.url.partition('#')[2]}")
        late.ask()
        asha.approve("extra1")
        expect(late.writing).to_be_visible()
        cable.cut()
        late.write("Written in a tunnel")
        expect(late.page.get_by_text("Reconnecting…")).to_be_visible()
        yield "reconnecting", late
    lost = visit("extra2").sign_in("#room=gone")
    expect(lost.room.get_by_text("There is no such room")).to_be_visible()
    yield "no such room", lost
    lost.page.evaluate("fetch('sign-out', { method: 'POST', body: new FormData(document.getElementById('sign-out')) })")
    expect(lost.page.get_by_text("You are signed out.")).to_be_visible()
    yield "signed out", lost
    lost.page.goto("nowhere/at/all")
    yield "no such page", lost
    with running_server(PARTY_ORIGINS="https://blog.example") as server:
        elsewhere = visit("dana", server.address).sign_in()
        expect(elsewhere.page.get_by_text("This address is not allowed here.")).to_be_visible()
        yield "an address that is not allowed", elsewhere
    old = visit("extra3")
    of_another_version(old.page)
    old.sign_in()
    expect(old.page.get_by_text("There is a new version.")).to_be_visible()
    yield "a new version", old


def of_another_version(page):
    """From now on the page takes itself for one of the version before."""
    page.add_init_script("""
      new MutationObserver((_, observer) => {
        if (!document.body) return;
        document.body.dataset.version = 'before';
        observer.disconnect();
      }).observe(document, { childList: true, subtree: true });
    """)


def ending(asha, bilal, chen):
    bilal.writing.fill("What I still wanted to say")
    asha.open_menu().get_by_role("button", name="Close the room").click()
    yield "closing", asha
    asha.sheet.get_by_role("button", name="Yes, close it").click()
    for visitor in (asha, bilal, chen):
        expect(visitor.room.get_by_text(re.compile("closed the room"))).to_be_visible()
        expect(visitor.room.get_by_role("button", name="Partly")).to_be_visible()
        expect(visitor.room.get_by_text("Will be published at")).to_be_visible()
    bilal.room.get_by_role("button", name="Leave my words out").click()
    expect(bilal.room.get_by_role("button", name="Put my words back")).to_be_visible()
    yield "closed", asha
    yield "closed, with a draft", bilal
    yield from telling(chen)
    asha.room.get_by_role("button", name="Carry on in a new room").click()
    yield "carrying on", asha
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(bilal.room.get_by_role("button", name="It goes on in a new room")).to_be_visible()
    yield "it goes on elsewhere", bilal
    chen.leave()
    expect(chen.page.get_by_role("region", name="Closed lately")).to_be_visible()
    yield "lobby, with a closed room", chen


ANSWERS = [
    {
        "id": "fresh",
        "about": "idea",
        "text": "Could the candle be blue on Sundays?",
        "answer": "It could. Which blue?\nI like the river's.",
    },
    {
        "id": "old",
        "about": "problem",
        "text": "A message of mine came twice.",
        "answer": "Mended yesterday. Thank you!",
    },
]


def telling(chen):
    """What somebody tells the owner of a room that is over, and at any time; and what the owner answers."""
    told = {"answers": [answer | {"at": 0, "answered_at": 1_800_000_000_000} for answer in ANSWERS], "asks": True}
    chen.context.route("**/feedback", lambda route: route.fulfill(json=told))
    chen.page.evaluate("localStorage.setItem('party read answers', '[\"old\"]')")
    chen.room.get_by_role("button", name="Partly").click()
    expect(chen.room.get_by_role("textbox", name="What made it so?")).to_be_visible()
    yield "closed, with a face chosen", chen
    chen.room.get_by_role("button", name="That is all").click()
    expect(chen.room.get_by_role("button", name="Very disappointed")).to_be_visible()
    yield "closed, with another question", chen
    chen.page.reload()
    expect(chen.room.get_by_role("button", name="Very disappointed")).to_be_visible()
    chen.room.get_by_role("button", name="Not now").click()
    chen.leave()
    chen.page.get_by_role("button", name="an answer for you").click()
    yield "choices, with an answer to read", chen
    chen.sheet.get_by_role("button", name="Tell us").click()
    chen.sheet.get_by_text("A problem").click()
    chen.sheet.get_by_text("Earlier answers").click()
    yield "telling a problem, with answers", chen
    chen.page.keyboard.press("Escape")
    chen.context.unroute("**/feedback")
    chen.page.get_by_role("link", name=TOPIC).click()
    expect(chen.room.get_by_text(re.compile("closed the room"))).to_be_visible()


LONGEST_NAME = "Wolfeschlegelsteinha"


def guests(visit):
    """The door of a room, who comes in by it, and how its host sees them."""
    tom, asha = visit("Tom"), visit("asha").sign_in()
    with people_without_a_page(asha.address, "asha", "dana") as (host, dana):
        room = host.host(TOPIC, publish=True)
        link = f"./#room={room}&door={host.door(room, whole=True)['token']}"
        host.message(room, "What does your town read, and who lends it?")
        tom.page.goto(link)
        name = tom.page.get_by_role("textbox")
        name.fill("asha")
        name.press("Enter")
        expect(name).to_have_attribute("aria-invalid", "true")
        yield "a guest's entrance, refused", tom
        name.fill(LONGEST_NAME)
        yield "a guest's entrance", tom
        name.press("Enter")
        expect(tom.room.get_by_role("button", name="Ask to speak")).to_be_visible(timeout=15_000)
        yield "listening, as a guest", tom
        tom.ask("I come from the next town")
        asha.page.goto(f"./#room={room}")
        expect(asha.room.get_by_role("button", name=f"Let in {LONGEST_NAME} (guest)")).to_be_visible()
        yield "queue, with a guest", asha
        asha.approve(f"{LONGEST_NAME} (guest)")
        tom.write("We have a bus of books")
        dana.watch(room)
        seq = asha.sent("We have a bus of books").get_attribute("data-seq")
        host.message(room, f"A bus, @{LONGEST_NAME}?", reply=int(seq))
        expect(asha.sent("A bus, ")).to_be_visible()
        yield "talking, with a guest", asha
        open_people(asha)
        asha.room.get_by_role("button", name=f"More about {LONGEST_NAME} (guest)").click()
        yield "people, with a guest", asha
        show_out = asha.room.get_by_role("button", name=f"Show {LONGEST_NAME} (guest) out")
        if not show_out.is_visible():  # the people stood elsewhere meanwhile
            asha.room.get_by_role("button", name=f"More about {LONGEST_NAME} (guest)").click()
        show_out.click()
        yield "showing a guest out", asha
        close_sheet(asha)
        asha.open_menu().get_by_role("button", name="Invite").click()
        expect(asha.sheet.get_by_role("button", name="Change the link")).to_be_visible()
        yield "an open door", asha
        asha.sheet.get_by_text("Friends", exact=True).click()
        expect(asha.sheet.get_by_role("button", name="Show them out")).to_be_visible()
        yield "a door about to close", asha
        close_sheet(asha)
        tom.open_menu().get_by_role("button", name="Leave").click()
        yield "leaving, as a guest", tom
        tom.page.keyboard.press("Escape")
        host.put_out(room, tom.page.evaluate("document.body.dataset.user"))
        expect(tom.page.locator(".door").get_by_role("status")).to_be_visible()
        yield "shown out", tom
        host.close(room)
        tom.page.goto("sign-in" + link[2:])
        expect(tom.page.get_by_role("heading", level=1)).to_have_text("This link leads nowhere")
        yield "a link that leads nowhere", tom


def planning(visit):
    """A room that opens later, as its host plans it, and as others see it until then; and a lobby that is searched."""
    asha, chen = (visit(name).sign_in() for name in ("asha", "chen"))
    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("How do we tell the landlord about the roof?")
    asha.sheet.get_by_role("button", name="Later…").click()
    asha.sheet.get_by_text("By link: ask too", exact=True).click()
    asha.sheet.get_by_label("Day").fill("")
    yield "planning, without a day", asha
    asha.page.keyboard.press("Escape")
    with people_without_a_page(asha.address, "asha", "bilal", "dana", "emeka") as people:
        host, bilal, dana, emeka = people
        plan = host.plan("How do we tell the landlord about the roof?", at=tomorrow_at_noon(), publish=True)
        other = dana.plan("Donaudampfschifffahrtsgesellschaftskapitänsmütze", at=tomorrow_at_noon() + 9 * 86_400_000)
        host.door(plan)
        bilal.coming(plan)
        emeka.coming(plan)
        rooms = [(person, person.host(f"Topic {n}")) for n in range(2) for person in (bilal, dana, emeka)]
        chen.card("How do we tell the landlord about the roof?").get_by_role("button", name="I’ll come").click()
        expect(chen.page.locator(".card--plan")).to_have_count(2)
        expect(chen.page.get_by_role("searchbox")).to_be_visible()
        yield "lobby, with plans and a search", chen
        chen.page.get_by_role("searchbox").fill("soup")
        yield "lobby, searched in vain", chen
        chen.page.goto(f"./#room={plan}")
        expect(chen.page.get_by_role("button", name="Coming")).to_be_visible()
        yield "a plan", chen
        asha.page.goto(f"./#room={plan}")
        expect(asha.page.locator(".plan").get_by_text("bilal, emeka, and chen are coming")).to_be_visible()
        asha.page.get_by_role("button", name="Call it off").click()
        yield "a plan, about to be called off", asha
        for person, room in rooms:
            person.close(room)
        host.call_off(plan)
        dana.call_off(other)


# The busiest room: nine voices, six who ask, as many who listen.
BUSY = "Should our book club read novels that are still in copyright?"
NAMES = ["dana", "emeka", "farida", *(f"extra{n}" for n in range(1, 11))]
TALK = [
    ("dana", "If we took turns and each turn had to be a book from a language that none of us speaks, "
     "we would have twelve new places a year."),
    ("asha", "That is lovely, Dana."),
    ("emeka", "Sold. Georgian first."),
    ("farida", "Is anything good out of copyright there?"),
    ("farida", "Not asking for a friend."),
    ("extra1", "The library on Mill Road lends e-books in Georgian, no waiting."),
    ("extra2", "Then the price question is answered."),
    ("extra3", "For Georgian. Not for anything printed this year."),
    ("emeka", "Tuesday is football"),
    ("asha", "Wednesday?"),
    ("extra2", "Wednesday works"),
    ("extra2", "After seven"),
    ("asha", "Settled then: Wednesday, half past seven, my kitchen."),
]  # fmt: skip
SIZES = {
    "at twice its size": (640, 400),
    "on its side": (667, 375),
    "with a keyboard": (390, 480),
    "tablet": (820, 1180),
}


def busy(visit):
    """The room that has everything at once, as its host and as a listener in every size."""
    asha, chen = (visit(name).sign_in() for name in ("asha", "chen"))
    with people_without_a_page(asha.address, "asha", *NAMES) as (host, *people):
        persons = {person.name: person for person in (host, *people)}
        room = host.host(BUSY)
        for person in people:
            person.watch(room)
            person.request(room, pitch=f"{person.name.capitalize()} has read them all, and would like to say which.")
        for person in people[:7]:
            host.approve(room, person.name)
        for name, text in TALK:
            persons[name].message(room, text)
        for person in people[1:]:
            person.like(room, seq=1, liked=True)
        expect(chen.card(BUSY)).to_contain_text("Settled then", timeout=15_000)
        yield "lobby, with a busy room", chen
        chen.watch(BUSY)
        yield "busy, as a listener", chen
        chen.page.evaluate("document.dir = 'rtl'")
        yield "busy, from right to left", chen
        chen.page.evaluate("document.dir = 'ltr'")
        bilal = visit("bilal", locale="es-ES").sign_in()
        bilal.page.goto(f"./#room={room}")
        expect(bilal.room.get_by_role("button", name="Pedir la palabra")).to_be_visible()
        yield "busy, in Spanish", bilal
        asha.page.goto(f"./#room={room}")
        expect(asha.room.get_by_role("button", name="Let in extra5")).to_be_visible()
        yield "busy, as the host", asha
        size = asha.page.viewport_size
        for name, (width, height) in SIZES.items():
            asha.page.set_viewport_size({"width": width, "height": height})
            yield f"busy, {name}", asha
        asha.page.set_viewport_size(size)
        go_ahead = clock_of_its_own(chen.page)
        chen.page.reload()
        expect(chen.room.get_by_role("button", name="Ask to speak")).to_be_visible()
        go_ahead(27 * 60_000 + 10_000)
        expect(chen.room.get_by_text("Last words")).to_be_visible()
        yield "busy, in the closing round", chen
        host.close(room)


def clock_of_its_own(page):
    """Gives a function that puts the clock of `page` ahead once it is loaded anew. From then on it hears nothing of the
    lobby, which would tell it what time it is."""
    ahead = []

    def pass_on(socket):
        server = socket.connect_to_server()
        server.on_message(lambda frame: ahead and frame.startswith('42["lobby"') or socket.send(frame))

    def go_ahead(milliseconds):
        ahead.append(milliseconds)
        page.clock.fast_forward(milliseconds)

    page.clock.install()
    page.route_web_socket("**/socket.io/**", pass_on)
    return go_ahead
