"""`confero`: the server and the commands about it. Wrong input exits 2 with one line, a failed operation 1."""

from __future__ import annotations

import sys

import typer

from mcu.cli import call, configuration, recordings, reg, room, token, user
from mcu.cli.doctor import doctor
from mcu.cli.options import make_group
from mcu.cli.serve import serve
from mcu.errors import ConfigError, McuError, UsageError

app = make_group("Confero: a meeting server that any SIP phone can call.")
app.command("serve")(serve)
app.command("doctor")(doctor)
app.add_typer(user.app, name="user")
app.add_typer(token.app, name="token")
app.add_typer(room.app, name="room")
app.add_typer(call.app, name="call")
app.add_typer(recordings.app, name="recordings")
app.add_typer(reg.app, name="reg")
app.add_typer(configuration.app, name="config")


def run(arguments: list[str]) -> int:
    """Carry out a command line; the exit status."""
    try:
        status = typer.main.get_command(app).main(arguments or ["--help"], "confero", standalone_mode=False)
    except McuError as error:
        return _fail(str(error), 2 if isinstance(error, UsageError | ConfigError) else 1)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _fail(_usage(error), 2)
    return status if isinstance(status, int) else 0


def main() -> int:
    """Entry of the script."""
    return run(sys.argv[1:])


def _usage(error: Exception) -> str:
    """The words of a command line that could not be read, and where to look."""
    context = getattr(error, "ctx", None)
    words: str = error.format_message()  # type: ignore[attr-defined]
    return f"{words.rstrip('.')}; see: {context.command_path} --help" if context is not None else words


def _fail(text: str, status: int) -> int:
    typer.echo("error: " + " ".join(text.split()), err=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
