"""Long runs of hostile input, seeded."""
