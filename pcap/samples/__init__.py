"""Small captures to learn from, made by a script from our own cores: `python -m pcap.samples`. README.md says what to see."""
