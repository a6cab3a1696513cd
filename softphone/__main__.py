"""`confero-phone`: the window, the terminal, or one call without either."""

from __future__ import annotations

import logging
import os
import resource
import sys

from softphone.options import OptionError, Options, fail, parse_options


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ends the program with status 0, 1 (it failed) or 2 (wrong input)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))        # a core dump would hold the password, and the keys of the call
    logging.basicConfig(level=os.environ.get("CONFERO_LOG", "WARNING").upper(), format="%(levelname)s %(name)s: %(message)s")
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
    except OptionError as error:
        sys.exit(fail(str(error), 2))
    sys.exit(_run(options))


def _run(options: Options) -> int:
    if options.headless:
        from softphone.headless import run_headless

        return run_headless(options)
    from softphone.app import run_app

    return run_app(options)


if __name__ == "__main__":
    main()
