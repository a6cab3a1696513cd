"""Protected packets against the values that RFC 3711 and RFC 7714 publish (RFC 7714 gives session keys, not master keys)."""

from __future__ import annotations

from rtp.srtp.derivation import DerivedKeys
from rtp.srtp.suites import AES_CM_128_HMAC_SHA1_80
from rtp.srtp.transforms import AeadTransform, CounterModeTransform, Transform

SALT = bytes.fromhex("517569642070726f2071756f")
GCM_128 = AeadTransform(DerivedKeys(bytes(range(16)), b"", SALT))
GCM_256 = AeadTransform(DerivedKeys(bytes(range(32)), b"", SALT))
HEADER = bytes.fromhex("8040f17b8041f8d35501a0b2")
GALLIA = HEADER + b"Gallia est omnis divisa in partes tres"
SSRC, SEQUENCE = 0x5501A0B2, 0xF17B
GALLIA_128 = HEADER + bytes.fromhex("""
    f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833
    899d7f27beb16a9152cf765ee4390cce""")
REPORT = bytes.fromhex("81c8000d4d6172734e5450314e545032525450200000042a0000e930 4c756e61" + "deadbeef" * 5)
REPORT_128 = bytes.fromhex("""
    81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b
    c84aa45896cf4d2fc5abf87245d9eade 800005d4""")


def both_ways(transform: Transform, plain: bytes, sealed: bytes) -> None:
    """Sealing gives the published bytes, opening gives the text back."""
    assert transform.sealed(plain, 12, SSRC, SEQUENCE) == sealed
    assert transform.opened(sealed, 12, SSRC, SEQUENCE) == plain


def test_gcm_of_128_bits_seals_as_in_rfc_7714_16_1() -> None:
    both_ways(GCM_128, GALLIA, GALLIA_128)


def test_gcm_seals_a_report_as_in_rfc_7714_17_1() -> None:
    assert GCM_128.sealed_rtcp(REPORT, 0x4D617273, 0x5D4) == REPORT_128
    assert GCM_128.opened_rtcp(REPORT_128, 0x4D617273, 0x5D4) == REPORT


def test_counter_mode_gives_the_keystream_of_rfc_3711_b_2() -> None:
    keys = DerivedKeys(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), bytes(20),
                       bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"))
    sealed = CounterModeTransform(AES_CM_128_HMAC_SHA1_80, keys).sealed(bytes(12 + 48), 12, 0, 0)
    assert sealed[12:-10] == bytes.fromhex(
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0")


def test_gcm_of_256_bits_seals_as_in_rfc_7714_16_2() -> None:
    both_ways(GCM_256, GALLIA, HEADER + bytes.fromhex("""
        32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13"""))


def test_gcm_of_256_bits_seals_a_report_as_in_rfc_7714_17_2() -> None:
    sealed = bytes.fromhex("""
        81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c
        4446839f57ff6f6cb26ac3be800005d4""")
    assert GCM_256.sealed_rtcp(REPORT, 0x4D617273, 0x5D4) == sealed
    assert GCM_256.opened_rtcp(sealed, 0x4D617273, 0x5D4) == REPORT
