"""What /privacy says against what is kept: whoever adds a kind, a field, a table or a key says there what it is."""

import html
import json
import re
import sqlite3
from contextlib import closing

import pytest
from conftest import browser_of
from person import form_token
from servers import ROOT, password_of

import app
import services
from party import model, reading, rules
from runtime import backup, entrance, settings, web
from services import feedback, figures, hooks

HOUR, DAY = 60 * model.MINUTE, 24 * 60 * model.MINUTE
LANGUAGES = {language: json.loads((ROOT / f"static/words/{language}.json").read_text()) for language in ("en", "es")}

# What each kind of command is called on the page, in English and in Spanish.
KINDS = {
    "watch": ("go in", "entras"),
    "request": ("ask to speak", "pides la palabra"),
    "withdraw": ("think better of it", "lo piensas mejor"),
    "approve": ("let somebody in", "se la das a alguien"),
    "deny": ("not now", "ahora no"),
    "remove": ("send somebody back to listening", "devuelves a alguien a escuchar"),
    "message": ("say something", "dices algo"),
    "take_back": ("take it back", "lo retiras"),
    "like": ("find it well said", "lo encuentras bien dicho"),
    "pulse": ("give a signal", "das una señal"),
    "more_time": ("or ask for it", "o lo pides"),
    "extend": ("give more time", "das más tiempo"),
    "close": ("that the room closes", "que la sala se cierra"),
    "end": ("at its time as well", "también por su hora"),
    "host": ("open a room", "abres una sala"),
    "move": ("put it at another time", "la cambias de hora"),
    "call_off": ("or call it off", "o la cancelas"),
    "coming": ("say that you come or do not", "dices que vienes o que no"),
    "open": ("and that it opens", "y que se abre"),
    "plan": ("are said again every four hours", "se vuelven a anotar cada cuatro horas"),
    "publish": ("that it was published", "que se publicó"),
    "withhold": ("do not want it after all", "o que al final no"),
    "leave_out": ("leave your words out or put them back", "dejas fuera tus palabras o las vuelves a poner"),
    "hand_over": ("hand the room over", "pasas la sala"),
    "door": ("open its door to guests or close it", "abres su puerta a personas invitadas o la cierras"),
    "guest_in": ("come in by its link", "entras por su enlace"),
    "put_out": ("show a guest out", "haces salir a una persona invitada"),
    "forget": ("and is forgotten", "y se olvida"),
    "sign_in": ("when you sign in", "cuándo entras"),
    "sign_out": ("in and out", "entras y sales"),
    "renumber": ("have another password", "tienes otra contraseña"),
    "opened": ("a browser has opened the sign-in form", "un navegador abrió el formulario de entrada"),
    "measured": ("what your page measures", "lo que mide tu página"),
    "feedback": ("what you tell the owner", "lo que cuentas a quien lleva el servidor"),
    "answer": ("what the owner answers", "lo que esa persona responde"),
    "goals": ("as goals", "como metas"),
    "spent": ("as money spent", "como dinero gastado"),
}
# Each field of `measures`, and what the server adds.
MEASURED = {
    "seconds": ("how long it was seen", "Cuánto tiempo se vio"),
    "inside": ("inside a room", "dentro de una sala"),
    "paint": ("how long it took to load", "cuánto tardó en cargar"),
    "live": ("how long it took to load", "cuánto tardó en cargar"),
    "wait": ("how long answers took", "cuánto tardaron las respuestas"),
    "asked": ("how many there were", "cuántas hubo"),
    "unavailable": ("how many failed", "cuántas fallaron"),
    "errors": ("first words of mistakes", "primeras palabras de los errores"),
    "failed": ("mistakes in its own scripts", "errores de sus propios scripts"),
    "reconnections": ("connection had to be made anew", "hubo que reconectar"),
}
# (table, column) of each service's store; of the figures' rows a kind and a body, so the table is said as a whole.
SUMMED, BY_PSEUDONYM = ("shares, medians, how many", "proporciones, medianas"), ("a pseudonym", "un seudónimo")
FIRST_AND_LAST = ("when first and last", "cuándo la primera y la última")
OF_A_DAY = ("What was reckoned of a day", "se calculó de un día")
WITH_ITS_TIME = ("each with its time", "cada cosa con su hora")
INSIDE = ("who was inside a room until it closes", "quién estuvo dentro de una sala hasta que se cierra")
ATTENDED = ("how many of your rooms have closed", "cuántas de tus salas se han cerrado")
UNREAD = ("when nothing could be read", "cuándo no se pudo leer nada")
TO_BE_TOLD = ("what they are to be told", "lo que se les va a contar")
TRIED = ("how often that was tried", "cuántas veces se intentó")
SWITCHED_OFF = ("which of them are switched off", "cuáles están apagados")
OF_ALL_TAPS = ("reckoned of all taps", "se calcula de todos los toques")
MADE_OF = ("what each file was made of", "de qué se hizo cada archivo")
SHOWN = ("which messages are shown", "qué mensajes se muestran")
STORES = {
    "figures": {
        ("rows", "day"): ("on a day", "en un día"),
        ("rows", "kind"): ("which kind of thing", "qué tipo de cosa"),
        ("rows", "who"): BY_PSEUDONYM,
        ("rows", "subject"): ("in which room", "en qué sala"),
        ("rows", "body"): FIRST_AND_LAST,
        ("people", "who"): BY_PSEUDONYM,
        ("people", "body"): ("when they came first, and whether as a guest", "cuándo llegó, y si fue"),
        **dict.fromkeys((("settings", column) for column in ("name", "body")), KINDS["goals"]),
        **dict.fromkeys((("sums", column) for column in ("day", "kind", "body")), OF_A_DAY),
        **dict.fromkeys((("reports", column) for column in ("weeks", "at", "body")), SUMMED),
    },
    "feedback": {
        **dict.fromkeys((("feedback", column) for column in ("id", "at", "answered_at")), WITH_ITS_TIME),
        ("feedback", "who"): ("your pseudonym", "tu seudónimo"),
        ("feedback", "about"): ("Your tap and your words", "Tu toque y tus palabras"),
        ("feedback", "room"): ("about which room", "sobre qué sala"),
        ("feedback", "choice"): ("Your tap", "Tu toque"),
        ("feedback", "text"): ("your words", "tus palabras"),
        ("feedback", "name"): ("your name only where you say", "tu nombre solo si dices"),
        ("feedback", "version"): ("the page's version", "la versión de la página"),
        ("feedback", "error"): ("its last mistake", "su último error"),
        ("feedback", "answer"): ("what the owner answers", "lo que te responden"),
        **dict.fromkeys((("inside", column) for column in ("room", "who", "at")), INSIDE),
        **dict.fromkeys((("attended", column) for column in ("who", "rooms", "at")), ATTENDED),
        **dict.fromkeys((("gaps", column) for column in ("since", "until")), UNREAD),
        **dict.fromkeys((("reports", column) for column in ("name", "body")), OF_ALL_TAPS),
    },
    "publisher": {
        ("pages", "room"): ("the room's number", "el número de la sala"),
        ("pages", "name"): ("the name of its page", "el nombre de su página"),
        ("pages", "body"): ("what was said by whom", "qué dijo quién"),
        ("pages", "published_at"): ("when it was published", "cuándo se publicó"),
        ("pages", "taken_at"): ("when that was", "cuándo fue"),
        **dict.fromkeys((("files", column) for column in ("name", "made_of", "summary")), MADE_OF),
    },
    "hooks": {
        **dict.fromkeys((("outbox", c) for c in ("number", "hook", "id", "room", "at", "body", "page")), TO_BE_TOLD),
        **dict.fromkeys((("outbox", c) for c in ("due_at", "holds_until", "tries", "given_up_at")), TRIED),
        ("outbox", "error"): ("and why it failed", "y por qué falló"),
        **dict.fromkeys((("switched_off", column) for column in ("hook", "at", "why")), SWITCHED_OFF),
    },
    "moments": {
        **dict.fromkeys((("moments", column) for column in ("room", "body", "looked_at")), SHOWN),
        ("moments", "gone_at"): ("As long as the room can be read", "Mientras se pueda leer la sala"),
        ("moments", "by"): ("what an AI says of them", "lo que dice de ellos una IA"),
        **dict.fromkeys((("to_ask", column) for column in ("room", "body")), ("a copy waits", "la espera una copia")),
        ("to_ask", "gone_at"): ("no longer than the room can be read", "no más de lo que se pueda leer la sala"),
    },
}
# What a backup holds: the part of the page that tells of it, and how.
COPIED, BOTH = ("Backups have a copy", "Las copias de seguridad lo incluyen"), ("backups hold both", "llevan los dos")
IN_BACKUPS = {
    backup.LOG: ("log", COPIED),
    settings.SECRET_KEY_FILE: ("figures", BOTH),
    settings.PEOPLE_FILE: ("people", ("and in backups", "y en las copias de seguridad")),
    "figures.db": ("figures", COPIED),
    "feedback.db": ("feedback", COPIED),
    "publisher.db": ("published", COPIED),
    "hooks.db": ("hooks", COPIED),
    settings.HOOKS_FILE: ("hooks", ("the list of their addresses", "la lista de sus direcciones")),
    "moments.db": ("moments", COPIED),
}
PARTS = (
    "rooms",
    "log",
    "measured",
    "figures",
    "feedback",
    "published",
    "hooks",
    "moments",
    "people",
    "cookie",
    "browser",
    "tries",
    "cdn",
    "ai",
)
NOWHERE = "these words stand on no page"
LIBRARIES = ("whether the page's files could be had", "si se pudieron traer los archivos de la página")
# What the page's scripts keep, by the first words of the key.
IN_THE_BROWSER = {
    "draft": ("what you are writing", "lo que estás escribiendo"),
    "unsent": ("and have not sent", "y no has enviado"),
    "reply": ("to which message it answers", "a qué mensaje responde"),
    "pitch": ("what you would ask to add", "lo que pedirías añadir"),
    "pitch draft": ("what you would ask to add", "lo que pedirías añadir"),
    "topic draft": ("a topic not yet opened", "un tema aún sin abrir"),
    "telling draft": ("or tell the owner", "o contarías a quien lleva el servidor"),
    "room after sign-in": ("into which room you came by a link", "a qué sala llegaste por un enlace"),
    "seen": ("how far you have seen the feed", "hasta dónde has visto la conversación"),
    "opened": ("whether the form was opened", "si el formulario se abrió"),
    "cdn failed": LIBRARIES,
    "outdated": LIBRARIES,
    "sound": ("sounds", "sonidos"),
    "notifications": ("notifications", "avisos"),
    "writing": ("who is writing", "quién está escribiendo"),
    "unnamed": ("listening without your name", "escuchar sin tu nombre"),
    "judged": ("of which rooms you have said how they were", "de qué salas ya dijiste qué tal fueron"),
    "dismissed": ("when you put our question aside", "cuándo dejaste a un lado nuestra pregunta"),
    "read answers": ("which of the owner's answers you have read", "qué respuestas ya leíste"),
}
COOKIE = {
    "form_token": ("a random word that the forms must bring back", "una palabra al azar que los formularios"),
    "visitor": ("a random number for your browser", "un número al azar para tu navegador"),
    "source": ("the place that your link came from", "del que venía tu enlace"),
    "sign_in": ("once you are signed in", "cuando has entrado"),
    "user": ("your name", "tu nombre"),
    "since": ("since when", "desde cuándo"),
    "id": ("the numbers of that sign-in", "los números de esa sesión"),
    "number": ("the numbers of that sign-in", "los números de esa sesión"),
    "_permanent": ("twelve hours", "doce horas"),
    "room": ("in place of your name, and your room", "en lugar de tu nombre, y tu sala"),
}


@pytest.fixture
def page(clean_party):
    """The page's words in a language, as somebody reads them."""

    def page(language="en"):
        text = clean_party.app.test_client().get("/privacy", headers={"Accept-Language": language}).text
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())

    return page


def part(name, language="en"):
    """All that the page says of that, in one line."""
    said = LANGUAGES[language]["privacy"][name]
    return " ".join([*said["what"], said["where"], said["howLong"], said["who"]])


def unsaid(meanings, names):
    """Those of `names` that have no words here, or whose words the page does not say, in whichever language."""
    says = [" ".join(part(name, language) for name in PARTS) for language in LANGUAGES]
    return {name for name in names if not all(map(str.__contains__, says, meanings.get(name, (NOWHERE, NOWHERE))))}


def test_what_is_missing_is_found():
    assert unsaid(KINDS, {"watch", "pin"}) == {"pin"}
    assert unsaid({"pin": ("you pin", "clavas")}, {"pin"}) == {"pin"}


def test_it_names_each_kind_of_command():
    assert unsaid(KINDS, rules.KINDS) == set()
    assert KINDS.keys() == rules.KINDS, "and none that there is not"


def test_it_names_all_that_a_page_measures():
    fields = reading.measures({"seconds": 1, "paint": 1, "live": 1, "wait": {"median": 1, "slowest": 1}})
    assert unsaid(MEASURED, fields) == set()
    assert "The party adds how long its own answers took" in part("measured"), "as `took`"


@pytest.mark.parametrize("name", settings.EVERY_SERVICE.split(","))
def test_it_names_all_that_a_service_keeps(name):
    with closing(sqlite3.connect(":memory:")) as store:
        store.executescript(services.made(name).SCHEMA)
        tables = [table for (table,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {(table, row[1]) for table in tables for row in store.execute(f"PRAGMA table_info({table})")}
    assert name in STORES, "STORES says of each column how the page tells of it"
    assert unsaid(STORES[name], columns) == set()
    assert STORES[name].keys() == columns


def test_of_all_that_a_backup_holds_it_says_so():
    assert IN_BACKUPS.keys() == {backup.LOG, *backup.SECRETS, *settings.STORES}
    for name, says in IN_BACKUPS.values():
        assert all(words in part(name, language) for language, words in zip(LANGUAGES, says, strict=True)), name
    kept = {"en": "In backups as long as the log.", "es": "En las copias de seguridad, lo mismo que el registro."}
    for language, sentence in kept.items():
        assert all(sentence in part(name, language) for name in PARTS[3:8])


def test_it_names_all_that_the_pages_scripts_keep():
    scripts = "\n".join(path.read_text() for path in (ROOT / "static").glob("*.js"))
    keys = set(re.findall(r"\b(?:keep|kept|remember|remembered|etItem)\(['`]([\w -]+)", scripts))
    keys |= {key.strip() for key in re.findall(r"=> `([a-z ]+)\$\{", scripts)}
    assert {"draft", "unsent", "sound", "room after sign-in"} <= keys, "they must be found"
    assert unsaid(IN_THE_BROWSER, keys - {"party"}) == set(), "`party` is before each choice"


def test_it_names_all_that_stands_in_the_cookie(clean_party, join):
    browser = clean_party.app.test_client()
    token = form_token(browser.get("/sign-in?from=letter").text)
    with browser.session_transaction() as session:
        kept = set(session)
    browser.post("/sign-in", data={"name": "asha", "password": password_of("asha"), "token": token})
    browser.get("/")
    with browser.session_transaction() as session:
        kept |= {*session, *session["sign_in"]}
    asha, guest = join("asha"), clean_party.app.test_client()
    link = {"room": (room := asha.host("Tea")), "door": asha.door(room)["token"]}
    form = {"token": form_token(guest.get("/sign-in").text), "name": "Gita", **link}
    assert guest.post("/guest", data=form).status_code == 200
    with guest.session_transaction() as session:
        kept |= {*session, *session["sign_in"]}
    assert kept == COOKIE.keys()
    assert unsaid(COOKIE, kept) == set()


def test_it_says_for_how_long_as_the_code_has_it():
    assert part("log").count(f"{app.LOG_LIFE // HOUR} hours") == 1 and app.TRIM_SECONDS == 60
    assert model.SIGN_IN_LIFE == 12 * HOUR and "twelve hours" in part("cookie")
    assert model.CLOSED_LIFE == 2 * HOUR and "two hours after the room has closed" in part("rooms")
    assert f"{figures.ROW_DAYS} days" in part("figures")
    assert figures.SUM_DAYS == 365 and "without pseudonyms, a year" in part("figures")
    assert "three days of trying and seven more" in part("hooks")
    assert (hooks.WAITS_FOR_PAGE, hooks.KEPT) == (3 * DAY, 7 * DAY)
    assert sum(hooks.AGAIN_AFTER) < 3.2 * DAY, "three days"
    assert feedback.KEPT == 365 * DAY and "A year." in part("feedback")
    assert feedback.ROOMS_BEFORE_ASKING == 3 and "counted up to three" in part("feedback")
    assert entrance.WRONG_TRIES_WITHIN == 3 * model.MINUTE and "Three minutes." in part("tries")
    assert entrance.ENTRIES_WITHIN == model.MINUTE and "Of guests one." in part("tries")
    assert "--keep 14" in (ROOT / "deploy/party-backup.service").read_text() and "fourteen nights" in part("log")


def test_no_address_of_a_visitor_is_kept_by_what_we_bring():
    assert "access_log off;" in (ROOT / "deploy/nginx_forwarding.conf").read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_there_for_everybody_in_their_language(language, clean_party, page):
    said = page(language)
    for name in PARTS[:-2]:  # the last ones are not everywhere
        assert all(sentence in said for sentence in LANGUAGES[language]["privacy"][name]["what"])
    headers = {"Accept-Language": language}
    answers = [one.get("/privacy", headers=headers) for one in (clean_party.app.test_client(), browser_of("asha"))]
    assert answers[0].status_code == 200 and answers[0].data == answers[1].data
    assert not any("Set-Cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize("address", ["https://cdn.jsdelivr.net/npm/vue", None])
def test_who_else_is_asked_is_said_where_somebody_is(address, page, monkeypatch):
    monkeypatch.setitem(app.app.jinja_env.globals, "libraries", [{"cdn": address}])
    assert ("jsdelivr.net" in page()) is bool(address)
    assert {library["cdn"].split("/")[2] for library in web.LIBRARIES} == {"cdn.jsdelivr.net"}


def test_that_words_are_sent_to_an_ai_is_said_where_they_are_and_to_which(page, monkeypatch):
    assert "An AI" not in page()
    monkeypatch.setitem(app.app.jinja_env.globals, "limits", {"ai": "<smollm2:135m>"})
    assert "are sent to <smollm2:135m>, an AI that the owner chose" in page()
    assert "se envían a <smollm2:135m>, una IA" in page("es")


def test_who_signs_in_finds_it(clean_party):
    assert 'href="privacy"' in clean_party.app.test_client().get("/sign-in").text


def test_the_pages_scripts_are_spared_its_words(clean_party):
    assert LANGUAGES["en"]["privacy"]["about"] not in browser_of("asha").get("/").text
