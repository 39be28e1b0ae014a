"""The drill: a server from nothing, in an empty Debian root, through all that deploy/ promises. `make drill` runs it.

Needs root, mmdebstrap and slirp4netns. The root is made from the sources that this machine's apt has, and what it
serves can be reached inside of its own network alone. No systemd runs in it: systemctl.py stands in, and reads the
units. certbot is stood in for as well; nginx, Redis, apt, pip, git and the party are real. `make drill ARGS=root.tar`
takes an empty root that is there already: `mmdebstrap --variant=apt --include=systemd bookworm root.tar`.
"""

import contextlib
import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import Request, urlopen

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "deploy"), str(HERE.parent)]

from person import Person, SocketLine, assert_ok, seat, sign_in_over_http  # noqa: E402
from test_cluster import Page, wait_until  # noqa: E402

from runtime.settings import EVERY_SERVICE  # noqa: E402

HOST, BLOG = "party.blog.example", "blog.example"
PEOPLE = ("asha", "bilal", "chen")
CLONE_NEWNET = 0x40000000
HUP, KILL = signal.SIGHUP, signal.SIGKILL
LINE = "include /etc/nginx/party/*.conf;"


def say(text):
    print(text, flush=True)


@contextlib.contextmanager
def step(promise):
    since = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"{time.monotonic() - since:6.1f} s  NO  {promise}")
        raise
    say(f"{time.monotonic() - since:6.1f} s  {promise}")


class Machine:
    """The root, with processes and a network of its own."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "root"
        self.pid = self.slirp = None

    def make(self, tar):
        if tar:
            self.root.mkdir()
            run(["tar", "-C", self.root, "-xf", tar])
        else:
            self.make_from_packages()
        # As in every chroot: packages start nothing by themselves.
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        (self.root / "etc/resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
        self.write("etc/hosts", f"127.0.0.1 localhost {HOST} {BLOG}\n")

    def make_from_packages(self):
        sources = self.folder / "sources.list"
        sources.write_text("".join(f"deb {source}\n" for source in debian_sources()))
        with sources.open() as lines:
            run(["mmdebstrap", "--quiet", "--variant=apt", "--include=systemd", release(), self.root, "-"], stdin=lines)

    def begin(self):
        """Processes 1 of it, its mounts, and its network, which this process then enters."""
        mounts = [f"mount -t proc proc {self.root}/proc", f"mount --rbind /dev {self.root}/dev"]
        for path in pip_places():
            mounts.append(f"mkdir -p {self.root}{path} && mount --bind {path} {self.root}{path}")
        first = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
        ready = self.folder / "ready"
        script = f"{' && '.join(mounts)} && touch {ready} && exec {sys.executable} -c {shlex.quote(first)}"
        self.process = subprocess.Popen([*unshare, "sh", "-c", script])
        wait_until(lambda: ready.exists(), "the mounts are there", 10)
        self.pid = int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())
        slirp = ["slirp4netns", "--configure", "--disable-host-loopback", "--ready-fd", "1", str(self.pid), "tap0"]
        self.slirp = subprocess.Popen(slirp, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.slirp.stdout.read(1) == b"1", "the root has no network"
        with open(f"/proc/{self.pid}/ns/net") as network:
            assert ctypes.CDLL(None).setns(network.fileno(), CLONE_NEWNET) == 0

    def end(self):
        """With process 1 of it all others end."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait(20)
        if self.slirp:
            self.slirp.terminate()
            self.slirp.wait(20)

    def run(self, command, status=0, **how):
        """What it says. Ends with what it said where it ends in another way than expected."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "chroot", str(self.root)]
        done = subprocess.run(
            [*enter, "sh", "-c", command],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **how,
        )
        assert done.returncode == status, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def write(self, path, text, mode=0o644):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def snapshot(self):
        """{path: what tells whether it has changed} of all that install.sh may write."""
        there = {}
        for place in ("etc", "opt/party", "var/www"):
            for path in (self.root / place).rglob("*"):
                if not path.is_relative_to(self.root / "opt/party/instance") and not path.is_symlink():
                    status = path.lstat()
                    there[path] = (status.st_mtime_ns, status.st_mode, status.st_uid)
        return there

    def processes(self):
        return self.run("cat /run/drill/*.pid /run/nginx.pid")


def run(command, **how):
    subprocess.run([str(word) for word in command], check=True, **how)


def debian_sources():
    """Those of this machine's apt that are the distribution's own."""
    fields = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CREATED_BY)"
    said = subprocess.check_output(["apt-get", "indextargets", "--format", fields], text=True)
    found = [line.split("|") for line in said.splitlines()]
    own = [row for row in found if row[0] in ("Debian", "Ubuntu") and row[-1] == "Packages"]
    assert own, "apt knows no source of Debian or Ubuntu: apt-get update"
    return dict.fromkeys(" ".join(row[1:4]) for row in own)


def release():
    return re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())[1]


def pip_places():
    """The folders that this machine's pip looks into, beside its index."""
    said = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"], text=True)
    named = re.findall(r"[\s'](?:file://)?(/[^\s']+)", said)
    named = [path.removesuffix("/simple") for path in named]  # the files of an index lie beside its pages
    named.append(subprocess.check_output([sys.executable, "-m", "pip", "cache", "dir"], text=True).strip())
    return [path for path in dict.fromkeys(named) if Path(path).is_dir()]


def environment():
    """Of a root shell, with what this machine's pip needs."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return ours | {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}


# --- What stands around the party -------------------------------------------------------------------------------------


class Origin:
    """Where versions come from: a repository in the root, with what the working tree has here as its first one."""

    def __init__(self, machine):
        self.machine, self.path = machine, machine.root / "srv/party"

    def make(self):
        run(["git", "clone", "--quiet", "--no-hardlinks", PROJECT, self.path])
        files = subprocess.check_output(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT
        )
        for name in filter(None, files.decode().split("\0")):
            if (PROJECT / name).is_file() and not (PROJECT / name).is_symlink():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / name, self.path / name)
            else:
                (self.path / name).unlink(missing_ok=True)
        self.git("checkout", "--quiet", "-B", "main")
        self.commit("As it is here")
        run(["chown", "-R", "0:0", self.path])

    def git(self, *words):
        who = ["-c", "user.name=Drill", "-c", "user.email=drill@blog.example", "-c", f"safe.directory={self.path}"]
        run(["git", *who, "-C", self.path, *words], stdout=subprocess.DEVNULL)

    def commit(self, subject, **changes):
        """A version in which each file named (dots for slashes are not needed: `{path: function of its text}`)."""
        for path, change in changes.items():
            file = self.path / path
            file.write_text(change(file.read_text()))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)


def make_certificates(machine):
    """An authority of our own that the root trusts, and what it signs."""
    folder = machine.root / "root/certificates"
    folder.mkdir(parents=True)
    openssl = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    authority = ["-keyout", folder / "authority.key", "-out", folder / "authority.pem"]
    run([*openssl, "-subj", "/CN=Drill", *authority], stderr=subprocess.DEVNULL)
    for name in (HOST, BLOG):
        signed = [
            "-CA",
            folder / "authority.pem",
            "-CAkey",
            folder / "authority.key",
            "-addext",
            f"subjectAltName=DNS:{name}",
        ]
        made = [
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            folder / f"{name}.key",
            "-out",
            folder / f"{name}.pem",
        ]
        run([*openssl, "-subj", f"/CN={name}", *signed, *made], stderr=subprocess.DEVNULL)
    trusted = machine.root / "usr/local/share/ca-certificates"
    trusted.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "authority.pem", trusted / "drill.crt")
    os.environ["SSL_CERT_FILE"] = os.environ["WEBSOCKET_CLIENT_CA_BUNDLE"] = str(folder / "authority.pem")
    ask = socket.getaddrinfo
    here = lambda name: "127.0.0.1" if name in (HOST, BLOG) else name  # noqa: E731
    socket.getaddrinfo = lambda name, *more, **how: ask(here(name), *more, **how)


def make_pip_like_here(machine):
    """What this machine's pip trusts, and where it looks."""
    machine.run("update-ca-certificates")
    with (machine.root / "etc/ssl/certs/ca-certificates.crt").open("a") as trusted:
        trusted.write(Path("/etc/ssl/certs/ca-certificates.crt").read_text())
    said = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"], text=True)
    settings = re.findall(r"^global\.(.+?)='(.*)'$", said, re.M)
    machine.write("etc/pip.conf", "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings))


def put_the_stand_ins(machine):
    for name in ("systemctl.py", "journalctl", "certbot"):
        place = machine.root / "usr/local/bin" / name.removesuffix(".py")
        shutil.copy(HERE / name, place)
        place.chmod(0o755)
    (machine.root / "run/systemd/system").mkdir(parents=True, exist_ok=True)


class Party:
    """The party behind nginx, for tests/test_cluster.py's `Page`."""

    def __init__(self, machine, address=f"https://{HOST}/"):
        self.machine, self.address = machine, address
        said = machine.run("/opt/party/deploy/party people")
        self.passwords = {line.split()[0]: line.split()[1] for line in said.splitlines() if "#name=" in line}

    def cookies_of(self, name):
        return sign_in_over_http(self.address, name, self.passwords[name])

    def person(self, name, cookies=None):
        origin = self.address[: self.address.index("/", 8)]
        return Person(name, SocketLine(self.address, cookies or self.cookies_of(name), origin))


class Friend(Page):
    """A page of somebody who types no faster than PARTY_PACE lets them, and never says the same twice."""

    said = 0

    def keep_talking(self, until):
        while not until.wait(0.3):
            self.said += 1
            self.say(f"{self.name} {self.said}")


@contextlib.contextmanager
def talking(pages):
    """Everybody talks meanwhile; afterwards nothing is lost, twice there or in another order for anybody."""
    enough = threading.Event()
    failures = []

    def talk(page):
        try:
            page.keep_talking(enough)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=[page]) for page in pages]
    for thread in threads:
        thread.start()
    try:
        yield
        counts = [len(page.acknowledged) for page in pages]
        more = zip(pages, counts, strict=True)
        wait_until(
            lambda: failures or all(len(page.acknowledged) > count + 5 for page, count in more), "they go on", 20
        )
    finally:
        enough.set()
        for thread in threads:
            thread.join(30)
    assert not failures, failures
    same_for_all(pages)


def same_for_all(pages):
    acknowledged = sorted(message["seq"] for page in pages for message in page.acknowledged)
    for page in pages:
        page.hears(acknowledged[-1])
    host = pages[0]
    assert acknowledged == list(host.feed) == list(range(1, len(host.feed) + 1)), "nothing is lost, nothing there twice"
    assert all(page.feed == host.feed for page in pages), "all see the same"
    for page in pages:
        assert [message["text"] for message in page.acknowledged] == [
            message["text"] for message in host.feed.values() if message["user"] == page.name
        ], "what one person says stays in order"


def install(machine, *words, status=0):
    return machine.run(f"cd /root/party && deploy/install.sh --yes {' '.join(words)}", status)


def interrupted(machine, signal, when, command):
    """What it says that gets the signal when it wants `when` of systemctl."""
    machine.write("run/drill/interrupt", f"{signal:d} {when}")
    said = machine.run(f"{command}; echo It ended with $?; flock /run/party-install.lock true")  # what it began ends
    assert not (machine.root / "run/drill/interrupt").exists(), f"it never came to {when}: {said}"
    assert f"It ended with {130 if signal == HUP else 137}\n" in said, said
    return said


# --- From nothing to nothing ------------------------------------------------------------------------------------------


def drill(machine, tar=None):
    origin = Origin(machine)
    with step("an empty Debian root"):
        machine.make(tar)
        make_certificates(machine)
        machine.begin()
    with step("a clone in it, for which git has to be there"):
        machine.run("apt-get -q update && apt-get -q install -y --no-install-recommends git ca-certificates")
        origin.make()
        machine.run("git clone --quiet /srv/party /root/party")
        make_pip_like_here(machine)
        put_the_stand_ins(machine)
    since = time.monotonic()
    named = f"--certificate /root/certificates/{HOST}.pem --key /root/certificates/{HOST}.key"
    with step(f"install.sh {HOST}, with a certificate that is named"):
        said = install(machine, HOST, f"--people '{' '.join(PEOPLE)}'", named)
        assert f"https://{HOST}/sign-in#name=asha&password=" in said, said
        assert said.count("  ok  ") == 7, said
    party = Party(machine)
    with step("three friends talk through nginx with TLS"):
        pages = [Friend(party, name) for name in PEOPLE]
        room = pages[0].person.host("From nothing", minutes=20)
        for page in pages[1:]:
            seat(pages[0].person, page.person, room)
        for page in pages:
            page.go_in(room)
        with talking(pages):
            wait_until(lambda: all(len(page.acknowledged) > 5 for page in pages), "they talk", 20)
        headers = urlopen(party.address + "sign-in").headers
        assert headers["Strict-Transport-Security"] and "Secure" in headers["Set-Cookie"]
        assert urlopen(f"http://{HOST}/").url.startswith("https://")
    say(f"{time.monotonic() - since:6.1f} s  = from nothing to three friends who talk")
    with step("what reads along has read it all, and no process of the party has it beside itself"):
        reads_along(machine)
    with step("systemd finds nothing wrong with the units; the party cannot write its code"):
        said = machine.run("systemd-analyze verify /etc/systemd/system/party*.service /etc/systemd/system/party*.timer")
        assert not re.search(r"party\S*:\d+|party@", said), said
        machine.run(
            "runuser -u party -- test ! -w /opt/party/app.py -a ! -w /opt/party/deploy -a -w /opt/party/instance"
        )
    with step("install.sh again changes nothing"):
        before, running = machine.snapshot(), machine.processes()
        install(machine)
        install(machine, HOST, f"--people '{' '.join(PEOPLE)}'", named, "--processes 1")
        after = machine.snapshot()
        changed = {str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert not changed, changed
        assert machine.processes() == running
    with step("the owner's own settings stay; install.sh touches no file that it did not write"):
        with (machine.root / "etc/party.env").open("a") as settings:
            settings.write("PARTY_SEATS=9\nHOST=0.0.0.0\nPORT=80\n")
        install(machine)  # which asks the process on 5001
        assert "PARTY_SEATS=9\n" in (machine.root / "etc/party.env").read_text()
        site = machine.root / "etc/nginx/conf.d/party.conf"
        own = site.read_text()
        site.write_text("# mine\n" + own)
        assert "install.sh did not write it" in install(machine, status=1)
        assert site.read_text() == "# mine\n" + own
        site.write_text(own)
    with step("without systemd it says so"):
        (machine.root / "run/systemd/system").rmdir()
        assert "No systemd runs here" in install(machine)
        (machine.root / "run/systemd/system").mkdir()
    with step("nginx refuses: our files are again what they were"):
        blog = machine.root / "etc/nginx/conf.d/zz-blog.conf"
        blog.write_text("limit_conn_zone $binary_remote_addr zone=party2:1m;\nupstream party2 { }\n")
        assert "refuses its own settings" in install(machine, "--processes 2", status=1)
        blog.unlink()
        assert site.read_text() == own
    with step("update.sh to a new version, while they talk: nothing is lost"):
        origin.commit("A new version", **{"templates/head.html": lambda text: "<!-- new -->\n" + text})
        with talking(pages):
            said = machine.run("/opt/party/deploy/update.sh")
        assert "A new version" in said, said
        reads_along(machine)
        assert "is here already" in machine.run("/opt/party/deploy/update.sh")
    with step("update.sh to a broken version with other requirements, while they talk: it goes back by itself"):
        head = machine.run("git -C /opt/party rev-parse HEAD; readlink /opt/party/.venv")
        origin.commit(
            "A broken version",
            **{
                "app.py": lambda text: text.replace("def main():\n", "def main():\n    raise SystemExit('Broken.')\n"),
                "requirements.txt": lambda text: text + "# other requirements\n",
            },
        )
        with talking(pages):
            said = machine.run("/opt/party/deploy/update.sh", status=1)
        assert "Going back" in said and "as before" in said, said
        assert machine.run("git -C /opt/party rev-parse HEAD; readlink /opt/party/.venv") == head
        origin.git("revert", "--no-edit", "HEAD")
    with step("install.sh --processes 3, while they talk: the rooms move into Redis, however often it is interrupted"):
        three = "/opt/party/deploy/install.sh --yes --processes 3"
        with talking(pages):
            interrupted(machine, HUP, "stop party-redis", three)
            assert machine.run("party status").count("active, ready") == 1, "it runs again"
            interrupted(machine, KILL, "start party-redis", three)
            interrupted(machine, KILL, "enable party@5002", three)
            install(machine)
        assert not (machine.root / "opt/party/instance/party.db").exists(), "nobody would cut what is in it"
        assert machine.run("ls /run/drill/*.pid").count("\n") == 5, "three processes, Redis and the services"
        reads_along(machine)
    with step("update.sh with three processes, while they talk: no page without an answer"):
        cookies, failures, enough = party.cookies_of("chen"), [], threading.Event()

        def visit():
            try:
                while not enough.wait(0.05):
                    assert urlopen(Request(party.address, headers={"Cookie": cookies})).status == 200
            except Exception as error:
                failures.append(error)

        visitor = threading.Thread(target=visit)
        visitor.start()
        before = machine.run("git -C /opt/party rev-parse HEAD")
        with talking(pages):
            interrupted(machine, KILL, "restart party@5002", "/opt/party/deploy/update.sh")
            said = machine.run("/opt/party/deploy/update.sh")
        assert "The party runs on" in said and "Revert" in said, said
        assert machine.run("git -C /opt/party rev-parse refs/party/before") == before
        assert "is here already" in machine.run("/opt/party/deploy/update.sh")
        enough.set()
        visitor.join()
        assert not failures, failures
    with step("a backup, and restored into an empty place: the same room, the same passwords"):
        restored(machine, party, pages)
    with step("a setting that there is not: it is named before anything is stopped"):
        settings = machine.root / "etc/party.env"
        as_it_was = settings.read_text()
        settings.write_text(f"{as_it_was}PARTY_SEAT=9\n")
        with talking(pages):
            assert "PARTY_SEATS may be meant" in machine.run("party restart", status=1)
        settings.write_text(as_it_was)
    by_the_page = Emergencies(machine)
    with step("docs/emergency.md, with Redis: looking, an alert, a backup put back"):
        with_redis(by_the_page, pages)
    with step("install.sh --processes 1, while they talk: the rooms move back into a file"):
        with talking(pages):
            install(machine, "--processes 1")
        assert machine.run("ls /run/drill/*.pid").count("\n") == 2, "one process and the services, no Redis"
        assert not (machine.root / "var/lib/party-redis").exists()
        reads_along(machine)
    with step("uninstall.sh keeps what three processes have in Redis, and install.sh takes it up again with one"):
        install(machine, "--processes 3")
        machine.run("/opt/party/deploy/uninstall.sh")
        assert not machine.run("ls /run/drill/*.pid 2>/dev/null; find /etc/systemd/system -name '*party*'; true")
        install(machine, HOST, named)
        assert machine.run("ls /run/drill/*.pid").count("\n") == 2, "one process and the services, no Redis"
        for page in pages:
            page.say("Back again")
        same_for_all(pages)
    with step("docs/emergency.md, with a file: a damaged log, somebody shown out, the version before, another machine"):
        with_a_file(by_the_page, party, pages)
        by_the_page.ensure_all_was_run()
    with step("uninstall.sh --with-data leaves nothing"):
        for page in pages:
            page.person.line.socket.close()
        machine.run("/opt/party/deploy/uninstall.sh --with-data --yes")
        places = "/etc /opt /run /usr/lib/systemd /var/lib/party* /var/www"
        left = machine.run(
            f"find {places} -name '*party*' -not -path '/run/drill/*' 2>/dev/null; grep party /etc/passwd; true"
        )
        assert not left, left
    with step("a blog that something else than nginx serves is left alone"):
        machine.run("systemctl stop nginx")
        with socket.create_server(("127.0.0.1", 80)):
            said = install(machine, HOST, "--people asha", status=1)
        assert "serves port 80 or 443 here" in said, said
        assert not (machine.root / "opt/party").exists()
    with step("install.sh with certbot, once the name leads here"):
        said = install(machine, HOST, "--people asha")
        assert said.count("  ok  ") == 7 and f"https://{HOST}/" in said, said
        machine.run("/opt/party/deploy/uninstall.sh --with-data --yes")
        assert not (machine.root / "etc/letsencrypt/live" / HOST).exists()
    with step(f"install.sh {BLOG}/party/, below a blog: it names the one line, which the owner writes"):
        below_a_blog(machine)


def reads_along(machine):
    """In one process, which has everything that was said until now."""
    began, instance = time.time(), machine.root / "opt/party/instance"
    services = sorted(EVERY_SERVICE.split(","))
    notes = [instance / f"{name}.caught-up" for name in services]
    wait_until(lambda: all(note.exists() and note.stat().st_mtime > began for note in notes), "it reads along", 20)
    said = machine.run("party status")
    ago = r"with everything \d s ago"
    assert re.search(f"party-services: active, {', '.join(f'{name} {ago}' for name in services)}\n", said), said
    assert machine.run("grep -lz '^services$' /proc/[0-9]*/cmdline | wc -l").strip() == "1"
    assert "Traceback" not in machine.run("journalctl -u party-services")
    machine.run("runuser -u party -- install -m 644 /etc/hostname /opt/party/instance/published/tea.html")
    machine.run("runuser -u www-data -- cat /var/lib/party-published/tea.html")  # nginx can serve it
    machine.run("rm /var/lib/party-published/tea.html")
    assert re.search(r"^PARTY_PUBLISHED_AT=https?://.+/published/$", machine.run("cat /etc/party.address"), re.M)


class Emergencies:
    """The commands of docs/emergency.md, which are run as they stand there; certbot's are not: it is stood in for."""

    def __init__(self, machine):
        self.machine = machine
        text = (PROJECT / "docs/emergency.md").read_text()
        blocks = re.findall(r"^```\n(.+?)^```", text, re.M | re.S)
        self.commands = {line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()}
        begins = r"(?:party|systemctl|journalctl|df|mv|/opt/party/deploy/install\.sh) "
        self.commands |= set(re.findall(rf"`({begins}[^`]+)`", re.sub(r"^```.+?^```", "", text, flags=re.M | re.S)))
        self.left = set(self.commands)

    def run(self, command, of_this_party=lambda command: command):
        """What it says. `of_this_party` puts what is so here in the place of an example."""
        assert command in self.commands, f"docs/emergency.md no longer says {command}"
        self.left.discard(command)
        return self.machine.run(of_this_party(command))

    def ensure_all_was_run(self):
        assert not self.left, f"docs/emergency.md says what nobody has tried: {self.left}"


EXAMPLE = "party-2026-11-22-020000.backup"


def newest_backup(machine):
    return machine.run("ls /var/lib/party-backups/*.backup | tail -n 1").strip()


def all_go_on(pages, words):
    for page in pages:
        page.say(words)
    same_for_all(pages)


def put_back(page, copy):
    here = lambda command: command.replace(f"/var/lib/party-backups/{EXAMPLE}", copy)  # noqa: E731
    assert "Put back" in page.run(f"party restore /var/lib/party-backups/{EXAMPLE}", here)
    page.run("party start")


def with_redis(page, pages):
    said = page.run("party status")
    assert said.count("active, ready, version") == 3 and "party-backups/party-" in said, said
    assert page.run("party check").count("  ok  ") == 7
    page.run("party records --since -1h")
    page.run("party records --lines 30")
    page.run("party records --lines 5")
    page.run("party records | grep -A 30 3f9c01ab", lambda command: command.replace("3f9c01ab", "'taken up'"))
    page.run("party records | grep -A 30 Traceback", lambda command: f"! {command}")
    assert "another-site.example" in page.run("party records | grep PARTY_ORIGINS"), "party check tried that"
    page.run("journalctl -u party-backup")
    page.run("df -h /opt/party/instance")
    page.run("systemctl is-active party-redis")
    with talking(pages):
        page.run("systemctl restart party-redis")
        page.run("party restart")
    page.run("party backup")
    copy = newest_backup(page.machine)
    page.run("party stop")
    page.run("systemctl stop party-redis")
    page.run("mv /var/lib/party-redis/appendonlydir /root/")
    page.run("systemctl start party-redis")
    put_back(page, copy)
    all_go_on(pages, "The backup was put back")
    page.run("/opt/party/deploy/install.sh --processes 3", lambda command: f"{command} --yes")


def with_a_file(page, party, pages):
    machine = page.machine
    now, before = (machine.run(f"git -C /opt/party rev-parse {name}") for name in ("HEAD", "refs/party/before"))
    page.run("party update --back")
    assert machine.run("git -C /opt/party rev-parse HEAD") == before != now
    assert "no version to go back to" in machine.run("party update --back", status=1)
    page.run("party update")
    assert machine.run("git -C /opt/party rev-parse HEAD") == now
    all_go_on(pages, "Back, and forward again")

    page.run("journalctl -u party-services")
    page.run("party backup")
    page.run("systemctl stop party-services")
    page.run("mkdir /root/store && mv /opt/party/instance/figures.db* /root/store/")
    of_backup = lambda command: command.replace(f"/var/lib/party-backups/{EXAMPLE}", newest_backup(machine))  # noqa: E731
    page.run(f"tar -xzOf /var/lib/party-backups/{EXAMPLE} figures.db > /root/figures.db", of_backup)
    page.run("install -o party -g party -m 600 /root/figures.db /opt/party/instance/")
    page.run("systemctl start party-services")
    reads_along(machine)
    assert machine.run("stat -c '%U %a' /opt/party/instance/figures.db").strip() == "party 600"

    page.run("party stop")
    page.run("mkdir /root/before && mv /opt/party/instance/party.db* /root/before/")
    put_back(page, newest_backup(machine))
    all_go_on(pages, "The backup was put back into a file")

    named = f"--certificate /root/certificates/{HOST}.pem --key /root/certificates/{HOST}.key"
    page.run(
        "/opt/party/deploy/install.sh --certificate FULLCHAIN --key KEY",
        lambda command: f"{command.split(' --')[0]} {named} --yes",
    )
    page.run("party stop")
    log = machine.root / "opt/party/instance/party.db"
    data = bytearray(log.read_bytes())
    last = data.rindex(b"into a file")
    data[last] ^= 1
    log.write_bytes(data)
    said = page.run("party rescue")
    assert "commands are whole" in said, said
    for command in said.split("To put it in its place:\n")[1].splitlines():
        machine.run(command)
    page.run("party start")
    assert page.run("party status").count("active, ready") == 1

    renewed = page.run("party people renew bilal")
    assert party.passwords["bilal"] not in renewed and "#name=bilal&password=" in renewed, renewed
    page.run("party people remove chen")
    assert "chen" not in page.run("party people")
    page.run("party stop")
    page.run("mv /opt/party/instance/secret_key /root/old_secret_key")
    page.run("party start")
    assert party.passwords["asha"] not in page.run("party people")

    page.run("party backup")
    copy = newest_backup(machine)
    machine.run(f"cp {copy} /root/moving.backup && /opt/party/deploy/uninstall.sh --with-data --yes")
    said = page.run(
        f"deploy/install.sh {HOST} --backup {EXAMPLE}",
        lambda command: f"cd /root/party && {command.replace(EXAMPLE, '/root/moving.backup')} --yes {named}",
    )
    assert said.count("  ok  ") == 7, said


def restored(machine, party, pages):
    """Into the same machine, whose log and secrets are moved away before."""
    machine.run("systemctl start party-backup.service")
    copy = machine.run("ls /var/lib/party-backups/party-*.backup").strip()
    machine.run("systemctl stop party@5001 party@5002 party@5003 party-services party-redis")
    machine.run("mv /opt/party/instance /root/instance-before && mv /var/lib/party-redis /root/redis-before")
    machine.run("install -d -m 700 -o party -g party /opt/party/instance && systemctl start party-redis")
    said = machine.run(f"/opt/party/deploy/party restore {copy}")
    assert "Put back" in said, said
    machine.run("systemctl start party@5001 party@5002 party@5003")
    assert Party(machine).passwords == party.passwords
    for page in pages:
        page.say("After the backup")
    same_for_all(pages)


def below_a_blog(machine):
    blog = machine.root / "etc/nginx/conf.d/blog.conf"
    certificate = f"ssl_certificate /root/certificates/{BLOG}.pem; ssl_certificate_key /root/certificates/{BLOG}.key;"
    site = f"server {{ listen 443 ssl; server_name {BLOG}; {certificate}\n"
    site += "location / { return 200 'The blog'; }\nlocation ~* \\.(js|css)$ { return 404; }\n"
    blog.write_text(site + "}\n")
    said = install(machine, f"{BLOG}/party/", "--people asha", status=1)
    assert f"    {LINE}\n" in said and "HSTS" in said, said
    blog.write_text(f"{site}{LINE}\n}}\n")
    machine.run("nginx -t && systemctl reload nginx")
    said = install(machine)
    assert said.count("  ok  ") == 7, said
    party = Party(machine, f"https://{BLOG}/party/")
    asha = party.person("asha")
    assert_ok(asha.message(asha.host(), "Below a path"))
    headers = urlopen(party.address + "sign-in").headers
    assert "Path=/party/;" in headers["Set-Cookie"] and not headers["Strict-Transport-Security"]
    assert urlopen(party.address + "static/loader.js").status == 200, "no pattern of the blog takes it"
    assert urlopen(f"https://{BLOG}/").read() == b"The blog"
    asha.line.hang_up()
    machine.run("/opt/party/deploy/uninstall.sh --with-data --yes")
    machine.run("nginx -t")
    assert urlopen(f"https://{BLOG}/party/").read() == b"The blog", "its line may stay: nginx does not mind"


def main():
    if os.geteuid() != 0:
        sys.exit("The drill makes a root and a network of its own: run it as root.")
    for program in ("mmdebstrap", "slirp4netns", "git", "openssl"):
        if not shutil.which(program):
            sys.exit(f"The drill needs {program}: apt-get install mmdebstrap slirp4netns git openssl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        machine = Machine(Path(folder))
        with step("the drill"):
            try:
                drill(machine, *sys.argv[1:])
            finally:
                machine.end()


if __name__ == "__main__":
    main()
