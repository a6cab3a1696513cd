"""X keysyms of characters and other keys (RFC 6143 §7.5.4): Latin-1 as it is, the rest of Unicode from 0x01000000 on."""

from __future__ import annotations

UNICODE = 0x01000000
BACKSPACE, TAB, RETURN, ESCAPE, DELETE = 0xFF08, 0xFF09, 0xFF0D, 0xFF1B, 0xFFFF
SHIFT_L, SHIFT_R, CONTROL_L, CONTROL_R = 0xFFE1, 0xFFE2, 0xFFE3, 0xFFE4
ALT_L, ALT_R, SUPER_L, SUPER_R = 0xFFE9, 0xFFEA, 0xFFEB, 0xFFEC
PRINT, SYSTEM_REQUEST = 0xFF61, 0xFF15
_CONTROLS = {"\n": RETURN, "\r": RETURN, "\t": TAB, "\b": BACKSPACE, "\x1b": ESCAPE, "\x7f": DELETE}


def keysym_of(character: str) -> int:
    """The keysym that types a character."""
    code = ord(character)
    if character in _CONTROLS:
        return _CONTROLS[character]
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else UNICODE | code


def character_of(keysym: int) -> str:
    """The character that a keysym types, empty for keys that type none (and for the older names of other alphabets)."""
    if 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        return chr(keysym)
    code = keysym - UNICODE
    return chr(code) if 0x20 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else ""
