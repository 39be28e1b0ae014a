"""The party as it is, except that its pages keep what goes wrong in them: WebKit's driver would not tell."""

from pathlib import Path

import app

WATCH = Path(__file__).with_name("watch.js").read_text()


@app.app.get("/watch.js")
def watch():
    return WATCH, {"Content-Type": "text/javascript"}


@app.app.after_request
def watch_page(response):
    """Put first into a page what keeps its errors; as a file, for nothing inline may run."""
    if response.mimetype == "text/html" and not response.is_streamed:
        response.set_data(response.get_data().replace(b"<head>", b'<head><script src="/watch.js"></script>', 1))
    return response


if __name__ == "__main__":
    app.main()
