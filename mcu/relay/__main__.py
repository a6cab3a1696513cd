"""`python -m mcu.relay FD [NAMES]`: the desktop relay on the socket that control has left open at descriptor FD.

NAMES: host names and addresses, with commas between, in the certificate that it shows; made at its start, it is known by the
fingerprint that control passes on, and to stock viewers by its file.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from mcu.relay.loop import Relay
from rtp.keying.certificate import Certificate


def main() -> int:
    """Run until control's end of the socket closes."""
    if len(sys.argv) not in (2, 3) or not sys.argv[1].isdecimal():
        print("usage: python -m mcu.relay FD [NAMES] (control starts the relay, nobody else)", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):     # these reach the whole group: control hangs up first, then closes
        signal.signal(number, signal.SIG_IGN)
    names = sys.argv[2].split(",") if len(sys.argv) == 3 else ["confero"]
    certificate = Certificate.create(datetime.now(UTC), names[0], names)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        Relay(control, certificate, certificate.certificate.public_bytes(Encoding.DER)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
