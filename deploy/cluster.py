"""Serve the party with several processes on this machine: Redis keeps their log, nginx stands in front.

    python deploy/cluster.py --processes 3 --port 5000
    kill -HUP $(cat instance/cluster/pid)      a rolling restart: one process after the other

nginx listens on the port and the processes on those that follow it. Redis listens on a socket in the folder, where
also its data stays: the rooms outlive the cluster. What dies is started again; Ctrl-C or SIGTERM ends everything.
"""

import argparse
import contextlib
import ctypes
import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from nginx_site import upstream

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
LOCALHOST = "127.0.0.1"
LOOK_SECONDS = 0.05
# A program that cannot run is not tried without a pause; one that ran for longer than this comes back at once.
PAUSE_SECONDS = 2
STOP_SECONDS = 10  # a process needs three to say goodbye to everybody
LONGEST_SOCKET_PATH = 107  # bytes that Linux takes; macOS takes four less
CONNECTIONS = 40_000  # of nginx: two for each open page, one to the browser and one to a process

NGINX_CONF = """\
# Written by deploy/cluster.py at each start.
daemon off;
pid nginx.pid;
error_log stderr crit; # lower levels name visitors
worker_processes auto;
worker_rlimit_nofile {connections};
events {{
    worker_connections {connections};
}}
http {{
    # Without root, nginx may not use its own folders.
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;

    client_header_timeout 10s;
    access_log off;
    include "{deploy}/nginx_http.conf";
    {upstream}
    server {{
        listen {listen};
        set $party_prefix "";
        include "{deploy}/nginx_forwarding.conf";
        location / {{
            proxy_pass http://party/;
            proxy_read_timeout 5s;
        }}
        location /socket.io/ {{
            proxy_pass http://party/socket.io/;
            proxy_read_timeout 30s;
        }}
    }}
}}
"""


class Child:
    """A program of the cluster. It listens at `where`: (host, port), or the path of a socket; or at None, nowhere."""

    def __init__(self, name, command, where, settings=None, keeps=()):
        self.name, self.command, self.where, self.keeps = name, command, where, keeps
        self.environment = os.environ | (settings or {})
        self.process = None

    def start(self):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=self.keeps,
            process_group=0,  # Ctrl-C is for the cluster, which then ends its children in order
            preexec_fn=end_with_parent,
        )

    def has_ended(self):
        return self.process is None or self.process.poll() is not None

    def is_to_run(self):
        """What listens nowhere, and ended well by itself, has nothing to do."""
        return self.where is not None or self.process is None or self.process.returncode != 0

    def listens(self):
        if self.where is None:
            return True
        with contextlib.suppress(OSError):
            if isinstance(self.where, str):
                with socket.socket(socket.AF_UNIX) as line:
                    line.connect(self.where)
            else:
                socket.create_connection(self.where, timeout=1).close()
            return True
        return False

    def ask_to_end(self):
        if not self.has_ended():
            self.process.terminate()

    def wait(self):
        """Wait for its end, which comes for certain, also that of the workers that a killed nginx left behind."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its own group: see `start`
        self.process.wait()


class Cluster:
    """Redis, the processes, what reads along, and nginx, from their start to their end."""

    def __init__(self, redis, processes, services, nginx):
        self.redis, self.processes, self.services, self.nginx = redis, processes, services, nginx
        self.children = [redis, *processes, services, nginx]
        self.ends = self.rolls = False  # what it was asked to do
        self.at_a_terminal = os.isatty(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def on_signal(self, number, _):
        terminal_has_gone = self.at_a_terminal and not os.isatty(0)  # SIGHUP says that, too
        if number == signal.SIGHUP and not terminal_has_gone:
            self.rolls = True
        else:
            self.ends = True

    def start(self):
        """Start everything, each when what it needs is there. Stops with a sentence where one of them does not come."""
        for stage in ([self.redis], self.processes, [self.services, self.nginx]):
            for child in stage:
                child.start()
            for child in stage:
                if not self.comes(child):
                    raise SystemExit(0 if self.ends else f"{child.name} did not start, so the cluster ends.")

    def comes(self, child):
        """Wait until it listens. False when it ended instead, or when the cluster is to end."""
        while not child.listens():
            if child.has_ended() or self.ends:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def watch(self):
        """Start again what dies, and restart the processes when asked to, until the cluster is to end."""
        while not self.ends:
            if self.rolls:
                self.rolls = False
                self.roll()
            for child in self.children:
                if child.has_ended() and child.is_to_run() and time.monotonic() > child.started + PAUSE_SECONDS:
                    say(f"{child.name} has ended and is started again.")
                    child.wait()
                    child.start()
            time.sleep(LOOK_SECONDS)

    def roll(self):
        """Restart the processes, one after the other. Where one does not come back, the others stay as they are."""
        for child in (*self.processes, self.services):
            child.ask_to_end()
            child.wait()
            child.start()
            if not self.comes(child):
                return self.ends or say(f"{child.name} did not come back: the rolling restart stops here.")
        say("Every process has been restarted.")

    def end(self):
        """End everything: who writes first, what they write to last."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # who asks once more changes nothing
        for stage in ([*self.processes, self.services], [self.nginx], [self.redis]):
            for child in stage:
                child.ask_to_end()
            for child in stage:
                child.wait()


try:
    prctl = ctypes.CDLL(None).prctl
except AttributeError:  # not on macOS
    prctl = None
PR_SET_PDEATHSIG = 1


def end_with_parent():
    """Linux ends this child when the cluster is killed."""
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=3, metavar="N", help="how many (default: 3)")
    port = os.environ.get("PORT") or "5000"
    parser.add_argument("--port", type=int, default=port, help="of nginx; the processes take the next (default: 5000)")
    parser.add_argument("--folder", type=Path, default=ROOT / "instance" / "cluster", help="for data and settings")
    wanted = parser.parse_args()
    if wanted.processes < 1:
        parser.error("--processes must be 1 or more.")
    if not 1 <= wanted.port <= 65_535 - wanted.processes:
        parser.error(f"--port must be a number from 1 to {65_535 - wanted.processes}.")
    return wanted


def own_folder(folder):
    """Make the folder, for its owner alone, and keep it for this cluster until its Redis has ended. Gives the open file
    that does so, which holds our process id. Stops with a sentence when another cluster has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    pid_file = (folder / "pid").open("a")
    try:
        fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"{folder} is in use: another cluster runs there. Choose another --folder.") from None
    pid_file.truncate(0)
    print(os.getpid(), file=pid_file, flush=True)
    return pid_file


def ensure_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise SystemExit(f"Port {port} on {host}: {error.strerror}. Choose another --port.") from None


def addresses_at(host, port):
    """What a party that listens there calls itself: the first for this machine, the last for others."""
    question = "from runtime import settings; print(*settings.addresses())"
    listening = os.environ | {"HOST": host, "PORT": str(port)}
    asked = subprocess.run([sys.executable, "-c", question], cwd=ROOT, env=listening, stdout=subprocess.PIPE, text=True)
    if asked.returncode:
        raise SystemExit(1)  # it has said what is wrong with which setting
    return asked.stdout.split()


def program(name):
    """The path of a program, also where Debian keeps nginx."""
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if not path:
        raise SystemExit(f"There is no {name} here: deploy/install_packages.sh installs it.")
    return path


def the_redis(folder, pid_file):
    path = str(folder / "redis.sock")
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise SystemExit(f"{folder} is too long a path for Redis's socket. Choose another --folder.")
    # A socket in our folder and no port: whoever could write to the log could speak as anybody.
    place = ["--port", "0", "--unixsocket", path, "--dir", str(folder), "--logfile", "redis.log"]
    command = [program("redis-server"), str(DEPLOY / "redis.conf"), *place]
    # It keeps the folder as long as it lives: two of them on the same data would ruin it.
    return Child("Redis", command, path, keeps=[pid_file.fileno()])


def journal_in(redis):
    return {"PARTY_JOURNAL": f"unix://{quote(redis.where)}"}


def a_process(port, redis):
    settings = {
        "HOST": LOCALHOST,
        "PORT": str(port),
        "PARTY_PROXIES": "1",
        "PARTY_SERVICES_BESIDE": "no",
        **journal_in(redis),
    }
    return Child(f"The process on port {port}", [sys.executable, "app.py"], (LOCALHOST, port), settings)


def the_services(redis):
    """One, for all processes."""
    return Child("What reads along", [sys.executable, "-m", "services"], None, journal_in(redis))


def the_nginx(folder, host, port, ports):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    conf = NGINX_CONF.format(
        deploy=DEPLOY,
        connections=CONNECTIONS if most == resource.RLIM_INFINITY else min(most, CONNECTIONS),
        upstream=upstream(ports),
        listen=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    )
    (folder / "nginx.conf").write_text(conf)
    # The folder that it starts from is the one that the paths in its settings begin at.
    return Child("nginx", [program("nginx"), "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"], (host, port))


def main():
    wanted = arguments()
    host = os.environ.get("HOST") or LOCALHOST
    ports = range(wanted.port + 1, wanted.port + 1 + wanted.processes)
    ensure_free(host, wanted.port)
    for port in ports:
        ensure_free(LOCALHOST, port)
    folder = wanted.folder.resolve()
    addresses = addresses_at(host, wanted.port)
    try:
        pid_file = own_folder(folder)
    except OSError as error:
        raise SystemExit(f"{folder} cannot be used: {error.strerror}. Mend that, or choose another --folder.") from None
    redis = the_redis(folder, pid_file)
    processes = [a_process(port, redis) for port in ports]
    cluster = Cluster(redis, processes, the_services(redis), the_nginx(folder, host, wanted.port, ports))
    if subprocess.run([sys.executable, "users.py", *addresses[-1:]], cwd=ROOT, check=False).returncode:
        raise SystemExit(1)  # it has said why
    try:
        cluster.start()
        print(*addresses, sep="\n", flush=True)
        say(f"For a rolling restart: kill -HUP {os.getpid()}")
        cluster.watch()
    finally:
        cluster.end()
        pid_file.truncate(0)  # that number may soon be somebody else's


if __name__ == "__main__":
    main()
