"""profile-level-id (RFC 6184 §8.1, §8.2.2): which profiles are one, which level counts which way; parameter sets in SDP."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rtp.errors import ParseError
from rtp.payload.h264 import PPS, SPS

LEVEL_1B = 9
"""Stands between levels 1 and 1.1; written as 11 with constraint_set3 in the older profiles."""
_HEX = re.compile(r"[0-9A-Fa-f]{6}")
_TABLE = (
    (0x42, 0x4F, 0x40, "constrained-baseline"), (0x4D, 0x8F, 0x80, "constrained-baseline"),
    (0x58, 0xCF, 0xC0, "constrained-baseline"), (0x42, 0x4F, 0x00, "baseline"), (0x58, 0xCF, 0x80, "baseline"),
    (0x4D, 0xAF, 0x00, "main"), (0x58, 0xCF, 0x00, "extended"),
    (0x64, 0xFF, 0x0C, "constrained-high"), (0x64, 0xFF, 0x00, "high"),
)
"""profile_idc, which bits of profile-iop count, what they are, the profile (RFC 6184 table 5; ITU-T H.264 A.2.4.2)."""
_FRAME_SIZES = {
    10: 99, 9: 99, 11: 396, 12: 396, 13: 396, 20: 396, 21: 792, 22: 1620, 30: 1620, 31: 3600, 32: 5120, 40: 8192, 41: 8192,
    42: 8704, 50: 22080, 51: 36864, 52: 36864,
}
_BITRATES = {
    10: 64, 9: 128, 11: 192, 12: 384, 13: 768, 20: 2000, 21: 4000, 22: 4000, 30: 10000, 31: 14000, 32: 20000, 40: 20000,
    41: 50000, 42: 50000, 50: 135000, 51: 240000, 52: 240000,
}
"""Macroblocks of a frame, and kbit/s, by level (ITU-T H.264 table A-1)."""


@dataclass(frozen=True, slots=True)
class ProfileLevel:
    """A profile-level-id. `level` is ten times the level's number, 9 for 1b."""

    profile_idc: int
    constraints: int
    level: int

    @classmethod
    def parse(cls, text: str | None) -> ProfileLevel:
        """Read six hexadecimal digits; None is the default, Baseline at level 1 (§8.1). Raises ParseError."""
        if text is None:
            return cls(0x42, 0x00, 10)
        if not _HEX.fullmatch(text):
            raise ParseError(f"H.264: profile-level-id={text[:20]!r}")
        profile, constraints, level = bytes.fromhex(text)
        if level == 11 and constraints & 0x10 and profile in (0x42, 0x4D, 0x58):
            level = LEVEL_1B
        return cls(profile, constraints, level)

    def __str__(self) -> str:
        if self.level == LEVEL_1B and self.profile_idc in (0x42, 0x4D, 0x58):
            return f"{self.profile_idc:02x}{self.constraints | 0x10:02x}0b"
        return f"{self.profile_idc:02x}{self.constraints:02x}{self.level:02x}"

    @property
    def profile(self) -> str:
        """The profile's name, "" for one that we don't know."""
        for profile, mask, value, name in _TABLE:
            if self.profile_idc == profile and self.constraints & mask == value:
                return name
        return ""

    @property
    def max_macroblocks(self) -> int:
        """The largest frame of the level in macroblocks of 16 by 16 pixels; that of level 1 for an unknown one."""
        return _FRAME_SIZES.get(self.level, 99)

    @property
    def max_bitrate_bps(self) -> int:
        """The level's highest bit rate; that of level 1 for an unknown one."""
        return 1000 * _BITRATES.get(self.level, 64)

    def takes(self, width: int, height: int) -> bool:
        """Whether a receiver of this level takes pictures of that size (no side longer than √8 times the whole, A.3.1)."""
        across, down = -(-width // 16), -(-height // 16)
        return across * down <= self.max_macroblocks and max(across, down) ** 2 <= 8 * self.max_macroblocks

    def lower_of(self, other: ProfileLevel) -> ProfileLevel:
        """This profile with the lower of both levels; 1b lies below 1.1 and above 1."""
        return replace(self, level=min(self.level, other.level, key=_rank))


def _rank(level: int) -> float:
    return 10.5 if level == LEVEL_1B else float(level)


def agree(offered: ProfileLevel, ours: ProfileLevel, is_asymmetric: bool) -> ProfileLevel | None:
    """What an answer names (§8.2.2): the offer's profile, and our own level where both sides allow asymmetry, else the lower.

    None where the profiles differ. A constrained profile answers its unconstrained one too: each decoder of one reads it, and
    our encoders write nothing else.
    """
    if not offered.profile or _family(offered.profile) != _family(ours.profile):
        return None
    level = ours.level if is_asymmetric else offered.lower_of(ours).level
    return replace(offered, level=level)


def _family(profile: str) -> str:
    return profile.removeprefix("constrained-")


def write_parameter_sets(units: Iterable[bytes]) -> str:
    """The value of sprop-parameter-sets (§8.1)."""
    return ",".join(base64.b64encode(unit).decode() for unit in units)


def parse_parameter_sets(text: str) -> list[bytes]:
    """The sets of sprop-parameter-sets; units of other types are left out. Raises ParseError for what isn't base64."""
    units = []
    for piece in text.split(",")[:16]:
        try:
            unit = base64.b64decode(piece.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ParseError(f"H.264: sprop-parameter-sets={text[:40]!r}") from error
        if unit and unit[0] & 0x1F in (SPS, PPS):
            units.append(unit)
    return units
