"""The page speaks the browser's language where there is a translation, and English elsewhere."""

import json
import re

import pytest
from playwright.sync_api import expect
from servers import PUBLISHING, ROOT, password_of, running_server
from visitor import people_without_a_page

WORDS_IN = {path.stem: json.loads(path.read_text()) for path in (ROOT / "static/words").glob("*.json")}
SPANISH = WORDS_IN.get("es")

# Everything that somebody sees, or hears with a screen reader, but for the letters in the faces.
SHOWN = """() => {
  const shown = [];
  for (const element of document.querySelectorAll('body *:not(script, style)')) {
    if (!element.checkVisibility() || element.closest('[aria-hidden=true]')) continue;
    for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) shown.push(node.data);
    for (const name of ['alt', 'aria-label', 'placeholder', 'title']) shown.push(element.getAttribute(name) ?? '');
  }
  return shown.map((text) => text.replace(/^[\\s,.]+|[\\s,.]+$/g, '')).filter((text) => /\\p{L}/u.test(text));
}"""


@pytest.fixture(scope="module")
def fresh_party():
    """Where nobody has written anything yet."""
    with running_server(program=("-c", PUBLISHING)) as server:
        yield server


def forms(words):
    """All sentences, each form of each."""
    for value in words if isinstance(words, list) else words.values():
        yield from [value] if isinstance(value, str) else forms(value)


def foreign_to(words, page, *data):
    """What the page shows that stands neither in `words` nor in what people wrote."""
    known = {*data}
    patterns = []
    for form in forms(words):
        pieces = re.split(r"\{\w+\}", form.strip(" ,."))
        known |= {piece.strip(" ,.") for piece in pieces}  # the value between them may be an element of its own
        if re.search(r"[^\W\d_]", "".join(pieces)):
            patterns.append(".+".join(map(re.escape, pieces)))
    sentence = re.compile("|".join(patterns), re.DOTALL)

    def is_ours(text):
        return text in known or sentence.fullmatch(text)

    comma = words["people"]["comma"]  # between words that stand together
    return [text for text in page.evaluate(SHOWN) if not is_ours(text) and not all(map(is_ours, text.split(comma)))]


def sign_in(visitor, password):
    visitor.page.locator("[name=name]").fill(visitor.name)
    visitor.page.locator("[name=password]").fill(password)
    visitor.page.get_by_role("button", name=SPANISH["signIn"]["submit"]).click()


def test_a_spanish_browser_reads_spanish_everywhere(visit, fresh_party):
    asha = visit("asha", fresh_party.address, locale="es-ES")
    page = asha.page
    page.goto("./")
    day = page.evaluate("new Intl.DateTimeFormat('es', { weekday: 'long', day: 'numeric', month: 'long' }).format()")
    data = ("asha", "bilal", "chen", "dana", "bilal, chen y dana", "Tea", "Café", "Hola", "asha: Hola", "bilal: Hola")
    data += ("Una pregunta", day)

    def open_and_read(button):
        """What it shows is Spanish as well."""
        page.get_by_role("button", name=button, exact=True).click()
        assert foreign_to(SPANISH, page, *data) == []

    expect(page.locator("html")).to_have_attribute("lang", "es")
    sign_in(asha, "wrong")
    wrong = SPANISH["refusals"]["That name and password do not go together."]
    expect(page.locator("form").get_by_role("alert")).to_have_text(wrong)
    assert foreign_to(SPANISH, page, "asha") == []
    sign_in(asha, password_of("asha"))
    expect(page.get_by_role("heading", name=SPANISH["lobby"]["quiet"])).to_be_visible()
    assert foreign_to(SPANISH, page) == []
    open_and_read("asha: opciones y cerrar sesión")
    open_and_read(SPANISH["party"]["tellUs"])
    sheet = page.get_by_role("dialog", name=SPANISH["party"]["tellUs"])
    expect(sheet).to_be_visible()  # it comes when it is asked for
    assert foreign_to(SPANISH, page, *data) == []
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)

    with people_without_a_page(asha.address, "bilal", "chen", "dana") as (bilal, chen, dana):
        coffee = chen.host("Café")
        page.get_by_role("link", name="Café", exact=True).click()
        expect(asha.room.get_by_text(SPANISH["feed"]["empty"])).to_be_visible()
        assert foreign_to(SPANISH, page, *data) == []
        open_and_read(SPANISH["asking"]["ask"])
        asha.room.get_by_role("textbox").press("Enter")
        expect(asha.room.get_by_text(SPANISH["asking"]["next"])).to_be_visible()
        assert foreign_to(SPANISH, page, *data) == []
        page.get_by_role("button", name=SPANISH["room"]["leave"]).click()
        expect(page.get_by_role("heading", name="Una conversación en vivo")).to_be_visible()
        expect(asha.card("Café")).to_contain_text(SPANISH["asking"]["next"])
        assert foreign_to(SPANISH, page, *data) == []
        chen.close(coffee)

        open_and_read(SPANISH["lobby"]["host"])
        asha.sheet.get_by_role("textbox").fill("Tea")  # it comes when it is asked for
        assert foreign_to(SPANISH, page, *data, "Tea") == []
        asha.sheet.get_by_role("switch", name=SPANISH["hosting"]["publish"]).click()
        asha.sheet.get_by_role("button", name=SPANISH["hosting"]["open"]).click()
        expect(asha.room.get_by_role("heading", name=SPANISH["invitation"]["title"])).to_be_visible()
        room = page.url.rpartition("=")[2]
        assert foreign_to(SPANISH, page, *data) == []
        for person in (bilal, chen, dana):
            person.watch(room)
            person.request(room, pitch="Una pregunta")
        expect(asha.room.get_by_text("Una pregunta")).to_have_count(3)
        open_and_read("Ahora no, dana")
        asha.room.get_by_role("button", name="Dar la palabra a bilal").click()
        bilal.hears("approved")
        asha.room.get_by_role("textbox").fill("Hola")
        page.keyboard.press("Enter")
        bilal.message(room, "Hola")
        expect(asha.room.get_by_role("log").get_by_text("bilal")).to_be_visible()
        assert foreign_to(SPANISH, page, *data) == []
        asha.room.get_by_role("listitem").filter(has_text="Hola").last.hover()
        open_and_read(SPANISH["feed"]["reply"])
    open_and_read("Más sobre bilal")
    open_and_read(SPANISH["menu"]["invite"])
    asha.sheet.get_by_text(SPANISH["door"]["ways"]["ask"], exact=True).click()
    expect(asha.sheet.get_by_role("button", name=SPANISH["door"]["change"])).to_be_visible()
    assert foreign_to(SPANISH, page, *data) == []
    page.keyboard.press("Escape")
    for button in (SPANISH["menu"]["title"], SPANISH["menu"]["close"]):
        page.get_by_role("button", name=re.compile(f"^{button}")).first.click()
        assert foreign_to(SPANISH, page, *data) == []
    page.get_by_role("button", name=SPANISH["menu"]["yesClose"]).click()
    expect(asha.room.get_by_text("asha cerró la sala.")).to_be_visible()
    expect(asha.room.get_by_role("link", name=SPANISH["publishing"]["preview"])).to_be_visible()
    assert foreign_to(SPANISH, page, *data) == []
    open_and_read(SPANISH["publishing"]["leaveOut"])
    expect(asha.room.get_by_role("button", name=SPANISH["publishing"]["putBack"])).to_be_visible()
    assert foreign_to(SPANISH, page, *data) == []
    open_and_read(SPANISH["publishing"]["withhold"])
    page.get_by_role("button", name=SPANISH["room"]["leave"]).click()
    expect(page.get_by_role("region", name=SPANISH["lobby"]["closed"])).to_be_visible()
    assert foreign_to(SPANISH, page, *data) == []

    page.goto("./#room=none")
    expect(asha.room.get_by_text(SPANISH["refusals"]["There is no such room. It may be gone by now."])).to_be_visible()
    assert foreign_to(SPANISH, page, *data) == []


def test_a_refusal_is_in_the_language_of_the_page(visit, fresh_party):
    """Its words do not come with the page: few need them."""
    asha = visit("asha", fresh_party.address, locale="es-ES").sign_in()
    asha.page.goto("./#room=nowhere")
    why = SPANISH["refusals"]["There is no such room. It may be gone by now."]
    expect(asha.room.get_by_text(why)).to_be_visible()


@pytest.mark.parametrize("answer", [lambda route: route.abort(), lambda route: None], ids=["refused", "hanging"])
def test_where_its_words_cannot_be_had_a_refusal_is_in_english(visit, fresh_party, answer):
    asha = visit("asha", fresh_party.address, locale="es-ES")
    asha.page.route("**/es.json", answer)
    asha.page.clock.install()
    asha.sign_in()
    with asha.page.expect_request("**/es.json"):
        asha.page.goto("./#room=nowhere")
    asha.page.clock.fast_forward(5_000)
    expect(asha.room.get_by_text("There is no such room. It may be gone by now.")).to_be_visible()
    asha.page.evaluate("location.hash = ''")
    expect(asha.room).to_have_count(0)
    asha.page.evaluate("AbortSignal.timeout = () => new AbortController().signal")  # from now on it hangs for good
    asha.page.evaluate("location.hash = '#room=another'")
    again = asha.room.get_by_text("There is no such room. It may be gone by now.")
    expect(again).to_be_visible()  # nobody waits for each


def test_words_from_elsewhere_are_found(visit, fresh_party):
    """So that the test above can fail."""
    emeka = visit("emeka", fresh_party.address).sign_in()
    emeka.page.get_by_role("button", name="sign out").click()
    expect(emeka.page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    assert foreign_to(WORDS_IN["en"], emeka.page, "emeka") == []
    foreign = set(foreign_to(SPANISH, emeka.page, "emeka"))
    assert foreign >= {"It is quiet here", "Host a room", "emeka: choices, and sign out", "Sounds", "Sign out"}


def test_a_browser_in_a_language_that_there_is_not_reads_english(visit):
    asha = visit("asha", locale="fr-FR").sign_in()
    expect(asha.page.get_by_role("button", name="Host a room")).to_be_visible()
    expect(asha.page.locator("html")).to_have_attribute("lang", "en")


def plurals(words, place=()):
    """(place, forms) of every sentence that has several forms."""
    for name, value in words.items():
        if isinstance(value, dict) and "other" in value:
            yield (*place, name), value
        elif isinstance(value, dict):
            yield from plurals(value, (*place, name))


@pytest.mark.parametrize("language", WORDS_IN)
def test_every_number_has_its_form(shared_page, language):
    for place, sentence in plurals(WORDS_IN[language]):
        type = "ordinal" if place[-1] == "ordinals" else "cardinal"
        categories = shared_page.evaluate(
            "([language, type]) => new Intl.PluralRules(language, { type }).resolvedOptions().pluralCategories",
            [language, type],
        )
        assert set(sentence) == set(categories), place


@pytest.mark.parametrize(
    "call, said",
    [
        ("fill('{user} asks {count}', { user: 'أسماء', count: 3 })", "\u2068أسماء\u2069 asks 3"),
        ("fill('{user} asks', { user: 'דנה' })", "\u2068דנה\u2069 asks"),
        ("fill('Not this time: {topic}.', { topic: '\u202eTea' })", "Not this time: \u2068\u202eTea\u2069."),
        ("fill('{user} asks {count}', { user: 'Åsa 李', count: 3 })", "Åsa 李 asks 3"),
        ("listOf(['asha', 'أسماء', 'chen'])", "asha, \u2068أسماء\u2069, and chen"),
        ("fill('{names} ask', { names: listOf(['asha', 'أسماء']) })", "asha and \u2068أسماء\u2069 ask"),
    ],
)
def test_a_name_from_right_to_left_does_not_turn_the_sentence(shared_page, call, said):
    assert shared_page.evaluate(f"words.{call}".replace(" listOf", " words.listOf")) == said


def test_our_own_mistake_is_told_with_the_id_that_the_owner_finds_it_by(shared_page):
    mistake = "code: 'unavailable', error: 'Something went wrong here.', id: '3f9c01ab'"
    assert shared_page.evaluate(f"words.reasonOf({{ {mistake} }})") == "Something went wrong here. (3f9c01ab)"


def test_a_few_are_counted_in_words_and_many_in_figures(shared_page):
    rooms = "[1, 2, 12, 13].map((count) => words.countInWords(words.words.lobby.heading, count))"
    assert shared_page.evaluate(rooms) == [
        "One discussion is on",
        "Two discussions are on",
        "Twelve discussions are on",
        "13 discussions are on",
    ]
    places = "[1, 2, 9, 10, 21, 111, 112].map(words.placeInWords)"
    ordinals = ("second", "ninth", "10th", "21st", "111th", "112th")
    assert shared_page.evaluate(places) == ["You are next", *(f"You are {ordinal} in line" for ordinal in ordinals)]


@pytest.fixture(scope="module")
def shared_page(browser, party):
    """Where `words` is the page's module of that name."""
    page = browser.new_page(base_url=party.address, locale="en-GB")
    page.goto("privacy")
    page.evaluate(
        """async ([address, ...texts]) => {
          for (const [id, text] of texts) {
            const script = document.createElement('script');
            document.body.append(Object.assign(script, { type: 'application/json', id, text }));
          }
          globalThis.words = await import(address);
        }""",
        [f"{party.address}static/words.js", ("words", json.dumps(WORDS_IN["en"])), ("limits", "{}")],
    )
    yield page
    page.close()
