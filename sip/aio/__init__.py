"""Drivers that move bytes between sockets and the SIP core; RFC 3261 §18 without any decision about a message."""
