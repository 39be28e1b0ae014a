"""What is counted and measured while the party runs; runtime/health.py gives it to Prometheus.

Names are as Prometheus wants them: base units, a counter ends in _total. Every label has few values, all of them ours:
no name, room or address is among them.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector

from runtime import settings

disable_created_metrics()  # since when each number is counted: that is the start of the process
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
Info("party_build", "The version that runs.", registry=REGISTRY).info({"version": settings.VERSION})

# From half of what a common event takes to the two seconds after which the log is given up, and what may come on top.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

EVENTS = Counter(
    "party_events", "Events that were answered: `ok`, or the code.", ["event", "outcome"], registry=REGISTRY
)
ANSWERING = Histogram(
    "party_event_duration_seconds", "From an event to its answer.", ["event"], buckets=SECONDS, registry=REGISTRY
)
APPENDING = Histogram(
    "party_log_append_duration_seconds", "Until the log had a command, or not.", buckets=SECONDS, registry=REGISTRY
)
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


def will_count(event):
    """Begin at zero: Prometheus cannot see how much a number has grown that was not there before."""
    for outcome in ("ok", "unavailable"):
        EVENTS.labels(event, outcome)


def measured(event, answer, *question):
    """What `answer(*question)` acknowledges, which is counted, with the time that it took."""
    began = time.perf_counter()
    ack = answer(*question)
    EVENTS.labels(event, "ok" if ack["ok"] else ack["code"]).inc()
    ANSWERING.labels(event).observe(time.perf_counter() - began)
    return ack
