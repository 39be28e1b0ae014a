"""The people of the party, and their passwords, which stand nowhere.

Six names are hard-coded, for a first look. `python users.py add NAME…` begins the owner's own list, which stands in
`instance/people.json`; from then on the six count no more. `renew NAME` gives somebody another password, `remove NAME`
lets them in no more. Both end their sign-ins everywhere, and a running party takes them up by itself.

A password is derived from the secret key, the name and the person's number. A number never goes down: who comes back
has another password than before. `python users.py [ADDRESS]` prints a line for each person: name, password, invite
link; with `--from NAME` the owner sees later who came by these links.
"""

import argparse
import contextlib
import copy
import difflib
import hmac
import json
import logging
import secrets
import unicodedata
from urllib.parse import quote

from party.model import GUEST, is_guest
from party.reading import MAX_NAME, SOURCE
from runtime import names, settings
from runtime.drafts import draft_of
from runtime.obstacles import obstacle

log = logging.getLogger("party.people")

# name → number, where the owner has no list of their own. The first is the owner: the pages about the party are theirs.
PEOPLE = {"asha": 1, "bilal": 1, "chen": 1, "dana": 1, "emeka": 1, "farida": 1}

EXTRAS = {f"extra{n}": 1 for n in range(1, settings.EXTRAS + 1)}  # beside them, where PARTY_EXTRAS says how many
PASSWORD_BITS = 64  # four words; at the pace that sign-in allows an address, trying half takes longer than the sun has
CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aiou"
UNSEEN = {"Cc", "Cf", "Cs"}  # Unicode's categories of control, of format, and of what is no character alone

# --- Who may sign in --------------------------------------------------------------------------------------------------


def _plain(name):
    """Without what makes it no other name: capitals, white space around its words, how an accent is encoded."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def name_of(typed):
    """The name as the people have it, however it was typed; what was typed, where it is nobody's."""
    return _AS_TYPED.get(_plain(typed), typed)


def number_of(name):
    """The number of somebody who may sign in, None for anybody else. Nothing else asks for the table."""
    return NUMBERS.get(name)


def owner():
    """The name of the first of the people, None where there are none. An extra is never the owner."""
    return _owner


_skeletons = None, frozenset()  # of whom, and what they are


def skeletons():
    """What names share that look like somebody's. Made for the first guest, and anew when the people are others."""
    global _skeletons
    if _skeletons[0] is not NUMBERS:
        _skeletons = NUMBERS, names.skeletons_of_all(NUMBERS)
    return _skeletons[1]


def take_up():
    """Make those who may sign in the owner's people, or else the six; the extras beside them. Raises ValueError, with a
    sentence, where that makes no sense."""
    global NUMBERS, _AS_TYPED, _owner, _taken_up
    _taken_up = _stat_of_list()
    own = read_list()
    if own is None and begun_path().exists():
        raise ValueError(
            f"{list_path()} is gone, and with it who was removed. `{_put_back(list_path())}` puts it back from a"
            f" backup; `rm {begun_path()}` begins anew with the names in users.py."
        )
    people, whose = (PEOPLE, "PEOPLE in users.py") if own is None else (own["people"], str(list_path()))
    ensure_names([*people, *EXTRAS], whose)
    NUMBERS, _owner = people | EXTRAS, next(iter(people), None)  # name → number
    _AS_TYPED = {_plain(name): name for name in NUMBERS}


def look_again():
    """Take up the owner's list where it has changed; gives whether it has. One that cannot be used changes nothing, and
    the owner is told once."""
    global _taken_up
    if (there := _stat_of_list()) == _taken_up:
        return False
    _taken_up = there
    try:
        if there is None:
            raise ValueError(f"{list_path()} is gone.")
        take_up()
    except ValueError as error:
        log.error("%s Until then everybody stays who they were.", error)
        return False
    return True


def _stat_of_list():
    """What of the list's file is another after each change of it, also of who may read it; None where it is not."""
    try:
        there = list_path().stat()
    except OSError:
        return None
    return there.st_ino, there.st_size, there.st_ctime_ns


def ensure_names(names, whose):
    """Raises ValueError, with a sentence, at the first that is no name for a person, or another's but for capitals."""
    known = {}
    for name in names:
        if fault := _fault_of(name):
            raise ValueError(f"{whose}: the name {name!r} {fault}.")
        if _plain(name) in known:
            raise ValueError(f"{whose}: {known[_plain(name)]!r} and {name!r} are the same name to who signs in.")
        known[_plain(name)] = name


def _fault_of(name):
    """What is wrong with a name, None where nothing is."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    if is_guest(name):
        return f"begins with {GUEST}, as the ids of guests do"
    if name != " ".join(name.split()):
        return "has white space in it that is not one space between two words"
    if any(unicodedata.category(character) in UNSEEN for character in name):
        return "has a character in it that nobody can see"
    return None


# --- Passwords --------------------------------------------------------------------------------------------------------


def password(secret, name, number):
    """The password of `name`: 64 bits as four words that can be read aloud ("lusab-babad-gutih-tugad").

    The words are proquints (arxiv.org/abs/0901.4016): consonants carry four bits each, vowels two.
    """
    digest = hmac.digest(secret.encode(), f"password:{name}:{number}".encode(), "sha256")
    bits = int.from_bytes(digest[: PASSWORD_BITS // 8], "big")
    return "-".join(_word(bits >> shift & 0xFFFF) for shift in range(PASSWORD_BITS - 16, -1, -16))


def _word(bits):
    return "".join(
        letters[bits >> shift & len(letters) - 1]
        for letters, shift in ((CONSONANTS, 12), (VOWELS, 10), (CONSONANTS, 6), (VOWELS, 4), (CONSONANTS, 0))
    )


def is_password(secret, name, number, given):
    """Whether `given` is the password of `name`, whose number this is; None for somebody who is none of the people.

    An unknown name takes the same path and time as a wrong password. Capitals, and spaces between the words, are
    forgiven: the password may have been read aloud.
    """
    right = password(secret, name, number or 0)
    alike = hmac.compare_digest(right.encode(), "-".join(given.lower().replace("-", " ").split()).encode())
    return alike and number is not None


def secret_key():
    """The key that signs sessions and makes passwords: the setting, else one made once and kept for the owner alone.
    Stops with a sentence where it cannot be made or read."""
    if settings.SECRET_KEY:
        return settings.SECRET_KEY
    path = settings.INSTANCE / settings.SECRET_KEY_FILE
    try:
        if not path.exists():
            settings.INSTANCE.mkdir(mode=0o700, exist_ok=True)
            # Where another process was first, its key counts.
            with contextlib.suppress(FileExistsError), draft_of(path, once=True) as draft:
                draft.write(secrets.token_urlsafe(32).encode())
            if begun_path().exists():
                log.warning("There was no secret key, so one was made: everybody has another password than before.")
        if (key := path.read_text()).strip():
            return key
    except OSError as error:
        raise SystemExit(obstacle(path, error)) from None
    except UnicodeDecodeError:
        pass
    raise SystemExit(
        f"{path} holds no key: `{_put_back(path)}` puts it back from a backup. Where there is none,"
        f" `rm {path}` and start again; then everybody has another password."
    )


def _put_back(path):
    """The command that takes this file out of a backup."""
    return f"tar -xzf FILE -C {path.parent} {path.name}"


# --- The owner's own list ---------------------------------------------------------------------------------------------


NOBODY = {"people": {}, "removed": {}, "address": ""}


def list_path():
    return settings.INSTANCE / settings.PEOPLE_FILE


def begun_path():
    """Stands beside the list from its beginning on: without the list, who was removed would be let in again."""
    return settings.INSTANCE / f"{settings.PEOPLE_FILE}-begun"


def read_list():
    """The owner's list, None where there is none: the `people` and who was `removed`, each {name: number}, and the
    `address` of the party. Raises ValueError, with a sentence, for one that cannot be used."""
    path, why = list_path(), ""
    try:
        own = NOBODY | json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_twins)
        numbers = [*own["people"].values(), *own["removed"].values()]
        if all(type(number) is int and number > 0 for number in numbers) and isinstance(own["address"], str):
            return own
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(obstacle(path, error)) from None
    except ValueError as error:
        why = f" ({error})"
    except (TypeError, AttributeError):
        pass
    raise ValueError(
        f"{path} is no list of people{why}. `{_put_back(path)}` puts it back from a backup; or write it anew: "
        '{"people": {"asha": 1, "bilal": 2}} is one; a higher number is another password.'
    )


def _without_twins(pairs):
    """An object of JSON as a dict. Raises ValueError where a name stands in it twice: one number would be lost."""
    if twins := {name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1}:
        raise ValueError(f"{min(twins)!r} stands in it twice")
    return dict(pairs)


def write_list(own):
    """Stops with a sentence where it cannot be written; then the one before is still there."""
    try:
        settings.INSTANCE.mkdir(mode=0o700, exist_ok=True)
        with draft_of(begun_path()):
            pass
        with draft_of(list_path()) as draft:
            draft.write(f"{json.dumps(own, ensure_ascii=False, indent=2)}\n".encode())
    except OSError as error:
        raise SystemExit(obstacle(list_path(), error)) from None


def add(own, *names):
    """Let them in. Who was there before gets a number that they never had, in whatever capitals. Gives a sentence."""
    names = [unicodedata.normalize("NFC", name) for name in names]
    if there := [name for name in names if _plain(name) in map(_plain, own["people"])]:
        raise ValueError(f"Nobody was added: {there[0]!r} is on the list already, whatever the capitals.")
    ensure_names([*own["people"], *EXTRAS, *names], "Nobody was added")
    is_first = not own["people"]
    for name in names:
        before = [own["removed"].pop(known) + 1 for known in list(own["removed"]) if _plain(known) == _plain(name)]
        own["people"][name] = max(before, default=PEOPLE.get(name, 1))
    said = f"Added: {', '.join(names)}."
    if is_first:
        said += f" The list is {list_path()} from now on, whatever stands in users.py; {names[0]} is the owner."
    if is_first and (gone := [name for name in NUMBERS if name not in (*EXTRAS, *names)]):
        said += f" Of those in users.py {', '.join(gone)} can no longer sign in;"
        said += " their words are left out of what is still to be published."
    return said


def renew(own, *names):
    """Give them another password. Gives a sentence."""
    for name in names:
        own["people"][name] += 1
    return f"Another password for {', '.join(names)}: the one before counts no more, and every sign-in with it ends."


def remove(own, *names):
    """Let them in no more; their numbers stay known. Gives a sentence."""
    for name in names:
        own["removed"][name] = own["people"].pop(name)
    return f"Removed: {', '.join(names)}. Every sign-in of theirs ends."


def _known(own, typed):
    """The name of somebody on the list. Stops with a sentence that names the nearest."""
    if not own["people"]:
        raise SystemExit("There is nobody on a list of yours: `python users.py add NAME…` begins it.")
    names = {_plain(name): name for name in own["people"]}
    if _plain(typed) not in names:
        near = difflib.get_close_matches(_plain(typed), names, 1, cutoff=0)
        raise SystemExit(f"{typed!r} is not on the list. {names[near[0]]!r} may be meant.")
    return names[_plain(typed)]


# --- In a terminal ----------------------------------------------------------------------------------------------------


def invite(address, name, word, source=""):
    """The link that fills in the form: behind the #, which no server and no proxy ever sees. `source`, where the link
    stood, is for the server."""
    where = f"?from={source}" if source else ""
    return f"{address}sign-in{where}#name={quote(name)}&password={word}"


def show(people, address, source):
    """Print a line for each: name, password, invite link to the party at `address`, or where settings say it is."""
    secret, address = secret_key(), whole(address)
    for name, number in people.items():
        word = password(secret, name, number)
        print(f"{name:<10} {word}   {invite(address, name, word, source)}")


def show_all(address, source):
    """Print the lines of everybody, and what the first of them has."""
    show(NUMBERS, address, source)
    if owner():
        print(f"{owner()} is the owner: {whole(address)}insights says whether it works.")


def whole(address):
    """The address to put a path behind: this one, or where settings say that the party is."""
    return (address or settings.party_at()).rstrip("/") + "/"


def change(verb, names, address, source):
    """Change the owner's list, say so, and print the lines of whom it is about."""
    own = read_list() or copy.deepcopy(NOBODY)
    if verb is not add:
        names = list(dict.fromkeys(_known(own, name) for name in names))
    own["address"] = address or own["address"]
    sentence = verb(own, *names)
    write_list(own)
    show({name: own["people"][name] for name in names if name in own["people"]}, own["address"], source)
    print(f"{sentence} A party that runs takes it up within two seconds.")


def is_address(word):
    return word.startswith(("https://", "http://"))


def main():
    parser = argparse.ArgumentParser(
        usage="python users.py [ADDRESS] | add NAME… | renew NAME… | remove NAME…   [--address ADDRESS] [--from NAME]",
        description="Show the people with their passwords and invite links, or change who they are.",
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--address", default="", help="where the party is; who changes the list need not say it again")
    parser.add_argument("--from", dest="source", metavar="NAME", default="", help="says in the links where they stood")
    given = parser.parse_args()
    if given.address and not is_address(given.address):
        raise SystemExit(f"--address must begin with https:// or http://, not {given.address!r}.")
    if given.source and not SOURCE.fullmatch(given.source):
        raise SystemExit(f"--from takes up to 40 letters, digits, '.', '_' and '-', not {given.source!r}.")
    match given.words:
        case []:
            show_all(given.address or (read_list() or NOBODY)["address"], given.source)
        case [address] if is_address(address):
            show_all(address, given.source)
        case ["add" | "renew" | "remove" as verb, _, *_]:
            secret_key()  # where there can be none, nothing is changed
            change({"add": add, "renew": renew, "remove": remove}[verb], given.words[1:], given.address, given.source)
        case ["add" | "renew" | "remove" as verb]:
            raise SystemExit(f"Whom? `python users.py {verb} NAME…` says it.")
        case words:
            raise SystemExit(f"{' '.join(words)!r} is no address (https://…), nor add, renew or remove with a NAME.")


try:
    if not settings.IS_FLASK_COMMAND:  # which must go on where the list is broken: it may put it back
        take_up()
    if __name__ == "__main__":
        main()
except ValueError as error:
    raise SystemExit(str(error)) from None
