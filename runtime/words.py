"""The words of the page, for what the server writes itself: the sign-in form, the lobby's first cards.

They stand in static/words/, a file for each language. What the page's scripts do with them is done here once more:
nothing may change when they take over. A test compares.
"""

import functools
import json

from flask import request

from runtime import assets

# language → all words of the page; a translation is one file
IN = {path.stem: json.loads(path.read_text()) for path in (assets.STATIC / "words").glob("*.json")}


def in_the_visitors_language():
    """What every template needs: the words, in the language that the browser asks for, which way it runs, and the
    page's script with these words in it."""
    language = request.accept_languages.best_match(IN, "en")
    script = assets.page_script(language)
    return {"language": language, "direction": IN[language]["direction"], "words": IN[language], "page_script": script}


def fill(sentence, **numbers):
    """The sentence with numbers in it: as static/words/words.js has it in a language with one form for 1 and another
    for more. Where there are further forms, the script corrects it.

    For numbers alone: a name that runs from right to left would turn the sentence, which only the script prevents.
    """
    if not isinstance(sentence, str):
        sentence = sentence.get("one" if numbers["count"] == 1 else "other", sentence["other"])
    return sentence.format(**numbers)


def time_left(sentences, milliseconds):
    """As in static/words/times.js."""
    seconds = max(0, -(-milliseconds // 1000) - 1)
    if seconds > 600:
        return fill(sentences["minutesLeft"], count=-(-seconds // 60))
    return fill(sentences["secondsLeft"], minutes=seconds // 60, seconds=f"{seconds % 60:02}")


def hue_of(name):
    """As in static/words/names.js."""
    return f"hue-{functools.reduce(lambda total, letter: (total * 19 + ord(letter)) % 997, name, 0) % 6}"
