"""Ask whether a release that we name has a known vulnerability: `make audit`.

Exits with 1 when one has. Where nobody could be asked, it says so loudly and exits with 0: our own work goes on while a
service of others is away.
"""

import json
import subprocess
import sys

from hashes import LISTS

# Of the services that pip-audit knows, the one that is no index of packages: a mirror of an index knows of no
# vulnerability, and pip-audit then finds none.
SERVICE = ["--vulnerability-service", "osv", "--timeout", "5"]
# {id: why it cannot harm us}: what has no cure yet must not stop everything.
ACCEPTED = {}
AS_LISTED = ["--require-hashes", "--disable-pip"]  # nothing is resolved, fetched or built
# What it says when the service is to blame. It ends in the same way as when our lists are, or when it found something.
AWAY = ("requests.exceptions", "Try another service")
PATIENCE_SECONDS = 120


def main(options):
    releases = found_by_audit(options)
    if releases is None:
        return shout("The service that knows of vulnerabilities could not be asked")
    if unknown := [release["name"] for release in releases if "skip_reason" in release]:
        shout(f"Of {', '.join(unknown)} nothing is known")
    found = [(release, flaw) for release in releases for flaw in release.get("vulns", ())]
    for release, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"{release['name']} {release['version']}: {flaw['id']}, fixed in {fixed}.", file=sys.stderr)
    if found:
        raise SystemExit(1)
    print(f"{len(releases)} releases, none with a known vulnerability.")


def found_by_audit(options):
    """What pip-audit says of each release; None when the service did not answer. Stops at what else went wrong."""
    command = [sys.executable, "-m", "pip_audit", *AS_LISTED, *SERVICE, "--format", "json", "--progress-spinner", "off"]
    command += [f"--requirement={path}" for path in LISTS]  # it does not follow the one that includes the other
    command += [f"--ignore-vuln={id}" for id in ACCEPTED]
    command += options
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    if ended.stdout:
        return json.loads(ended.stdout)["dependencies"]
    if not any(words in ended.stderr for words in AWAY):
        raise SystemExit(ended.stderr or f"pip-audit ended with {ended.returncode} and said nothing.")
    return None


def shout(sentence):
    print(f"!!! NOT AUDITED: {sentence}. !!!", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
