"""Drivers that move bytes between sockets and the SIP core (asyncio); they hold no protocol decision (RFC 3261 §18 lives in the core)."""
