"""docs/figures-explained.md: what a measured minimum product needs has a row each, and each leads to a place that is
there. (Links, paths and the names of tests are looked at by tests/test_docs.py, in all documents.)"""

import re

import pytest
from conftest import browser_of
from servers import ROOT
from stores import keep_report, sample

from runtime import settings
from services import figures, insights, reckoning

DOCUMENT = (ROOT / "docs" / "figures-explained.md").read_text()
TABLE = DOCUMENT.split("## What a measured minimum product needs\n")[1]
NEEDED = {
    "Engagement": ["time on site", "feature use", "return"],
    "Technique": ["load time", "error rate", "response time"],
    "Business": ["acquisition", "cost of acquisition", "conversion", "churn"],
    "What people say": ["surveys", "interviews", "tickets", "sentiment"],
    "Safety": ["authentication", "encryption", "validation", "backups"],
    "Tests": ["unit tests", "integration tests", "end-to-end tests"],
    "Running it": ["set-up", "monitoring", "backup", "emergency plan"],
}


def rows():
    """(need, where it is answered, what shows that) of each row."""
    found = re.findall(r"^\| (.+?) \| (.*?) ?\| (.*?) ?\|$", TABLE, re.M)
    assert found[0] == ("what it needs", "is answered by", "shown by")
    return found[1:]


def test_what_a_minimum_product_needs_has_a_row_each():
    expected = [each for group, needs in NEEDED.items() for each in (f"**{group}**", *needs)]
    assert [need for need, *_ in rows()] == expected


@pytest.mark.parametrize(("need", "place", "shown"), [row for row in rows() if not row[0].startswith("**")])
def test_each_has_a_place_and_what_shows_it(need, place, shown):
    assert re.search(r"\]\([^)]+\)", place), "a link"
    assert re.search(r"`test_\w+`|`make \w+`", shown)


@pytest.fixture
def page(clean_party, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(settings, "JOURNAL", str(tmp_path / "party.db"))
    keep_report(tmp_path, sample("thriving"))
    return browser_of("asha").get("/insights").text


def test_the_places_of_the_owners_page_are_on_it(page):
    named = set(re.findall(r"`/insights#([\w-]+)`", TABLE))
    assert len(named) > 8
    assert [place for place in sorted(named) if f'id="{place}"' not in page] == []
    assert set(re.findall(r"`/insights/(\w+)\.csv`", TABLE)) <= insights.TABLES.keys()


def test_the_numbers_are_those_of_the_code():
    for sentence in (
        f"no more than {reckoning.VISIT_GAP // reckoning.MINUTE} minutes lie between two stretches",
        f"for {figures.ROW_DAYS} days;",
        f"Of fewer than {in_words(reckoning.ENOUGH)} nothing is claimed",
        f"under {in_words(reckoning.BOUNCE_SECONDS)} visible seconds",
        f"{in_words(reckoning.ACTIVE_SECONDS // 60)} visible minutes inside rooms",
        f"no sooner than {in_words(reckoning.APART // reckoning.HOUR)} hours",
        f"in which {in_words(reckoning.VOICES)} or more said something",
        f"the {in_words(reckoning.CHURN_DAYS // reckoning.WEEK)} weeks before the last four",
        f"more than {figures.MOST_A_DAY['opened']} browsers that open a link",
        f"more than {figures.MOST_A_DAY['sign_in']} sign-ins, or {figures.MOST_A_DAY['measured']} times",
        f"the {in_words(reckoning.SOURCES)} that most came from",
        f'together as "{reckoning.OTHERS}"',
        f"reaches back {in_words(reckoning.SINGLE_WEEKS)} weeks",
        f'"{reckoning.QUESTION}"',
    ):
        assert sentence in DOCUMENT
    assert figures.SUM_DAYS == 365 and "for a year; then they are gone" in DOCUMENT
    assert reckoning.RETURN_WITHIN == 7 * reckoning.DAY and "no later than seven days" in DOCUMENT
    assert reckoning.GOALS == {"spoke": 50, "returned": 40, "voices": 80}
    assert "half of those who come in speak, two in five of those who spoke" in DOCUMENT
    assert "four in five rooms" in DOCUMENT


def in_words(number):
    return {2: "two", 3: "three", 4: "four", 8: "eight", 10: "ten", 12: "twelve"}[number]
