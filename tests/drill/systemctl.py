#!/usr/bin/python3
"""A stand-in for systemctl in a root without systemd: reads the units that are there and runs what they say.

It knows Wants, ConditionPathExists, User, WorkingDirectory, Environment, EnvironmentFile, the directories, Type
(simple, notify, oneshot, forking), ExecStart, ExecStartPost, ExecReload, Restart and WantedBy; of the walls around a
process nothing.

Where /run/drill/interrupt has `9 start party-redis`, whoever wants that next gets signal 9.
"""

import contextlib
import fnmatch
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

PLACES = [Path("/etc/systemd/system"), Path("/lib/systemd/system")]
RUN = Path("/run/drill")
START_SECONDS, STOP_SECONDS = 30, 15


class Unit:
    def __init__(self, name):
        self.name = name if "." in name else f"{name}.service"
        stem, _, kind = self.name.partition(".")
        template, at, self.instance = stem.partition("@")
        file = f"{template}{at}.{kind}"
        self.path = next((place / file for place in PLACES if (place / file).exists()), None)
        if not self.path:
            sys.exit(4 if "is-active" in sys.argv else f"Unit {self.name} not found.")
        text = re.sub(r"\\\n", " ", self.path.read_text()).replace("%i", self.instance)
        lines = [line.partition("=")[::2] for line in text.splitlines() if "=" in line and line[0] not in "#;"]
        self.said = {name: [] for name, _ in lines}
        for name, value in lines:
            self.said[name].append(value)
        self.pid_file, self.records = RUN / f"{self.name}.pid", RUN / f"{self.name}.log"

    def get(self, name, default=None):
        return self.said.get(name, [default])[-1]

    @property
    def kind(self):
        return self.get("Type", "simple")

    def pid(self):
        """Of who looks after it; None where nobody does."""
        path = Path(self.get("PIDFile", "")) if self.kind == "forking" else self.pid_file
        try:
            pid = int(path.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def environment(self):
        given = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        for line in self.said.get("Environment", []):
            given |= dict(word.partition("=")[::2] for word in shlex.split(line))
        for path in self.said.get("EnvironmentFile", []):
            lines = [line for line in Path(path).read_text().splitlines() if re.match(r"[A-Z_]+=", line)]
            given |= {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
        if self.kind == "notify":
            given["NOTIFY_SOCKET"] = str(RUN / f"{self.name}.notify")
        return given

    def make_directories(self, user):
        for name, where in (("RuntimeDirectory", "/run"), ("StateDirectory", "/var/lib")):
            if folder := self.get(name):
                path = Path(where) / folder
                path.mkdir(exist_ok=True)
                path.chmod(int(self.get(f"{name}Mode", "755"), 8))
                os.chown(path, user.pw_uid, user.pw_gid)

    def command(self, line):
        user = pwd.getpwnam(self.get("User", "root"))
        self.make_directories(user)
        return {
            "args": shlex.split(line.lstrip("-")),
            "cwd": self.get("WorkingDirectory", "/"),
            "env": self.environment() | {"USER": user.pw_name, "HOME": user.pw_dir},
            "user": user.pw_uid,
            "group": user.pw_gid,
            "extra_groups": [],
            "umask": int(self.get("UMask", "0022"), 8),
            "stdin": subprocess.DEVNULL,
            "stdout": self.records.open("a"),
            "stderr": subprocess.STDOUT,
        }

    def run(self, line):
        return subprocess.run(**self.command(line), check=False).returncode

    # --- Verbs --------------------------------------------------------------------------------------------------------

    def start(self):
        """Gives whether it has started."""
        if self.name.endswith(".timer"):
            return True
        if self.pid() or not Path(self.get("ConditionPathExists", "/")).exists():
            return True
        for name in self.get("Wants", "").split():
            if (PLACES[0] / name).exists():
                Unit(name).start()
        if self.kind in ("oneshot", "forking"):
            return not self.run(self.get("ExecStart"))
        has_begun, begun = os.pipe()
        if os.fork() == 0:
            os.setsid()
            os.close(has_begun)
            self.look_after(begun)
            os._exit(0)
        os.close(begun)
        return os.read(has_begun, 1) == b"1"

    def look_after(self, begun):
        """Start it, say on `begun` whether that went well, and start it again whenever it ends."""
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        os.closerange(3, begun)
        os.closerange(begun + 1, 256)
        self.pid_file.write_text(str(os.getpid()))
        ends = []

        def end(*_):
            ends.append(True)
            process.terminate()

        while not ends:
            notices = self.notices() if self.kind == "notify" else None
            process = subprocess.Popen(**self.command(self.get("ExecStart")))
            signal.signal(signal.SIGTERM, end)
            is_up = self.comes_up(process, notices)
            if begun:
                os.write(begun, b"1" if is_up else b"0")
                os.close(begun)
                begun = None
            if notices:
                threading.Thread(target=self.take, args=(notices,), daemon=True).start()
            process.wait()
            if self.get("Restart") != "always" and (self.get("Restart") != "on-failure" or not process.returncode):
                break
            for _ in range(10):
                time.sleep(0 if ends else float(self.get("RestartSec", "0.1")) / 10)
        self.pid_file.unlink()

    def notices(self):
        path = RUN / f"{self.name}.notify"
        path.unlink(missing_ok=True)
        notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notices.bind(str(path))
        path.chmod(0o777)
        notices.settimeout(0.1)
        return notices

    def take(self, notices):
        """Whatever else it says: who is not heard would have to wait."""
        while True:
            with contextlib.suppress(TimeoutError):
                notices.recv(4096)

    def comes_up(self, process, notices):
        until = time.monotonic() + START_SECONDS
        if after := self.get("ExecStartPost"):
            poster = subprocess.Popen(**self.command(after))
        while process.poll() is None and time.monotonic() < until:
            if notices:
                try:
                    if b"READY=1" in notices.recv(4096):
                        return True
                except TimeoutError:
                    pass
            elif after:
                if poster.poll() is not None:
                    return poster.returncode == 0
                time.sleep(0.05)
            else:
                return True
        if after:
            poster.kill()
        return False

    def stop(self):
        if pid := self.pid():
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + STOP_SECONDS
            while self.pid() and time.monotonic() < until:
                time.sleep(0.02)
        if folder := self.get("RuntimeDirectory"):
            shutil.rmtree(f"/run/{folder}", ignore_errors=True)
        return not self.pid()

    def restart(self):
        return self.stop() and self.start()

    def reload_or_restart(self):
        return not self.run(self.get("ExecReload")) if self.pid() else self.start()

    reload = reload_or_restart

    def is_active(self):
        print("active" if self.pid() else "inactive")
        return bool(self.pid())

    def wanted(self):
        return PLACES[0] / f"{self.get('WantedBy')}.wants" / self.name

    def enable(self):
        self.wanted().parent.mkdir(exist_ok=True)
        if not self.wanted().is_symlink():
            self.wanted().symlink_to(self.path)
        return True

    def disable(self):
        self.wanted().unlink(missing_ok=True)
        return True


def interrupt(*words):
    told = RUN / "interrupt"
    if not told.exists():
        return
    number, *when = told.read_text().split()
    if when == [word for word in words if not word.startswith("-")]:
        told.unlink()
        pid = os.getppid()
        if Path(f"/proc/{pid}/comm").read_text() == "timeout\n":
            pid = int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        os.kill(pid, int(number))


def main(verb, *words):
    RUN.mkdir(exist_ok=True)
    interrupt(verb, *words)
    if verb == "daemon-reload":
        return True
    names = [word for word in words if not word.startswith("-")]
    known = [path.name.removesuffix(".pid") for path in RUN.glob("*.pid")]
    units = []
    for name in names:
        units += map(Unit, fnmatch.filter(known, f"{name}.service") if "*" in name else [name])
    done = [getattr(unit, verb.replace("-", "_"))() for unit in units]
    if "--now" in words:
        done += [unit.start() if verb == "enable" else unit.stop() for unit in units]
    return all(done)


if __name__ == "__main__":
    sys.exit(not main(*sys.argv[1:]))
