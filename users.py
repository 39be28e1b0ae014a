"""The people of the party, hard-coded, and their passwords, which stand nowhere.

A password is derived from the secret key, the name and the person's number. To change somebody's password, raise
their number and restart: it also ends their sign-ins everywhere. `python users.py [ADDRESS]` prints a line for each
person: name, password, invite link.
"""

import contextlib
import hmac
import os
import secrets
import sys
import tempfile
import unicodedata
from urllib.parse import quote

from runtime import settings

# name → number. The first is the owner, who so far has no more rights than the others.
PEOPLE = {"asha": 1, "bilal": 1, "chen": 1, "dana": 1, "emeka": 1, "farida": 1}

# name → number of everybody who may sign in: `guest1`, `guest2` … beside them, where PARTY_GUESTS says how many
NUMBERS = PEOPLE | {f"guest{n}": 1 for n in range(1, settings.GUESTS + 1)}
PASSWORD_BITS = 64  # four words; at the pace that sign-in allows an address, trying half takes longer than the sun has
CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aiou"


def _plain(name):
    """Without what makes it no other name: capitals, white space around its words, how an accent is encoded."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


_AS_TYPED = {_plain(name): name for name in NUMBERS}


def name_of(typed):
    """The name as the people have it, however it was typed; what was typed, where it is nobody's."""
    return _AS_TYPED.get(_plain(typed), typed)


def number_of(name):
    """The number of somebody who may sign in, None for anybody else. Nothing else asks for the table."""
    return NUMBERS.get(name)


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
    """The key that signs sessions and makes passwords: the setting, else one made once and kept for the owner alone."""
    if settings.SECRET_KEY:
        return settings.SECRET_KEY
    settings.INSTANCE.mkdir(mode=0o700, exist_ok=True)
    path = settings.INSTANCE / "secret_key"
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=settings.INSTANCE)  # mode 0600
        os.write(handle, secrets.token_urlsafe(32).encode())
        os.close(handle)
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text()


def invite(address, name, word):
    """The link that fills in the form. Behind the #, where no server and no proxy ever sees it."""
    return f"{address}sign-in#name={quote(name)}&password={word}"


def main(address):
    """Print everybody's name, password and invite link to the party at `address`."""
    secret = secret_key()
    for name, number in NUMBERS.items():
        word = password(secret, name, number)
        print(f"{name:<10} {word}   {invite(address, name, word)}")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/") + "/" if len(sys.argv) > 1 else settings.address())
