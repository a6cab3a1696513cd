"""Ten times a second: which slots fit the path of their receiver, what each sender should send at most, reports (RFC 8836 §2,
RFC 3550 §6.4). The rules are those of `rtp.allocation`; here they are applied to a room."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rtp.allocation import Wish, wanted_rates
from rtp.clock import ntp_timestamp
from rtp.congestion import MAX_BPS
from rtp.kernel.port import Port
from rtp.kernel.producer import Producer
from rtp.kernel.video_spec import SenderAsked, SlotPaused, VideoNotice


def share(ports: Mapping[int, Port], producers: Mapping[int, Producer], now_ns: int) -> list[VideoNotice]:
    """Pause what doesn't fit, tell senders what somebody can take, report; what happened."""
    rates = {producer_id: producer.rate.bitrate_bps(now_ns) for producer_id, producer in producers.items()}
    estimates = {port_id: min(port.estimate.bitrate_bps, port.spec.limit_bps or MAX_BPS) for port_id, port in ports.items()}
    wanted = wanted_rates(estimates, {port_id: active for port_id, port in ports.items() if (active := _shown(port, rates))})
    ntp = ntp_timestamp(time.time())
    notices: list[VideoNotice] = []
    for port_id, port in ports.items():
        port.handshakes = 0
        if not port.spec.is_local:
            notices += _allocate(port, estimates[port_id], wanted, rates, now_ns)
        for producer in port.producers:
            notices += _limit(port, producer, wanted, now_ns)
        if port.has_numbers and (arrivals := port.arrivals.take(port.ssrc, next(iter(port.by_ssrc), 0))):
            port.send_feedback([arrivals])
        port.report(now_ns, ntp)
    return notices


def _shown(port: Port, rates: Mapping[int, int]) -> list[tuple[int, int]]:
    """The producers that a receiver is sent, with their rates."""
    active = [slot.wanted.spec.producer_id for slot in port.slots if slot.wanted is not None and not slot.is_paused]
    return [(producer_id, rates[producer_id]) for producer_id in active]


def _allocate(port: Port, estimate_bps: int, wanted: Mapping[int, int], rates: Mapping[int, int],
              now_ns: int) -> list[VideoNotice]:
    slots = sorted((slot for slot in port.slots if slot.wanted is not None), key=lambda slot: slot.spec.rank)
    wishes = []
    for slot in slots:
        assert slot.wanted is not None
        producer_id = slot.wanted.spec.producer_id
        can_shrink = slot.wanted.takes_limits and wanted.get(producer_id, 0) <= estimate_bps
        wishes.append(Wish(slot.spec.slot_id, rates[producer_id], can_shrink))
    if not port.allocation.update(wishes, estimate_bps, now_ns):
        return []
    if port.allocation.probing_bps:
        port.estimate.probe(port.allocation.probing_bps)
    notices: list[VideoNotice] = []
    for slot in slots:
        is_paused = slot.spec.slot_id in port.allocation.paused
        if is_paused != slot.is_paused:
            slot.pause(is_paused)
            notices.append(SlotPaused(slot.spec.slot_id, is_paused))
    return notices


def _limit(port: Port, producer: Producer, wanted: Mapping[int, int], now_ns: int) -> list[VideoNotice]:
    """What the sender may send: what its own path takes, what somebody can take, what its line allows."""
    by_path = MAX_BPS if port.has_numbers or port.spec.is_local else producer.estimate.bitrate_bps
    before = producer.limit_bps
    bitrate_bps = min(by_path, wanted.get(producer.spec.producer_id, MAX_BPS), producer.spec.limit_bps or MAX_BPS)
    if item := producer.limit(port.ssrc, bitrate_bps, now_ns):
        port.send_feedback([item])
    if producer.limit_bps == before or abs(producer.limit_bps - before) <= before // 10:
        return []
    return [SenderAsked(producer.spec.producer_id, producer.limit_bps)]
