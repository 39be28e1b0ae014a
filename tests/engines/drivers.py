"""Firefox and WebKit, driven as a person would: Debian's own browsers, without anything between them and this file.

Firefox speaks WebDriver BiDi by itself; WebKitWebDriver, WebDriver over HTTP. An engine opens windows; each is somebody
else's, with cookies of its own. What a window can do is the same in both, and below `Window` only what differs.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import requests
import websocket
from servers import free_port

PATIENCE = 10  # seconds that somebody waits for what must come
LOOK_EVERY = 0.03  # seconds
LOOKING = Path(__file__).with_name("looking.js").read_text()
# As WebDriver writes them.
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Backspace": "\ue003"}


class Wrong(Exception):
    """What the page threw, or why the browser does not do what it was told to."""


def until(look, why="Nothing came"):
    """What `look` gives, as soon as that is true and it raises nothing Wrong."""
    deadline = time.monotonic() + PATIENCE
    while True:
        trouble = ""
        try:
            if seen := look():
                return seen
        except Wrong as wrong:
            trouble = f": {wrong}"
        assert time.monotonic() < deadline, f"{why}, within {PATIENCE} s{trouble}"
        time.sleep(LOOK_EVERY)


def what(role, name="", within=None):
    """As looking.js wants it. `within` is another such."""
    return {"role": role, "name": name} | ({"within": within} if within else {})


class Window:
    """A window of a browser. Whatever is pressed or read has to be there first: each verb waits for that."""

    def run(self, function, *arguments):
        """What a JavaScript function gives, to which those of looking.js are known. Wrong when it throws."""
        asked = f"({function})(...{json.dumps(arguments)})"
        given = self.evaluate(
            f"(() => {{ {LOOKING}\n try {{ return JSON.stringify({{ is: {asked} }}) }}"
            " catch (error) { return JSON.stringify({ error: String(error) }) } })()"
        )
        answer = json.loads(given)
        if "error" in answer:
            raise Wrong(answer["error"])
        return answer.get("is")

    def waits_for(self, function, *arguments):
        """What the function gives, as soon as that is true."""
        return until(lambda: self.run(function, *arguments), f"Never true: {function} {list(arguments)}")

    def sees(self, text, within=None):
        self.waits_for("(text, within) => textOf(within).includes(tidy(text))", text, within)

    def sees_no(self, text, within=None):
        self.waits_for("(text, within) => !textOf(within).includes(tidy(text))", text, within)

    def finds(self, thing):
        self.waits_for("(thing) => all(thing).length", thing)

    def finds_no(self, thing):
        self.waits_for("(thing) => !all(thing).length", thing)

    def has_focus_on(self, thing):
        self.waits_for("isFocused", thing)

    def press(self, thing):
        """With the mouse, once it stands still and nothing is over it."""
        point = self._still_point_of(thing)
        buttons = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.act({"type": "pointer", "id": "mouse", "actions": [{"type": "pointerMove", **point}, *buttons]})

    def _still_point_of(self, thing):
        points = [None]

        def look():
            points.append(self.run("pointOf", thing))
            return points[-1] == points[-2] and points[-1]

        return until(look, f"{thing} cannot be pressed")

    def fill(self, thing, text):
        """Types in place of what stands in a field."""
        self.press(thing)
        self.has_focus_on(thing)
        self.run("() => document.activeElement.value && document.activeElement.select()")
        self.type(text)

    def type(self, text):
        """No emoji: WebKit's driver drops what is beyond U+FFFF."""
        self.strike(*text)

    def key(self, name):
        self.strike(KEYS[name])

    def strike(self, *keys):
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.act({"type": "key", "id": "keyboard", "actions": strokes})


# --- Firefox ----------------------------------------------------------------------------------------------------------


class Firefox:
    """One browser without a screen, with a container for each window."""

    name = "firefox"
    programs = ("firefox-esr", "firefox")

    def __init__(self):
        self.home = home_of(self.name)
        self.numbers = itertools.count(1)
        options = ("--headless", "--no-remote", "--profile", self.home.name, "--remote-debugging-port", "0")
        self.process = start(program(*self.programs), *options, home=self.home.name)
        try:
            self.line = websocket.create_connection(self._address(), suppress_origin=True, timeout=60)
            self.version = self.ask("session.new", capabilities={})["capabilities"]["browserVersion"]
        except BaseException:
            self.stop()
            raise

    def _address(self):
        where = Path(self.home.name, "WebDriverBiDiServer.json")

        def look():
            with contextlib.suppress(OSError, ValueError):  # not there, or not all of it
                return json.loads(where.read_text())

        server = until(look, "Firefox does not start")
        return f"ws://{server['ws_host']}:{server['ws_port']}/session"

    def ask(self, method, **parameters):
        number = next(self.numbers)
        self.line.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self.line.recv())).get("id") != number:
            pass  # an event
        if answer["type"] == "error":
            raise Wrong(f"{method}: {answer['message']}")
        return answer["result"]

    def window(self):
        return FirefoxWindow(self)

    def stop(self):
        end(self.process)
        self.home.cleanup()


class FirefoxWindow(Window):
    def __init__(self, browser):
        self.browser = browser
        self.container = browser.ask("browser.createUserContext")["userContext"]
        self.context = browser.ask("browsingContext.create", type="window", userContext=self.container)["context"]

    def _ask(self, method, **parameters):
        return self.browser.ask(method, context=self.context, **parameters)

    def open(self, address):
        self._ask("browsingContext.navigate", url=address, wait="complete")

    def evaluate(self, expression):
        target = {"context": self.context}
        answer = self.browser.ask("script.evaluate", expression=expression, target=target, awaitPromise=False)
        if answer["type"] == "exception":
            raise Wrong(answer["exceptionDetails"]["text"])
        return answer["result"]["value"]

    def act(self, source):
        self._ask("browsingContext.activate")  # only one window of a browser has the focus
        self._ask("input.performActions", actions=[source])

    def resize(self, width, height):
        self._ask("browsingContext.setViewport", viewport={"width": width, "height": height})

    def picture(self):
        return base64.b64decode(self._ask("browsingContext.captureScreenshot")["data"])

    def close(self):
        self.browser.ask("browser.removeUserContext", userContext=self.container)


# --- WebKit -----------------------------------------------------------------------------------------------------------


class WebKit:
    """A driver takes one browser, and a screen gives one window the focus: each window has both to itself."""

    name = "webkit"

    def __init__(self):
        self.windows = []

    def window(self):
        self.windows.append(WebKitWindow())
        self.version = self.windows[-1].version
        return self.windows[-1]

    def stop(self):
        for window in self.windows:
            window.close()


class WebKitWindow(Window):
    def __init__(self):
        self.home = home_of(WebKit.name)
        self.processes = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        port = free_port()
        home = self.home.name
        self.processes += [self._start_screen()]
        # Without a graphics card the other way to draw makes a key or a press take six times as long.
        settings = {"DISPLAY": self.display, "WEBKIT_DISABLE_DMABUF_RENDERER": "1"}
        self.processes += [start(program("WebKitWebDriver"), f"--port={port}", home=home, **settings)]
        self.driver = f"http://127.0.0.1:{port}"
        self.line = requests.Session()
        self.line.trust_env = False  # no proxy
        until(lambda: self._ask("GET", "/status")["ready"], "WebKit's driver does not start")
        options = {"webkitgtk:browserOptions": {"args": ["--automation", "--full-screen"]}}
        session = self._ask("POST", "/session", capabilities={"alwaysMatch": options})
        self.driver += f"/session/{session['sessionId']}"
        self.version = session["capabilities"]["browserVersion"]

    def _start_screen(self):
        """So small that the mouse, which begins in its middle, is over any window: where it is, there is the focus."""
        there, here = os.pipe()
        try:
            screen = ("-screen", "0", "640x480x24", "-nolisten", "tcp", "-displayfd", str(here))
            process = start(program("Xvfb"), *screen, home=self.home.name, pass_fds=[here])
        finally:
            os.close(here)
        with open(there) as said:
            self.display = f":{said.readline().strip()}"
        return process

    def _ask(self, method, path, **parameters):
        try:
            answer = self.line.request(method, self.driver + path, json=parameters, timeout=60).json()["value"]
        except requests.ConnectionError as error:
            raise Wrong(str(error)) from error
        if isinstance(answer, dict) and "error" in answer:
            raise Wrong(f"{path}: {answer['error']} {answer['message']}")
        return answer

    def open(self, address):
        self._ask("POST", "/url", url=address)

    def evaluate(self, expression):
        return self._ask("POST", "/execute/sync", script=f"return {expression}", args=[])

    def act(self, source):
        self._ask("POST", "/actions", actions=[source])

    def resize(self, width, height):
        """Not narrower than 334 pixels: below that the browser's own bar does not go."""
        bars = self.evaluate("[outerWidth - innerWidth, outerHeight - innerHeight]")
        self._ask("POST", "/window/rect", x=0, y=0, width=width + bars[0], height=height + bars[1])
        self.waits_for("(...size) => innerWidth === size[0] && innerHeight === size[1]", width, height)

    def picture(self):
        return base64.b64decode(self._ask("GET", "/screenshot"))

    def close(self):
        for process in reversed(self.processes):
            end(process)
        self.processes.clear()
        self.home.cleanup()


# --- Processes --------------------------------------------------------------------------------------------------------


def program(*names):
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, f"No {names[0]}: `make test-browsers` installs it."
    return path


def home_of(engine):
    return tempfile.TemporaryDirectory(prefix=f"party-{engine}-", ignore_cleanup_errors=True)


def start(*command, home, pass_fds=(), **settings):
    """A process that leads a group, which `end` ends with all that it started; what it keeps, it keeps in `home`.
    It does not outlive the tests either when they are killed and `end` nothing."""
    folders = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"), home)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "NO_AT_BRIDGE": "1", **folders, **settings}
    return subprocess.Popen(
        ("setpriv", "--pdeathsig=KILL", *command), env=environment, pass_fds=pass_fds, process_group=0, **quiet
    )


def end(process):
    """Asks it to end, and after two seconds no longer asks."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


ENGINES = {"firefox": Firefox, "webkit": WebKit}
