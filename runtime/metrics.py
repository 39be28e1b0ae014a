"""What is counted and measured while the party runs; runtime/health.py gives it to Prometheus.

Names are as Prometheus wants them: base units, a counter ends in _total. Every label has few values, all of them ours:
no name, room or address is among them.
"""

import bisect
import collections
import itertools
import time

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector

from runtime import settings

disable_created_metrics()  # each number would say since when it is counted: since the process began
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
Info("party_build", "The version that runs.", registry=REGISTRY).info({"version": settings.VERSION})

# From half of what a common event takes to the two seconds after which the log is given up, and what may come on top.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

TICK_DELAY = Histogram(
    "party_tick_delay_seconds", "How much later than it was due a tick was done.", buckets=SECONDS, registry=REGISTRY
)
REFUSED_HANDSHAKES = Counter(
    "party_refused_handshakes", "Handshakes that were turned away.", ["reason"], registry=REGISTRY
)
REQUESTS = Counter("party_requests", "Pages and forms that were answered.", ["endpoint", "status"], registry=REGISTRY)
MISTAKES = Counter("party_mistakes", "Our own mistakes, each with an id in the records.", registry=REGISTRY)

# What is not counted but looked up: name → (what it is, its label if it has one).
LOOKED_UP = {
    "party_connections": ("Connections that stand.", None),
    "party_people": ("People with a connection.", None),
    "party_rooms": ("Rooms, those open for reading after their end too.", "state"),
    "party_unsent_packets": ("What waits for readers that are slow to take it, of all connections.", None),
    "party_unsent_packets_longest": ("The same, of the connection with most of it.", None),
    "party_ready": ("Whether what is needed is so: /readyz says yes when all of it is.", "check"),
    "party_last_backup_timestamp_seconds": ("When a backup was last made here.", None),
}


def look_up(figures):
    """At each request for figures ask `figures()` too: {a name of LOOKED_UP: number, or {value of its label: number}}.
    A number that is None is left out."""
    REGISTRY.register(Figures(figures))


class Figures:
    """What `look_up` was given, as the library wants it."""

    def __init__(self, figures):
        self._figures = figures

    def collect(self):
        for name, number in self._figures().items():
            about, label = LOOKED_UP[name]
            family = GaugeMetricFamily(name, about, labels=[label] if label else ())
            for value, of_value in number.items() if label else [(None, number)]:
                if of_value is not None:
                    family.add_metric([value] if label else (), of_value)
            yield family


# --- What each event is counted and measured with ---------------------------------------------------------------------


class Durations:
    """A histogram in plain numbers, for what every message passes: the library's own, with its locks, takes several
    times as long. On plain threads two may come at the same moment, and one of them be missed."""

    def __init__(self):
        self._counts, self._sum = [0] * (len(SECONDS) + 1), 0.0

    def note_since(self, began):
        seconds = time.perf_counter() - began
        self._counts[bisect.bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def in_family(self):
        """As the library wants it: (buckets, each with those before it, and the sum)."""
        bounds = [*map(str, map(float, SECONDS)), "+Inf"]
        return list(zip(bounds, itertools.accumulate(self._counts), strict=True)), self._sum


outcomes = collections.Counter()  # (event, `ok` or the code) → how many
answers = collections.defaultdict(Durations)  # event → how long until it was answered
appends = Durations()


class Events:
    """All of that, as the library wants it."""

    def collect(self):
        counted = CounterMetricFamily(
            "party_events", "Events that were answered: `ok`, or the code.", labels=["event", "outcome"]
        )
        for labels, number in list(outcomes.items()):
            counted.add_metric(labels, number)
        took = HistogramMetricFamily("party_event_duration_seconds", "From an event to its answer.", labels=["event"])
        for event, durations in list(answers.items()):
            took.add_metric([event], *durations.in_family())
        log = HistogramMetricFamily("party_log_append_duration_seconds", "Until the log had a command, or not.")
        log.add_metric([], *appends.in_family())
        return [counted, took, log]


REGISTRY.register(Events())


def will_count(event):
    """Begin at zero: Prometheus cannot see how much a number has grown that was not there before."""
    outcomes.update({(event, "ok"): 0, (event, "unavailable"): 0})
    answers[event]  # is there from now on


def measured(event, answer, *question):
    """What `answer(*question)` acknowledges, which is counted, with the time that it took."""
    began = time.perf_counter()
    ack = answer(*question)
    outcomes[event, "ok" if ack["ok"] else ack["code"]] += 1
    answers[event].note_since(began)
    return ack


def appended(append, command):
    """What `append(command)` gives; the time until it gave it, or failed, is measured."""
    began = time.perf_counter()
    try:
        return append(command)
    finally:
        appends.note_since(began)
