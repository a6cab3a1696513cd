"""`confero-pcap`: what a capture says, for people."""

from __future__ import annotations

import typer

from pcap.commands import COMMANDS

app = typer.Typer(add_completion=False, help="Read captures of calls (pcap and pcapng).", no_args_is_help=True)


@app.callback()
def _main() -> None:
    """Read captures of calls (pcap and pcapng)."""


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Entry of the script."""
    app()


if __name__ == "__main__":
    main()
