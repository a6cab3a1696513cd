"""`confero serve`: the server itself, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcu.cli.options import DataOption


def serve(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="a TOML file; flags go before it")] = None,
    data: DataOption = None,
    listen: Annotated[list[str] | None, typer.Option("--listen", metavar="ADDR", help="an IP address to listen on; may be "
                                                     "repeated; default: all, or loopback with --open")] = None,
    sip_port: Annotated[str | None, typer.Option("--sip-port", metavar="N", help="default: 5060")] = None,
    tls_port: Annotated[str | None, typer.Option("--tls-port", metavar="N", help="default: 5061; 0 switches TLS off")] = None,
    wss_port: Annotated[str | None, typer.Option("--wss-port", metavar="N", help="SIP over secure WebSocket, for browsers; "
                                                 "default: none")] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="a certificate in PEM with its chain; "
                                                  "default: one of our own")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="its private key in PEM")] = None,
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help="fixed at the first start; default: the "
                                               "machine's name")] = None,
    rtp_ports: Annotated[str | None, typer.Option("--rtp-ports", metavar="FIRST-LAST", help="default: 20000-29999")] = None,
    public_address: Annotated[str | None, typer.Option("--public-address", metavar="ADDR|auto", help="behind NAT: the address "
                                                       "that phones see; auto asks the configured STUN server")] = None,
    is_open: Annotated[bool | None, typer.Option("--open", help="anyone may call and make rooms")] = None,
    srtp: Annotated[str | None, typer.Option("--srtp", metavar="off|prefer|require", help="protect media: never, where the "
                                               "phone can (default), or always")] = None,
    pcap: Annotated[Path | None, typer.Option("--pcap", metavar="FILE", help="capture all signalling and media, in clear, "
                                              "for Wireshark")] = None,
    workers: Annotated[str | None, typer.Option("--workers", metavar="N", help="media processes; default: one a core")] = None,
    http_port: Annotated[str | None, typer.Option("--http-port", metavar="N", help="dashboard and REST; default: 8080; 0 for "
                                                  "none")] = None,
    http_listen: Annotated[list[str] | None, typer.Option("--http-listen", metavar="ADDR", help="where; default: loopback; "
                                                          "elsewhere by TLS")] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", metavar="LEVEL", help="debug, info (default), warning or "
                                                  "error")] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", metavar="text|json", help="json: an object a line")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM. Example: confero serve --listen 127.0.0.1 --open"""
    from mcu.cli.logs import start_logging
    from mcu.config import load

    flags = {"data": str(data) if data else None, "listen": listen or None, "sip_port": _number(sip_port),
             "tls_port": _number(tls_port), "wss_port": _number(wss_port), "tls_cert": str(tls_cert) if tls_cert else None,
             "tls_key": str(tls_key) if tls_key else None, "domain": domain, "rtp_ports": rtp_ports,
             "public_address": public_address, "open": is_open, "srtp": srtp,
             "pcap": str(pcap) if pcap else None, "workers": _number(workers),
             "http_port": _number(http_port), "http_listen": http_listen or None,
             "log_level": log_level, "log_format": log_format}
    settings = load(config, flags)
    start_logging(settings.log_level, settings.log_format)
    from mcu.server import serve as run_server

    raise typer.Exit(run_server(settings, lambda: load(config, flags)))


def _number(text: str | None) -> int | str | None:
    """A number where it is one; what else was typed is refused by the configuration, in its words."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else text
