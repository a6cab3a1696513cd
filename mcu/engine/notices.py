"""What the media engine tells the focus, some times a second at the most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DtmfPressed:
    """Somebody pressed a key of their phone (RFC 4733); told once for each press."""

    room_id: int
    leg_id: int
    key: str


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """Who is in the mix now: leg ids, the loudest first."""

    room_id: int
    leg_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AddressLearnt:
    """A leg's media comes from, and goes to, another address than its SDP named."""

    room_id: int
    leg_id: int
    remote: tuple[str, int]


@dataclass(frozen=True, slots=True)
class LegSilent:
    """A leg that should send has sent neither RTP nor RTCP for too long; told once until it is heard again."""

    room_id: int
    leg_id: int


@dataclass(frozen=True, slots=True)
class ProtectionFailed:
    """The handshake that was to make a leg's keys came to nothing; the reason is for a person."""

    room_id: int
    leg_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class RoomLost:
    """The room could not be kept going, though it was begun again on a fresh worker: its handles do nothing any more."""

    room_id: int


@dataclass(frozen=True, slots=True)
class PlayerChanged:
    """How a player stands. state: playing, paused, ended, failed; duration_ms: 0 while it isn't known; reason: of a failure."""

    room_id: int
    player_id: int
    state: str
    position_ms: int
    duration_ms: int
    reason: str = ""


MediaNotice = DtmfPressed | SpeakersChanged | AddressLearnt | LegSilent | ProtectionFailed | RoomLost | PlayerChanged
