"""A page of the blog in a browser: light, dark, on paper, on a desk and on a phone."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from stores import a_talk, keep_page
from visitor import PHONE, STICKS_OUT, violations

import app
from runtime import settings


@pytest.mark.parametrize("how", [{"viewport": {"width": 1440, "height": 900}}, PHONE], ids=["desk", "phone"])
def test_a_published_page_can_be_read_everywhere(how, browser, tmp_path, monkeypatch):
    """As the party sends it: its policy forbids nothing of it."""
    monkeypatch.setattr(settings, "PUBLISHED", tmp_path / "published")
    name, anybody, trouble = keep_page(tmp_path, a_talk()), app.app.test_client(), []

    def fulfill(route):
        answer = anybody.get(urlsplit(route.request.url).path)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.data)

    context = browser.new_context(base_url="http://party.example/", **how)
    context.route("**/*", fulfill)
    page = context.new_page()
    page.on("console", lambda message: trouble.append(message.text))
    for address in (f"published/{name}", "published/"):
        page.goto(address)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [] and page.evaluate(STICKS_OUT) == []
    page.get_by_role("link", name="Should our book club").click()
    page.get_by_role("link", name="If we took turns").click()
    expect(page.locator("#m4")).to_be_in_viewport()
    expect(page.locator("#m4")).to_contain_text("bilal")
    page.emulate_media(media="print")
    expect(page.get_by_role("link", name="Start a discussion")).to_be_hidden()
    assert trouble == []
    context.close()
