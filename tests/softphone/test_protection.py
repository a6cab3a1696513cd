"""What the phone says of a call's protection, and what the window's chip makes of it."""

from __future__ import annotations

import os

import pytest

from rtp.sdp.protection import Protection
from rtp.srtp import AEAD_AES_128_GCM, MasterKey, SessionKeys
from softphone.model import Meeting, Quality
from softphone.protection import AWAITS_KEYS, FINGERPRINT_IN_CLEAR, KEYS_IN_CLEAR, PLAIN, exposure, protection_words
from softphone.ui.header import chips_of
from softphone.ui.strings import Translator

KEYS = SessionKeys(AEAD_AES_128_GCM, *(MasterKey.of(AEAD_AES_128_GCM, os.urandom(28)) for _ in range(2)))


@pytest.mark.parametrize(("transport", "how", "words", "why"), [
    ("TLS", "sdes", "AEAD_AES_128_GCM by SDES over TLS", ""), ("UDP", "sdes", "", KEYS_IN_CLEAR),
    ("TLS", "dtls", "AEAD_AES_128_GCM by DTLS over TLS", ""), ("TCP", "dtls", "", FINGERPRINT_IN_CLEAR),
    ("TLS", "", "", PLAIN), ("UDP", "", "", PLAIN)])
def test_encrypted_is_said_only_where_nobody_on_the_way_has_the_keys(transport: str, how: str, words: str, why: str) -> None:
    agreed = Protection(how, KEYS) if how else None
    assert (protection_words(transport, agreed), exposure(transport, agreed)) == (words, why)
    quality = Quality(protection=words, exposure=why)
    chips = chips_of(Meeting("sip:a@b", "a", quality=quality), Translator("en"))
    chip = next(chip for chip in chips if chip.name == "protection")
    assert (chip.text, chip.kind) == (("Encrypted", "success") if words else ("Not protected", "danger"))
    assert chip.tip == (words or why)


@pytest.mark.parametrize("transport", ["TLS", "UDP"])
def test_while_a_handshake_is_under_way_the_window_says_so(transport: str) -> None:
    agreed = Protection("dtls", None)
    assert (protection_words(transport, agreed), exposure(transport, agreed)) == ("", AWAITS_KEYS)
