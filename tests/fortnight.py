"""A fortnight of forty people who are made up, with a seed: what happens, and the true figures, counted from the plan.

There are three: a party that thrives, one that dies, and one of which it is too early to tell. `make demo-insights`
shows one to its owner. A plan says who comes on which evening and what becomes of it; `commands` makes of it what the
log would hold, which the real rules must let through, and `truth` counts it, without a look at services/reckoning.py.
"""

import random
import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from party.model import CLOSED_LIFE, is_guest
from party.state import State

SECOND, MINUTE, DAY = 1_000, 60_000, 86_400_000
EVENINGS, WEEK = 14, 7
LASTS = 180 * MINUTE  # an evening, before the time of day at which it is looked at
NAMES = [
    "asha", "bilal", "chen", "dana", "emeka", "farida", "gita", "hugo", "ines", "jonas", "kofi", "lena", "mateo",
    "nadia", "omar", "priya", "quinn", "rosa", "sven", "tariq", "uma", "viktor", "wanda", "ximena", "yusuf", "zoe",
    "amara", "boris", "clara", "dmitri", "elif", "felix", "hana", "ivan", "juno", "karim", "luis", "~maya", "~tom",
    "~zoe",
]  # fmt: skip
PLACES = {"host": "let_in", "speaker": "let_in", "asker": "turned_away", "listener": "listening"}  # in a room, by role
SEATS = 8
SOURCES = ("blog", "newsletter", None, None)
MISTAKES = ("TypeError: room is undefined", "RangeError: Invalid time value")


@dataclass(frozen=True)
class Story:
    """How a fortnight goes, as counts of people and as chances."""

    hosts: int
    speakers: int
    askers: int  # who are not let in
    listeners: int
    lobby: int  # who come in, and go into no room
    browsers: int  # who open the link and do not sign in; the others of forty do not even that
    begins: range  # the evenings on which people come for the first time
    stays: float  # the chance of each later evening
    worth: tuple  # their time, what they say of it, each with the same chance
    words: tuple  # what some tell the owner, as (about what, text)
    wait: int  # milliseconds, roughly
    unavailable: float  # the chance that something that was asked is not answered
    spent: float


STORIES = {
    "thriving": Story(
        8, 18, 3, 5, 2, 4, range(0, 11), 0.25, ("yes", "yes", "yes", "partly"),
        (("praise", "I had forgotten how it is to be listened to."), ("idea", "A room that comes back each Tuesday?")),
        35, 0.002, 54.0,
    ),
    "dying": Story(
        2, 1, 4, 14, 13, 6, range(0, 6), 0.02, ("partly", "no", "no"),
        (("problem", "I asked to speak, and nothing happened."),),
        240, 0.1, 120.0,
    ),
    "too_early": Story(2, 2, 0, 2, 1, 2, range(11, 14), 0.5, ("yes",), (("idea", "Can I bring a friend?"),), 40, 0, 0),
}  # fmt: skip


@dataclass
class Friend:
    name: str
    role: str
    evenings: list[int]
    source: str | None
    tells: bool  # no Do Not Track
    browser: str


@dataclass
class Talk:
    """One room."""

    evening: int
    begins: int  # milliseconds after the evening does
    host: str
    let_in: list[str] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    listening: list[str] = field(default_factory=list)
    said: Counter = field(default_factory=Counter)  # name → how many messages
    likes: list[str] = field(default_factory=list)  # the first message
    feedback: list[tuple] = field(default_factory=list)  # (name, whether it was worth their time)
    words: list[tuple] = field(default_factory=list)  # (name, about what, what they tell the owner)

    @property
    def watching(self):
        return [*self.let_in, *self.turned_away, *self.listening]

    @property
    def guests(self):
        return list(filter(is_guest, self.watching))


@dataclass
class Visit:
    """Of a friend whose browser tells: stretches, as (when it ends after the evening's begin, what was measured)."""

    evening: int
    name: str
    stretches: list


@dataclass
class Fortnight:
    at: int  # when it is looked at, in milliseconds UTC: an evening ends then
    friends: list[Friend]
    talks: list[Talk]
    visits: list[Visit]
    spent: float

    def begins(self, evening):
        return self.at - (EVENINGS - 1 - evening) * DAY - LASTS

    @property
    def people(self):
        return [friend for friend in self.friends if friend.role != "browser"]


# --- The plan ---------------------------------------------------------------------------------------------------------


def fortnight(name, at, seed=11):
    """The one of that name, with its last evening just before `at`."""
    story, chance = STORIES[name], random.Random(f"{name} {seed}")
    friends = invited(story, chance)
    talks = [talk for evening in range(EVENINGS) for talk in talks_of(evening, friends, story, chance)]
    visits = [
        visit
        for friend in friends
        if friend.tells and friend.role != "browser"
        for evening in friend.evenings
        for visit in visits_of(evening, friend, talks, story, chance)
    ]
    return Fortnight(at, friends, talks, visits, story.spent)


def invited(story, chance):
    roles = [
        role
        for role, count in (
            ("host", story.hosts), ("speaker", story.speakers), ("asker", story.askers),
            ("listener", story.listeners), ("lobby", story.lobby), ("browser", story.browsers),
        )
        for _ in range(count)
    ]  # fmt: skip
    friends, guests = [name for name in NAMES if not is_guest(name)], list(filter(is_guest, NAMES))
    names = friends[:1] + chance.sample(friends[1:], len(friends) - 1)  # the owner is a host
    last_inside = story.hosts + story.speakers + story.askers + story.listeners
    for name, place in zip(guests, sorted(chance.sample(range(story.hosts, last_inside), len(guests))), strict=True):
        names.insert(place, name)
    owners = evenings(story, chance)
    return [
        Friend(
            name,
            role,
            owners if name == names[0] else [chance.choice(owners)] if is_guest(name) else evenings(story, chance),
            chance.choice(SOURCES),
            role == "browser" or chance.random() < 0.9,
            f"browser{number:05}",
        )
        for number, (name, role) in enumerate(zip(names, roles, strict=False))
    ]


def evenings(story, chance):
    """The first, and those on which they come again: never a week later to the day, where the minute would decide
    whether that was within a week."""
    found = [chance.choice(story.begins)]
    for evening in range(found[0] + 1, EVENINGS):
        if chance.random() < story.stays and evening - WEEK not in found:
            found.append(evening)
    return found


def talks_of(evening, friends, story, chance):
    """Hosts open rooms, one for four people who are here; the others spread over them."""
    here = [friend for friend in friends if evening in friend.evenings]
    hosts = [friend for friend in here if friend.role == "host"][: max(1, len(here) // 4)]
    talks = [Talk(evening, (10 + 7 * place) * MINUTE, host.name) for place, host in enumerate(hosts)]
    if not talks:
        return []
    for number, friend in enumerate(friend for friend in here if friend.role in PLACES and friend not in hosts):
        talk = talks[number % len(talks)]
        is_full = PLACES[friend.role] == "let_in" and len(talk.let_in) == SEATS
        getattr(talk, "listening" if is_full else PLACES[friend.role]).append(friend.name)
    for talk in talks:
        voices = [talk.host, *talk.let_in]
        talk.said.update({name: chance.randint(1, 9) for name in voices})
        talk.likes = [name for name in talk.watching if chance.random() < 0.5]
        inside = [talk.host, *talk.watching]
        inside = [name for name in inside if not is_guest(name)]  # who are asked nothing
        talk.feedback = [(name, chance.choice(story.worth)) for name in inside if chance.random() < 0.6]
        talk.words = [(chance.choice(inside), *chance.choice(story.words)) for _ in range(chance.random() < 0.2)]
    return talks


def visits_of(evening, friend, talks, story, chance):
    """One with all of the evening, now and then looked away from; and at times a short one an hour later."""
    talk = next((t for t in talks if t.evening == evening and friend.name in (t.host, *t.watching)), None)
    inside = talk is not None and friend.role != "lobby"
    seconds = chance.randint(700, 1_600) if inside else chance.choice((6, 45, 80, 200))
    whole = stretch(seconds, seconds - 60 if inside else 0, story, chance, fresh=True)
    end = (talk.begins if talk else 0) + 35 * MINUTE
    stretches = [(end, whole)]
    if chance.random() < 0.3:  # back within the visit: its gap is 20 minutes
        stretches.append((end + 20 * MINUTE + 40 * SECOND, stretch(40, 0, story, chance, fresh=False)))
    yield Visit(evening, friend.name, stretches)
    if inside and chance.random() < 0.1:
        yield Visit(evening, friend.name, [(end + 60 * MINUTE, stretch(5, 0, story, chance, fresh=True))])


def stretch(seconds, inside, story, chance, fresh):
    """What a page measured: `fresh` where it was loaded, and not only looked at again."""
    asked = chance.randint(3, 30)
    unavailable = sum(chance.random() < story.unavailable for _ in range(asked))
    wait = chance.randint(story.wait // 2, story.wait * 2)
    errors = [chance.choice(MISTAKES)] if unavailable > 2 or chance.random() < 0.03 else []
    loaded = {"paint": chance.randint(200, 600), "live": chance.randint(600, 1_200)} if fresh else {}
    return {
        "seconds": float(seconds), "inside": float(inside), **loaded, "asked": asked, "unavailable": unavailable,
        "wait": {"median": wait, "slowest": wait * chance.randint(2, 5)}, "failed": len(errors), "errors": errors,
        "reconnections": int(chance.random() < 0.1),
    }  # fmt: skip


# --- What the log would hold ------------------------------------------------------------------------------------------


def commands(plan):
    """All of it, in order. Raises AssertionError where the rules do not let something through."""
    found = sorted(
        [*openings(plan), *comings(plan), *measurings(plan), *happenings(plan), *spending(plan)],
        key=lambda command: command["at"],
    )
    state = State()
    for number, command in enumerate(found):
        command.setdefault("id", f"{number:016x}")
        assert state.foresee(command) is None and state.apply(command)["ok"], command
    return found


def command(at, kind, user=None, **body):
    return {"at": at, "kind": kind, "user": user, "key": None} | body


def asked(plan, talk, minutes, kind, user, /, **body):
    """What somebody did in a room so many minutes after it was opened."""
    at = plan.begins(talk.evening) + talk.begins + round(minutes * MINUTE)
    through = {"through": sign_in_id(user, talk.evening)} if user else {}
    return command(at, kind, user, **through, **body)


def sign_in_id(name, evening):
    return f"{name}{evening}"


def room_id(talk):
    return f"evening{talk.evening}room{talk.begins // MINUTE}"


def source(friend):
    return {"source": friend.source} if friend.source else {}


def openings(plan):
    for friend in plan.friends:
        if friend.tells:
            at = plan.begins(friend.evenings[0]) + MINUTE
            yield command(at, "opened", visitor=friend.browser, **{"source": None} | source(friend))


def comings(plan):
    for friend in plan.people:
        for evening in () if is_guest(friend.name) else friend.evenings:
            at = plan.begins(evening) + 2 * MINUTE
            sign_in = {"sign_in": sign_in_id(friend.name, evening), "since": at, "number": 1}
            yield command(at, "sign_in", friend.name, **sign_in, visitor=friend.browser, **source(friend))


def measurings(plan):
    for visit in plan.visits:
        for end, measures in visit.stretches:
            took = {"median": 1.2, "slowest": 9.5, "count": 200}
            yield command(plan.begins(visit.evening) + end, "measured", visit.name, measures=measures, took=took)


def happenings(plan):
    for talk in plan.talks:
        room = {"room": room_id(talk)}
        opened = asked(plan, talk, 0, "host", talk.host, topic=f"Evening {talk.evening}", lasts=30 * MINUTE)
        yield opened | {"id": room["room"]}
        yield from guests_coming_in(plan, talk)
        for name in talk.watching:
            yield asked(plan, talk, 2, "watch", name, **room)
        for name in (*talk.let_in, *talk.turned_away):
            yield asked(plan, talk, 3, "request", name, pitch="", **room)
        for name in talk.let_in:
            yield asked(plan, talk, 4, "approve", talk.host, who=name, most=SEATS, **room)
        for name in talk.turned_away:
            yield asked(plan, talk, 4, "deny", talk.host, who=name, **room)
        # The host says the first word, which no two people like twice.
        for name, count in talk.said.items():
            for number in range(count):
                said = {"text": f"Word {number}", "most": 10_000, "key": f"{name}-{talk.evening}-{number}"}
                yield asked(plan, talk, 5 + number + (name != talk.host) / 2, "message", name, **said, **room)
        for name in talk.likes:
            yield asked(plan, talk, 20, "like", name, seq=1, liked=True, **room)
        yield asked(plan, talk, 25, "close", talk.host, reason="host", **room)
        for name, choice in talk.feedback:
            yield asked(plan, talk, 26, "feedback", name, about="room", choice=choice, talk=False, **room)
        for name, about, text in talk.words:
            yield asked(plan, talk, 27, "feedback", name, about=about, text=text, talk=True)
        gone = asked(plan, talk, 25, "forget", None, **room)
        gone["at"] += CLOSED_LIFE
        if gone["at"] < plan.at:
            yield gone


def guests_coming_in(plan, talk):
    """By the door that the host opens, where one comes."""
    room, hash = room_id(talk), f"{room_id(talk)}'s"
    if talk.guests:
        door = {"open": "ask", "whole": False, "renew": False, "out": False, "hash": hash, "doors": True}
        yield asked(plan, talk, 0.5, "door", talk.host, room=room, **door)
    for friend in plan.people:
        if friend.name in talk.guests:
            called = {"name": friend.name[1:].title(), "skeletons": [friend.name[1:]]}
            coming = asked(plan, talk, 1, "guest_in", friend.name, room=room, hash=hash, **called)
            sign_in = coming.pop("through")
            yield coming | {"sign_in": sign_in, "since": coming["at"], "visitor": friend.browser} | source(friend)


def spending(plan):
    if plan.spent:
        yield command(plan.at - MINUTE, "spent", NAMES[0], month=month_of(plan.at), amount=plan.spent)


def month_of(at):
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m")


# --- The true figures -------------------------------------------------------------------------------------------------


def truth(plan):
    """What a report of three weeks must say, a share as (count, of). The first of the weeks is before everything."""
    weeks = [range(-WEEK, 0), range(WEEK), range(WEEK, 2 * WEEK)]
    spoke, listened = evenings_of_friends(plan, "said"), evenings_of_friends(plan, "watching")
    present = {friend.name: friend.evenings for friend in plan.people if not is_guest(friend.name)}
    return {
        "rooms": len(plan.talks),
        "people": len(present),
        "spoke": share(len(spoke), len(present)),
        "returned": came_again(spoke, present),
        "spoke_again": came_again(spoke, spoke),
        "listened_again": came_again(listened, listened),
        "funnel": funnel(plan),
        "by_week": [week(plan, evenings, spoke, present) for evenings in weeks],
        "cohorts": cohorts(present, weeks),
        "features": features(plan, len(present)),
        "sources": sources(plan),
        "costs": costs(plan),
        "speed": [speed(plan, evenings) for evenings in weeks],
        "errors": errors(plan),
    }


def funnel(plan):
    """Of everybody, with how many of them are guests."""
    guests = {friend.name for friend in plan.people if is_guest(friend.name)}
    spoke, listened = evenings_by_name(plan, "said"), evenings_by_name(plan, "watching")
    hosted, present = evenings_by_name(plan, "host"), {friend.name: friend.evenings for friend in plan.people}
    turned_away = evenings_by_name(plan, "turned_away")
    steps = [
        {name for own in ways for name in own if any(e - present[name][0] < WEEK for e in own[name])}
        for ways in ((listened, hosted), (turned_away, spoke), (spoke,), (spoke,), (hosted,))  # who hosts speaks
    ]
    browsers = [friend for friend in plan.friends if friend.role == "browser"]
    names = ("opened", "came_in", "watched", "asked", "let_in", "spoke", "hosted")
    counts = [len(present) + len(browsers), len(present), *map(len, steps)]
    return [
        (step, counts[place], len(guests & set(who)), share(counts[place], counts[place - 1]) if place else None)
        for place, (step, who) in enumerate(zip(names, [present, present, *steps], strict=True))
    ]


def share(count, of):
    return (count, of) if of else None


def evenings_by_name(plan, what):
    """name → the evenings on which they were in a talk in this way."""
    found = {}
    for talk in plan.talks:
        names = getattr(talk, what)
        for name in [names] if isinstance(names, str) else names:
            found.setdefault(name, []).append(talk.evening)
    return found


def evenings_of_friends(plan, what):
    """The same without guests, who are somebody new each time."""
    return {name: own for name, own in evenings_by_name(plan, what).items() if not is_guest(name)}


def came_again(first, again):
    """Of those whose first evening was a week ago or longer, who came again within a week."""
    ripe = {name: evenings[0] for name, evenings in first.items() if evenings[0] < WEEK}
    back = [name for name, since in ripe.items() if any(0 < evening - since < WEEK for evening in again.get(name, ()))]
    return share(len(back), len(ripe))


def week(plan, evenings, spoke, present):
    here = {name for name, own in present.items() if set(own) & set(evenings)}
    talks = [talk for talk in plan.talks if talk.evening in evenings]
    visits = [[measures for _, measures in visit.stretches] for visit in plan.visits if visit.evening in evenings]
    seconds = [sum(measures["seconds"] for measures in visit) for visit in visits]
    first = {name: [e for e in own if e in evenings] for name, own in spoke.items() if set(own) & set(evenings)}
    inside = Counter()
    for visit in plan.visits:
        if visit.evening in evenings:
            inside[visit.name] += sum(measures["inside"] for _, measures in visit.stretches)
    inside = {name: seconds for name, seconds in inside.items() if name in present}
    active = {name for name, seconds in inside.items() if seconds >= 120} | first.keys()
    bounces = sum(sum(t["seconds"] for t in visit) < 10 and not any(t["inside"] for t in visit) for visit in visits)
    return {
        "people": len(here),
        "rooms": len(talks),
        "visits": len(visits),
        "spoke": share(len(first), len(here)),
        "returned": came_again(first, present),
        "voices": share(sum(len(talk.said) >= 3 for talk in talks), len(talks)),
        "seconds": median(seconds),
        "bounce": share(bounces, len(visits)),
        "activated": share(len(active), len(here)),
    }


def cohorts(present, weeks):
    _, first, last = ({name for name, own in present.items() if own[0] in evenings} for evenings in weeks)
    back = {name for name in first if any(evening in weeks[2] for evening in present[name])}
    return [(0, [None, None]), (len(first), [share(len(back), len(first)), None]), (len(last), [None, None])]


def features(plan, people):
    """kind → (by how many, how often)."""
    names = {
        "host": [talk.host for talk in plan.talks],
        "door": [talk.host for talk in plan.talks if talk.guests],
        "watch": [name for talk in plan.talks for name in talk.watching],
        "request": [name for talk in plan.talks for name in (*talk.let_in, *talk.turned_away)],
        "approve": [talk.host for talk in plan.talks for _ in talk.let_in],
        "deny": [talk.host for talk in plan.talks for _ in talk.turned_away],
        "message": [name for talk in plan.talks for name in talk.said.elements()],
        "like": [name for talk in plan.talks for name in talk.likes],
        "close": [talk.host for talk in plan.talks],
        "feedback": [name for talk in plan.talks for name, *_ in (*talk.feedback, *talk.words)],
    }
    return {
        kind: ((sum(not is_guest(name) for name in set(who)), people), len(who)) for kind, who in names.items() if who
    }


def sources(plan):
    """source → how many opened, came in, spoke."""
    spoke = evenings_by_name(plan, "said")
    return {
        source: (
            sum(friend.source == source for friend in plan.friends),
            sum(friend.source == source for friend in plan.people),
            sum(friend.source == source for friend in plan.people if friend.name in spoke),
        )
        for source in {friend.source for friend in plan.friends}
    }


def costs(plan):
    month = month_of(plan.at)
    new = sum(month_of(plan.begins(friend.evenings[0])) == month for friend in plan.people if not is_guest(friend.name))
    return [(month, plan.spent, new, round(plan.spent / new, 2))] if plan.spent else []


def measures_in(plan, evenings):
    return [measures for visit in plan.visits if visit.evening in evenings for _, measures in visit.stretches]


def speed(plan, evenings):
    measures = measures_in(plan, evenings)
    return {
        "paint": median([each["paint"] for each in measures if "paint" in each]),
        "live": median([each["live"] for each in measures if "live" in each]),
        "wait": median([each["wait"]["median"] for each in measures]),
        "slowest": median([each["wait"]["slowest"] for each in measures]),
        "took": 1.2 if measures else None,
    }


def errors(plan):
    measures = measures_in(plan, range(EVENINGS))
    total = Counter()
    for each in measures:
        total.update({name: each[name] for name in ("asked", "unavailable", "failed", "reconnections")})
    return {
        "unavailable": share(total["unavailable"], total["asked"]),
        "script_errors": Counter(words for each in measures for words in each["errors"]),
        "failed": total["failed"],
        "mistakes": 0,
        "reconnections": total["reconnections"],
    }


def median(numbers):
    return round(statistics.median(numbers), 1) if numbers else None
