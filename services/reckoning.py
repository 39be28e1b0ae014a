"""What the figures mean, pure: the rows of services/figures.py in, a report out. docs/figures-explained.md says each
definition in plain words, with whose it is.

Days are those of UTC, here as numbers since 1970; a week is seven of them, and the last one ends with today. Times are
milliseconds UTC. A share is {"count", "of", "low", "high"}: so many of so many, and between what it lies with 95 %
certainty; None of nobody.
"""

import itertools
import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from statistics import median
from typing import Any, NamedTuple

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEEK = 7  # days

Z = 1.959964  # of the normal distribution: 95 % lie within so many standard deviations
ENOUGH = 10  # people, rooms or answers: nothing is claimed on fewer
PERIODS = (3, 12, 52)  # weeks, that there is a report of each
QUESTION = "Will people come and take part in text discussions?"
GOALS = {"spoke": 50, "returned": 40, "voices": 80}  # percent, until the owner sets others

VISIT_GAP = 30 * MINUTE  # between two stretches of one visit, at most; as Matomo, Plausible and Umami have it
BOUNCE_SECONDS = 10  # visible, as in Google Analytics; who left sooner, and went into no room, has seen nothing
ACTIVE_SECONDS = 120  # visible inside rooms: long enough to have read some of a discussion
# Who comes again does so after this: another sitting, and not the same evening on the other side of midnight.
APART = 8 * HOUR
RETURN_WITHIN = WEEK * DAY
VOICES = 3  # who said something in a room: from there on it is a discussion
CHURN_DAYS = 4 * WEEK
SINGLE_WEEKS = 12  # the longest period that is reckoned from single rows; of a longer one only the weeks, from sums

# The kinds of commands with which somebody uses something.
FEATURES = (
    "host", "plan", "move", "call_off", "coming", "watch", "request", "withdraw", "approve", "deny", "remove",
    "hand_over", "door", "put_out", "message", "take_back", "like", "pulse", "more_time", "extend", "close",
    "publish", "withhold", "leave_out", "feedback",
)  # fmt: skip
COMING_IN = ("sign_in", "guest_in")
LET_IN = "let_in"  # a row of who got a seat, which somebody else gave: they need not be there
OPENED_LATER = "open"  # a row of whose planned room opened, by itself: they need not be there either
OVER = "over"  # a row of a room that has closed, whoever or whatever closed it
STEPS = ("opened", "came_in", "watched", "asked", "let_in", "spoke", "hosted")
SOURCE_STEPS = ("opened", "came_in", "spoke")
SOURCES = 10  # that are shown each, those that most came from; all others as one
OTHERS = "…"  # what these are called: no link can have that name
SCRIPT_ERRORS = 10  # kinds of them that are shown, the most frequent
EPOCH = date(1970, 1, 1).toordinal()


class Row(NamedTuple):
    """What somebody did on a day, mostly in one room. `body` has how often ("n"), and when "first" and "last"."""

    day: int
    kind: str
    who: str  # a pseudonym; empty for what nobody did who has signed in
    subject: str
    body: dict[str, Any]


@dataclass
class Visit:
    """Stretches of one person, with at most VISIT_GAP between two. It is of the day on which it begins."""

    day: int
    until: int
    seconds: float = 0  # visible
    inside: float = 0  # of these in rooms

    def go_on(self, stretch):
        self.until = max(self.until, stretch["last"])
        self.seconds += stretch["seconds"]
        self.inside += stretch["inside"]


@dataclass
class Past:
    """All that is kept of what happened."""

    rows: list[Row] = field(default_factory=list)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)  # pseudonym → "first": when they came, "guest"
    sums: dict[int, dict[str, Any]] = field(default_factory=dict)  # day → kind → what was reckoned once
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the owner set and entered
    owner: str | None = None  # a pseudonym
    _spans: dict[tuple[int, int], "Span"] = field(default_factory=dict)

    def span(self, since, until):
        """The days from `since` on, before `until`."""
        if (since, until) not in self._spans:
            self._spans[since, until] = Span(self, since, until)
        return self._spans[since, until]

    @cached_property
    def rows_of(self):
        """day → its rows."""
        return grouped((row.day, row) for row in self.rows)

    @cached_property
    def visits_of(self):
        """day → its visits."""
        stretches = grouped((row.who, row.body) for row in self.rows if row.kind == "measured" and row.subject)
        return grouped((visit.day, visit) for own in stretches.values() for visit in visits(own))

    @cached_property
    def voices(self):
        """room → who said something in it."""
        said = grouped((row.subject, row.who) for row in self.rows if row.kind == "message")
        return {room: set(who) for room, who in said.items()}

    @cached_property
    def over(self):
        """The rooms that have closed."""
        return {row.subject for row in self.rows if row.kind == OVER}

    @cached_property
    def times(self):
        """kind → pseudonym → when they did that, in order; of each row the first and the last time. Under None, when
        they were there at all."""
        times = defaultdict(lambda: defaultdict(list))
        for row in self.rows:
            for kind in (row.kind, None) if is_there(row) else (row.kind,):
                times[kind][row.who] += row.body["first"], row.body["last"]
        for by_person in times.values():
            for own in by_person.values():
                own.sort()
        return times

    @cached_property
    def guests(self):
        """The pseudonyms of who came in by the link of a room. With each they are somebody new, so they are counted
        where things are counted, and not where people are: of none could be said that they came again."""
        return {who for who, known in self.people.items() if known["guest"]}

    @cached_property
    def new_people(self):
        """day → how many came for the first time."""
        return Counter(day_of(known["first"]) for who, known in self.people.items() if who not in self.guests)


class Span:
    """Some days: ask a Past for one."""

    def __init__(self, past, since, until):
        self.rows = [row for day in range(since, until) for row in past.rows_of.get(day, ())]
        self.visits = [visit for day in range(since, until) for visit in past.visits_of.get(day, ())]
        self._guests = past.guests
        self.there = {row.who for row in self.rows if is_there(row)} - self._guests
        self._rows_by_kind = grouped((row.kind, row) for row in self.rows)

    def of_kind(self, kind):
        return self._rows_by_kind.get(kind, [])

    def who_did(self, kind):
        """Of the people."""
        return {row.who for row in self.of_kind(kind)} - self._guests

    def times_of(self, kind):
        """pseudonym → when they did that first, of the people."""
        times = {}
        for row in self.of_kind(kind):
            if row.who not in self._guests:
                times[row.who] = min(row.body["first"], times.get(row.who, row.body["first"]))
        return times

    def measured(self, name):
        """What pages measured under that name, each once; without those that do not know it."""
        return [row.body[name] for row in self.of_kind("measured") if row.body.get(name) is not None]


def report(past, weeks, at):
    """What the owner is shown of the last `weeks`, as it is at that time."""
    until = day_of(at) + 1
    since = until - weeks * WEEK
    single_since = max(since, until - SINGLE_WEEKS * WEEK)
    span = past.span(single_since, until)
    firsts = range(since, until, WEEK)
    by_week = [week(past, first, at) if first >= single_since else kept_week(past, first) for first in firsts]
    goals = {**GOALS, **past.settings.get("goals", {})}
    question = goals.pop("question", QUESTION)
    others = len(past.span(until - WEEK, until).there - {past.owner})
    spoke = share(len(span.who_did("message")), len(span.there))
    returned = came_again(past, span.times_of("message"), None, at)
    return {
        "at": at,
        "since": day_text(since),
        "until": day_text(until - 1),
        "single_since": day_text(single_since),
        "weeks": weeks,
        "rooms": len(rooms_opened(span)),
        "people": len(span.there),
        "question": question,
        "goals": goals,
        "others_in_last_week": others,
        "verdict": verdict(spoke, returned, goals, others),
        "spoke": spoke,
        "returned": returned,
        "spoke_again": came_again(past, span.times_of("message"), "message", at),
        "listened_again": came_again(past, span.times_of("watch"), "watch", at),
        **funnel_and_sources(past, single_since, until),
        "by_week": [each["trend"] for each in by_week],
        "cohorts": cohorts(past, single_since, until),
        "churn": churn(past, until),
        "features": features(span),
        "costs": costs(past),
        "speed": [each["speed"] for each in by_week],
        "errors": errors(span),
        "gaps": [{"since": row.body["first"], "until": row.body["last"]} for row in span.of_kind("gap")],
    }


# --- Shares and the answer to the question ----------------------------------------------------------------------------


def share(count, of):
    """`count` of `of`, with its 95 % interval; None of nobody."""
    if not of:
        return None
    low, high = wilson(count, of)
    return {"count": count, "of": of, "low": round(low, 4), "high": round(high, 4)}


def wilson(count, of):
    """The 95 % interval of a share after Wilson (1927), which holds for few and near 0 and 1 as well."""
    centre = count / of + Z**2 / (2 * of)
    reach = Z * math.sqrt(count * (of - count) / of**3 + (Z / (2 * of)) ** 2)
    whole = 1 + Z**2 / of
    return max(0.0, (centre - reach) / whole), min(1.0, (centre + reach) / whole)


def verdict(spoke, returned, goals, others_in_last_week):
    """The answer to the owner's question, as far as the figures allow one: "yes", "no", "not_yet" or "too_early". Of
    the last week only others count: who looks whether anybody came does not change the answer by that."""
    if not is_enough(spoke):
        return "too_early"
    if not others_in_last_week or is_hopeless(spoke, goals["spoke"]) or is_hopeless(returned, goals["returned"]):
        return "no"
    if not is_enough(returned):
        return "too_early"
    is_reached = spoke["low"] * 100 >= goals["spoke"] and returned["low"] * 100 >= goals["returned"]
    return "yes" if is_reached else "not_yet"


def is_enough(found):
    return found is not None and found["of"] >= ENOUGH


def is_hopeless(found, goal):
    """Whether all of its interval is below half the goal."""
    return is_enough(found) and found["high"] * 100 < goal / 2


# --- By week ----------------------------------------------------------------------------------------------------------


def week(past, first, at):
    """The week that begins with the day `first`: its "trend" and its "speed"."""
    span = past.span(first, first + WEEK)
    people, rooms = len(span.there), rooms_opened(span)
    over = rooms & past.over  # of one that is open nobody knows how many will speak
    trend = {
        "first_day": day_text(first),
        "people": people,
        "rooms": len(rooms),
        "visits": len(span.visits),
        "spoke": share(len(span.who_did("message")), people),
        "returned": came_again(past, span.times_of("message"), None, at),
        "voices": share(sum(len(past.voices.get(room, ())) >= VOICES for room in over), len(over)),
        "seconds": middle(visit.seconds for visit in span.visits),
        "bounce": share(sum(map(is_bounce, span.visits)), len(span.visits)),
        "activated": share(len(activated(span)), people),
    }
    return {"trend": trend, "speed": speed(span, first)}


def kept_week(past, first):
    """The same of a week whose rows are gone, as it was reckoned once it was over."""
    return past.sums.get(first + WEEK - 1, {}).get("week") or week(Past(), first, 0)


def visits(stretches):
    """The visits of one person, from what their pages measured."""
    found = []
    for stretch in sorted(stretches, key=lambda stretch: stretch["first"]):
        if not found or stretch["first"] - found[-1].until > VISIT_GAP:
            found.append(Visit(day_of(stretch["first"]), stretch["last"]))
        found[-1].go_on(stretch)
    return found


def is_bounce(visit):
    return visit.seconds < BOUNCE_SECONDS and not visit.inside


def activated(span):
    """Who had two visible minutes inside rooms, or said something."""
    inside = Counter()
    for row in span.of_kind("measured"):
        inside[row.who] += row.body.get("inside", 0)
    return {who for who in span.there if inside[who] >= ACTIVE_SECONDS} | span.who_did("message")


def rooms_opened(span):
    return {row.subject for kind in ("host", OPENED_LATER) for row in span.of_kind(kind)}


def speed(span, first):
    """Medians: of what each page measured of itself, and the server beside it."""
    waits, took = span.measured("wait"), span.measured("took")
    return {
        "first_day": day_text(first),
        "paint": middle(span.measured("paint")),
        "live": middle(span.measured("live")),
        "wait": middle(wait["median"] for wait in waits),
        "slowest": middle(wait["slowest"] for wait in waits),
        "took": middle(each["median"] for each in took),
        "visits": len(span.visits),
    }


# --- Who comes again --------------------------------------------------------------------------------------------------


def came_again(past, since, kind, at):
    """Of those who began to be counted at `since` (pseudonym → time), who did that kind of thing again within a week,
    or for None were there again. Of whom that week is not over, nothing is said."""
    ripe = {who: first for who, first in since.items() if first + RETURN_WITHIN <= at}
    times = past.times[kind]
    again = (has_between(times[who], first + APART, first + RETURN_WITHIN) for who, first in ripe.items())
    return share(sum(again), len(ripe))


def has_between(times, since, until):
    """Whether one of these times, which are in order, is at or after `since` and before `until`."""
    place = bisect_left(times, since)
    return place < len(times) and times[place] < until


def cohorts(past, since, until):
    """Of those who came first in a week, how many were there in each of the following ones. None: not over yet."""
    firsts = range(since, until, WEEK)
    there = [past.span(first, first + WEEK).there for first in firsts]
    found = []
    for place, first in enumerate(firsts):
        new = {
            who for who, known in past.people.items() if first <= day_of(known["first"]) < first + WEEK
        } - past.guests
        came_back = [share(len(new & later), len(new)) for later in there[place + 1 :]]
        unripe = [None] * place
        found.append({"first_day": day_text(first), "people": len(new), "came_back": came_back + unripe})
    return found


def churn(past, until):
    """Of those who were there in the four weeks before the last four, who was not in the last four; and who was in
    these, not in those before, but earlier."""
    lately = past.span(until - CHURN_DAYS, until).there
    before = past.span(until - 2 * CHURN_DAYS, until - CHURN_DAYS).there
    earlier = {who for who, known in past.people.items() if day_of(known["first"]) < until - 2 * CHURN_DAYS}
    return {"lost": share(len(before - lately), len(before)), "won_back": len((lately & earlier) - before)}


# --- From the link to a voice -----------------------------------------------------------------------------------------


class Newcomer(NamedTuple):
    """A person, or a browser that nobody signed in with, on the way from the first opening."""

    opened: int
    source: str | None
    is_guest: bool
    steps: int  # of STEPS, which they took within a week


def funnel_and_sources(past, since, until):
    new = [each for each in newcomers(past) if since <= day_of(each.opened) < until]
    unknown = sum(row.body["n"] for row in past.span(since, until).of_kind("opened") if not row.subject)
    return {"funnel": funnel(new, unknown), "sources": sources(new, unknown)}


def newcomers(past):
    """Everybody who opened the party. What a browser did that led to a sign-in, its person did."""
    person_of = {}
    for row in past.rows:
        if row.kind in COMING_IN:
            person_of.setdefault(row.subject, row.who)
    openings = {who: [(known["first"], None)] for who, known in past.people.items()}
    for row in past.rows:
        if row.kind in ("opened", *COMING_IN) and (row.who or row.subject):
            who = row.who or person_of.get(row.subject, row.subject)
            openings.setdefault(who, []).append((row.body["first"], row.body.get("source")))
    for who, own in openings.items():
        own.sort(key=lambda opening: opening[0])
        source = next((source for _, source in own if source), None)
        yield Newcomer(own[0][0], source, who in past.guests, steps(past, who, own[0][0]))


def steps(past, who, opened):
    """How many of STEPS they took within a week. Who took one took those before it, however that came about: who is
    given a room need not ask for a seat in it."""

    if who not in past.people:
        return 1

    def did(kind):
        return has_between(past.times[kind][who], opened, opened + RETURN_WITHIN)

    spoke, hosted = did("message"), did("host") or did(OPENED_LATER)
    let_in = did(LET_IN) or hosted or spoke
    asked = did("request") or let_in
    watched = did("watch") or asked
    came_in = past.people[who]["first"] < opened + RETURN_WITHIN
    return 1 + sum((came_in, watched, asked, let_in, spoke, hosted and spoke))


def funnel(new, unknown):
    """`unknown`, here and below, is how many browsers more opened a link, of which nothing else is kept."""
    counts = [sum(each.steps > place for each in new) for place in range(len(STEPS))]
    counts[0] += unknown
    return [
        {
            "step": step,
            "people": counts[place],
            "guests": sum(each.steps > place and each.is_guest for each in new),
            "share": share(counts[place], counts[place - 1]) if place else None,
        }
        for place, step in enumerate(STEPS)
    ]


def sources(new, unknown):
    """By where they came from, the one that most came from first; beyond SOURCES of them as one."""
    by_source = sorted(grouped((each.source, each) for each in new).items(), key=lambda item: -len(item[1]))
    found = [source_row(source, own) for source, own in by_source[:SOURCES]]
    if unknown or by_source[SOURCES:]:
        others = source_row(OTHERS, [each for _, own in by_source[SOURCES:] for each in own])
        found.append(others | {"opened": others["opened"] + unknown})
    return found


def source_row(source, own):
    return {"source": source} | {step: sum(each.steps > STEPS.index(step) for each in own) for step in SOURCE_STEPS}


def costs(past):
    """What a new person cost, of each month of which the owner said what was spent."""
    new = past.new_people | {day: kept["new_people"]["n"] for day, kept in past.sums.items()}
    by_month = Counter()
    for day, count in new.items():
        by_month[day_text(day)[:7]] += count
    months = sorted(name.removeprefix("spent ") for name in past.settings if name.startswith("spent "))
    spent = {month: past.settings[f"spent {month}"]["amount"] for month in months}
    return [
        {
            "month": month,
            "spent": amount,
            "new_people": by_month[month],
            "each": round(amount / by_month[month], 2) if by_month[month] else None,
        }
        for month, amount in spent.items()
    ]


# --- What was used, and what broke ------------------------------------------------------------------------------------


def features(span):
    """By kind of command, what was used most often first: by how many, and how often."""
    found = [
        {
            "kind": kind,
            "people": share(len(span.who_did(kind)), len(span.there)),
            "times": sum(row.body["n"] for row in span.of_kind(kind)),
        }
        for kind in FEATURES
        if span.of_kind(kind)
    ]
    return sorted(found, key=lambda feature: -feature["times"])


def errors(span):
    asked, unavailable = sum(span.measured("asked")), sum(span.measured("unavailable"))
    words = Counter(itertools.chain(*span.measured("errors")))
    return {
        "unavailable": share(unavailable, max(asked, unavailable)),
        "script_errors": [{"words": text, "times": times} for text, times in words.most_common(SCRIPT_ERRORS)],
        "failed": sum(span.measured("failed")),
        "mistakes": sum(row.body["n"] for row in span.of_kind("mistake")),
        "reconnections": sum(span.measured("reconnections")),
    }


# --- Days and numbers -------------------------------------------------------------------------------------------------


def day_of(at):
    """The day of a time."""
    return at // DAY


def day_text(day):
    """As 2026-11-22."""
    return date.fromordinal(EPOCH + day).isoformat()


def day_named(text):
    return date.fromisoformat(text).toordinal() - EPOCH


def middle(numbers: Iterable[float]):
    """The median; None of nothing."""
    numbers = list(numbers)
    return round(median(numbers), 1) if numbers else None


def is_there(row):
    """Whether who did that was there then."""
    return bool(row.who) and row.kind not in (LET_IN, OPENED_LATER)


def grouped(pairs):
    """key → what goes with it, in order."""
    groups = defaultdict(list)
    for key, thing in pairs:
        groups[key].append(thing)
    return dict(groups)
