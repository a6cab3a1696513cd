"""Findings in a stream by itself: loss, bursts, jitter, copies, order, clock, packet time, keys, and what RTCP says of it.

RFC 3550 §6.4, RFC 3611 §4.7, RFC 4733 §2.5. The thresholds are what people begin to hear, and above what a busy machine does.
"""

from __future__ import annotations

from collections.abc import Iterator

from pcap.findings import Finding, finding, written
from pcap.judge_media import place
from pcap.media_ends import End
from pcap.observe import Observed, Observer
from pcap.skew import Skew
from pcap.survey import StreamSurvey, Survey

LOSS_PERCENT, COPIES_PERCENT, ORDER_PERCENT = 1.0, 1.0, 1.0
TWICE = 0.9
"""Copies for each packet from which on the capture made them, not the network."""
FEWEST = 3
"""Single packets are no finding."""
LONG_RUN = 5
"""Lost packets in a row that no receiver can hide: 100 ms."""
JITTER_MS = 30.0
"""Mean jitter; a buffer of 60 ms takes twice that much."""
LATE_PERCENT, FEWEST_LATE = 8.0, 20
"""A machine that stops for a third of a second makes fewer packets late."""
SKEW_PPM, SKEW_S, DRIFT_MS = 150.0, 10.0, 3.0
PTIME_MS = 1.0
PTIME_SHARE = 0.8
RTCP_S = 15.0
"""Reports come every 5 s on average, and at the latest after some 12 s (RFC 3550 §6.2)."""
REMOTE_PERCENT = 5.0


def judge_stream(stream: StreamSurvey, observed: Observed, survey: Survey, observer: Observer, call_id: str = "",
                 receiver: End | None = None) -> Iterator[Finding]:
    """What is wrong with a stream. receiver: the end that it goes to, None when no SDP tells."""
    found: list[tuple[str, dict[str, object]]] = [*_losses(observed), *_order(stream), *_times(observed)]
    codec = survey.codec(stream)
    if codec is not None and codec.kind == "audio" and receiver is not None:
        found += _packet_time(stream, receiver, codec.clock)
    if observed.keys.unended:
        found.append(("dtmf_end_lost", {"keys": " ".join(key for _, key in observed.keys.unended)}))
    found += _control(stream, observed, observer)
    for kind, values in found:
        yield finding(kind, place(stream), frame=observed.first_frame, call_id=call_id, source=stream.figures.source,
                      destination=stream.figures.destination, **values)


def seconds_of(stream: StreamSurvey) -> float:
    """How long a stream lasts."""
    return (stream.figures.last_ns - stream.figures.first_ns) / 1e9


def _losses(observed: Observed) -> Iterator[tuple[str, dict[str, object]]]:
    losses, step_ms = observed.losses, observed.columns.delta.mean
    if losses.lost < FEWEST:
        return
    if losses.worst >= LONG_RUN and losses.burst_lost * 2 >= losses.lost:
        yield "burst_loss", {"lost": losses.burst_lost, "bursts": losses.bursts, "worst": losses.worst,
                             "ms": losses.worst * step_ms}
    elif losses.loss_percent >= LOSS_PERCENT:
        yield "loss", {"lost": losses.lost, "expected": losses.judged, "percent": losses.loss_percent}


def _order(stream: StreamSurvey) -> Iterator[tuple[str, dict[str, object]]]:
    figures = stream.figures
    if figures.duplicated >= TWICE * (figures.packets - figures.duplicated):
        yield "captured_twice", {"count": figures.duplicated}
        return
    for kind, count, least in (("duplicates", figures.duplicated, COPIES_PERCENT),
                               ("reordering", figures.reordered, ORDER_PERCENT)):
        percent = 100 * count / figures.packets
        if count >= FEWEST and percent >= least:
            yield kind, {"count": count, "percent": percent}


def _times(observed: Observed) -> Iterator[tuple[str, dict[str, object]]]:
    jitter, meter = observed.columns.jitter, observed.skew
    seconds = (observed.columns.end_ns - observed.columns.start_ns) / 1e9
    if meter is None or not meter.packets:
        return
    if observed.losses.restarts:
        yield "restart", {"count": observed.losses.restarts}
        return
    pace, late_percent = meter.pace(), 100 * meter.late / meter.packets
    if pace is not None:
        yield "wrong_pace", {"said": 1000 * seconds * (1 + pace.ppm / 1e6), "took": 1000 * seconds}
        return
    if jitter.mean >= JITTER_MS or (late_percent >= LATE_PERCENT and meter.late >= FEWEST_LATE):
        yield "jitter", {"late": late_percent, "mean": jitter.mean, "most": jitter.most}
        return
    skew = meter.skew()
    if skew is not None and seconds >= SKEW_S and _is_certain(skew):
        yield "clock_skew", {"ppm": skew.ppm, "drift": abs(skew.drift_ms), "seconds": seconds}


def _is_certain(skew: Skew) -> bool:
    return abs(skew.ppm) >= SKEW_PPM and abs(skew.drift_ms) >= max(DRIFT_MS, 3 * skew.noise_ms)


def _packet_time(stream: StreamSurvey, receiver: End, clock: int) -> Iterator[tuple[str, dict[str, object]]]:
    steps = stream.figures.timestamp_steps
    if receiver.ptime_ms is None or not steps:
        return
    step, count = max(steps.items(), key=lambda item: item[1])
    milliseconds = step * 1000 / clock
    if count >= PTIME_SHARE * sum(steps.values()) and count >= FEWEST and abs(milliseconds - receiver.ptime_ms) >= PTIME_MS:
        yield "wrong_ptime", {"ms": milliseconds, "wanted": receiver.ptime_ms}


def _control(stream: StreamSurvey, observed: Observed, observer: Observer) -> Iterator[tuple[str, dict[str, object]]]:
    source, destination = stream.figures.source, stream.figures.destination
    seconds = seconds_of(stream)
    if seconds >= RTCP_S and not observer.controls[source[0], destination[0]]:
        yield "rtcp_missing", {"seconds": seconds, "address": written(source)}
    block = observer.reports.get(stream.figures.ssrc)
    if block is not None and observed.losses.judged:
        percent = 100 * block.cumulative_lost / observed.losses.judged - observed.losses.loss_percent
        if percent >= REMOTE_PERCENT and block.cumulative_lost >= FEWEST:
            yield "remote_loss", {"percent": min(100.0, percent)}
