"""The facade: the few names that most programs need, without logic of its own."""
