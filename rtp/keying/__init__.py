"""Keys for SRTP, by SDES (RFC 4568) and DTLS-SRTP (RFC 5763, 5764), and TLS with fingerprints (RFC 8122)."""
