"""How the running server is asked and told from outside: today the local control socket."""
