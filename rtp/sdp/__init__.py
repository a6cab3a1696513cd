"""SDP (RFC 8866): model, parser, and offer/answer (RFC 3264)."""
