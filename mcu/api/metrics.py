"""The figures of a server for Prometheus, read when they are asked for: nothing is counted twice, nothing on the media path.

No label has a name that a peer chose (a room, a person): the number of series stays small whatever is called.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mcu.api.desk import Desk, Facts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROLES = ("host", "co-host", "presenter", "attendee", "listener")
MOST_COUNTERS = 100
"""Counters of the endpoint; their names are ours, and there are some twenty."""
_WORKER = (("cpu_s", "cpu_seconds", "CPU time since its start"), ("late_ticks", "late_ticks", "ticks more than 20 ms late"),
           ("failures", "failures", "failures that it survived"), ("restarts", "restarts", "how often it was replaced"))
_MEDIA = (("packets_in", "packets received"), ("packets_out", "packets sent"), ("lost", "packets that never came"),
          ("late", "packets that came after their turn"), ("concealed", "gaps that were concealed"))


class Figures:
    """A collector over a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        """All families, with the figures of just now."""
        administration = self._desk.administration
        rooms: list[Facts] = [room for room in administration.execute("room.list", {}) if room["state"] != "created"]
        people: list[Facts] = [one for room in rooms for one in administration.execute("room.people", {"name": room["name"]})]
        calls: list[Facts] = administration.execute("call.list", {})
        server: Facts = administration.execute("server.show", {})
        yield _gauge("confero_rooms", "rooms that are open", len(rooms))
        yield _by("confero_members", "people in rooms", "role", Counter(one["role"] for one in people), ROLES)
        yield _gauge("confero_members_muted", "people who are muted", sum(one["is_muted"] for one in people))
        yield _by("confero_calls", "calls that are up", "transport", Counter(call["transport"] for call in calls),
                  ("UDP", "TCP", "TLS", "WSS"))
        yield _gauge("confero_calls_protected", "calls whose media is protected", sum(bool(call["suite"]) for call in calls))
        yield _gauge("confero_registrations", "phones that are registered",
                     sum(one["trunk"] is None for one in administration.execute("reg.list", {})))
        yield from self._workers(server.get("workers", ()))
        yield from self._composing(server.get("picture_workers", ()))
        yield from self._media(calls)
        counts = sorted(server.get("counters", {}).items())[:MOST_COUNTERS]
        yield _counters("confero_sip", "what the SIP endpoint counted", "what", counts)
        bus = self._desk.bus
        yield _counter("confero_events", "events that were published", bus.published)
        yield _gauge("confero_event_feeds", "who listens to events", bus.subscribers)
        yield _counter("confero_event_overruns", "listeners that were too slow and lost their place", bus.overruns)
        for name, figure in self._desk.figures.items():
            yield _counter(f"confero_{name}", name.replace("_", " "), figure())

    def _workers(self, workers: Iterable[Facts]) -> Iterator[Metric]:
        found = list(workers)
        yield _gauge("confero_workers_up", "media workers that run", sum(worker["pid"] != 0 for worker in found))
        legs = GaugeMetricFamily("confero_worker_legs", "legs on a media worker", labels=("worker",))
        for number, worker in enumerate(found):
            legs.add_metric((str(number),), worker["legs"])
        yield legs
        for key, name, words in _WORKER:
            family = CounterMetricFamily(f"confero_worker_{name}", words, labels=("worker",))
            for number, worker in enumerate(found):
                family.add_metric((str(number),), worker[key])
            yield family

    def _composing(self, workers: Iterable[Facts]) -> Iterator[Metric]:
        """Picture workers come and go with what is composed; their CPU time is that of those which run."""
        found = list(workers)
        yield _gauge("confero_picture_workers_up", "picture workers that run", len(found))
        for key, name, words in (("rooms", "rooms", "rooms that are composed"), ("legs", "streams", "composed streams"),
                                 ("cpu_s", "cpu_seconds", "CPU time since their start"),
                                 ("restarts", "restarts", "how often they were replaced")):
            yield _gauge(f"confero_composed_{name}", words, sum(worker[key] for worker in found))

    def _media(self, calls: list[Facts]) -> Iterator[Metric]:
        for key, words in _MEDIA:
            yield _gauge(f"confero_media_{key}", f"{words}, of the calls that are up", sum(call[key] for call in calls))
        jitters = [call["jitter_ms"] for call in calls if call["jitter_ms"] is not None]
        yield _gauge("confero_media_jitter_ms_max", "the worst jitter of a call that is up", max(jitters, default=0.0))


def render(desk: Desk) -> bytes:
    """The figures as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry, pid=os.getpid)
    registry.register(Figures(desk))
    return generate_latest(registry)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(name, words, value=value)


def _by(name: str, words: str, label: str, counts: Counter[Any], known: Iterable[str]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value in known:
        family.add_metric((value,), counts[value])
    return family


def _counters(name: str, words: str, label: str, counts: Iterable[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(name, words, labels=(label,))
    for value, count in counts:
        family.add_metric((value,), count)
    return family
