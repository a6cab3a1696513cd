"""BFCP, the Binary Floor Control Protocol (RFC 8855): messages, both transports, a server's and a client's side without I/O."""
