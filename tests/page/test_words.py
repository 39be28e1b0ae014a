"""The page speaks the browser's language where there is a translation, and English elsewhere."""

import json
import re

import pytest
from playwright.sync_api import expect
from servers import ROOT, password_of, running_server
from visitor import people_without_a_page

WORDS_IN = {path.stem: json.loads(path.read_text()) for path in (ROOT / "static/words").glob("*.json")}
SPANISH = WORDS_IN.get("es")

# Everything that somebody sees, or hears with a screen reader, but for the letters in the avatars.
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
    with running_server() as server:
        yield server


def forms(words):
    """All sentences, each form of each."""
    for value in words.values():
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
    return [text for text in page.evaluate(SHOWN) if text not in known and not sentence.fullmatch(text)]


def sign_in(visitor, password):
    visitor.page.locator("[name=name]").fill(visitor.name)
    visitor.page.locator("[name=password]").fill(password)
    visitor.page.get_by_role("button", name=SPANISH["signIn"]["submit"]).click()


def test_a_spanish_browser_reads_spanish_everywhere(visit, fresh_party):
    asha = visit("asha", fresh_party.address, locale="es-ES")
    asha.page.goto("./")
    expect(asha.page.locator("html")).to_have_attribute("lang", "es")
    sign_in(asha, "wrong")
    wrong = SPANISH["refusals"]["That name and password do not go together."]
    expect(asha.page.get_by_role("alert")).to_have_text(wrong)
    assert foreign_to(SPANISH, asha.page) == []

    sign_in(asha, password_of("asha"))
    expect(asha.page.get_by_text(SPANISH["lobby"]["quiet"])).to_be_visible()
    assert foreign_to(SPANISH, asha.page, "asha") == []
    asha.page.get_by_role("button", name=SPANISH["lobby"]["host"], exact=True).click()
    assert foreign_to(SPANISH, asha.page, "asha") == []
    asha.page.get_by_label(SPANISH["hosting"]["topic"]).fill("Tea")
    asha.page.get_by_role("button", name=SPANISH["hosting"]["open"]).click()
    expect(asha.room.get_by_text(SPANISH["feed"]["empty"])).to_be_visible()
    expect(asha.card("Tea")).to_be_attached()
    room = asha.page.url.rpartition("=")[2]
    day = asha.page.evaluate(
        "new Intl.DateTimeFormat('es', { weekday: 'long', day: 'numeric', month: 'long' }).format()"
    )
    data = ("asha", "bilal", "chen", "dana", "Tea", "Hola", "asha: Hola", "bilal: Hola", "Una pregunta", day)
    assert foreign_to(SPANISH, asha.page, *data) == []

    with people_without_a_page(asha.address, "bilal", "chen", "dana") as (bilal, chen, dana):
        for person in (bilal, chen, dana):
            person.request(room, pitch="Una pregunta")
        expect(asha.room.get_by_text("Una pregunta")).to_have_count(3)
        assert foreign_to(SPANISH, asha.page, *data) == []
        asha.room.get_by_role("button", name="Aceptar a bilal").click()
        bilal.hears("approved")
        asha.room.get_by_role("textbox").fill("Hola")
        asha.page.keyboard.press("Enter")
        expect(asha.room.get_by_text(SPANISH["feed"]["sent"])).to_be_visible()
        bilal.message(room, "Hola")
        expect(asha.room.get_by_role("log").get_by_text("bilal")).to_be_visible()
    for button in (SPANISH["room"]["invite"], SPANISH["noticing"]["title"]):
        asha.room.get_by_role("button", name=button).click()
        assert foreign_to(SPANISH, asha.page, *data) == []
        asha.page.keyboard.press("Escape")
    for button in ("Más sobre bilal", SPANISH["people"]["close"], SPANISH["people"]["yesClose"]):
        asha.room.get_by_role("button", name=button).click()
        assert foreign_to(SPANISH, asha.page, *data) == []
    expect(asha.room.get_by_text("asha cerró la sala.")).to_be_visible()
    expect(asha.card("Tea")).to_have_count(0)
    assert foreign_to(SPANISH, asha.page, *data) == []
    asha.room.get_by_role("button", name=SPANISH["room"]["leave"]).click()
    expect(asha.page.get_by_text(SPANISH["lobby"]["closed"])).to_be_visible()
    assert foreign_to(SPANISH, asha.page, *data) == []

    asha.page.goto("./#room=none")
    expect(asha.room.get_by_text(SPANISH["refusals"]["There is no such room. It may be gone by now."])).to_be_visible()
    assert foreign_to(SPANISH, asha.page, *data) == []


def test_words_from_elsewhere_are_found(visit, fresh_party):
    """So that the test above can fail."""
    bilal = visit("bilal", fresh_party.address).sign_in()
    expect(bilal.page.get_by_text("It is quiet here.")).to_be_visible()
    assert foreign_to(WORDS_IN["en"], bilal.page, "bilal") == []
    foreign = set(foreign_to(SPANISH, bilal.page, "bilal"))
    assert foreign >= {"Live rooms", "Sign out", "It is quiet here", "Host a room"}


def test_a_browser_in_a_language_that_there_is_not_reads_english(visit):
    asha = visit("asha", locale="fr-FR").sign_in()
    expect(asha.page.get_by_role("heading", name="Live rooms")).to_be_visible()
    expect(asha.page.locator("html")).to_have_attribute("lang", "en")


def plurals(words, place=()):
    """(place, forms) of every sentence that has several forms."""
    for name, value in words.items():
        if isinstance(value, dict) and "other" in value:
            yield (*place, name), value
        elif isinstance(value, dict):
            yield from plurals(value, (*place, name))


@pytest.mark.parametrize("language", WORDS_IN)
def test_every_number_has_its_form(browser, language):
    page = browser.new_page()
    for place, sentence in plurals(WORDS_IN[language]):
        type = "ordinal" if place[-1] == "ordinals" else "cardinal"
        categories = page.evaluate(
            "([language, type]) => new Intl.PluralRules(language, { type }).resolvedOptions().pluralCategories",
            [language, type],
        )
        assert set(sentence) == set(categories), place
    page.close()


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
    module = "import(new URL('static/words/words.js', document.baseURI))"
    assert shared_page.evaluate(f"async () => {{ const {{ fill, listOf }} = await {module}; return {call}; }}") == said


@pytest.fixture(scope="module")
def shared_page(browser, party):
    page = browser.new_page(base_url=party.address, locale="en-GB")
    page.goto("sign-in")
    page.evaluate("""() => {
      const words = document.createElement('script');
      document.body.append(Object.assign(words, { type: 'application/json', id: 'words', text: '{}' }));
    }""")
    yield page
    page.close()
