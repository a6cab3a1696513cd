"""Audio codecs between int16 at 48 kHz mono and RTP payloads (RFC 3551, RFC 7587)."""
