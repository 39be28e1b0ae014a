"""The owner's page: for the owner alone, it shows what the reports say and claims no more, and what the owner enters is
a command like all others."""

import csv
import html
import io
import itertools
import re
from types import SimpleNamespace

import pytest
from conftest import browser_of
from person import form_token
from stores import keep_feedback, keep_report, keep_setting, sample

from runtime import clock, settings, web
from runtime.journal import Unavailable
from services import insights
from services.reckoning import share

TABLES = [f"/insights/{name}.csv" for name in insights.TABLES]
HOSTILE = "<script>alert('x')</script><img src=x onerror=\"alert('x')\">"


@pytest.fixture
def owner(stores):
    return browser_of("asha")


@pytest.fixture
def never_waits(monkeypatch):
    """Nobody waits for the services, which do not run here."""
    monkeypatch.setattr(insights, "PATIENCE_SECONDS", 0)


def shown(browser, address="/insights", **how):
    """The page, without the white space that a browser does not show."""
    answer = browser.get(address, **how)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def verdict(page):
    words = re.search(r'<p class="verdict__sentence">(.*?)</p>', page)[1]
    return html.unescape(re.sub(r"<[^>]+>", "", words)).replace("\u00a0", " ").strip()


def send(browser, kind, **fields):
    token = form_token(browser.get("/insights").text)
    return browser.post(f"/insights/{kind}", data={"token": token, **fields})


def commands(party, *kinds):
    return [command for _, command in party.journal.replay() if command["kind"] in kinds]


# --- For whom ---------------------------------------------------------------------------------------------------------


ADDRESSES = ["/insights", "/insights?weeks=12", *TABLES, *(f"/insights/{kind}" for kind in insights.SAYINGS)]
ADDRESSES += ["/insights/", "/insights/people", "/insights//goals"]


@pytest.mark.parametrize("who", [None, "bilal", "farida"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_for_everybody_but_the_owner_there_is_nothing(stores, owner, who, method):
    keep_report(stores, sample("thriving"))
    browser = browser_of(who) if who else owner.application.test_client()
    for accept in ("text/html", "text/plain"):
        how = {"method": method, "headers": {"Accept": accept}}
        nothing = browser.open("/nothing", **how)
        assert nothing.status_code == 404
        for address in ADDRESSES:
            answer = browser.open(address, **how)
            assert (answer.status_code, answer.data) == (404, nothing.data), address
            assert answer.headers == nothing.headers, "nor does a header tell of it"


def test_who_is_the_owner_no_more_sees_it_no_more(stores, owner, monkeypatch):
    assert owner.get("/insights").status_code == 200
    monkeypatch.setattr(insights.users, "owner", lambda: "bilal")
    assert owner.get("/insights").status_code == 404


def test_what_there_is_not_is_not_there_for_the_owner_either(owner):
    assert owner.get("/insights/people.csv").status_code == 404
    assert owner.post("/insights/people").status_code == 404


def test_no_cache_keeps_it(stores, owner):
    keep_report(stores, sample("thriving"))
    for address in ("/insights", *TABLES):
        assert owner.get(address).headers["Cache-Control"] == "no-store"


# --- The answer -------------------------------------------------------------------------------------------------------


SPOKE, OF_GOALS = r"\d+ of \d+ who came in spoke", [rf"\(\d+–\d+ %, goal {goal} %\)" for goal in (50, 40)]


@pytest.mark.parametrize("name, sentence", [
    ("thriving", rf"Yes: {SPOKE} {OF_GOALS[0]}, and \d+ of \d+ speakers came back in a week {OF_GOALS[1]}\."),
    ("dying", rf"No: {SPOKE} {OF_GOALS[0]}\. Even at best, fewer than half as many spoke as the goal wants\."),
    (
        "too_early",
        rf"Too early to tell: {SPOKE} \(goal 50 %\)\. It takes 10 who came in, and 10 speakers whose week is over:"
        r" so far \d and 0\.",
    ),
])  # fmt: skip
def test_it_opens_with_the_question_and_its_answer(stores, owner, name, sentence):
    keep_report(stores, sample(name))
    page = shown(owner)
    assert f'<h1 class="topic" dir="auto">{sample(name)["question"]}</h1>' in page
    assert re.fullmatch(sentence, verdict(page)), verdict(page)


def test_the_numbers_are_those_of_the_report(stores, owner):
    """Whatever they are: nothing is reckoned here."""
    odd = {"count": 11, "of": 44, "low": 0.071, "high": 0.929}
    shares = {"spoke": odd, "returned": odd | {"count": 12}, "listened_again": odd}
    keep_report(stores, sample("thriving", verdict="not_yet", **shares))
    page = shown(owner).replace("\u00a0", " ")
    assert verdict(page) == (
        "Not yet: 11 of 44 who came in spoke (7–93 %, goal 50 %), and 12 of 44 speakers came back in a week"
        " (7–93 %, goal 40 %)."
    )
    assert "25 %, from 7 to 93 %" in page


def test_where_nobody_else_came_lately_it_says_so(stores, owner):
    keep_report(stores, sample("dying", others_in_last_week=0))
    assert verdict(shown(owner)).endswith("Nobody but you came in the last week.")


def test_where_too_few_returned_it_says_which_figure_decided(stores, owner):
    keep_report(stores, sample("thriving", verdict="no", returned=share(1, 30)))
    assert verdict(shown(owner)).endswith("Even at best, fewer than half as many came back as the goal wants.")


def test_where_nobody_came_at_all_it_says_so(stores, owner):
    keep_report(stores, sample("too_early", spoke=None))
    assert verdict(shown(owner)) == "Too early to tell: nobody has come in."


def with_at_most(most, thing):
    """The same with no share of more than `most`."""
    if isinstance(thing, list):
        return [with_at_most(most, one) for one in thing]
    if isinstance(thing, dict) and "of" in thing:
        return share(min(thing["count"], most), min(thing["of"], most))
    return {name: with_at_most(most, one) for name, one in thing.items()} if isinstance(thing, dict) else thing


@pytest.mark.parametrize("most, claims", [(9, False), (10, True)])
def test_nothing_is_claimed_on_fewer_than_ten(stores, owner, most, claims):
    keep_report(stores, with_at_most(most, sample("thriving")))
    weeks = [{"first_day": "2026-11-08", "yes": share(8, 9), "partly": share(1, 9), "no": share(0, 9)}]
    keep_feedback(stores, sentiment={"weeks": with_at_most(most, weeks), "losing": share(4, most), "mark": 40})
    page = shown(owner).replace("\u00a0", " ")
    assert "of 9" in page, "counts are told"
    marks = r"goal \d+ %|\d+ %</text>|95 % interval|40 % is a good mark"
    percents = re.findall(r"\d+ %", re.sub(marks, "", page))
    assert bool(percents) is claims, percents
    of_shares = re.sub(r"<svg class=\"plot plot--low\".*?</svg>", "", page)
    assert ("plot__share" in of_shares) is claims, "nor does a plot"


def test_every_plot_has_its_table_with_the_same_numbers(stores, owner):
    keep_report(stores, sample("thriving"))
    weeks = [{"first_day": "2026-11-08", "yes": share(9, 12)}, {"first_day": "2026-11-15", "yes": share(3, 4)}]
    keep_feedback(stores, sentiment={"weeks": weeks, "losing": None, "mark": 40})
    sections = shown(owner).split("<section")[1:]
    plots = [section for section in sections if 'class="plot' in section]
    assert len(plots) == 3 + 6 + 5 + 1
    for section in plots:
        drawn = [re.findall(rf'class="plot__{part}"[^>]*>([^<]*)<', section) for part in ("day", "count")]
        told = re.findall(r'<tr><th scope="row">([^<]*)</th><td>([^<]*)</td>', section)
        assert list(zip(*drawn, strict=True)) == told and told, section
        assert 'role="img" aria-labelledby="' in section and ".csv?weeks=3" in section
    rows = [row for row in "".join(sections).split("<tr>") if 'class="bar' in row]
    assert len(rows) > 15 and all(re.search(r"<b>\d", row) for row in rows), "a bar stands in a row with its number"


def test_a_median_of_few_visits_is_pale_and_says_of_how_many(stores, owner):
    report = sample("thriving")
    report["speed"] = [report["speed"][-1] | {"paint": 400.0, "visits": visits} for visits in (9, 10, 11)]
    keep_report(stores, report)
    section = shown(owner).split('id="paint-by-week"')[1].split("</section>")[0]
    assert re.findall(r'plot__share( plot__share--few)?"', section) == [" plot__share--few", "", ""]
    assert re.findall(r"<td>400</td><td>(\d+)</td>", section) == ["9", "10", "11"]
    assert "pale: fewer than 10" in section


def test_a_plot_of_a_year_has_a_mark_for_each_week_and_room_for_its_words(stores, owner):
    report = sample("thriving", weeks=52)
    report["by_week"] = report["by_week"][1:2] * 52
    keep_report(stores, report, weeks=52)
    section = shown(owner, "/insights?weeks=52").split('<section class="card" aria-labelledby="spoke-by-week"')[1]
    plot = section.split("</svg>")[0]
    assert (plot.count("plot__interval"), plot.count("plot__day")) == (52, 4)
    assert section.split("</section>")[0].count('<th scope="row">') == 52, "the table has them all"


def test_others_have_their_turn_while_a_long_page_is_written(monkeypatch):
    """In an eventlet party, who does not sleep keeps everybody waiting."""
    at, slept = iter(range(99)), []  # a millisecond for each part
    clock = SimpleNamespace(monotonic=lambda: next(at) / 1_000, sleep=slept.append)
    monkeypatch.setattr(web, "time", clock)
    assert list(web.with_pauses(range(20))) == list(range(20))
    assert slept == [0] * 4


def test_gaps_are_told(stores, owner):
    at = clock.now()
    keep_report(stores, sample("thriving"))
    assert "Everything that happened has been counted." in shown(owner)
    keep_report(stores, sample("thriving", gaps=[{"since": 1_794_859_200_000, "until": 1_794_866_400_000}], at=at))
    page = re.sub(r"</?time[^>]*>", "", shown(owner))
    assert "From 16 Nov, 20:00 UTC to 16 Nov, 22:00 UTC nothing is known." in page
    assert '<a href="#gaps">with gaps</a>' in page, "beside the answer"
    assert "Everything that happened has been counted." not in page


def test_gaps_in_what_people_said_are_told_there(stores, owner):
    gap = {"since": 1_794_859_200_000, "until": 1_794_866_400_000}
    keep_feedback(stores, sentiment={"weeks": [], "losing": None, "mark": 40, "gaps": [gap]})
    said = re.sub(r"</?time[^>]*>", "", shown(owner)).split("What people say")[1]
    assert "From 16 Nov, 20:00 UTC to 16 Nov, 22:00 UTC nothing is known." in said
    assert file(owner, "gaps") == [{"service": "feedback", "since": str(gap["since"]), "until": str(gap["until"])}]


def test_where_the_services_stand_still_it_says_since_when(stores, owner):
    keep_report(stores, sample("thriving"))
    assert "stand still" not in shown(owner)
    keep_report(stores, sample("thriving", at=clock.now() - insights.STANDS_STILL_AFTER - 1))
    assert "The figures stand still" in (page := shown(owner))
    assert "Everything that happened has been counted." not in page


def test_it_says_what_to_do_where_there_is_nothing_to_show(stores, owner, monkeypatch):
    assert "Nothing has been counted yet." in shown(owner)
    monkeypatch.setattr(settings, "SERVICES", [])
    assert "The service figures is switched off." in (page := shown(owner)) and "Name it in PARTY_SERVICES" in page
    assert "Nobody has written yet." not in page, "as nobody would know"
    monkeypatch.setattr(settings, "JOURNAL", "memory:")
    assert "Start it without PARTY_JOURNAL=memory:" in shown(owner)


def test_where_the_service_is_switched_off_old_figures_come_with_that_above_them(stores, owner, monkeypatch):
    keep_report(stores, sample("thriving"))
    monkeypatch.setattr(settings, "SERVICES", ["feedback"])
    page = shown(owner)
    assert page.index("The service figures is switched off.") < page.index('class="verdict__sentence"')
    assert "Everything that happened has been counted." not in page and "Nothing has been counted since <time" in page


def test_a_party_where_nobody_but_its_owner_has_been_shows_no_wall_of_nothing(stores, owner):
    week = sample("too_early")["by_week"][0]
    keep_report(stores, sample("too_early", by_week=[week, week, week | {"people": 1}], features=[]))
    page = shown(owner)
    assert page.count('<svg class="plot') == 3 and "once somebody but you has come" in page
    keep_report(stores, sample("too_early", features=[]))
    assert "Nobody has done anything yet." in shown(owner)


def test_a_store_that_cannot_be_read_is_told_in_the_records_alone(stores, owner, caplog):
    (stores / "figures.db").write_text("This is no store, and long enough to be none that has just begun." * 99)
    assert "Nothing has been counted yet." in shown(owner)
    assert "What the service figures keeps cannot be read" in caplog.text


def test_it_speaks_spanish(stores, owner):
    keep_report(stores, sample("thriving", spoke={"count": 29, "of": 40, "low": 0.57, "high": 0.84}))
    page = shown(owner, headers={"Accept-Language": "es"})
    assert verdict(page).startswith("Sí: 29 de 40 que entraron hablaron (57–84 %, meta 50 %), y ")
    assert "1–21 de noviembre" in page


@pytest.mark.parametrize("since, until, said", [
    ("2026-11-01", "2026-11-21", "1–21 November"),
    ("2026-10-25", "2026-11-14", "25 Oct – 14 Nov"),
    ("2025-11-23", "2026-11-21", "23 Nov 2025 – 21 Nov 2026"),
])  # fmt: skip
def test_it_says_of_which_time_it_tells(stores, owner, since, until, said):
    keep_report(stores, sample("thriving", since=since, single_since=since, until=until))
    assert f"<span>{said}</span>" in shown(owner)


def test_a_year_says_that_only_its_weeks_reach_back_that_far(stores, owner):
    """All else is counted from rows that are kept for twelve weeks."""
    keep_report(stores, sample("thriving", since="2025-11-23", single_since="2026-08-30"), weeks=52)
    page = shown(owner, "/insights?weeks=52")
    assert "<span>30 Aug – 21 Nov</span>" in page and "the weeks since 23 Nov 2025" in page


def test_what_people_tapped_is_counted(stores, owner):
    weeks = [{"first_day": "2026-11-08", "yes": share(2, 4), "partly": share(1, 4), "no": share(1, 4)}] * 2
    keep_feedback(stores, sentiment={"weeks": weeks, "losing": None, "mark": 40})
    assert "4 yes, 2 partly, 2 no" in shown(owner)


# --- Nothing that was written becomes markup --------------------------------------------------------------------------


def hostile():
    report = sample("thriving", question=HOSTILE)
    report["sources"][0]["source"] = report["features"][0]["kind"] = HOSTILE
    report["errors"]["script_errors"][0]["words"] = HOSTILE
    said = {"id": HOSTILE, "at": 1, "about": "problem", "text": HOSTILE, "name": HOSTILE, "version": HOSTILE}
    return report, said | {"error": HOSTILE}


def test_what_people_wrote_is_shown_as_text(stores, owner):
    report, said = hostile()
    keep_report(stores, report)
    keep_feedback(stores, said, said | {"id": "2", "answer": HOSTILE, "answered_at": 2})
    page = shown(owner)
    assert page.count("&lt;script&gt;") >= 12
    assert "<script" not in page and "<img src=x" not in page


def test_it_needs_no_script_and_no_style_of_its_own(stores, owner):
    """The policy that is sent with it allows neither."""
    keep_report(stores, sample("thriving"))
    page = shown(owner)
    assert not re.findall(r"<script|<style|<[^>]+ (?:style|on\w+)=", page)


# --- Files ------------------------------------------------------------------------------------------------------------


def file(browser, name, weeks=3):
    answer = browser.get(f"/insights/{name}.csv?weeks={weeks}")
    assert answer.status_code == 200 and answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_every_table_is_a_file_too(stores, owner):
    keep_report(stores, sample("dying"))
    keep_feedback(stores, sentiment={"weeks": [], "losing": None, "mark": 40})
    assert set(re.findall(r'href="/insights/(\w+)\.csv\?weeks=3"', shown(owner))) == insights.TABLES.keys()


def test_a_file_has_the_numbers_of_the_report(stores, owner):
    report = sample("thriving")
    keep_report(stores, report)
    step, row = report["funnel"][1], file(owner, "funnel")[1]
    assert row == {"step": "came_in", "people": str(step["people"]), "guests": str(step["guests"])} | {
        f"share_{name}": str(value) for name, value in step["share"].items()
    }
    week, row = report["by_week"][1], file(owner, "weeks")[1]
    assert (row["spoke_low"], row["seconds"]) == (str(week["spoke"]["low"]), str(week["seconds"]))
    first = file(owner, "cohorts")[2]
    assert (first["first_day"], first["weeks_later"]) == (report["cohorts"][1]["first_day"], "1")
    assert file(owner, "returns")[0]["share_count"] == str(report["spoke"]["count"])
    assert {row["what"]: row["times"] for row in file(owner, "errors")} == {
        "unavailable": str(report["errors"]["unavailable"]["count"]),
        "mistakes": str(report["errors"]["mistakes"]),
        "failed": str(report["errors"]["failed"]),
        "reconnections": str(report["errors"]["reconnections"]),
        **{error["words"]: str(error["times"]) for error in report["errors"]["script_errors"]},
    }


def with_numbers_of_their_own(thing, numbers):
    """The same with the next of `numbers` in place of each number, so that each can be found."""
    if isinstance(thing, list):
        return [with_numbers_of_their_own(one, numbers) for one in thing]
    if isinstance(thing, dict):
        return {name: with_numbers_of_their_own(one, numbers) for name, one in thing.items()}
    return next(numbers) if isinstance(thing, int | float) else thing


def test_each_number_of_a_report_stands_in_a_file(stores, owner):
    numbers = itertools.count(1_000_000)
    cost = {"month": "2026-11", "spent": 30, "new_people": 4, "each": 7.5}
    churn = {"lost": share(3, 12), "won_back": 2}
    report = sample("thriving", churn=churn, costs=[cost], gaps=[{"since": 1, "until": 2}])
    assert report["errors"]["unavailable"] and all(report["speed"][-1].values()), "all that there can be"
    keep_report(stores, with_numbers_of_their_own(report, numbers))
    weeks = [{"first_day": "2026-11-15", "yes": share(3, 4), "partly": share(1, 4), "no": share(0, 4)}]
    sentiment = {"at": 1, "weeks": weeks, "losing": share(1, 2), "mark": 40, "gaps": [{"since": 1, "until": 2}]}
    keep_feedback(stores, sentiment=with_numbers_of_their_own(sentiment, numbers))
    cells = {cell for name in insights.TABLES for row in file(owner, name) for cell in row.values()}
    assert {str(number) for number in range(1_000_000, next(numbers))} - cells == set()


def test_a_long_file_is_written_with_pauses(stores, owner, monkeypatch):
    keep_feedback(stores, *({"id": str(number), "at": number, "about": "praise"} for number in range(20)))
    at, slept = iter(range(99)), []  # a millisecond for each row
    monkeypatch.setattr(web, "time", SimpleNamespace(monotonic=lambda: next(at) / 1_000, sleep=slept.append))
    assert len(file(owner, "feedback")) == 20
    assert slept == [0] * 4


def test_a_file_is_of_the_weeks_that_were_asked_for(stores, owner):
    keep_report(stores, sample("thriving"), weeks=12)
    assert file(owner, "funnel", weeks=3) == []
    assert len(file(owner, "funnel", weeks=12)) == 7
    assert owner.get("/insights/funnel.csv?weeks=4").status_code == 400


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_spreadsheet_takes_a_cell_for_a_formula(stores, owner, text):
    keep_feedback(stores, {"id": "1", "at": 1, "about": "idea", "text": text})
    answer = owner.get("/insights/feedback.csv").text
    assert list(csv.DictReader(io.StringIO(answer, newline="")))[0]["text"] == f"'{text}"


def test_a_pseudonym_is_in_no_file(stores, owner):
    keep_feedback(stores, {"id": "1", "at": 1, "who": "0123456789abcdef", "about": "idea", "text": "More tea"})
    assert "0123456789abcdef" not in owner.get("/insights/feedback.csv").text + shown(owner)


# --- The inbox --------------------------------------------------------------------------------------------------------


def test_the_inbox_begins_with_who_has_waited_longest(stores, owner):
    said = [{"id": str(at), "at": at, "about": "idea", "text": f"Idea {at}"} for at in (300, 100, 200)]
    tap = {"id": "4", "at": 50, "about": "room", "choice": "yes"}
    keep_feedback(stores, *said, tap, {**said[0], "id": "5", "text": "Done", "answer": "Thank you", "answered_at": 400})
    page = shown(owner)
    texts = re.findall(r'<p class="said__text" dir="auto">([^<]*)</p>', page)
    assert texts == ["Idea 100", "Idea 200", "Idea 300", "Done"]
    assert re.findall(r'name="to" value="(\w+)"', page) == ["100", "200", "300"], "a form each, but for what has one"
    assert '<p class="said__answer" dir="auto">Thank you</p>' in page


def test_who_wants_to_be_talked_to_and_says_no_more_is_in_the_inbox_too(stores, owner):
    keep_feedback(stores, {"id": "1", "at": 1, "about": "losing", "choice": "very", "name": "bilal"})
    page = shown(owner)
    assert "very disappointed · <time" in page and "you may talk to <bdi>bilal</bdi>" in page
    assert "said__text" not in page, "and no empty words"
    assert "Your answer to: About losing this" in page


@pytest.mark.parametrize("waiting, said", [(50, None), (51, "1 more waits"), (53, "3 more wait behind these.")])
def test_it_says_how_many_more_wait_than_the_inbox_shows(stores, owner, waiting, said):
    keep_feedback(stores, *({"id": f"f{at}", "at": at, "about": "idea", "text": "Tea"} for at in range(waiting)))
    page = shown(owner)
    assert page.count('name="to"') == insights.UNANSWERED == 50
    assert said in page if said else "behind these" not in page


def test_a_name_is_shown_where_they_may_be_talked_to(stores, owner):
    said = {"id": "1", "at": 1, "about": "problem", "text": "It is slow", "version": "1.2.0", "error": "TypeError"}
    keep_feedback(stores, said)
    assert "you may talk to" not in shown(owner)
    assert "1.2.0" in shown(owner) and "TypeError" in shown(owner)
    keep_feedback(stores, said | {"name": "bilal"})
    assert "you may talk to <bdi>bilal</bdi>" in shown(owner)


# --- What the owner enters --------------------------------------------------------------------------------------------

GOALS = {"question": "Will they come back?", "spoke": "60", "returned": "30", "voices": "75"}
SPENT = {"month": "2026-11", "amount": "12,50"}
ANSWER = {"to": "f1", "text": "Thank you.\r\nIt is mended."}
FORMS = {"goals": GOALS, "spent": SPENT, "answer": ANSWER}
SHOWN = {
    "goals": '<h1 class="topic" dir="auto">Will they come back?</h1>',
    "spent": '<tr><th scope="row">2026-11</th><td>12.50</td><td>–</td><td>–</td></tr>',
    "answer": '<p class="said__answer" dir="auto">Thank you. It is mended.</p>',
}


@pytest.fixture
def entering(stores, owner, never_waits):
    keep_report(stores, sample("thriving"))
    keep_feedback(stores, {"id": "f1", "at": 1, "about": "problem", "text": "It is slow"})
    return owner


@pytest.mark.parametrize("kind, body", [
    ("goals", {"question": "Will they come back?", "spoke": 60, "returned": 30, "voices": 75}),
    ("spent", {"month": "2026-11", "amount": 12.5}),
    ("answer", {"to": "f1", "text": "Thank you.\nIt is mended."}),
])  # fmt: skip
def test_what_the_owner_enters_is_a_command(clean_party, entering, kind, body):
    answer = send(entering, kind, weeks="12", **FORMS[kind])
    place = {"answer": "inbox"}.get(kind, kind)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/insights?weeks=12&waits={kind}#{place}")
    page = shown(entering, answer.headers["Location"].replace("weeks=12", "weeks=3"))
    assert f'id="{place}"' in page
    assert page.count('role="status">Kept. It shows here as soon as the services have read it.<') == 1
    (command,) = commands(clean_party, *insights.SAYINGS)
    assert command["user"] == "asha" and command["kind"] == kind
    assert {name: command[name] for name in body} == body
    assert command["through"], "as it ends with the sign-in"


@pytest.mark.parametrize("kind, field, value, sentence", [
    ("goals", "question", " ", "Please give a question."),
    ("goals", "question", "?" * 121, "That question is longer than 120 characters."),
    ("goals", "spoke", "0", "Please give a whole number from 1 to 100 as spoke."),
    ("goals", "returned", "4.5", "Please give a whole number from 1 to 100 as returned."),
    ("goals", "voices", "101", "Please give a whole number from 1 to 100 as voices."),
    ("spent", "month", "2026-13", "Please give a month like 2026-11."),
    ("spent", "amount", "-1", "Please give an amount like 12.50 as amount."),
    ("spent", "amount", "1e9", "Please give an amount like 12.50 as amount."),
    ("answer", "text", "", "Please give a text."),
    ("answer", "text", "a" * 1_001, "That text is longer than 1,000 characters."),
    ("answer", "to", "f2", "What you answer is not there any more."),
    *((kind, "weeks", "4", "Please choose 3, 12 or 52 weeks.") for kind in FORMS),
    *((kind, "token", "no", "That form was too old. Please try again.") for kind in FORMS),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_sentence(clean_party, entering, kind, field, value, sentence):
    answer = send(entering, kind, **FORMS[kind] | {field: value})
    assert answer.status_code == 400
    assert f'role="alert">{sentence}</p>' in answer.text
    assert commands(clean_party, *insights.SAYINGS) == []


def test_what_was_entered_stays_where_it_was_refused(entering):
    page = send(entering, "goals", **GOALS | {"spoke": "1000"}).text
    assert 'value="Will they come back?"' in page and 'value="1000"' in page
    assert 'value="7.77"' in send(entering, "spent", month="", amount="7.77").text
    assert "Thank you" * 200 in send(entering, "answer", to="f1", text="Thank you" * 200).text


def test_where_the_log_is_away_nothing_is_lost(clean_party, entering, monkeypatch, caplog):
    def away(_):
        raise Unavailable("away")

    monkeypatch.setattr(clean_party.journal, "append", away)
    answer = send(entering, "goals", **GOALS)
    assert answer.status_code == 503
    assert "The party cannot keep anything just now." in answer.text and 'value="Will they come back?"' in answer.text


class Steps:
    """Instead of the time: each sleep is a step, after which something may have happened."""

    def __init__(self, happens, after):
        self.slept, self.happens, self.after = 0, happens, after

    def monotonic(self):
        return self.slept * insights.LOOK_EVERY_SECONDS

    def sleep(self, seconds):
        self.slept += 1
        if self.slept == self.after:
            self.happens()


def comes_through(stores, kind):
    """As the services leave it in their stores; their next report may be a minute away."""
    if kind == "goals":
        keep_setting(stores, "goals", {"question": GOALS["question"], "spoke": 60, "returned": 30, "voices": 75})
    elif kind == "spent":
        keep_setting(stores, "spent 2026-11", {"amount": 12.5})
    else:
        said = {"id": "f1", "at": 1, "about": "problem", "text": "It is slow"}
        keep_feedback(stores, said | {"answer": "Thank you.\nIt is mended.", "answered_at": 2})


@pytest.mark.parametrize("kind", FORMS)
def test_the_page_that_comes_next_shows_it(stores, entering, monkeypatch, kind):
    monkeypatch.setattr(insights, "PATIENCE_SECONDS", 2)
    monkeypatch.setattr(insights, "time", steps := Steps(lambda: comes_through(stores, kind), after=3))
    answer = send(entering, kind, **FORMS[kind])
    assert steps.slept == 3, "no longer than it takes"
    page = shown(entering, answer.headers["Location"])
    assert SHOWN[kind] in page and page.count('role="status">Kept.</p>') == 1


def test_nobody_waits_long_for_services_that_do_not_run(entering, monkeypatch):
    monkeypatch.setattr(insights, "PATIENCE_SECONDS", 2)
    monkeypatch.setattr(insights, "time", steps := Steps(lambda: None, after=None))
    assert send(entering, "goals", **GOALS).status_code == 303
    assert steps.monotonic() == pytest.approx(2)


def test_a_verdict_is_never_that_of_other_goals(stores, owner):
    """The report comes later than what the owner entered."""
    keep_report(stores, sample("thriving"))
    assert verdict(shown(owner)).startswith("Yes: ")
    keep_setting(stores, "goals", {"question": "Will they?", "spoke": 99, "returned": 40, "voices": 80})
    page = shown(owner)
    assert verdict(page).startswith("Not yet: ") and "goal 99 %" in verdict(page)
    assert 'name="spoke" type="number" min="1" max="100" value="99"' in page


def test_what_was_reckoned_of_a_month_stays_while_its_amount_does(stores, owner):
    cost = {"month": "2026-10", "spent": 30, "new_people": 4, "each": 7.5}
    keep_report(stores, sample("thriving", costs=[cost]))
    keep_setting(stores, "spent 2026-10", {"amount": 30})
    keep_setting(stores, "spent 2026-09", {"amount": 8})
    september, october = (list(row.values()) for row in file(owner, "costs"))
    assert (september, october) == (["2026-09", "8", "", ""], ["2026-10", "30", "4", "7.5"])
    keep_setting(stores, "spent 2026-10", {"amount": 40})
    assert list(file(owner, "costs")[1].values()) == ["2026-10", "40", "", ""]
