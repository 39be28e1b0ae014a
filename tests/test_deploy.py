"""What install.sh writes and refuses, and the check from outside. `make drill` does all of it for real."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import check
import nginx_site
import pytest
from servers import ROOT, free_port, password_of, running_server
from test_cluster import NGINX_PATH, make_certificate

pytestmark = pytest.mark.server

DEPLOY = ROOT / "deploy"
SCRIPTS = ["party", *sorted(path.name for path in DEPLOY.glob("*.sh"))]

# --- Scripts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_can_be_read_by_sh(name):
    assert {"install.sh", "update.sh", "uninstall.sh"} <= set(SCRIPTS)
    assert subprocess.run(["sh", "-n", DEPLOY / name], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "steps.sh"])
def test_shellcheck_finds_nothing_where_it_is_there(name):
    """In CI it is. `-x`: steps.sh is read together with who uses it."""
    if shutil.which("shellcheck"):
        command = ["shellcheck", "-x", DEPLOY / name]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert said.stdout == ""


@pytest.fixture(scope="module")
def scripts():
    """Copies that somebody without any rights can read: who is not root installs nothing, whatever a test breaks."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name in SCRIPTS:
            shutil.copy(DEPLOY / name, folder)
        yield Path(folder)


def say(scripts, name, *words):
    """Exit status, and what a script says to somebody without any rights."""
    nobody = {"user": 65_534, "group": 65_534, "extra_groups": []} if os.geteuid() == 0 else {}
    command = ["sh", scripts / name, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **nobody)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--people"], "--people needs a word behind it."),
        (["--proceses", "3"], "There is no option --proceses."),
        (["--processes", "0"], "--processes must be a number from 1 to 59, not 0."),
        (["--processes", "three"], "--processes must be a number from 1 to 59, not three."),
        (["a.example", "b.example"], "There are two addresses, a.example and b.example: the party has one."),
        (["a.example:8080"], "a.example:8080 is no address such as"),
        (["/party/"], "/party/ is no address such as"),
        (["a.example;reboot"], "a.example;reboot is no address such as"),
        (["a.example/par ty/"], "The path in a.example/par ty/ may hold"),
        (["a.example/$(reboot)/"], "The path in a.example/$(reboot)/ may hold"),
        (["--certificate", "/a.pem"], "A certificate has two files"),
        (["--key", "/a.key"], "A certificate has two files"),
        (["--people", "Zoë, Anna"], "Names stand with a space between them alone."),
        (["--no-tls", "--certificate", "/a.pem", "--key", "/a.key"], "exclude each other"),
        (["--email", "o'brien@a.example"], "may hold no '"),
        (["a.example", "--people", "asha", "--yes"], "Only root can do that"),
    ],
)
def test_install_refuses_what_makes_no_sense_with_a_sentence(scripts, words, sentence):
    status, said = say(scripts, "install.sh", *words)
    assert status == 1
    assert sentence in said and said.count("\n") == 1, said


@pytest.mark.parametrize("words", [["update.sh"], ["uninstall.sh"], ["party", "status"]])
def test_the_other_scripts_are_for_root_alone(scripts, words):
    status, said = say(scripts, *words)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("Only root can do that")


def test_install_names_all_its_options(scripts):
    status, help = say(scripts, "install.sh", "--help")
    known = set(re.findall(r"--[a-z-]+(?=[ |)])", section_of_options()))
    assert status == 0 and len(known) == 9
    assert known - {"--help"} == set(re.findall(r"--[a-z-]+", help))


def section_of_options():
    return re.search(r"read_options\(\) \{(.+?)\n\}", (DEPLOY / "install.sh").read_text(), re.S)[1]


# --- Units ------------------------------------------------------------------------------------------------------------


def lines_of(unit):
    return [line for line in (DEPLOY / unit).read_text().splitlines() if line and not line.startswith(("#", "["))]


def test_the_services_may_do_no_more_than_the_party():
    party, services = (lines_of(unit) for unit in ("party@.service", "party-services.service"))
    walls = party[party.index("NoNewPrivileges=yes") : party.index("UMask=0077") + 1]
    assert len(walls) > 8 and set(walls) <= set(services)
    assert {"User=party", "LimitCORE=0", "EnvironmentFile=/etc/party.env"} <= set(party) & set(services)


def test_what_the_owner_sets_counts_and_no_setting_that_an_older_version_refuses_is_put_among_it():
    """Else nobody could go back from an update: that version would not start."""
    for unit in ("party@.service", "party-services.service"):
        files = [line for line in lines_of(unit) if line.startswith("EnvironmentFile=")]
        assert files == ["EnvironmentFile=-/etc/party.address", "EnvironmentFile=/etc/party.env"], "the last one wins"
    steps = re.search(r"place_the_address\(\) \{(.+?)\n\}", (DEPLOY / "steps.sh").read_text(), re.S)[1]
    assert "PARTY_PUBLISHED_AT=" in steps and "SETTINGS" not in steps


def test_the_services_have_a_process_of_their_own_that_the_party_wants():
    party = "\n".join(lines_of("party@.service"))
    assert re.search(r"^Wants=.*\bparty-services\.service$", party, re.M)
    assert re.search(r"^ExecStart=/usr/bin/env .*\bPARTY_SERVICES_BESIDE=no\b.* app\.py$", party, re.M)
    assert "ExecStart=/opt/party/.venv/bin/python -m services" in lines_of("party-services.service")


@pytest.mark.parametrize("unit", sorted(path.name for path in DEPLOY.glob("party*") if path.suffix))
def test_every_unit_is_known_to_who_takes_it_away(unit):
    assert f"$UNITS/{unit}" in re.search(r'OUR_FILES="(.+?)"', (DEPLOY / "steps.sh").read_text(), re.S)[1]


# --- nginx ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("path", ["/", "/party/", "/a/b/"])
@pytest.mark.parametrize("tls", [False, True])
def test_nginx_takes_every_site_that_install_writes(tmp_path, processes, path, tls):
    make_certificate(tmp_path)
    files = (tmp_path / "certificate.pem", tmp_path / "key.pem") if tls else ()
    here = nginx_site.version_of_nginx()
    site = nginx_site.site("party.blog.example", path, processes, *files, ipv6=False, nginx=here)
    assert ("listen 80;" in site) == (path == "/") and ("listen 443" in site) == (path == "/" and tls)
    assert site.count("max_fails=1") == processes
    if path != "/":
        site += f"server {{ listen 80; location / {{ }} {nginx_site.location(path)} }}"
    said = nginx_says_of(tmp_path, site)
    assert "syntax is ok" in said and "[warn]" not in said, said


@pytest.mark.parametrize("version, http2", [((1, 22, 1), "listen 443 ssl http2;"), ((1, 25, 1), "http2 on;")])
def test_the_site_speaks_http2_in_the_words_of_the_nginx_that_is_there(version, http2):
    site = nginx_site.site("party.blog.example", "/", 1, "/certificate.pem", "/key.pem", ipv6=False, nginx=version)
    assert site.count("http2") == 1 and http2 in site, site


def nginx_says_of(folder, site):
    """What `nginx -t` says. Port 80 is not everybody's, so another is put there."""
    site = site.replace("/var/log/nginx/error.log", "stderr").replace(" 80;", " 10080;").replace(" 443 ", " 10443 ")
    temporary = "".join(f"{kind}_temp_path temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"pid nginx.pid; events {{}} http {{ access_log off; {temporary}\n{site}\n}}")
    command = ["nginx", "-e", "stderr", "-p", folder, "-c", "nginx.conf", "-t"]
    search = {**os.environ, "PATH": NGINX_PATH}
    return subprocess.run(command, env=search, capture_output=True, text=True, check=False).stderr


# --- The check from outside -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def party():
    with running_server() as server:
        yield server


def test_the_check_finds_a_party_that_is_right(party, capsys):
    assert check.look(party.address, "asha", password_of("asha")) == 0
    assert capsys.readouterr().out.count("  ok  ") == 7


def test_the_check_says_whose_password_is_not_taken(party, capsys):
    assert check.look(party.address, "asha", "wrong") == 1
    assert "The password of asha is not taken" in capsys.readouterr().out


def test_the_check_says_that_nobody_answers(capsys):
    assert check.look(f"http://127.0.0.1:{free_port()}/", "asha", "any") == check.UNREACHABLE
    assert "Nobody answers at http://127.0.0.1:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "origins, sentence",
    [
        ("https://elsewhere.example", "The socket is refused to http://127.0.0.1:{port} itself"),
        ("http://127.0.0.1:{port}," + check.ANOTHER_SITE, "A page of any other site can open a socket"),
    ],
)
def test_the_check_says_what_is_wrong_with_the_origins(origins, sentence, capsys):
    port = free_port()
    with running_server(PORT=str(port), PARTY_ORIGINS=origins.format(port=port)) as server:
        assert check.look(server.address, "asha", password_of("asha")) == 1
    assert sentence.format(port=port) in capsys.readouterr().out


@contextlib.contextmanager
def answering(status, body=b"", cookie=None):
    """Something else at an address of its own, which says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            if cookie:
                self.send_header("Set-Cookie", cookie)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/party/"
        server.shutdown()


FORM = b'<input name="token" value="any">'


@pytest.mark.parametrize(
    "answer, sentence",
    [
        ((404, b"The blog"), "is not the party (404): another site answers there"),
        ((200, b"The blog"), "is not the party (200): another site answers there"),
        ((502,), "nginx is there, and the party behind it is not"),
        ((200, FORM), "No cookie of the party comes"),
        ((200, FORM, "party=a; HttpOnly; SameSite=Lax; Path=/"), "The cookie is for /, not for /party/"),
        ((200, FORM, "party=a; HttpOnly; SameSite=Lax; Path=/party/; Secure"), "The cookie has Secure"),
        ((200, FORM, "party=a; SameSite=Lax; Path=/party/"), "no HttpOnly or no SameSite=Lax"),
        ((200, FORM, "party=a; HttpOnly; Path=/party/"), "no HttpOnly or no SameSite=Lax"),
    ],
)
def test_the_check_says_what_is_wrong_with_what_answers(answer, sentence, capsys):
    with answering(*answer) as address:
        assert check.look(address, "asha", "any") == 1
    assert sentence in capsys.readouterr().out
