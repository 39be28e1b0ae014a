"""What Lighthouse says of the sign-in page and the lobby, on the slow phone that it emulates. Run it with
`make lighthouse`; it needs Node 18 or newer, and fetches Lighthouse with npx.

Starts a server with the page's own copies of the libraries and two rooms, and talks to 127.0.0.1 alone.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from servers import running_server  # noqa: E402

LIGHTHOUSE = "lighthouse@12.8.2"  # the last that runs on Node 18 and 20


def report(address, cookie):
    """What Lighthouse says of one page."""
    with tempfile.TemporaryDirectory() as folder:
        headers, out = Path(folder) / "headers.json", Path(folder) / "report.json"
        headers.write_text(json.dumps({"Cookie": cookie} if cookie else {}))
        flags = "--headless=new --no-sandbox" if os.geteuid() == 0 else "--headless=new"
        subprocess.run(
            ["npx", "--yes", LIGHTHOUSE, address, "--quiet", "--no-enable-error-reporting", f"--chrome-flags={flags}",
             "--extra-headers", headers, "--output=json", "--output-path", out],
            env={**os.environ, "CHROME_PATH": os.environ["BROWSER_PATH"]},
            check=True,
        )  # fmt: skip
        return json.loads(out.read_text())


def main():
    with running_server(PARTY_ASSETS="local") as server:
        server.person("asha").host("What should we cook for forty people?")
        server.person("bilal").host("Is the four-day week worth it?")
        for name, path, cookie in (("sign-in", "sign-in", ""), ("lobby", "", server.cookies_of("chen"))):
            found = report(server.address + path, cookie)
            scores = [f"{part['title']} {part['score'] * 100:.0f}" for part in found["categories"].values()]
            print(f"{name}: {', '.join(scores)}", flush=True)
            for part in found["categories"].values():
                for id in (ref["id"] for ref in part["auditRefs"] if ref["weight"]):
                    audit = found["audits"][id]
                    if audit["score"] is not None and audit["score"] < 1:
                        print(f"  {part['title']}: {audit['title']} {audit.get('displayValue', '')}", flush=True)


if __name__ == "__main__":
    main()
