"""Counters that wrap: the extended number nearest to a reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.sequence import extend_sequence, extend_timestamp


@pytest.mark.parametrize(("value", "reference", "expected"), [
    (5, 3, 5), (0, 65535, 65536), (65535, 65536, 65535), (65530, 2, -6), (1, 3 * 65536 - 1, 3 * 65536 + 1),
])
def test_sequence_number_is_extended_over_the_wrap(value: int, reference: int, expected: int) -> None:
    assert extend_sequence(value, reference) == expected


@given(st.integers(0, 1 << 40), st.integers(-0x8000, 0x7FFF))
def test_extension_undoes_the_cut_to_16_bits(reference: int, step: int) -> None:
    assert extend_sequence((reference + step) & 0xFFFF, reference) == reference + step


@given(st.integers(0, 1 << 50), st.integers(-0x80000000, 0x7FFFFFFF))
def test_extension_undoes_the_cut_to_32_bits(reference: int, step: int) -> None:
    assert extend_timestamp((reference + step) & 0xFFFFFFFF, reference) == reference + step
