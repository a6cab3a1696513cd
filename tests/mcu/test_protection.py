"""What is said of a leg's protection."""

from __future__ import annotations

import pytest

from mcu.protection import is_protected, words_of


@pytest.mark.parametrize(("transport", "suite", "keying", "words"), [
    ("TLS", "AEAD_AES_128_GCM", "sdes", "AEAD_AES_128_GCM by SDES over TLS"),
    ("WSS", "AEAD_AES_256_GCM", "dtls", "AEAD_AES_256_GCM by DTLS over WSS"),
    ("UDP", None, None, "not protected: plain RTP"), ("TLS", None, None, "not protected: plain RTP"),
    ("UDP", "AEAD_AES_128_GCM", "sdes", "not protected: AEAD_AES_128_GCM, but its keys by SDES came in clear over UDP"),
    ("TCP", "AEAD_AES_128_GCM", "dtls", "not protected: AEAD_AES_128_GCM, but its fingerprint by DTLS came in clear over TCP"),
])
def test_words_name_suite_keying_and_signalling(transport: str, suite: str | None, keying: str | None, words: str) -> None:
    assert words_of(transport, suite, keying) == words
    assert is_protected(transport, suite) is not words.startswith("not protected")
