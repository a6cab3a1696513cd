"""`confero doctor`: looks at the machine and the configuration, and says what is wrong and what helps."""

from mcu.doctor.findings import BAD, GOOD, WARNING, Finding

__all__ = ["BAD", "GOOD", "WARNING", "Finding"]
