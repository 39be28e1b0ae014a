"""Write into both lists of requirements the hashes of all files of each release that they name.

    .venv/bin/python tests/hashes.py      after a version was changed; needs uv: pip install uv
"""

import re
import subprocess
from pathlib import Path

TESTS = Path(__file__).resolve().parent
LISTS = (TESTS.parent / "requirements.txt", TESTS / "requirements.txt")
HASHES = r"(?: \\\n    --hash=\S+)*"
PIN = re.compile(rf"^([\w.-]+)==([^\s;]+)([^\n\\]*?){HASHES}$", re.MULTILINE)
COMPILE = "uv pip compile - -q --generate-hashes --no-deps --universal --python-version 3.11 --no-header --no-annotate"


def hashes_of(pins):
    """{name: its hashes as they stand behind a release}, of releases like `name==version`."""
    asked = "\n".join(pins)
    compiled = subprocess.run(COMPILE.split(), input=asked, stdout=subprocess.PIPE, text=True, check=True)
    return dict(re.findall(rf"^([\w.-]+)==[^\n\\]*?({HASHES})$", compiled.stdout, re.MULTILINE))


def with_hashes(text):
    """The list with its comments and its order, and with hashes as they are now."""
    known = hashes_of([f"{name}=={version}" for name, version, _ in PIN.findall(text)])
    return PIN.sub(lambda pin: f"{pin[1]}=={pin[2]}{pin[3]}{known[canonical(pin[1])]}", text)


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    for path in LISTS:
        path.write_text(with_hashes(path.read_text()))
