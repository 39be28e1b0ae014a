"""Looks at the party as a visitor does, from outside: page, sign-in, cookie and socket. Says what is not right.

    python deploy/check.py https://party.blog.example/            on the server: signs in as the owner of the party
    python deploy/check.py 'https://…/sign-in#name=…&password=…'  from anywhere: as the one whose invite link this is
    python deploy/check.py --at 127.0.0.1 https://…/              the name is taken to be there

Ends with 0 when all is right, with 1 when something is not, and with 3 when the address cannot be reached.
"""

import argparse
import contextlib
import http.client
import json
import re
import socket
import ssl
import sys
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import simple_websocket

SECONDS = 10  # for each answer
UNREACHABLE = 3
ANOTHER_SITE = "https://another-site.example"
LOG = "The party says why in: journalctl -u 'party@*'"
FORWARDING = "nginx must hand it on as deploy/nginx_forwarding.conf says"


class Wrong(Exception):
    """Something is not right; the text is a sentence with what to do."""


class Unreachable(Wrong):
    """Nobody answers there."""


class StayHere(HTTPRedirectHandler):
    def http_error_302(self, request, answer, *_):
        return answer

    http_error_301 = http_error_303 = http_error_302


class Line(simple_websocket.Client):
    """A WebSocket whose handshake names the port as well, as browsers do."""

    def __init__(self, address, **how):
        self.netloc = urlsplit(address).netloc
        super().__init__(address, **how)

    def handshake(self):
        self.host = self.netloc
        super().handshake()


class Visit:
    """A visit to the party at `address`, with the cookie that it gave."""

    def __init__(self, address):
        self.address, self.cookie, self.token = address, None, None
        parts = urlsplit(address)
        self.origin, self.path, self.is_secure = f"{parts.scheme}://{parts.netloc}", parts.path, parts.scheme == "https"
        self.host = parts.hostname
        self.browser = build_opener(StayHere(), ProxyHandler({}))  # the socket knows no proxy either

    def ask(self, path, form=None):
        """The answer and its text, also of a refusal."""
        headers = {"Cookie": self.cookie} if self.cookie else {}
        request = Request(self.address + path, urlencode(form).encode() if form else None, headers)
        try:
            with contextlib.closing(self.browser.open(request, timeout=SECONDS)) as answer:
                return answer, answer.read().decode(errors="replace")
        except HTTPError as answer:
            return answer, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise self.why_not(error.reason if isinstance(error, URLError) else error) from None

    def why_not(self, error):
        if isinstance(error, socket.gaierror):
            return Unreachable(f"The name {self.host} leads nowhere: give it an address where you have the name from.")
        if isinstance(error, ssl.SSLCertVerificationError):
            return Wrong(f"No browser trusts the certificate: {error.verify_message}. Name another one to install.sh.")
        if isinstance(error, ssl.SSLError):
            return Wrong(f"There is no proper TLS: {error.reason}. What else takes this port for {self.host}?")
        return Unreachable(
            f"Nobody answers at {self.origin} ({error}): does nginx run (systemctl status nginx), and does a firewall"
            " let its port through?"
        )

    def line(self, origin):
        """A WebSocket from a page of that origin, or the status that it is refused with."""
        address = self.address.replace("http", "ws", 1) + "socket.io/?EIO=4&transport=websocket"
        how = {"ssl_context": ssl.create_default_context()} if self.is_secure else {}
        try:
            return Line(address, headers={"Origin": origin, "Cookie": self.cookie}, **how)
        except simple_websocket.ConnectionError as refused:
            return refused.status_code
        except OSError as error:
            raise self.why_not(error) from None

    # --- What must be right, in this order ----------------------------------------------------------------------------

    def the_page_is_there(self):
        answer, page = self.ask("sign-in")
        if answer.status in (502, 504):
            raise Wrong(f"nginx is there, and the party behind it is not. {LOG}")
        found = re.search(r'name="token"\s+value="([^"]+)"', page)
        if answer.status != 200 or not found:
            raise Wrong(
                f"{self.address} is not the party ({answer.status}): another site answers there. Its server in nginx"
                f" needs `include /etc/nginx/party/*.conf;`, or {self.host} leads to another machine."
            )
        self.token = found[1]
        self.keep_the_cookie(answer)

    def the_cookie_is_out_of_reach(self):
        path = self.morsel["path"]
        if path != self.path:
            raise Wrong(f"The cookie is for {path}, not for {self.path}: {FORWARDING}, with its X-Forwarded-Prefix.")
        if bool(self.morsel["secure"]) != self.is_secure:
            raise Wrong(
                f"The cookie {'lacks' if self.is_secure else 'has'} Secure, so the party takes the visit for another"
                f" than {self.origin}: set PARTY_PROXIES=1; {FORWARDING}."
            )
        if not self.morsel["httponly"] or self.morsel["samesite"] != "Lax":
            raise Wrong("The cookie has no HttpOnly or no SameSite=Lax: something on the way takes them off.")

    def the_sign_in_works(self, name, password):
        answer, _ = self.ask("sign-in", {"name": name, "password": password, "token": self.token})
        if answer.status == 429:
            raise Wrong("Too many wrong tries came from here. Wait three minutes.")
        if answer.status == 401:
            raise Wrong(f"The password of {name} is not taken: is that the party with this instance/secret_key?")
        if answer.status == 503:
            raise Wrong(f"The party cannot keep anything: is the disk full, does Redis run? {LOG}")
        if answer.status != 303:
            raise Wrong(f"The sign-in got {answer.status}: does something on the way take the cookie or the form?")
        self.keep_the_cookie(answer)
        answer, page = self.ask("")
        if answer.status != 200:
            raise Wrong(f"Behind the sign-in there is no lobby ({answer.status}). {LOG}")
        self.token = re.search(r'name="token"\s+value="([^"]+)"', page)[1]
        self.keep_the_cookie(answer)  # which has that token now

    def the_socket_opens(self):
        line = self.line(self.origin)
        if line == 403:
            raise Wrong(
                f"The socket is refused to {self.origin} itself: take PARTY_ORIGINS out of /etc/party.env or name this"
                " address there, and set PARTY_PROXIES=1."
            )
        if not isinstance(line, Line):
            raise Wrong(f"The socket does not open ({line}): {FORWARDING}, with its Upgrade.")
        try:
            line.send("40")
            while data := line.receive(timeout=SECONDS):
                if data.startswith("42") and json.loads(data[2:])[0] == "lobby":
                    return
        except simple_websocket.ConnectionClosed:
            pass
        finally:
            with contextlib.suppress(simple_websocket.ConnectionClosed):
                line.close()
        raise Wrong(f"The socket opens and brings no lobby. {LOG}")

    def another_site_gets_no_socket(self):
        line = self.line(ANOTHER_SITE)
        if isinstance(line, Line):
            line.close()
            raise Wrong("A page of any other site can open a socket: take what is not yours out of PARTY_ORIGINS.")
        if line != 403:
            raise Wrong(f"A page of another site is refused with {line}, not with 403: what else answers here?")

    def the_sign_out_works(self):
        answer, _ = self.ask("sign-out", {"token": self.token})
        if answer.status != 303 or self.ask("")[0].status == 200:
            raise Wrong(f"Who signs out is not out ({answer.status}). {LOG}")

    def keep_the_cookie(self, answer):
        cookies = SimpleCookie(answer.headers["Set-Cookie"])
        if "party" not in cookies:
            raise Wrong("No cookie of the party comes: something on the way takes it off.")
        self.morsel = cookies["party"]
        self.cookie = f"party={self.morsel.value}"


def look(address, name, password):
    """Print a line for each thing that is right; gives the exit status, with a sentence at the first that is not."""
    visit = Visit(address)
    for what, look_at in (
        ("the page is there", visit.the_page_is_there),
        ("the cookie is for this address alone, and out of reach of scripts", visit.the_cookie_is_out_of_reach),
        (f"{name} can sign in", lambda: visit.the_sign_in_works(name, password)),
        ("the cookie of the sign-in is, too", visit.the_cookie_is_out_of_reach),
        ("the socket opens and brings the lobby", visit.the_socket_opens),
        ("a page of another site gets no socket", visit.another_site_gets_no_socket),
        ("who signs out is out", visit.the_sign_out_works),
    ):
        try:
            look_at()
        except Wrong as wrong:
            print(f"  NO  {what}\n{wrong}")
            return UNREACHABLE if isinstance(wrong, Unreachable) else 1
        print(f"  ok  {what}", flush=True)
    return 0


def the_owner():
    """Name and password of the first of the people."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import users

    if not users.NUMBERS:
        raise SystemExit("There is nobody on the list who could look: party people add NAME")
    name, number = next(iter(users.NUMBERS.items()))
    return name, users.password(users.secret_key(), name, number)


def take_for(host, place):
    """From now on that name leads to this place, whatever others say."""
    ask = socket.getaddrinfo
    socket.getaddrinfo = lambda name, *more, **how: ask(place if name == host else name, *more, **how)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of the party, or an invite link")
    parser.add_argument("--at", metavar="IP", help="where the name is taken to be")
    wanted = parser.parse_args()
    parts = urlsplit(wanted.address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        parser.error("the address begins with https:// or http://, as in https://party.blog.example/")
    invited = parse_qs(parts.fragment)
    if invited.keys() >= {"name", "password"}:
        name, password = invited["name"][0], invited["password"][0]
    else:
        name, password = the_owner()
    if wanted.at:
        take_for(parts.hostname, wanted.at)
    socket.setdefaulttimeout(SECONDS)
    path = parts.path.removesuffix("sign-in").rstrip("/") + "/"
    sys.exit(look(f"{parts.scheme}://{parts.netloc}{path}", name, password))


if __name__ == "__main__":
    main()
