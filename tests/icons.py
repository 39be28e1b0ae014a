"""Draws the app icons in static/icons/ from their SVGs, with the browser of the tests: `make icons`."""

from pathlib import Path

ICONS = Path(__file__).parent.parent / "static" / "icons"
# PNG: (the SVG that it shows, its width and height). Phones that want a PNG do not take an SVG.
DRAWN = {
    "icon-192.png": ("icon.svg", 192, 192),
    "icon-512.png": ("icon.svg", 512, 512),
    "maskable-512.png": ("maskable.svg", 512, 512),
    # iOS rounds the corners itself, and shows black where nothing is.
    "apple-touch-180.png": ("maskable.svg", 180, 180),
    "share.png": ("share.svg", 1200, 630),  # as those want it who show what a link leads to
}


def drawn(browser, svg, width, height):
    """The bytes of a PNG."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{(ICONS / svg).read_text()}")
    png = page.screenshot(omit_background=True)
    page.close()
    return png


if __name__ == "__main__":
    import os

    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["BROWSER_PATH"], args=sandbox)
        for name, (svg, width, height) in DRAWN.items():
            (ICONS / name).write_bytes(drawn(browser, svg, width, height))
        browser.close()
