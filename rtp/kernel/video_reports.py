"""What a participant says of pictures in RTCP: loss and delay of what it is sent, packets that it misses, key frames that it
needs (RFC 3550 §6.4, RFC 4585, RFC 5104)."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rtp.clock import ntp_middle, ntp_timestamp
from rtp.errors import ParseError
from rtp.feedback import BitrateLimit, FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate, parse_feedback
from rtp.kernel.port import Port
from rtp.kernel.slot import Slot
from rtp.rtcp import OtherPacket, ReceiverReport, ReportBlock, SenderReport, parse_compound
from rtp.transport_feedback import TransportFeedback

MAX_RTT_NS = 2_000_000_000


def take_report(port: Port, data: bytes, now_ns: int) -> bool:
    """Take a compound, or feedback alone, of the port's peer, in clear; whether packets are to go out for it."""
    try:
        packets = parse_compound(data)
    except ParseError:
        port.junk += 1
        return False
    has_resent = False
    for packet in packets:
        if isinstance(packet, SenderReport):
            producer = port.by_ssrc.get(packet.ssrc)
            if producer is not None and producer.statistics is not None:
                producer.statistics.on_sender_report(packet.ntp, now_ns / 1e9)
        if isinstance(packet, SenderReport | ReceiverReport):
            for block in packet.blocks:
                _take_block(port, block, now_ns)
        elif isinstance(packet, OtherPacket):
            try:
                has_resent = _take_feedback(port, packet, now_ns) or has_resent
            except ParseError:
                port.junk += 1
    return has_resent


def _take_block(port: Port, block: ReportBlock, now_ns: int) -> None:
    slot = next((slot for slot in port.slots if slot.spec.ssrc == block.ssrc), None)
    if slot is None:
        return
    slot.loss = block.fraction_lost / 256
    first = next((other for other in port.slots if other.current is not None), None)
    if slot is first and not port.spec.transport_extension:
        port.estimate.on_loss(slot.loss, port.sent_bps(now_ns), now_ns)
    if block.lsr:
        delay = (ntp_middle(ntp_timestamp(time.time())) - block.lsr - block.dlsr) & 0xFFFFFFFF
        rtt_ns = delay * 1_000_000_000 // 65536
        if rtt_ns < MAX_RTT_NS:
            port.rtt_ns = (3 * port.rtt_ns + rtt_ns) // 4


def _take_feedback(port: Port, packet: OtherPacket, now_ns: int) -> bool:
    match parse_feedback(packet):
        case Nack(source=source, lost=lost):
            slots = _slots_of(port, (source,))
            for slot in slots:
                slot.resend(lost, now_ns)
            return bool(slots)
        case PictureLossIndication(source=source):
            _want_key_frames(port, (source,))
        case FullIntraRequest(entries=entries):
            _want_key_frames(port, [ssrc for ssrc, _ in entries])
        case ReceiverEstimate(bitrate_bps=bitrate_bps):
            port.estimate.on_remote_estimate(bitrate_bps)
        case BitrateLimit(entries=entries):
            known = {slot.spec.ssrc for slot in port.slots}
            limits = [bitrate_bps for ssrc, bitrate_bps, _ in entries if ssrc in known]
            if limits:
                port.estimate.on_remote_estimate(sum(limits))
        case TransportFeedback() as feedback:
            port.on_transport_feedback(feedback, now_ns)
    return False


def _slots_of(port: Port, ssrcs: Iterable[int]) -> list[Slot]:
    wanted = set(ssrcs)
    return [slot for slot in port.slots if slot.spec.ssrc in wanted]


def _want_key_frames(port: Port, ssrcs: Iterable[int]) -> None:
    for slot in _slots_of(port, ssrcs):
        if slot.current is not None:
            slot.current.requests.want()
