"""The page's words, in the language that the visitor's browser asks for.

They stand in static/words/, a file for each language. A translation is one such file.
"""

import json

from flask import request

from runtime import assets, settings


def read_words():
    """{language: all words of the page}"""
    return {path.stem: json.loads(path.read_text()) for path in (assets.STATIC / "words").glob("*.json")}


IN = read_words()
# What templates alone show, and what few need, who fetch the file (static/words.js): the page is spared it.
OF_TEMPLATES = {"page", "signIn", "entrance", "offline", "trouble", "privacy", "insights", "publishedPage"}
NOT_WITH_THE_PAGE = OF_TEMPLATES | {"door", "guest", "hosting", "moments", "plans", "publishing", "refusals", "telling"}


def fill(sentence, **values):
    """The sentence with `{name}` replaced by `values`. One with several forms is chosen by `count`, as far as the
    languages that there are need it; static/words.js does the same in a browser."""
    form = sentence if isinstance(sentence, str) else sentence["one" if values["count"] == 1 else "other"]
    return form.format(**values)


def visitors_language():
    if settings.DEV:
        IN.update(read_words())
    return request.accept_languages.best_match(IN, "en")


def refusal(ack):
    """The sentence of this refusal in the visitor's language, as static/words.js finds it."""
    known = IN[visitors_language()]["refusals"]
    return known.get(ack["error"]) or known.get(ack["code"], ack["error"])


def in_the_visitors_language():
    """What every template is given: the words, how to fill one, their language, and which way it runs."""
    language = visitors_language()
    words = IN[language]
    return {
        "language": language,
        "direction": words["direction"],
        "words": words,
        "words_for_scripts": {part: words[part] for part in words if part not in NOT_WITH_THE_PAGE},
        "fill": fill,
    }
