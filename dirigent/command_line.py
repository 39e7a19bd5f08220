"""The command `dirigent`: its subcommands, each imported only when it is used."""

import os
import sys
from importlib import import_module
from typing import Any

import click

from dirigent.commands.common import Common, common_options, faults_explained

_COMMANDS = {
    "init": "Write a commented configuration.",
    "check": "Validate configuration, strategies and tables.",
    "doctor": "Examine exchange, keys and clock; change nothing.",
    "trade": "Run the engine.",
    "replay": "Run recorded prices through the engine.",
    "status": "Show how the engine is doing.",
    "pairs": "List the traded pairs; add and remove pairs.",
    "positions": "List the positions.",
    "orders": "List the orders.",
    "fills": "List the fills.",
    "balance": "Show the account by currency.",
    "journal": "Tell what happened, and why.",
    "why": "Say why a pair does not trade, and what would have to change.",
    "explain": "Tell one deal's whole story.",
    "state": "Show the books at a past moment.",
    "reconcile": "Compare the books with the exchange, and settle what differs.",
    "export": "Write deals or fills as CSV, JSON or Parquet.",
    "backup": "Copy the database while it trades, and prove the copy.",
    "restore": "Put a backup in the database's place.",
    "alert": "Prove that messages reach people.",
    "halt": "Stop the entries of the running engine, or of one pair.",
    "resume": "Let the engine, or a pair, enter again.",
    "stop-entry": "Let positions leave and nothing enter.",
    "force-exit": "Sell a position now, or all of them.",
    "force-enter": "Buy now, as far as the risk checks allow.",
    "cancel-order": "Cancel an order that rests at the exchange.",
    "reload": "Read the configuration again while the engine runs.",
    "exchange": "Serve an exchange to rehearse on.",
    "strategy": "Write, try, list and swap strategies.",
    "verify": "Prove the journal whole and the tables its sum.",
    "simulate": "Prove the engine against faults, by seed.",
    "diagram": "Draw the state machines.",
    "explore": "Search every joint state of the machines.",
    "crashtest": "Kill the real engine again and again, and compare books.",
}
"""Each name with its short help: listing them imports none. Module and command bear the name, `-` as `_`."""

CUSTOMARY = {
    "run": "trade",
    "start": "trade",
    "live": "trade",
    "dry-run": "trade",
    "backtest": "replay",
    "stop": "halt",
    "pause": "halt",
    "continue": "resume",
    "unpause": "resume",
    "validate": "check",
    "show": "status",
    "log": "journal",
    "logs": "journal",
    "trades": "fills",
    "balances": "balance",
    "wallet": "balance",
    "sell": "force-exit",
    "buy": "force-enter",
    "cancel": "cancel-order",
    "sync": "reconcile",
    "new": "init",
    "setup": "init",
    "mock": "exchange",
    "server": "exchange",
}
"""What commands are called elsewhere, and what they are called here."""


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, in `dirigent.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"dirigent.commands.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            close = _nearest(args[0].lower().replace("_", "-"))
            hint = f"did you mean {close!r}?" if close else f"choose one of {', '.join(_COMMANDS)}"
            ctx.fail(f"no such command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with faults_explained():
                result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
            ctx.exit(0)
        return result


def _nearest(name: str) -> str | None:
    """The command that is called so elsewhere, or else the one spelt most like it."""
    from difflib import get_close_matches

    return CUSTOMARY.get(name) or next(iter(get_close_matches(name, list(_COMMANDS), n=1)), None)


def _forget_output() -> None:
    """The reader has gone: the interpreter must not fail at its end over what is still buffered."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "obj": None},
    epilog="Example: dirigent -c dirigent.toml trade --duration 60",
)
@common_options
@click.version_option(package_name="dirigent", message="%(prog)s %(version)s", prog_name="dirigent")
@click.pass_context
def main(context: click.Context) -> None:
    """A trading engine in which every pair, position and order is an explicit, persisted state machine.

    Exit codes: 0 done, 1 failed, 2 refused (usage or configuration).
    """
    context.ensure_object(Common)


if __name__ == "__main__":
    main()
