"""RFB, the protocol of shared desktops (RFC 6143): both sides of it, without I/O."""
