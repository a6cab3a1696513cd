"""RTP and RTCP (RFC 3550), SDP (RFC 8866, RFC 3264), codecs, and the kernel of the mixing room."""
