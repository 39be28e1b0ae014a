"""Rooms that become pages: whole or not there, with nothing that was left out, whatever is killed or misspelt."""

import contextlib
import errno
import json
import os
import re
import sqlite3
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import feedparser
import html5lib
import pytest
from conftest import browser_of, guest_of
from person import assert_ok, seat
from servers import running_server
from torture_services import Torture, TorturedPublisher

import app
from party.model import MINUTE
from party.state import State
from runtime import records, settings
from services import follow, pages, publisher
from services.pages import address_of, name_of
from services.publisher import Publisher

AT = 1_795_285_200_000  # 21 November 2026, 18:20 UTC
TEA = "3fa2b1c4deadbeef"
FILES = {"index.html", "feed.xml", "sitemap.xml"}
SECRET_WORDS = "Ich nehme das zurueck"  # as JSON has it, too


@pytest.fixture(autouse=True)
def instance(tmp_path, monkeypatch):
    """An instance/ of this test's own, whose pages are found at blog.example."""
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(settings, "PUBLISHED", tmp_path / "published")
    monkeypatch.setattr(settings, "PUBLISHED_AT", "https://blog.example/party/published/")
    monkeypatch.setattr(settings, "PUBLISHED_TEMPLATES", None)
    monkeypatch.setattr(settings, "PUBLISHES", True)
    monkeypatch.setattr(records, "_told", records.Sparingly())
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no test pulls the plug
    monkeypatch.setattr(pages, "made_apart", lambda seconds, kind, *given: pages.DOCUMENTS[kind](*given))
    return tmp_path


class Blog:
    """The service's store, and what its work makes of it."""

    def __init__(self, path):
        self.path = path
        path.touch()
        self.database = follow.connection_to(path, "rw", 5)
        self.database.executescript(
            f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {Publisher.SCHEMA}; {follow.Follower.KEPT}"
        )
        self.service = Publisher()

    def publish(self, published, at=AT):
        """As `take` does; gives the name of the page."""
        row = published["room"], name_of(published), json.dumps(published), at
        self.database.execute("INSERT OR IGNORE INTO pages VALUES (?, ?, ?, ?, NULL)", row)
        return row[1]

    def work(self):
        """As services/follow.py lets it work; gives what the owner is told of what is in the way."""
        try:
            self.service.work(self.database, threading.Event())
        except (follow.Unreadable, OSError, sqlite3.Error) as error:
            return follow.sentence_of(error, self.path)

    def restart(self):
        self.service = Publisher()

    def names(self):
        return {path.name for path in settings.PUBLISHED.iterdir()} if settings.PUBLISHED.exists() else set()

    def read(self, name):
        return (settings.PUBLISHED / name).read_text()


@pytest.fixture
def blog(instance):
    blog = Blog(settings.store_of("publisher"))
    yield blog
    blog.database.close()


def said(*texts, **more):
    """A published room in which asha, bilal and others say these by turns; None is what was left out."""
    users = ("asha", "bilal", "chen", "~maya")
    messages = []
    for seq, text in enumerate(texts, start=1):
        user = users[(seq - 1) % len(users)]
        about = {"user": user, "name": user.strip("~"), "is_guest": user[0] == "~", "text": text}
        messages.append({"seq": seq, "at": AT + seq * MINUTE} | (about | {"reply": None, "likes": 0} if text else {}))
    room = {"room": TEA, "topic": "Tea or coffee?", "host": "asha", "opened_at": AT, "closed_at": AT + 30 * MINUTE}
    return room | {"messages": messages} | more


def page_with(*texts, **more):
    """The page of that, as a file."""
    return pages.document("page", said(*texts, **more), "tea.html")


def parsed(document):
    """The document, as browsers read it. Raises at whatever the standard calls an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(document)


def words_of(document):
    """What somebody reads who has no style and no script, in one line."""
    body = parsed(document).find("body")
    return " ".join(" ".join(body.itertext()).split())


def data_in(document):
    """What search engines read."""
    return json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', document, re.S)[1])


def assert_whole(names):
    """Each file there is whole, and what names others names only those."""
    for name in names:
        text = (settings.PUBLISHED / name).read_text()
        if name.endswith(".html"):
            parsed(text)
            assert text.rstrip().endswith("</html>")
        elif name.endswith(".xml"):
            ElementTree.fromstring(text)
    pointing = [(settings.PUBLISHED / name).read_text() for name in FILES & set(names)]
    for found in re.findall(r"published/(\d{4}-[^\"<]+\.html)", "\n".join(pointing)):
        assert found in names


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("Should we read novels?", "2026-11-21-should-we-read-novels-3fa2b1c4.html"),
        ("هل نقرأ روايات؟ 🎈", "2026-11-21-هل-نقرأ-روايات-3fa2b1c4.html"),
        ("हिन्दी में", "2026-11-21-हिन्दी-में-3fa2b1c4.html"),
        ("../../etc/passwd\0", "2026-11-21-etc-passwd-3fa2b1c4.html"),
        ("🎈", "2026-11-21-3fa2b1c4.html"),
        ("x" * 300, f"2026-11-21-{'x' * 120}-3fa2b1c4.html"),
        ("漢字 " + "漢" * 100, "2026-11-21-漢字-3fa2b1c4.html"),
    ],
)
def test_a_page_is_named_by_its_day_its_topic_and_its_room(topic, name):
    assert name_of(said(topic=topic)) == name
    assert pages.NAMED.fullmatch(name)[1] == TEA[:8], "by this its room is found again"


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"PUBLISHED_AT": "https://blog.example/talks/"}, "https://blog.example/talks/"),
        ({"PUBLISHED_AT": None, "ORIGINS": ["https://party.example"]}, "https://party.example/published/"),
        ({"PUBLISHED_AT": None, "HOST": "::1"}, f"http://[::1]:{settings.PORT}/published/"),
    ],
)
def test_its_address_is_where_pages_are_found_from_outside(given, at, monkeypatch):
    for name, value in given.items():
        monkeypatch.setattr(settings, name, value)
    assert address_of("tea é.html") == f"{at}tea%20%C3%A9.html"


# --- What is published ------------------------------------------------------------------------------------------------


@pytest.fixture
def talk(clean_party, clock, join, come_in, monkeypatch):
    """A room that is to be published, in which friends and a guest have spoken, and which has closed."""
    monkeypatch.setattr(publisher, "now", clock)
    asha, bilal, chen = join("asha"), join("bilal"), join("chen")
    room = asha.host("Tea or coffee?", publish=True)
    assert_ok(asha.door(room))
    for friend in (bilal, chen):
        seat(asha, friend, room)
    maya = come_in(room, "Maya")
    assert_ok(maya.watch(room))
    assert_ok(maya.request(room))
    assert_ok(asha.approve(room, maya.name))
    texts = [
        (asha, "Welcome"),
        (bilal, "Coffee"),
        (chen, "Chen says tea"),
        (maya, "From outside"),
        (bilal, SECRET_WORDS),
    ]
    for person, text in texts:
        clock.passes(minutes=1)
        assert_ok(person.message(room, text))
    assert_ok(bilal.take_back(room, 5))
    assert_ok(asha.like(room, 2))
    assert_ok(asha.close(room))
    return SimpleNamespace(room=room, asha=asha, bilal=bilal, chen=chen, maya=maya)


def what_the_log_says(blog):
    """Hand the service all that happened, as services/follow.py does."""
    state = State()
    for _, command in app.journal.replay():
        outcome = state.apply(command)
        blog.service.take(blog.database, command, outcome, state.rooms.get(command.get("room")))


def test_an_hour_after_the_end_what_was_said_is_a_page_without_what_was_taken_out(talk, blog, clock, caplog):
    assert_ok(talk.chen.ask("leave_out", {"room": talk.room, "out": True}))
    app.tick()
    what_the_log_says(blog)
    blog.work()
    assert blog.names() == set(), "not before the hour is over"
    clock.passes(minutes=60)
    app.tick()
    what_the_log_says(blog)
    blog.work()
    (name,) = blog.names() - FILES
    shown = words_of(blog.read(name))
    assert "Hosted by asha · 3 voices in 5 minutes, 3 messages" in shown
    for there in ("Tea or coffee?", "asha host", "Maya guest", "Welcome", "From outside", "A message was left out."):
        assert there in shown, there
    assert "chen" not in shown
    files = "".join(map(blog.read, blog.names()))
    everything = files + "".join(map(str, blog.database.execute("SELECT * FROM pages")))
    assert not re.search(f"{SECRET_WORDS}|Chen says|chen", everything), "neither in a file nor in the store"
    assert talk.maya.name not in files, "a guest has a name there, and no number"
    assert "Welcome" not in caplog.text and "Tea" not in caplog.text


def test_who_withholds_a_room_publishes_nothing(talk, blog, clock):
    assert_ok(talk.asha.ask("withhold", {"room": talk.room}))
    clock.passes(minutes=61)
    app.tick()
    what_the_log_says(blog)
    blog.work()
    assert blog.database.execute("SELECT count(*) FROM pages").fetchone() == (0,) and blog.names() == set()


# --- The documents ----------------------------------------------------------------------------------------------------

PAYLOADS = [
    "</script><script>alert(1)</script>", "<!-- --!> <img src=x onerror=alert(1)>", "]]> <![CDATA[",
    "{{ 7 * 7 }}{% raw %}", "javascript:alert(1) data:text/html,<b>", "\u202eevil\u202c \u2066 \u200f",
    "a\0b\x0b\x1f\x7f\x85\ufffe\ufdd0\U0001ffff", "\ud800 lone", "&amp;&lt;&#x3c;", "'\" onmouseover='x' \"",
    "𝒜 👩‍👩‍👧‍👦 🇪🇸 é e\u0301", "\r\n\r\n  \n\n\n x", "Z̸̡̛͓" * 50, "`code` @asha -- ---",
    "https://a.example/\"onmouseover=alert(1)", "http://[::1]/<b> ftp://x javascript:http://y.example",
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_whatever_people_write_is_text_in_a_page_without_an_error(payload, blog):
    page = said(payload, None, payload, payload, payload, topic=payload[:120], host="asha")
    for message in page["messages"]:
        if "text" in message:
            message |= {"name": payload[:40], "reply": 1}
    name = blog.publish(page)
    blog.work()
    assert blog.names() == {name, *FILES}
    tree = parsed(blog.read(name))
    parsed(blog.read("index.html"))
    assert len(tree.findall(".//script")) == 1 and tree.findall(".//img") == []
    assert not any(key.startswith("on") for element in tree.iter() for key in element.attrib)
    addresses = [element.attrib["href"] for element in tree.iter("a")]
    assert all(re.match(r"https?://|#m\d+$|\./$", address) for address in addresses), addresses
    clean = pages.clean(payload)
    assert data_in(blog.read(name))["comment"][0]["text"] == clean
    assert "".join(clean.split()) in "".join("".join(tree.find(".//main").itertext()).split())
    feed = feedparser.parse(blog.read("feed.xml"))
    assert not feed.bozo and "".join(feed.entries[0].title_detail.value.split()) == "".join(clean[:120].split())
    ElementTree.fromstring(blog.read("sitemap.xml"))


def test_a_page_says_what_it_is_to_who_links_to_it():
    page = page_with("Welcome", "Coffee")
    properties = {
        meta.attrib.get("property") or meta.attrib.get("name"): meta.attrib.get("content")
        for meta in parsed(page).findall(".//meta")
    }
    assert properties["og:title"] == "Tea or coffee?" and properties["og:type"] == "article"
    assert properties["og:description"] == "Hosted by asha · 2 voices in 30 minutes, 2 messages"
    assert properties["og:url"] == "https://blog.example/party/published/tea.html"
    assert properties["og:image"] == "https://blog.example/party/static/icons/share.png"
    links = {link.attrib["rel"]: link.attrib["href"] for link in parsed(page).findall(".//link")}
    assert links["canonical"] == properties["og:url"] and links["alternate"] == "feed.xml"
    data = data_in(page)
    assert (data["@type"], data["headline"], data["commentCount"]) == ("DiscussionForumPosting", "Tea or coffee?", 2)
    assert data["datePublished"] == "2026-11-21T18:20:00+00:00" and data["author"]["name"] == "asha"
    assert data["comment"][1]["url"] == f"{properties['og:url']}#m2"
    asked = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)|url\(|@import', page)
    assert set(asked) <= {"feed.xml", "./", "https://blog.example/party/", properties["og:url"]}, "nothing is loaded"


def test_each_message_has_an_address_and_an_answer_leads_to_what_it_answers():
    messages = said("One", "Two", None, None, "Five", "Six", "Seven")["messages"]
    messages[5]["reply"], messages[6]["reply"] = 2, 3
    page = page_with(messages=messages)
    tree = parsed(page)
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert ids == ["m1", "m2", "m3", "m4", "m5", "m6", "m7"]
    leads_to = {element.attrib["href"] for element in tree.iter("a") if element.attrib["href"].startswith("#")}
    assert leads_to == {"#m1", "#m2", "#m3", "#m5", "#m6", "#m7"}
    assert "2 messages were left out." in words_of(page)
    assert "bilal Two Six" in words_of(page) and "words that were left out Seven" in words_of(page)


def test_addresses_in_a_text_are_links_and_lines_stay_lines():
    page = page_with("See https://a.example/x?y=1&z=(2).\nThen\n\nnew: HTTP://B.example, not ftp://c.example")
    assert '<a href="https://a.example/x?y=1&amp;z=(2)" rel="nofollow ugc noopener noreferrer">' in page
    assert [link for link in re.findall(r'<a href="(\w+://[bc][^"]*)', page, re.I) if "blog" not in link] == [
        "HTTP://B.example"
    ]
    assert page.count("<br>") == 1 and page.count('<p dir="auto">') == 2


def test_what_stands_between_backticks_is_code_and_nothing_else():
    page = page_with("Say `<b> https://b.example` or ``this``, and `\n`")
    assert '<p dir="auto">Say <code>&lt;b&gt; https://b.example</code> or ``this``, and `<br>\n`</p>' in page


def test_people_have_the_colours_that_the_rooms_page_gives_them():
    """As static/parts.js reckons: asha, bilal and chen have three, and of nine who speak no two have the same."""
    people = [f"friend {n}" for n in range(9)]
    assert sorted(pages.hues_of(people).values()) == list(range(9))
    assert [pages.hues_of([user])[user] for user in ("asha", "bilal", "dana")] == [4, 2, 1]


@pytest.mark.parametrize(
    ("name", "letter"), [("asha", "A"), ("élodie", "É"), ("e\u0301lan", "E\u0301"), ("👩‍🚀 neil", "👩‍🚀"), ("ßa", "SS")]
)
def test_a_face_shows_the_first_letter_as_a_person_sees_it(name, letter):
    assert pages.initial_of(name) == letter


def test_a_room_of_ten_thousand_messages_is_a_page_too(blog):
    name = blog.publish(said(*(f"Message {n} of many, see https://a.example/{n}" for n in range(10_000))))
    blog.work()
    page = blog.read(name)
    assert page.count('<div class="message"') == 10_000
    assert page.count('"@type": "Comment"') == pages.COMMENTS


def test_the_feed_the_index_and_the_map_name_the_newest_first(blog):
    names = [blog.publish(said("Hi", room=f"{n:08x}deadbeef", topic=f"Topic {n}"), at=AT + n * 1000) for n in range(3)]
    blog.work()
    feed = feedparser.parse(blog.read("feed.xml"))
    assert not feed.bozo and feed.version == "atom10"
    assert [entry.title for entry in feed.entries] == ["Topic 2", "Topic 1", "Topic 0"]
    assert [entry.link for entry in feed.entries] == [address_of(name) for name in reversed(names)]
    assert feed.feed.links[1].href == "https://blog.example/party/published/feed.xml"
    assert len({entry.id for entry in feed.entries}) == 3 and feed.entries[0].author == "asha"
    assert feed.entries[0].updated == "2026-11-21T18:20:02+00:00"
    index = re.findall(r'<h2 dir="auto"><a href="([^"]+)">(Topic \d)', blog.read("index.html"))
    assert index == [(name, f"Topic {n}") for n, name in reversed(list(enumerate(names)))]
    locations = [
        element.text for element in ElementTree.fromstring(blog.read("sitemap.xml")).iter() if "loc" in element.tag
    ]
    assert locations == [address_of(name) for name in reversed(names)]


# --- Kills, and whatever else happens to files ------------------------------------------------------------------------


class Killed(BaseException):
    """No `except Exception` stops it, as nothing stops a SIGKILL."""


def killed_at(monkeypatch, step):
    """Let everything that touches the disk end the process at the given step; gives whether it came to that."""
    steps = []

    def counted(do):
        def doing(*given, **more):
            steps.append(do.__name__)
            if len(steps) >= step:  # nor does a `finally` do anything more
                raise Killed
            return do(*given, **more)

        return doing

    for module, name in [(os, "replace"), (os, "fsync"), (os, "fchmod"), (os, "unlink"), (tempfile, "mkstemp")]:
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return steps


def test_a_kill_at_any_step_leaves_each_file_whole_or_not_there(instance, monkeypatch):
    step = 0
    while True:
        step += 1
        folder = instance / str(step)
        folder.mkdir()
        monkeypatch.setattr(settings, "INSTANCE", folder)
        monkeypatch.setattr(settings, "PUBLISHED", folder / "published")
        blog = Blog(settings.store_of("publisher"))
        names = {blog.publish(said("Hi", room=f"{n:08x}deadbeef")) for n in range(2)}
        with monkeypatch.context() as dying:
            steps = killed_at(dying, step)
            with contextlib.suppress(Killed):
                blog.work()
        seen = {name for name in blog.names() if not name.endswith(".draft")}
        assert_whole(seen)
        blog.database.close()
        blog = Blog(settings.store_of("publisher"))
        blog.work()
        assert blog.names() == names | FILES, "and the next one makes the rest, and leaves no draft"
        assert_whole(blog.names())
        blog.database.close()
        if len(steps) < step:
            break
    assert step > 20, "it must have been killed often"


def test_what_is_removed_is_made_again_from_the_store(blog):
    name = blog.publish(said("Welcome"))
    blog.work()
    before = {name: blog.read(name) for name in blog.names()}
    stays = settings.PUBLISHED / "index.html"
    stamp = stays.stat().st_mtime_ns
    (settings.PUBLISHED / "feed.xml").unlink()
    (settings.PUBLISHED / name).unlink()
    (settings.PUBLISHED / "picture.png").write_text("the owner's own")
    blog.restart()
    blog.work()
    assert {name: blog.read(name) for name in before} == before
    assert (settings.PUBLISHED / name).stat().st_mode & 0o777 == 0o644, "a web server can read it"
    assert blog.read("picture.png") == "the owner's own"
    assert stays.stat().st_mtime_ns == stamp, "what is right is left alone"


def test_pages_are_made_again_when_the_party_is_another_version(blog, monkeypatch):
    name = blog.publish(said("Welcome"))
    blog.work()
    before = (settings.PUBLISHED / name).stat().st_mtime_ns
    monkeypatch.setattr(settings, "VERSION", "9.9.9")
    blog.work()
    assert (settings.PUBLISHED / name).stat().st_mtime_ns > before


def test_a_page_that_cannot_be_made_keeps_no_other_from_coming(blog, caplog):
    for body in ('{"room": "0"}', "no JSON"):
        row = str(len(body)), f"2026-11-22-{len(body)}.html", body, AT + 1
        blog.database.execute("INSERT INTO pages VALUES (?, ?, ?, ?, NULL)", row)
    name = blog.publish(said("Welcome"))
    told = blog.work()
    assert blog.names() == {name, *FILES} and name in blog.read("index.html")
    assert "2026-11-22-13.html cannot be made: KeyError." in told and "2026-11-22-7.html" in told
    assert len(caplog.records) == 2
    assert blog.work() == told and len(caplog.records) == 2, "nor is it tried again as it is"


def test_of_rooms_that_nobody_read_in_time_the_owner_is_told(blog, caplog):
    blog.service.gap(blog.database, AT, AT + 60 * MINUTE)
    between = "between 2026-11-21T18:20:00+00:00 and 2026-11-21T19:20:00+00:00"
    assert f"Rooms that were published {between} have no page: the log was cut" in caplog.text


@pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only file system")])
def test_a_disk_that_takes_nothing_is_told_and_tried_again(number, says, blog, monkeypatch):
    name = blog.publish(said("Welcome"))
    with monkeypatch.context() as full:

        def refuse(handle):
            raise OSError(number, os.strerror(number), str(settings.PUBLISHED / name))

        full.setattr(os, "fsync", refuse)
        told = blog.work()
        assert blog.names() == set()
    assert says in told and "Welcome" not in told
    assert blog.work() is None
    assert blog.names() == {name, *FILES}


def test_a_folder_that_cannot_be_is_told(blog):
    blog.publish(said("Welcome"))
    settings.PUBLISHED.write_text("a file")
    assert "cannot be used: Not a directory" in blog.work()


@pytest.mark.server
def test_whatever_is_killed_each_room_is_one_whole_page_of_what_is_left():
    torture = Torture(TorturedPublisher(), ("services killed", "services frozen", "party killed"))
    torture.run()
    assert torture.found == [] and torture.tortured.counts["pages"], "there was something to publish"


def test_behind_a_proxy_the_owner_is_told_once_that_nobody_knows_where_pages_are_found(blog, monkeypatch, caplog):
    monkeypatch.setattr(settings, "PROXIES", 1)
    blog.work()
    blog.publish(said("Welcome"))
    blog.work()
    assert not caplog.records, "it is said where"
    monkeypatch.setattr(settings, "PUBLISHED_AT", None)
    blog.publish(said("Hi", room="0" * 16))
    blog.work()
    blog.work()
    (record,) = caplog.records
    assert record.message.endswith("set PARTY_PUBLISHED_AT to where they are.")


# --- The owner's own templates ----------------------------------------------------------------------------------------


@pytest.fixture
def own(instance, monkeypatch):
    """The folder with the owner's templates."""
    folder = instance / "looks"
    folder.mkdir()
    monkeypatch.setattr(settings, "PUBLISHED_TEMPLATES", folder)
    return folder


OWN = """<!doctype html>
<title>{{ page.topic }} on my blog</title>
<ol>{% for turn in page.turns %}{% for message in turn.messages %}
<li>{{ message.text }}{% endfor %}{% endfor %}</ol>
"""


def test_the_owners_template_takes_the_place_of_ours_on_all_pages(blog, own):
    names = [blog.publish(said("<b>Hi</b>", room=f"{n:08x}deadbeef")) for n in range(2)]
    blog.work()
    (own / "page.html").write_text(OWN)
    blog.work()
    for name in names:
        assert "on my blog" in blog.read(name) and "<li>&lt;b&gt;Hi&lt;/b&gt;" in blog.read(name), "escaped, always"
    assert "Discussions" in blog.read("index.html"), "what is not in the folder is ours"
    (own / "page.html").unlink()
    (own / "style.css").write_text("body { color: teal }")
    blog.work()
    assert all("color: teal" in blog.read(name) and "on my blog" not in blog.read(name) for name in names)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("<p>\n{% for x in %}", "page.html, line 2: Expected an expression"),
        ("<p>\n\n{{ page.topik }}", "page.html, line 3: `{{ page.topik }}` names what is not given."),
        ('<p>\n{% include "gone.html" %}', "page.html, line 2: there is no template gone.html."),
        (
            "{{ page.turns[0].messages[0].text / 2 }}",
            "line 1: `{{ page.turns[0].messages[0].text / 2 }}` fails with TypeError.",
        ),
        ("{{ page[page.turns[0].messages[0].text] }}", "names what is not given."),
        ("{% for x in range(999999999) %}{% endfor %}", "fails with OverflowError."),
        ("{{ ''.__class__.__mro__ }}", "`{{ ''.__class__.__mro__ }}`"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "fails with RecursionError."),
        (b"\xff\xfe", "page.html: it is not UTF-8."),
    ],
)
def test_a_mistake_in_a_template_is_one_sentence_and_the_page_waits_until_it_is_mended(
    template, says, blog, own, caplog
):
    old = blog.publish(said("Old", room="0" * 16))
    blog.work()
    before = blog.read(old)
    (own / "page.html").write_bytes(template if isinstance(template, bytes) else template.encode())
    name = blog.publish(said(SECRET_WORDS))
    told = blog.work()
    assert "page.html" in told and says in told and SECRET_WORDS not in told
    assert blog.work() == told and not caplog.records
    assert name not in blog.names() and name not in blog.read("index.html"), "nothing names what is not there"
    assert blog.read(old) == before, "what is there stays"
    (own / "page.html").write_text(OWN)
    assert blog.work() is None
    assert "on my blog" in blog.read(name) and name in blog.read("index.html") and "on my blog" in blog.read(old)


WITHOUT_AN_END = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3


@pytest.mark.server
def test_the_owners_templates_are_tried_apart_and_what_does_not_end_is_ended(own, instance):
    """Also in an instance that runs with eventlet, which has exceptions of its own."""
    (own / "page.html").write_text("{{ preview }} {{ page.topic }} on my blog")
    log = {"PARTY_JOURNAL": str(instance / "party.db"), "PARTY_SERVICES": "publisher", "PARTY_SERVICES_BESIDE": "no"}
    with running_server(PARTY_PUBLISHED_TEMPLATES=str(own), **log) as server:
        asha = server.person("asha")
        room = asha.host("Tea or coffee?", publish=True)
        assert_ok(asha.message(room, "Welcome"))
        assert_ok(asha.close(room))
        headers = {"Cookie": server.cookies_of("asha")}

        def preview():
            return urlopen(Request(f"{server.address}published/preview/{room}", headers=headers)).read().decode()

        assert preview().endswith("Tea or coffee? on my blog")
        for template, says in ((WITHOUT_AN_END, "takes longer than 3 seconds"), ("{{ a }}", "page.html, line 1")):
            (own / "page.html").write_text(template)
            with pytest.raises(HTTPError, match="500") as answer:  # of 503 nginx would ask another process
                preview()
            assert b"page.html" not in answer.value.read() and says in server.said()


def test_a_template_that_does_not_end_is_tried_once(blog, own, monkeypatch):
    for n in range(3):
        blog.publish(said("Hi", room=f"{n:08x}deadbeef"))
    (own / "page.html").write_text(OWN)
    tried = []

    def without_an_end(seconds, kind, *given):
        tried.append(kind)
        raise pages.WithoutEnd("It takes long.")

    with monkeypatch.context() as trying:
        trying.setattr(pages, "made_apart", without_an_end)
        assert [blog.work(), blog.work()] == ["It takes long."] * 2
    assert tried == ["page", "index"], "each page would take as long"
    (own / "page.html").write_text(OWN + "Mended")
    assert blog.work() is None and len(blog.names()) == 6


def test_a_folder_of_templates_that_is_not_there_is_told(blog, own):
    name = blog.publish(said("Hi"))
    own.rmdir()
    assert "cannot be used: No such file or directory." in blog.work()
    own.mkdir()
    blog.work()
    assert name in blog.names()


# --- Taking a page away -----------------------------------------------------------------------------------------------


def everything():
    """All bytes in instance/."""
    return b"".join(path.read_bytes() for path in settings.INSTANCE.rglob("*") if path.is_file())


def taken_away(what):
    return app.app.test_cli_runner().invoke(args=["unpublish", what])


@pytest.mark.parametrize("what", ["room", "name", "address"])
def test_a_page_that_is_taken_away_is_gone_with_its_words_and_the_feed_says_so(what, blog):
    gone = blog.publish(said(*[f"{SECRET_WORDS} {'so ' * 300}"] * 20, topic="Ein Thema"), at=AT)  # on pages of its own
    stays = blog.publish(said("Hi", room="0" * 16), at=AT + 1000)
    blog.work()
    was = {entry.title: entry.id for entry in feedparser.parse(blog.read("feed.xml")).entries}
    asked = {"room": TEA, "name": gone, "address": f"{address_of(gone)}#m1"}[what]
    answer = taken_away(asked)
    assert answer.exit_code == 0 and "The index and the feed say so." in answer.output, answer.output
    assert blog.names() == {stays, *FILES}
    entry, other = feedparser.parse(blog.read("feed.xml")).entries
    assert (entry.title, entry.summary, entry.id) == (pages.TAKEN_AWAY, pages.TAKEN_AWAY, was["Ein Thema"])
    assert entry.updated > entry.published and other.title == "Tea or coffee?"
    assert not any(word in everything() for word in (SECRET_WORDS.encode(), b"Thema", b"thema"))
    again = taken_away(asked)
    assert again.exit_code == 0 and "Its words are gone" in again.output, "it can be said again"
    client = app.app.test_client()
    assert client.get(f"/published/{gone}").status_code == 410
    assert client.get(f"/published/of/{TEA}").status_code == 410
    assert client.get(f"/published/{stays}").status_code == 200


def test_while_the_service_runs_it_is_the_service_that_says_so(blog):
    name = blog.publish(said(SECRET_WORDS))
    blog.work()
    with publisher.lease.on(blog.path) as is_ours:
        assert is_ours
        answer = taken_away(name)
    assert "within seconds" in answer.output and blog.names() == FILES, "the page itself is gone at once"
    blog.work()
    assert pages.TAKEN_AWAY in blog.read("feed.xml") and name not in blog.read("index.html") + blog.read("sitemap.xml")


def test_a_page_that_is_just_being_written_when_it_is_taken_away_does_not_come(blog, monkeypatch):
    blog.publish(said(SECRET_WORDS))
    document = pages.document

    def meanwhile(kind, *given):
        if kind == "page":
            assert taken_away(TEA).exit_code == 0
        return document(kind, *given)

    monkeypatch.setattr(pages, "document", meanwhile)
    blog.work()
    assert blog.names() <= FILES


def test_a_kill_while_a_page_is_taken_away_leaves_nothing_of_it(blog, monkeypatch):
    name = blog.publish(said(SECRET_WORDS))
    blog.work()
    with monkeypatch.context() as dying:
        dying.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            list(publisher.take_away(name))
    assert name in blog.names(), "it was killed before"
    assert "The page of 3fa2b1c4deadbeef is taken away" in taken_away(name).output, "it can be said again"
    assert blog.names() == FILES


def test_while_somebody_reads_the_store_nobody_says_that_its_words_are_gone(blog, monkeypatch):
    name = blog.publish(said(SECRET_WORDS))
    blog.work()
    monkeypatch.setattr(follow, "BUSY_SECONDS", 0)
    with contextlib.closing(follow.connection_to(blog.path, "ro", 0)) as reader:
        reader.execute("BEGIN").execute("SELECT * FROM pages").fetchall()
        answer = taken_away(name)
        assert "words are still on the disk" in answer.output and "gone" not in answer.output
    assert SECRET_WORDS.encode() in everything()
    assert "Its words are gone" in taken_away(name).output
    assert SECRET_WORDS.encode() not in everything()


@pytest.mark.parametrize("asked", ["tea", "0123456789abcdef", "../publisher.db", "", "2026-11-21-tea-00000000.html"])
def test_what_was_never_published_cannot_be_taken_away(asked, blog):
    blog.publish(said("Hi"))
    blog.work()
    answer = taken_away(asked)
    assert answer.exit_code == 1 and "Nothing that was published is called" in answer.output
    assert len(blog.names()) == 4


def test_a_page_that_the_store_does_not_know_is_taken_away_by_its_name(blog):
    """As where an older store was put back."""
    blog.publish(said("Hi"))
    blog.work()
    stray = settings.PUBLISHED / "2026-11-21-tea-00000000.html"
    stray.write_text(SECRET_WORDS)
    assert "is taken away. The store did not know it." in taken_away(f"https://blog.example/{stray.name}#m1").output
    assert not stray.exists() and len(blog.names()) == 4


def test_a_room_whose_hour_is_not_over_becomes_no_page_where_the_owner_says_so(talk, blog, clock, monkeypatch):
    monkeypatch.setattr(publisher, "open_journal", lambda _: app.journal)  # no other can read that of this process
    preview = f"/published/preview/{talk.room}"
    assert f"{talk.room} will not become a page." in taken_away(f"https://blog.example/#room={talk.room}&ask").output
    assert browser_of("asha").get(preview).headers["Location"] == f"../of/{talk.room}"
    assert browser_of("asha").get(f"/published/of/{talk.room}").status_code == 410
    clock.passes(minutes=61)
    app.tick()
    assert app.state.rooms[talk.room].is_published, "the log says it all the same"
    what_the_log_says(blog)
    blog.publish(said("Hi"))
    blog.work()
    assert len(blog.names()) == 4 and pages.TAKEN_AWAY not in blog.read("feed.xml"), "it never was anywhere"
    assert SECRET_WORDS.encode() not in everything() and b"Coffee" not in everything()
    assert taken_away(talk.room).exit_code == 0, "it can be said again"


def test_a_room_that_just_became_a_page_when_it_was_to_be_stopped_is_taken_away(blog, monkeypatch):
    monkeypatch.setattr(publisher, "is_to_be_published", lambda room: blog.publish(said(SECRET_WORDS)))
    assert "The page of 3fa2b1c4deadbeef is taken away." in taken_away(TEA).output
    blog.work()
    assert blog.names() == FILES


def test_a_party_that_published_nothing_says_so():
    answer = taken_away(TEA)
    assert (answer.exit_code, answer.output) == (1, "Error: Nothing was published here.\n")


# --- Serving ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(clean_party):
    return clean_party.app.test_client()


def test_everybody_can_read_a_page_and_search_engines_find_it(blog, client):
    name = blog.publish(said("Welcome", topic="Schöner Tee"))
    blog.work()
    answer = client.get(f"/published/{name}", headers={"Accept-Encoding": "gzip, br"})
    assert answer.status_code == 200 and answer.text == blog.read(name)
    assert answer.mimetype == "text/html" and answer.headers["X-Robots-Tag"] == "all"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "http" not in policy
    assert "Set-Cookie" not in answer.headers and "Cookie" not in answer.headers.get("Vary", "")
    assert "max-age=60" in answer.headers["Cache-Control"]
    again = client.get(f"/published/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    types = {address: client.get(f"/published/{address}").mimetype for address in ("", "feed.xml", "sitemap.xml")}
    assert types == {"": "text/html", "feed.xml": "application/atom+xml", "sitemap.xml": "application/xml"}
    assert client.post(f"/published/{name}").status_code == 405
    assert client.get("/published").headers["Location"].endswith("/published/")


@pytest.mark.parametrize(
    "address", ["../publisher.db", "%2e%2e/publisher.db", "..%2fpublisher.db", "x.html.a1.draft", "a.db", ".html"]
)
def test_nothing_else_can_be_read_there(address, blog, client):
    blog.publish(said("Welcome"))
    blog.work()
    (settings.PUBLISHED / "x.html.a1.draft").write_text(SECRET_WORDS)
    (settings.PUBLISHED / "a.db").write_text(SECRET_WORDS)
    answer = client.get(f"/published/{address}")
    assert answer.status_code == 404 and SECRET_WORDS not in answer.text and "SQLite" not in answer.text
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"


def test_where_rooms_are_published_robots_may_look_at_pages_and_at_nothing_else(client, monkeypatch):
    lines = client.get("/robots.txt").text.splitlines()
    assert lines[0] == "User-agent: *" and "Allow: /published/" in lines and "Disallow: /" in lines
    assert {"Disallow: /published/preview/", "Disallow: /published/of/"} <= set(lines)
    assert "Allow: /static/icons/share.png" in lines, "it stands in each page"
    assert lines[-1] == "Sitemap: https://blog.example/party/published/sitemap.xml"
    monkeypatch.setattr(settings, "PUBLISHES", False)
    assert "Allow" not in client.get("/robots.txt").text


def test_who_knows_a_room_is_led_to_its_page_also_below_a_path(blog, client):
    assert client.get(f"/published/of/{TEA}").status_code == 404, "without a store"
    name = blog.publish(said("Welcome"))
    answer = client.get(f"/published/of/{TEA}")
    assert answer.status_code == 404 and "There is no page of that room" in answer.text, "it is not written yet"
    blog.work()
    for base in ("http://party.example/", "https://blog.example/party"):
        answer = client.get(f"/published/of/{TEA}", base_url=base)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"../{name}")


def test_a_preview_shows_what_will_be_published_and_when(talk, clock, client):
    assert_ok(talk.chen.ask("leave_out", {"room": talk.room, "out": True}))
    address = f"/published/preview/{talk.room}"
    clock.passes(minutes=20)
    for browser in (browser_of("asha"), browser_of("bilal")):
        answer = browser.get(address)
        assert answer.status_code == 200, answer.text
        shown = words_of(answer.text)
        assert "in 40 minutes this page is published" in shown and "Welcome" in shown
        assert "Chen says tea" not in shown and SECRET_WORDS not in shown
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert '<meta name="robots" content="noindex">' in answer.text and "canonical" not in answer.text
    spanish = browser_of("asha").get(address, headers={"Accept-Language": "es"})
    assert "Vista previa: dentro de 40 minutos" in spanish.text
    assert browser_of("asha").get("/published/preview/nowhere").status_code == 404


@pytest.mark.parametrize("below", ["http://party.example/", "https://blog.example/party/"])
def test_who_is_not_signed_in_comes_from_a_preview_to_the_sign_in_and_then_into_its_room(below, talk, client):
    answer = client.get(f"/published/preview/{talk.room}", base_url=below)
    leads_to = urljoin(f"{below}published/preview/{talk.room}", answer.headers["Location"])
    assert (answer.status_code, leads_to) == (302, f"{below}sign-in#room={talk.room}")


def test_a_guest_who_came_late_sees_of_a_preview_what_they_may_read(clean_party, join, clock):
    asha = join("asha")
    room = asha.host(publish=True)
    assert_ok(asha.message(room, "Before the guest came"))
    assert_ok(asha.door(room))
    user, browser = guest_of(room, "Maya")
    guest = join(user, browser)
    assert_ok(guest.watch(room))
    assert_ok(asha.message(room, "When the guest was there"))
    assert_ok(asha.close(room))
    shown = browser.get(f"/published/preview/{room}").text
    assert "When the guest was there" in shown and "Before the guest came" not in shown


def test_a_preview_says_when_nothing_is_left_and_there_is_none_of_what_will_not_be_published(talk, clock):
    address = f"/published/preview/{talk.room}"
    for person in (talk.asha, talk.bilal, talk.chen, talk.maya):
        assert_ok(person.ask("leave_out", {"room": talk.room, "out": True}))
    assert "nothing will be published" in words_of(browser_of("asha").get(address).text)
    assert_ok(talk.asha.ask("withhold", {"room": talk.room}))
    answer = browser_of("asha").get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"../of/{talk.room}")
