"""Stock SIP clients, run headless."""
