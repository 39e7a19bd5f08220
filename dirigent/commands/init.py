"""The command `init`: a commented configuration to begin with."""

from pathlib import Path

import click

from dirigent.commands.common import DEFAULT_FILE, Refused, common_options


@click.command(epilog="Example: dirigent init my.toml")
@click.argument("file", default=DEFAULT_FILE, type=click.Path(dir_okay=False))
@common_options
def init(file: str) -> None:
    """Write a commented configuration.

    FILE is dirigent.toml unless named. It states every key with its default and unit, and runs the
    demonstration as it stands. A file that exists is never overwritten.
    """
    from dirigent.configuration.sample import sample_configuration

    try:
        with Path(file).open("x", encoding="utf-8") as new:
            new.write(sample_configuration())
    except FileExistsError:
        raise Refused(f"{file} exists; name another file, or move it away first") from None
    except OSError as error:
        raise Refused(f"{file} cannot be written ({error.strerror}); name another place") from None
    click.echo(f"wrote {file}; try `dirigent -c {file} check`, then `dirigent -c {file} trade`")
