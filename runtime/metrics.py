"""What is counted and measured while the party runs, for Prometheus.

Names are as Prometheus wants them: base units, a counter ends in _total. Every label has few values, all of them ours:
no name, room or address is among them.

Numbers are plain here, and prometheus-client only writes them down: else every start would wait for its import. On
plain threads two may count at the same moment, and one of them be missed.
"""

import bisect
import functools
import itertools
import time
from collections import Counter, defaultdict

from runtime import settings

# name → what it is, and its labels.
COUNTERS = {
    "party_events": ("Events that were answered: `ok`, or the code.", ("event", "outcome")),
    "party_mistakes": ("Our own mistakes, each with an id in the records.", ()),
    "party_refused_handshakes": ("Handshakes that were turned away.", ("reason",)),
    "party_requests": ("Pages and forms that were answered.", ("endpoint", "status")),
}
HISTOGRAMS = {
    "party_event_duration_seconds": ("From an event to its answer.", ("event",)),
    "party_log_append_duration_seconds": ("Until the log had a command, or not.", ()),
    "party_tick_delay_seconds": ("How much later than it was due a tick was done.", ()),
}
GAUGES = {
    "party_build_info": ("The version that runs.", ("version",)),
    "party_connections": ("Connections that stand.", ()),
    "party_people": ("People with a connection.", ()),
    "party_rooms": ("Rooms, those open for reading after their end too.", ("state",)),
    "party_unsent_packets": ("What waits for readers that are slow to take it, of all connections.", ()),
    "party_unsent_packets_longest": ("The same, of the connection with most of it.", ()),
    "party_ready": ("Whether what is needed is so: /readyz says yes when all of it is.", ("check",)),
    "party_service_lag_seconds": ("Since a service had read all of the log.", ("service",)),
    "party_last_backup_timestamp_seconds": ("When a backup was last made here.", ()),
}
# From half of what a common event takes to the two seconds after which the log is given up, and what may come on top.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BUCKETS = (*BOUNDS, 10.0)  # of those beyond all bounds, of which there should be none, so much is said
LATELY_SECONDS = 300


class Durations:
    """How many took up to each of BOUNDS, and all together, in seconds."""

    def __init__(self):
        self.counts, self._sum = [0] * len(BUCKETS), 0.0

    def note(self, seconds):
        self.counts[bisect.bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def buckets(self):
        """(bound, how many up to there) of each, as text and number; and the sum."""
        return list(zip([*map(str, BOUNDS), "+Inf"], itertools.accumulate(self.counts), strict=True)), self._sum


_counts = {name: Counter() for name in COUNTERS}  # name → labels → how many
_durations = {name: defaultdict(Durations) for name in HISTOGRAMS}
_long_ago = _lately = time.monotonic(), [0] * len(BUCKETS)  # how many events had taken how long, at two times
_figures = [lambda: {"party_build_info": {settings.VERSION: 1}}]


def count(name, *labels, more=1):
    """Count one more. With `more=0` begin at zero: Prometheus cannot see that what was not there before has grown."""
    _counts[name][labels] += more


def note(name, seconds, *labels):
    """Note how long it took."""
    _durations[name][labels].note(seconds)


def ask_for(figures):
    """Ask `figures()` too whenever somebody asks for all: {a name of GAUGES: number, None where there is
    none now, or {value of its label: number}}."""
    _figures.append(figures)
    return figures


def will_measure(event):
    for outcome in ("ok", "unavailable"):
        count("party_events", event, outcome, more=0)


def measured(event, answer, *question):
    """What `answer(*question)` acknowledges, which is counted, with the time that it took."""
    began = time.perf_counter()
    ack = answer(*question)
    count("party_events", event, "ok" if ack["ok"] else ack["code"])
    note("party_event_duration_seconds", time.perf_counter() - began, event)
    return ack


def move_on():
    """Let go what is lately no more. Asked for again and again: what nobody lets go would count for hours."""
    global _long_ago, _lately
    if (at := time.monotonic()) >= _lately[0] + LATELY_SECONDS:
        _long_ago, _lately = _lately, (at, event_counts())


def took_lately():
    """Milliseconds from an event to its answer, of those in the last five to ten minutes: {"median", "slowest",
    "count"}; None where there was none. They are known by their buckets alone: the median is reckoned as Prometheus
    does, and the slowest took no more than the bound of its bucket."""
    more = [now - before for now, before in zip(event_counts(), _long_ago[1], strict=True)]
    if not (count := sum(more)):
        return None
    return {"median": round(median(more) * 1000, 1), "slowest": round(bound_of(more) * 1000, 1), "count": count}


def event_counts():
    """How many events took up to each of BOUNDS, of all kinds together."""
    kinds = [durations.counts for durations in _durations["party_event_duration_seconds"].values()]
    return [sum(column) for column in zip([0] * len(BUCKETS), *kinds, strict=True)]


def median(counts):
    """Seconds: as far into its bucket as the middle one is among those in it."""
    middle, below = sum(counts) / 2, 0
    for bound, low, count in zip(BUCKETS, (0.0, *BUCKETS), counts, strict=False):
        if below + count >= middle:
            return low + (bound - low) * (middle - below) / count
        below += count


def bound_of(counts):
    """The bound of the last bucket with something in it."""
    return [bound for bound, count in zip(BUCKETS, counts, strict=True) if count][-1]


def timed(append, command):
    """What `append(command)` gives; the time until it gave it, or failed, is measured."""
    began = time.perf_counter()
    try:
        return append(command)
    finally:
        note("party_log_append_duration_seconds", time.perf_counter() - began)


count("party_mistakes", more=0)


# --- For Prometheus ---------------------------------------------------------------------------------------------------


def as_text():
    """(all of it, its content type)"""
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    return generate_latest(registry()), CONTENT_TYPE_PLAIN_0_0_4


@functools.cache
def registry():
    """With what the system says of this process: its memory, its processor."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    everything = CollectorRegistry()
    ProcessCollector(registry=everything)
    everything.register(Collector())
    return everything


class Collector:
    """All that is above, as the library wants it."""

    def collect(self):
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for name, (about, labels) in COUNTERS.items():
            family = CounterMetricFamily(name, about, labels=labels)
            for values, number in list(_counts[name].items()):
                family.add_metric(values, number)
            yield family
        for name, (about, labels) in HISTOGRAMS.items():
            family = HistogramMetricFamily(name, about, labels=labels)
            for values, durations in list(_durations[name].items()):
                family.add_metric(values, *durations.buckets())
            yield family
        now = {name: number for figures in _figures for name, number in figures().items()}
        for name, (about, labels) in GAUGES.items():
            family = GaugeMetricFamily(name, about, labels=labels)
            if labels:
                for value, number in now[name].items():
                    family.add_metric([value], number)
            elif now[name] is not None:
                family.add_metric((), now[name])
            yield family
