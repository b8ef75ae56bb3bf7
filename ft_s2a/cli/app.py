"""The root of the command line: groups, global options, the error boundary."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Annotated

import typer

from ft_s2a.conventions import log
from ft_s2a.errors import FtS2aError

app = typer.Typer(
    name="ft-s2a",
    help="From DNA sequence to activity: train, fine-tune, predict, evaluate, browse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# One file per group or command; each has register(app).
_COMMANDS: tuple[str, ...] = (
    "browse",
    "evaluate",
    "data",
    "train",
    "predict",
    "zoo",
    "kipoi",
    "demo",
    "simulate",
)


def _version(value: bool) -> None:
    if value:
        from ft_s2a import __version__

        typer.echo(f"ft-s2a {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings on stderr.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    log.configure(verbose=verbose, quiet=quiet)


def build() -> typer.Typer:
    """Attach the command groups that are there."""
    if not app.registered_groups and not app.registered_commands:
        for name in _COMMANDS:
            importlib.import_module(f"ft_s2a.cli.{name}").register(app)
    return app


def main(argv: list[str] | None = None) -> None:
    """Run the command line; bad input gives one line on stderr and exit code 2."""
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    # --debug works anywhere on the line.
    arguments = [a for a in arguments if a != "--debug"]
    try:
        build()(args=arguments, standalone_mode=True)
    except FtS2aError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        line = " ".join(str(error).split())
        typer.echo(
            f"this is a bug in ft_s2a ({type(error).__name__}: {line}); "
            "run again with --debug and report it",
            err=True,
        )
        sys.exit(1)
