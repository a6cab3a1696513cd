"""Key derivation against the values that RFC 3711 and RFC 6188 publish."""

from __future__ import annotations

from rtp.srtp.derivation import rtcp_keys, rtp_keys
from rtp.srtp.suites import AEAD_AES_128_GCM, AES_256_CM_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_80, MasterKey

RFC_3711 = MasterKey.of(
    AES_CM_128_HMAC_SHA1_80, bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6"))
RFC_6188 = MasterKey.of(AES_256_CM_HMAC_SHA1_80, bytes.fromhex(
    "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2"))


def test_session_keys_of_128_bits_are_those_of_rfc_3711_b_3() -> None:
    keys = rtp_keys(AES_CM_128_HMAC_SHA1_80, RFC_3711)
    assert keys.encryption.hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert keys.salt.hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert keys.authentication.hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


def test_session_keys_of_256_bits_are_those_of_rfc_6188_7_4() -> None:
    keys = rtp_keys(AES_256_CM_HMAC_SHA1_80, RFC_6188)
    assert keys.encryption.hex() == "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"
    assert keys.salt.hex() == "fa31791685ca444a9e07c6c64e93"
    assert keys.authentication.hex() == "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"


def test_keys_of_rtcp_are_others_than_those_of_rtp() -> None:
    rtp, rtcp = rtp_keys(AES_CM_128_HMAC_SHA1_80, RFC_3711), rtcp_keys(AES_CM_128_HMAC_SHA1_80, RFC_3711)
    assert len({rtp.encryption, rtcp.encryption, rtp.authentication, rtcp.authentication, rtp.salt, rtcp.salt}) == 6


def test_aead_suites_have_no_authentication_key_and_a_salt_of_12_bytes() -> None:
    keys = rtp_keys(AEAD_AES_128_GCM, MasterKey(bytes(16), bytes(12)))
    assert keys.authentication == b"" and len(keys.salt) == 12


def test_keys_are_not_shown() -> None:
    assert "E1F9" not in repr(RFC_3711).upper() and repr(rtp_keys(AES_CM_128_HMAC_SHA1_80, RFC_3711)) == "DerivedKeys()"
