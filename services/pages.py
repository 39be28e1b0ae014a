"""How a published room looks: what templates are given, the templates, and the feed and the map that name the pages.

Everything that people wrote is theirs to make up. Templates escape it; what this module marks up it has escaped itself.
"""

import functools
import hashlib
import io
import json
import re
import signal
import subprocess
import sys
import unicodedata
import uuid
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from runtime import settings

OURS = settings.ROOT / "templates" / "published"
NAME = "Discuss Party"
INDEX, FEED, SITEMAP = "index.html", "feed.xml", "sitemap.xml"
HUES = 9  # as many as the page has, and as many as can speak in a room
SHORT = 160  # characters of what is quoted, or told in a line
PREVIEW_SECONDS = 3  # nginx asks another process after five
PAGE_SECONDS = 60  # a room of ten thousand messages takes two
IN_FEED = 50  # entries: what a reader asks for each hour stays small
IN_SITEMAP = 50_000  # addresses: https://www.sitemaps.org/protocol.html
TAKEN_AWAY = "This discussion was taken away."
LONGEST_WORDS = 120  # bytes in the name of a file, which may have 255 in all
NAMED = re.compile(r"\d{4}-\d\d-\d\d-(?:.*-)?([0-9a-f]{8})\.html", re.DOTALL)
COMMENTS = 100  # that programs are told in JSON: whoever wants all of a long one reads the page
# What no document may hold: https://infra.spec.whatwg.org/#noncharacter and controls, but for tab and line feed.
LAST_OF_PLANES = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
NOT_FOR_DOCUMENTS = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{LAST_OF_PLANES}]")
# As static/feed.js has them: a bracket belongs to an address that has its other half, and no address stands in code.
LINK = re.compile(
    r"""(https?://(?:\([^\s<>"()]*\)|[^\s<>"()])*(?:\([^\s<>"()]*\)|[^\s<>"'.,:;!?()\]]))""", re.IGNORECASE
)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
A_PIECE_OF_CODE = Markup("<code>{}</code>")
A_LINK = Markup('<a href="{0}" rel="nofollow ugc noopener noreferrer">{0}</a>')

# --- Names and addresses ----------------------------------------------------------------------------------------------


def name_of(page):
    """The name of its file, for what `views.published` gives: when it was, about what, and by the room's id no other's.
    The same for the same page."""
    day = moment(page["opened_at"]).date().isoformat()
    return "-".join(filter(None, [day, words_of(page["topic"]), page["room"][:8]])) + ".html"


def words_of(topic):
    """The topic as part of an address: small letters, marks and digits of any script, with hyphens between words."""
    letters = unicodedata.normalize("NFKC", topic).lower()
    words = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in letters).split()
    while len("-".join(words).encode()) > LONGEST_WORDS:
        words = words[:-1] or [words[0].encode()[:LONGEST_WORDS].decode(errors="ignore")]
    return "-".join(words)


def address_of(name):
    """Where that file is found from outside."""
    return settings.published_at() + quote(name)


# --- What a page is given ---------------------------------------------------------------------------------------------


def summary_of(published, name):
    """What is kept of a page for the index and the feed, for what `views.published` gives: as JSON can have it."""
    said, voices = [message for message in published["messages"] if "text" in message], voices_of(published)
    return {
        "name": name,
        "topic": clean(published["topic"]),
        "host": voices[published["host"]],
        "voices": [voices[user] for user in dict.fromkeys(message["user"] for message in said)],
        "count": len(said),
        "opened_at": published["opened_at"],
        "closed_at": published["closed_at"],
    }


def told(summary):
    """What the index and the feed tell of that page, and the page itself begins with."""
    opened_at, closed_at = moment(summary["opened_at"]), moment(summary["closed_at"])
    minutes = max(1, round((closed_at - opened_at).total_seconds() / 60))
    voices, messages = some(len(summary["voices"]), "voice"), some(summary["count"], "message")
    counts = f"{voices} in {some(minutes, 'minute')}, {messages}"
    return summary | {
        "address": address_of(summary["name"]),
        "opened_at": opened_at,
        "closed_at": closed_at,
        "minutes": minutes,
        "day": f"{opened_at.day} {opened_at:%B %Y}",
        "counts": counts,
        "facts": f"Hosted by {summary['host']['name']} · {counts}",
    }


def page_of(published, name):
    """What the template of a page is given: docs/operating.md names its parts."""
    voices = voices_of(published)
    messages = [message_of(message, voices) for message in published["messages"]]
    by_seq = {message["seq"]: message for message in messages}
    for message in messages:
        message["reply"] = answered(message["reply"], by_seq)
    page = told(summary_of(published, name)) | {"turns": turns_of(messages)}
    return page | {"data": data_of(page)}


def voices_of(published):
    """By user: the host, and who has words in it."""
    host = published["host"]
    people = {host: {"name": host, "is_guest": False}}
    people |= {message["user"]: message for message in published["messages"] if "text" in message}
    hues = hues_of(people)
    return {user: voice_of(about, hues[user], user == host) for user, about in people.items()}


def voice_of(message, hue, is_host):
    name = clean(message["name"])
    return {"name": name, "initial": initial_of(name), "hue": hue, "is_host": is_host, "is_guest": message["is_guest"]}


def message_of(message, voices):
    """With `voice` None, and no words, where it was taken back or left out."""
    at = moment(message["at"])
    about = {"seq": message["seq"], "id": f"m{message['seq']}", "at": at, "time": f"{at:%H:%M}"}
    if "text" not in message:
        return about | {"voice": None, "text": "", "html": "", "likes": 0, "reply": None}
    text = clean(message["text"])
    said = {"text": text, "html": marked_up(text), "likes": message["likes"], "reply": message["reply"]}
    return about | {"voice": voices[message["user"]]} | said


def answered(seq, by_seq):
    """What a quote shows of the message with that seq: short, and nothing of what was left out."""
    if seq not in by_seq:
        return None
    message = by_seq[seq]
    return {"id": message["id"], "voice": message["voice"], "text": shortened(message["text"])}


def turns_of(messages):
    """Messages that follow each other by the same person, or of which nothing is left, stand together."""
    turns = []
    for message in messages:
        if not turns or turns[-1]["voice"] is not message["voice"]:
            turns.append({"voice": message["voice"], "messages": []})
        turns[-1]["messages"].append(message)
    return turns


def some(count, thing):
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def data_of(page):
    """What search engines read: https://schema.org/DiscussionForumPosting."""
    said = [message for turn in page["turns"] if turn["voice"] for message in turn["messages"]]
    posting = {
        "@context": "https://schema.org",
        "@type": "DiscussionForumPosting",
        "headline": page["topic"],
        "text": said[0]["text"] if said and said[0]["voice"]["is_host"] else page["topic"],
        "url": page["address"],
        "author": {"@type": "Person", "name": page["host"]["name"]},
        "datePublished": page["opened_at"].isoformat(),
        "commentCount": page["count"],
    }
    comments = [
        {
            "@type": "Comment",
            "author": {"@type": "Person", "name": message["voice"]["name"]},
            "datePublished": message["at"].isoformat(),
            "text": message["text"],
            "url": f"{page['address']}#{message['id']}",
            "upvoteCount": message["likes"],
        }
        for message in said[:COMMENTS]
    ]
    return posting | {"comment": comments}


# --- Words ------------------------------------------------------------------------------------------------------------


def clean(text):
    """Without what no document may hold."""
    return NOT_FOR_DOCUMENTS.sub("", text)


def marked_up(text):
    """The text in paragraphs, with its lines, its code and its addresses: escaped, so that a template shows it as it
    is."""
    paragraphs = (
        Markup("<br>\n").join(with_code(line) for line in paragraph.split("\n"))
        for paragraph in re.split(r"\n(?:\s*\n)+", text.strip("\n"))
    )
    return Markup("\n").join(Markup('<p dir="auto">{}</p>').format(paragraph) for paragraph in paragraphs)


def with_code(line):
    return in_turns(line, CODE, A_PIECE_OF_CODE.format, with_links)


def with_links(text):
    return in_turns(text, LINK, A_LINK.format, escape)


def in_turns(text, pattern, found, rest):
    """What `found` makes of each place of the pattern's group, and `rest` of what stands between."""
    return Markup().join((found if place % 2 else rest)(part) for place, part in enumerate(pattern.split(text)))


def shortened(text):
    line = " ".join(text.split())
    return line if len(line) <= SHORT else line[:SHORT].rstrip() + "…"


def initial_of(name):
    """Its first letter as a person sees it, with its marks."""
    end = 1
    while end < len(name) and (unicodedata.category(name[end])[0] == "M" or "\u200d" in name[end - 1 : end + 1]):
        end += 1
    return name[:end].upper()


def hues_of(users):
    """The colour of each, as static/parts.js finds it: nine have nine colours, and who comes later takes none away."""
    hues = {}
    for user in users:
        hues[user] = free_hue(user, hues.values())
    return hues


def free_hue(user, taken):
    wished = functools.reduce(lambda total, letter: (total * 40 + ord(letter)) % 65_521, user, 0) % HUES
    steps = ((wished + step) % HUES for step in range(HUES))
    return next((hue for hue in steps if hue not in taken), wished)


def moment(milliseconds):
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


# --- Templates --------------------------------------------------------------------------------------------------------


class Mistake(Exception):
    """A template cannot be used; the text is a sentence for the owner that says which, where and why."""


class WithoutEnd(Mistake):
    """It takes longer than it may."""


class Templates:
    """The owner's templates, and ours in place of those that are not there. All that they show is escaped."""

    def __init__(self, folders, fingerprint):
        from jinja2 import StrictUndefined
        from jinja2.loaders import ChoiceLoader, FileSystemLoader
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self._folders = folders
        self.fingerprint = fingerprint
        self._environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in self._folders]),
            autoescape=True,
            undefined=StrictUndefined,  # a name that is misspelt is a mistake, and no gap in a page
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def document(self, template, **given):
        """What that template makes of it. Raises Mistake."""
        party = {"name": NAME, "address": settings.party_at(), "feed": FEED}
        try:
            return self._environment.get_template(template).render(party=party, **given)
        except Exception as error:
            raise Mistake(self._sentence_of(error, template)) from None

    def _sentence_of(self, error, template):
        """Which file, which line, what. Of what was said in a room nothing stands in it: the error's own words may be
        made of that."""
        from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

        path, line = self._place_of(error, template)
        code = line_of(path, line)
        if isinstance(error, TemplateSyntaxError):
            why = error.message
        elif isinstance(error, TemplateNotFound):
            why = f"there is no template {error.name}"
        elif isinstance(error, UnicodeDecodeError):
            why = "it is not UTF-8"
        elif isinstance(error, UndefinedError):
            why = f"`{code}` names what is not given"
        else:
            why = f"`{code}` fails with {type(error).__name__}"
        return f"{path}{f', line {line}' if line else ''}: {why.rstrip('.')}."

    def _place_of(self, error, template):
        """(path, line) in a template where that happened; the line is None where nobody can tell."""
        if getattr(error, "filename", None) and getattr(error, "lineno", None):
            return Path(error.filename), error.lineno
        place, trace = None, error.__traceback__
        while trace:
            path = Path(trace.tb_frame.f_code.co_filename)
            if any(path.is_relative_to(folder) for folder in self._folders):
                place = path, trace.tb_lineno
            trace = trace.tb_next
        there = (folder / template for folder in self._folders if (folder / template).exists())
        return place or (next(there, self._folders[0] / template), None)


def line_of(path, number):
    try:
        return path.read_text().splitlines()[number - 1].strip()[:80]
    except (OSError, ValueError, TypeError, IndexError):
        return "a line of it"


def templates():
    """Those that are there now. Raises OSError where the owner's cannot be read."""
    folders = (*filter(None, [settings.PUBLISHED_TEMPLATES]), OURS)
    files = [(path, path.stat()) for folder in folders for path in sorted(files_below(folder))]
    seen = tuple((path, about.st_mtime_ns, about.st_size) for path, about in files)
    made_by = f"{settings.VERSION} {settings.published_at()} {settings.party_at()}"
    return read_templates(folders, seen, made_by)


@functools.lru_cache(maxsize=1)
def read_templates(folders, seen, made_by):
    digests = (f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path, *_ in seen)
    return Templates(folders, hashlib.sha256("".join([made_by, *digests]).encode()).hexdigest())


def files_below(folder):
    """Raises OSError where it is no folder that can be read."""
    for path in folder.iterdir():
        yield from files_below(path) if path.is_dir() else [path]


# --- Documents --------------------------------------------------------------------------------------------------------


def page_document(published, name, preview=None):
    """The page of that; with a preview's sentence (HTML) on top."""
    return templates().document("page.html", page=page_of(published, name), preview=preview and Markup(preview))


def index_document(summaries):
    """The list of those pages."""
    given = {"pages": [told(summary) for summary in summaries], "address": settings.published_at(), "preview": None}
    return templates().document("index.html", **given)


DOCUMENTS = {"page": page_document, "index": index_document}


def document(kind, *given):
    """One of these. Raises Mistake, or whatever a mistake of ours raises. Only the owner's templates may never end."""
    return made_apart(PAGE_SECONDS, kind, *given) if settings.PUBLISHED_TEMPLATES else DOCUMENTS[kind](*given)


def made_apart(seconds, kind, *given):
    """The same, made by a process of its own, which keeps nobody waiting and has so many seconds. Raises Mistake."""
    program, asked = [sys.executable, "-m", "services.pages"], json.dumps([seconds, kind, *given]).encode()
    how = {"cwd": settings.ROOT, "env": settings.environment()}
    # No timeout of ours: eventlet would raise a TimeoutExpired that is not the one which we could catch.
    done = subprocess.run(program, input=asked, capture_output=True, check=False, **how)
    if done.returncode == -signal.SIGALRM:
        raise WithoutEnd(f"{settings.PUBLISHED_TEMPLATES or OURS}: what they make takes longer than {seconds} seconds.")
    if done.returncode:
        raise Mistake(done.stderr.decode(errors="replace").strip() or f"That process ended with {done.returncode}.")
    return done.stdout.decode()


def main():
    seconds, kind, *given = json.load(sys.stdin)
    signal.alarm(seconds)
    try:
        sys.stdout.buffer.write(DOCUMENTS[kind](*given).encode())
    except (Mistake, OSError) as error:
        sys.exit(str(error))
    except Exception as error:  # what it says may have somebody's words in it
        sys.exit(f"It cannot be made: {type(error).__name__}.")


# --- What names the pages ---------------------------------------------------------------------------------------------


def feed_of(entries):
    """An Atom feed (RFC 4287). Each entry has its `room`, `published_at`, `taken_at`, and the `summary` of its page
    where it was not taken away."""
    from feedgenerator import Atom1Feed

    at = settings.published_at()
    feed = Atom1Feed(NAME, at, None, feed_url=at + FEED, author_name=NAME, language="en")
    for entry in sorted(entries, key=changed_at, reverse=True)[:IN_FEED]:
        page = entry["summary"] and told(entry["summary"])
        feed.add_item(
            title=page["topic"] if page else TAKEN_AWAY,
            link=page["address"] if page else at,
            description=escape(page["facts"]) if page else TAKEN_AWAY,  # as HTML
            unique_id=id_of(entry["room"]),
            author_name=page["host"]["name"] if page else None,
            pubdate=moment(entry["published_at"]),
            updateddate=moment(changed_at(entry)),
        )
    text = io.StringIO()
    feed.write(text, "utf-8")
    return text.getvalue()


def changed_at(entry):
    return entry["taken_at"] or entry["published_at"]


def id_of(room):
    """The same for ever, wherever the pages are found and whatever they say."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"discuss-party {room}").urn


def sitemap_of(entries):
    """For search engines, of the same entries: https://www.sitemaps.org/protocol.html"""
    lines = [
        f"  <url><loc>{escape(address_of(entry['name']))}</loc>"
        f"<lastmod>{moment(entry['published_at']).date().isoformat()}</lastmod></url>"
        for entry in [entry for entry in entries if entry["name"]][:IN_SITEMAP]
    ]
    schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', f'<urlset xmlns="{schema}">', *lines, "</urlset>", ""])


if __name__ == "__main__":
    main()
