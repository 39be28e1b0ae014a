"""All words of the page stand in a file for each language, which says as much as the others, and nowhere else."""

import ast
import json
import re
from collections import defaultdict
from html.parser import HTMLParser

import pytest
from servers import ROOT

from party import rules

WORDS_IN = {path.stem: json.loads(path.read_text()) for path in (ROOT / "static/words").glob("*.json")}
TRANSLATIONS = WORDS_IN.keys() - {"en"}
PLURALS = {"zero", "one", "two", "few", "many", "other"}
# Not those in templates/published/: what is published speaks the language of the blog, by the owner's own templates.
TEMPLATES = sorted((ROOT / "templates").glob("*.html"))
SCRIPTS = sorted((ROOT / "static").glob("*.js"))
IN_A_MODULE = re.compile(r"template: /\* html \*/ `(.*?)`,\n", re.DOTALL)  # a component's markup


def sentences(words, place=()):
    """(place, forms) of every sentence but the refusals; most have one form."""
    for name, value in words.items():
        if isinstance(value, str):
            yield (*place, name), [value]
        elif isinstance(value, list):
            yield (*place, name), value
        elif value.keys() <= PLURALS and value:
            yield (*place, name), list(value.values())
        elif name != "refusals":
            yield from sentences(value, (*place, name))


def placeholders(forms):
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_says_everything_with_the_same_values(language):
    ours, theirs = (dict(sentences(WORDS_IN[name])) for name in ("en", language))
    assert theirs.keys() == ours.keys()
    assert {place: placeholders(forms) for place, forms in theirs.items()} == {
        place: placeholders(forms) for place, forms in ours.items()
    }
    assert not [place for place, forms in theirs.items() if "" in forms]


# Refusals: the server's sentences, which a translation lists


def refusals_of_the_server():
    """The codes and the sentences with which the server refuses; of a sentence with a value in it the code alone."""
    names = ("app.py", "services/insights.py", "runtime/entrance.py", "runtime/names.py", "runtime/web.py")
    paths = [ROOT / name for name in names]
    paths += sorted((ROOT / "party").glob("*.py"))
    modules = [ast.parse(path.read_text()) for path in paths]
    nodes = [node for module in modules for node in ast.walk(module)]
    meanings = defaultdict(list)  # of a name: sentences stand under names, too
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            meanings[node.targets[0].id].append(node.value)
    for call in nodes:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            said = {"Refused": call.args[:2], "sign_in_form": call.args[:1]}.get(call.func.id, [])
            names = [getattr(part, "id", getattr(part, "attr", None)) for part in said]  # NOT_KEPT, web.NOT_KEPT
            known = (meaning for name, part in zip(names, said, strict=True) for meaning in meanings.get(name, [part]))
            yield from (part.value for part in known if isinstance(part, ast.Constant))


def test_refusals_are_found():
    found = set(refusals_of_the_server())
    assert {"bad_input", "limit"} <= found
    assert {"Only the host can do that.", "That name and password do not go together."} <= found
    assert "The party cannot keep anything just now. Please try again in a moment." in found, "under a name"
    assert "That was wrong too often. Please wait a few minutes and try again." in found, "under a name in a function"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_says_why_the_server_refuses(language):
    said = WORDS_IN[language]["refusals"]
    assert said.keys() == set(refusals_of_the_server())
    assert all(said.values()) and not placeholders(said.values())


def test_the_english_refusals_are_the_servers_own():
    assert WORDS_IN["en"]["refusals"] == {}


# No words anywhere else

SHOWN_ATTRIBUTES = {"alt", "aria-description", "aria-label", "placeholder", "title"}
JINJA_NOTE = re.compile(r"\{#.*?#\}|\{%.*?%\}", re.DOTALL)
VALUE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
INSERTED = re.compile(r"\$\{.*?\}")
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"|`([^`]*)`")


class ShownWords(HTMLParser):
    """Collects what a template shows that is not a value, and what its values quote."""

    def __init__(self, text):
        super().__init__()
        self.found, self.hidden = [], 0
        self.feed(JINJA_NOTE.sub("", text))

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("script", "style")
        names = {name for name, _ in attributes}
        for name, value in attributes:
            plain = name.removeprefix("v-bind").removeprefix(":")
            if plain in SHOWN_ATTRIBUTES or (plain == "content" and ("name", "description") in attributes):
                self.note(f"{{{{{value}}}}}" if name != plain else value or "")
        assert "v-html" not in names

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.note(data)

    def note(self, text):
        quoted = ["".join(match) for value in VALUE.findall(text) for match in QUOTED.findall(value)]
        shown = [VALUE.sub("", text), *(INSERTED.sub("", literal) for literal in quoted)]
        self.found += [words.strip() for words in shown if has_letters(words)]


def has_letters(text):
    return re.search(r"[^\W\d_]", text)


@pytest.mark.parametrize(
    "template, found",
    [
        ("<p>Tea {{ words.tea }}</p>", ["Tea"]),
        ("<p>{{ words.tea }}, {{ fill(words.cups, { count }) }}…</p>", []),
        ("<p>{{ isHot ? 'hot' : words.cold }}</p>", ["hot"]),
        ('<img alt="Tea"> <a :title="`tea ${words.tea}`"></a> <a :title="words.tea" class="tea"></a>', ["Tea", "tea"]),
        ('<meta name="description" content="Tea"><meta name="viewport" content="width">', ["Tea"]),
        ("{# Tea #}{% if tea %}<script>tea</script>{% endif %}", []),
    ],
)
def test_words_in_a_template_are_found(template, found):
    assert ShownWords(template).found == found


def templates():
    """(name of the file, template) of every page, and of every component, which stands in its module."""
    for path in TEMPLATES:
        yield path.name, path.read_text()
    for path in SCRIPTS:
        for template in IN_A_MODULE.findall(path.read_text()):
            yield path.name, template


def test_every_template_is_found():
    """A module's are those that begin as an editor knows them."""
    names = [name for name, _ in templates()]
    begun = {path.name: len(re.findall(r"\btemplate:", path.read_text())) for path in SCRIPTS}
    assert {name: names.count(name) for name in begun} == begun
    assert sum(begun.values()) > 25
    assert not [name for name, template in templates() if "`" in template or "${" in template], "values go another way"


def test_no_template_has_words_of_its_own():
    assert not {name: found for name, template in templates() if (found := ShownWords(template).found)}


# A regular expression stands where a value may stand; its quotes are none.
SCRIPT_PARTS = re.compile(
    r"""//[^\n]*|/\*.*?\*/
    |(?<=[=(,:?&|!;{}\[])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/
    |'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`""",
    re.DOTALL | re.VERBOSE,
)
KEYS = {"Enter", "Escape", "Tab", "Home", "End", "ArrowUp", "ArrowDown", "PageUp", "PageDown"}
# A capital letter, or an end as of a sentence. Lower-case words are found on the Spanish page: page/test_words.py.
NAME_OF_PART = re.compile(r"^  name: '\w+',$|component\('\w+'", re.MULTILINE)
SENTENCE = re.compile(r"(?<![^\s(\"'])[A-Z]\w*[a-z]|\s\w+[.!?…]\s*$|\w[.!?…] \w")


def sentences_in(script):
    script = NAME_OF_PART.sub("", script)
    literals = ("".join(filter(None, match)) for match in SCRIPT_PARTS.findall(script))
    literals = (INSERTED.sub("", literal) for literal in literals)
    return [literal for literal in literals if SENTENCE.search(literal) and literal not in KEYS]


@pytest.mark.parametrize(
    "script, found",
    [
        ("tell('Sent')", ["Sent"]),
        ("tell(`${user} has gone.`)", [" has gone."]),
        ('const title = "all Tea"; // Not this', ["all Tea"]),
        ("const LINK = /[\"']/; tell('Gone, all of it'); /* 'Nor this' */", ["Gone, all of it"]),
        ("key === 'Enter'; keep('room after sign-in'); import './words/words.js?'; find('.request button')", []),
    ],
)
def test_sentences_in_a_script_are_found(script, found):
    assert sentences_in(script) == found


def without_templates(path):
    return IN_A_MODULE.sub("", path.read_text())


def test_no_script_has_sentences_of_its_own():
    assert not {path.name: found for path in SCRIPTS if (found := sentences_in(without_templates(path)))}


# No word too many, none too few

# Of other things that a function calls `words`, a module that shows ours does not speak.
OWN_WORDS = re.compile(r"import \{[^}]*\bwords\b[^}]*\} from './words\.js'|export const words =")
NAMED = re.compile(r"(?<![\w.])words\.(\w+)(?:\.(\w+)|(\[))?")
TAKEN_APART = re.compile(r"const \{([^}]*)\} = words\.(\w+);")
WORDS = {(group, name) for group, inside in WORDS_IN["en"].items() if isinstance(inside, dict) for name in inside}


def words_in(code):
    """What the code shows of our words: {(group, name)}, and the groups of which a value says which."""
    named, chosen_from = set(), set()
    for group, name, bracket in NAMED.findall(code):
        if name:
            named.add((group, name))
        elif bracket:
            chosen_from.add(group)
    for names, group in TAKEN_APART.findall(code):
        named |= {(group, name.partition(":")[0].strip()) for name in names.split(",")}
    return named, chosen_from


@pytest.mark.parametrize(
    "code, named, chosen_from",
    [
        ("<p>{{ words.tea.cups }}</p>", {("tea", "cups")}, set()),
        ('<p :title="fill(words.tea.cups, { words })">', {("tea", "cups")}, set()),
        ("return words.tea.numbers[count - 1];", {("tea", "numbers")}, set()),
        ("words.tea[kind] ?? this.words.tea.other", set(), {"tea"}),
        ("const { milk, sugar: sweet } = words.tea;", {("tea", "milk"), ("tea", "sugar")}, set()),
    ],
)
def test_the_words_that_code_shows_are_found(code, named, chosen_from):
    assert words_in(code) == (named, chosen_from)


def shown_words():
    modules = [without_templates(path) for path in SCRIPTS if OWN_WORDS.search(path.read_text())]
    return words_in("\n".join([*(template for _, template in templates()), *modules]))


def test_there_are_all_words_that_the_page_shows():
    """Of one that is missing a browser shows nothing, and says nothing."""
    named, chosen_from = shown_words()
    assert len(named) > 150, "they must be found"
    assert named - WORDS - {("refusals", "get")} == set(), "of a Python dict"
    assert chosen_from <= WORDS_IN["en"].keys()


def test_there_are_no_words_that_the_page_does_not_show():
    """One that a value chooses must be such a value somewhere: in a module, or a reason of the party's for closing."""
    named, chosen_from = shown_words()
    in_modules = re.findall(r"(\w+): |'(\w+)'", "\n".join(map(without_templates, SCRIPTS)))
    values = {*rules.MOODS, "host", "time", "abandoned"}.union(*in_modules)
    assert {(group, name) for group, name in WORDS - named if group not in chosen_from or name not in values} == set()
