"""The floors of the house: imports go downwards only, and its heart knows no web, clock, chance or threads."""

import ast
import functools
import re
import subprocess
import sys

import pytest
from servers import ROOT


def layout():
    """The paths that the README's layout names, in its order. Those below a folder in bold are in it."""
    rows = (ROOT / "README.md").read_text().split("## Layout")[1].split("\n## ")[0]
    folder = ""
    for bold, name in re.findall(r"^\| (\**)(`.+?`|[\w ]+)\1 \|", rows, re.M):
        if bold:
            folder = name.strip("`") if name.endswith("/`") else ""
        if name.startswith("`"):
            yield (name if bold else f"`{folder}{name[1:]}").strip("`").rstrip("/")


# From the highest floor down, as the README has them.
FLOORS = [name.removesuffix(".py") for name in layout() if name.endswith(".py")]
HEART = [name for name in FLOORS if name.startswith("party/")]
# All of the standard library that the heart may use: what gives the same for the same arguments, everywhere.
PURE = {"collections", "dataclasses", "hashlib", "itertools", "math", "re", "typing", "unicodedata"}
MAY_WRITE_DATES = "party/story"  # which must not ask what date it is
NOT_IN_THE_HEART = {"asyncio", "eventlet", "flask", "random", "secrets", "select", "socket", "sqlite3", "threading"}


@functools.cache
def imported_by(source):
    """The modules that `source` imports: our own as paths like those of FLOORS, others by their first name."""
    return tuple(imports_in(source))


def imports_in(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a module is named in full"
            names = [f"{node.module}.{name.name}" for name in node.names]
            names = [name if floor_of(name) else node.module for name in names]
        else:
            continue
        for name in names:
            yield floor_of(name) or name.partition(".")[0]


def floor_of(name):
    """Of our modules the path, as in FLOORS; None for what is no module of ours."""
    path = name.replace(".", "/")
    return next((floor for floor in (path, f"{path}/__init__") if floor in FLOORS), None)


def upward_imports(module, source):
    return [name for name in imported_by(source) if name in FLOORS and FLOORS.index(name) <= FLOORS.index(module)]


def impure_imports(source):
    return set(imported_by(source)) - PURE - set(HEART) - {"party"}


def asks_the_clock(source):
    names = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    return bool(names & {"now", "today", "utcnow"})


def source_of(module):
    return (ROOT / f"{module}.py").read_text()


def test_who_starts_a_party_does_not_wait_for_what_few_need():
    """What makes a calendar takes 40 ms and 2 MB, what Socket.IO would load for itself a tenth and 11 MB, the
    tables of what looks alike some more; and what calls addresses is for services."""
    program = "import sys, app; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).split()
    assert "runtime.names" in loaded
    for_others = {"requests", "redis", "websocket", "services.posting", "services.ai"}
    for_others |= {"feedgenerator", "standardwebhooks", "tomllib"}
    assert ({"icalendar", "confusable_homoglyphs"} | for_others) & set(loaded) == set()


def test_the_floors_are_found():
    assert FLOORS[0] == "app" and HEART[-1] == "party/model", "the top and the bottom"
    assert {"runtime/journal", "party/state", "services/follow", "users"} <= set(FLOORS)


@pytest.mark.parametrize("module", FLOORS)
def test_imports_go_downwards_only(module):
    assert upward_imports(module, source_of(module)) == []


@pytest.mark.parametrize("module", HEART)
def test_the_heart_uses_only_what_is_the_same_everywhere(module):
    allowed = {"datetime"} if module == MAY_WRITE_DATES else set()
    assert impure_imports(source_of(module)) <= allowed
    assert not asks_the_clock(source_of(module))


def test_the_heart_runs_in_a_bare_interpreter():
    """Without site-packages, and with nothing loaded that knows a web, chance or threads."""
    modules = ", ".join(module.replace("/", ".") for module in HEART)
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {modules}; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-I", "-S", "-c", program], text=True).split()
    assert "party.rules" in loaded
    assert NOT_IN_THE_HEART & set(loaded) == set()


@pytest.mark.parametrize(
    "module, source, upward",
    [
        ("party/rules", "from party.state import State", ["party/state"]),
        ("party/state", "from party import rules, views", ["party/views"]),
        ("runtime/journal", "import app", ["app"]),
        ("users", "from runtime import settings", []),
    ],
)
def test_an_import_upwards_is_found(module, source, upward):
    assert upward_imports(module, source) == upward


@pytest.mark.parametrize("name", ["time", "datetime", "random", "threading", "flask", "runtime.settings"])
def test_an_import_that_the_heart_may_not_have_is_found(name):
    for source in (f"import {name}", f"from {name} import something", f"def late():\n    import {name}"):
        assert impure_imports(source)
    assert asks_the_clock("from datetime import datetime\nat = datetime.now()")


def test_no_module_imports_the_app():
    for module in FLOORS:
        assert "app" not in imported_by(source_of(module)), module


def test_only_the_transport_knows_eventlet():
    knowing = {
        name: {module.removeprefix("runtime/transport/") for module in FLOORS if name in imported_by(source_of(module))}
        for name in ("eventlet", "engineio")
    }
    assert knowing == {"eventlet": {"cooperative", "loop", "server"}, "engineio": {"__init__", "line"}}
