"""profile-level-id: names, levels, what is agreed on, parameter sets as text."""

from __future__ import annotations

import pytest

from rtp.errors import ParseError
from rtp.payload.h264 import split_units
from rtp.payload.h264_profile import LEVEL_1B, ProfileLevel, agree, parse_parameter_sets, write_parameter_sets
from tests.rtp.payload.pictures import encoded


@pytest.mark.parametrize(("text", "profile", "level"), [
    ("42e01f", "constrained-baseline", 31), ("42801F", "baseline", 31), ("4d801e", "constrained-baseline", 30),
    ("4d401f", "main", 31), ("640c1f", "constrained-high", 31), ("640028", "high", 40),
    ("42f00b", "constrained-baseline", LEVEL_1B), ("ffffff", "", 255), ("580014", "extended", 20),
])
def test_profile_and_level_are_read_by_the_table_of_rfc_6184(text: str, profile: str, level: int) -> None:
    found = ProfileLevel.parse(text)
    assert (found.profile, found.level) == (profile, level)
    assert str(found) == text.lower()


def test_missing_parameter_means_baseline_level_1() -> None:
    assert str(ProfileLevel.parse(None)) == "42000a"


@pytest.mark.parametrize("text", ["", "42e0", "42e01g", "42e01f00", "٤٢٤٢٤٢"])
def test_what_is_no_profile_level_id_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        ProfileLevel.parse(text)


@pytest.mark.parametrize(("offered", "is_asymmetric", "answered"), [
    ("42e01f", False, "42e01f"), ("42e028", False, "42e01f"), ("42e00d", False, "42e00d"), ("42e00d", True, "42e01f"),
    ("42801f", False, "42801f"), ("42f00b", False, "42f00b"), ("4d401f", True, None), ("640c1f", True, None),
    ("ffffff", False, None),
])
def test_answer_keeps_the_profile_and_takes_the_lower_level_unless_both_allow_asymmetry(
        offered: str, is_asymmetric: bool, answered: str | None) -> None:
    found = agree(ProfileLevel.parse(offered), ProfileLevel.parse("42e01f"), is_asymmetric)
    assert (None if found is None else str(found)) == answered


def test_level_1b_lies_between_1_and_1_1() -> None:
    one, between, above = (ProfileLevel.parse(text) for text in ("42e00a", "42f00b", "42e00b"))
    assert one.lower_of(between).level == 10 and between.lower_of(above).level == LEVEL_1B


@pytest.mark.parametrize(("text", "width", "height", "fits"), [
    ("42e01f", 1280, 720, True), ("42e01f", 1920, 1080, False), ("42e00d", 352, 288, True), ("42e00d", 640, 360, False),
    ("42e01f", 3600, 16, False), ("42e028", 1920, 1080, True),
])
def test_level_limits_the_size_of_a_picture(text: str, width: int, height: int, fits: bool) -> None:
    assert ProfileLevel.parse(text).takes(width, height) == fits


def test_parameter_sets_come_back_from_their_text_without_other_units() -> None:
    units = split_units(encoded("libx264", 1)[0])
    sets = [unit for unit in units if unit[0] & 0x1F in (7, 8)]
    assert len(sets) == 2
    assert parse_parameter_sets(write_parameter_sets(units[:4])) == sets


@pytest.mark.parametrize("text", ["Z0LgH5", "not base64!", "Z0I=,=="])
def test_parameter_sets_that_are_no_base64_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_parameter_sets(text)
