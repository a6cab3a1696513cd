"""How coded pictures travel in RTP: H.264 (RFC 6184) and VP8 (RFC 7741), packed, put together, looked at from outside."""
