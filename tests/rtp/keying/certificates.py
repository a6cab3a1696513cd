"""Certificates for the tests, made once."""

from __future__ import annotations

from datetime import UTC, datetime

from rtp.keying.certificate import Certificate

NOW = datetime.now(UTC)
ALICE, BOB, MALLORY = Certificate.create(NOW, "alice"), Certificate.create(NOW, "bob"), Certificate.create(NOW, "mallory")
