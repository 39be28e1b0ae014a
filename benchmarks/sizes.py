"""How much of everything is measured: all of it, and the short form that only shows that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    pause: float = 0.5  # seconds, after a room was filled
    watchers: int = 1_000
    messages: int = 150  # of one round in that room
    delayed: int = 200  # at 20 a second
    rooms: int = 30
    people: int = 20  # in each of those rooms
    rooms_messages: int = 3_000
    remembered: int = 2_000  # whose memory is measured
    held: int = 20_000
    held_seconds: int = 35  # two ping intervals, and a little
    idle: int = 5_000
    idle_seconds: int = 30
    lobby: int = 2_000
    storm: int = 1_000
    feed: int = 500
    closing: int = 5_000
    closing_seconds: int = 5
    table: int = 600  # who hear nine speakers
    said: int = 600
    alone: int = 4_000  # posts that nobody hears
    spread: int = 600  # people over several processes
    processes: tuple = (1, 2, 4)
    spread_messages: int = 150
    grown: int = 50_000
    growth_messages: int = 1_000
    closed_rooms: int = 1_000
    commands: int = 100_000
    room_sizes: tuple = (10, 100, 300, 1_000)
    flights: tuple = (1, 4, 16, 64)
    curve_deliveries: int = 100_000
    guests: int = 100


FULL = Sizes()
QUICK = Sizes(
    pause=0,     watchers=30, messages=32, delayed=10, rooms=3, people=10, rooms_messages=30, remembered=30, held=60,
    held_seconds=1, idle=30, idle_seconds=1, lobby=30, storm=30, feed=20, closing=30, closing_seconds=1, table=30,
    said=40, alone=100, spread=24, processes=(1, 2), spread_messages=20, grown=300, growth_messages=50,
    closed_rooms=40, commands=500, room_sizes=(10, 30), flights=(1, 16), curve_deliveries=300,
    guests=20,
)  # fmt: skip
