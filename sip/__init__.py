"""SIP (RFC 3261 and its extensions) as sans-IO cores: bytes and the time go in, events and bytes come out.

`sip.endpoint.Endpoint` is all of it behind five calls; `sip.aio` drives it over sockets.
"""
