"""The command `exchange`: an exchange on this machine to rehearse on, with the faults that real ones have."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirigent.commands.common import Failed, Finite, Refused, common_options
from dirigent.configuration.problems import SettingsError

if TYPE_CHECKING:
    from dirigent.rehearsal.settings import RehearsalSettings

DEFAULT_PORT = 8710


class _Exact(click.ParamType[Decimal]):
    """A plain decimal number of at least 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal(-1)
        if not number.is_finite() or number < 0:
            self.fail(f"{value!r} is not a number of at least 0", param, ctx)
        return number


class _Balance(click.ParamType[tuple[str, Decimal]]):
    """`COIN=AMOUNT`."""

    name = "coin=amount"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Decimal]:
        coin, equals, amount = str(value).partition("=")
        if not coin.isalnum() or not equals:
            self.fail(f"{value!r} is not COIN=AMOUNT, such as USDT=10000", param, ctx)
        return coin.upper(), _EXACT.convert(amount, param, ctx)


_EXACT = _Exact()


def _each_once(
    _context: click.Context, _parameter: click.Parameter, value: tuple[tuple[str, Decimal], ...]
) -> dict[str, Decimal]:
    balances: dict[str, Decimal] = {}
    for coin, amount in value:
        if coin in balances:
            raise click.BadParameter(f"{coin} is given twice, as {balances[coin]:f} and as {amount:f}")
        balances[coin] = amount
    return balances


@click.command(epilog="Example: dirigent exchange --fault lost_response=0.05 --fault stall=0.01")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--symbol", "symbols", multiple=True, help="A market it lists; repeatable. BTC/USDT and ETH/USDT."
)
@click.option(
    "--balance",
    "balances",
    multiple=True,
    type=_Balance(),
    callback=_each_once,
    help="COIN=AMOUNT at the start; repeatable. USDT=10000.",
)
@click.option("--fee", type=_EXACT, default="0.001", show_default=True, help="Fraction of each trade.")
@click.option("--fee-coin", help="A coin that pays the fees, a quarter cheaper, while there is some: BNB.")
@click.option(
    "--slippage", type=_EXACT, default="0", show_default=True, help="Fraction a market order loses."
)
@click.option(
    "--ticks-per-s",
    type=Finite(0),
    default=1.0,
    show_default=True,
    help="Prices a second and symbol; 0: they move only when told to.",
)
@click.option(
    "--latency-ms",
    nargs=2,
    type=click.IntRange(0),
    default=(0, 0),
    help="Least and greatest delay of a request.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of prices and of faults.")
@click.option("--chaos", type=click.Path(path_type=Path, dir_okay=False), help="A TOML file of faults.")
@click.option(
    "--fault", "flags", multiple=True, metavar="NAME=VALUE", help="A key of that file; repeatable, wins."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that keeps the account until the next start; else it is forgotten.",
)
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PEM file of the Ed25519 or RSA key that checks signatures.",
)
@click.option("--duration", type=Finite(0, min_open=True), help="Seconds after which it ends.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, one object a line: where it listens, then the audit."
)
@common_options
def exchange(duration: float | None, as_json: bool, **options: Any) -> None:
    """Serve an exchange to rehearse on.

    It speaks enough of Binance's spot API for the unmodified ccxt client: orders, filters, balances, market and
    user streams, on synthetic prices, with an account of its own. On demand it does what real exchanges do at
    their worst. It prints the [exchange] section that makes the engine trade there. At the end, and at
    /rehearsal/audit, it reckons: exit 0, or 1 when an order was carried out twice.
    """
    from dirigent.rehearsal.running import CannotListen, run
    from dirigent.rehearsal.state_file import BadState

    try:
        code = run(_settings(options), duration, as_json=as_json)
    except (BadState, CannotListen) as error:
        raise Refused(str(error)) from None
    if code:
        raise Failed("an order was carried out twice, or the books do not add up: see the audit")


def _settings(options: dict[str, Any]) -> "RehearsalSettings":
    from dirigent.rehearsal.chaos import load_chaos
    from dirigent.rehearsal.settings import RehearsalSettings
    from dirigent.rehearsal.signatures import Signatures

    usual = RehearsalSettings()
    try:
        settings = RehearsalSettings(
            host=options["host"],
            port=options["port"],
            seed=options["seed"],
            symbols=tuple(dict.fromkeys(options["symbols"])) or usual.symbols,
            balances=options["balances"] or usual.balances,
            fee=options["fee"],
            fee_coin=None if options["fee_coin"] is None else options["fee_coin"].upper(),
            slippage=options["slippage"],
            ticks_per_s=options["ticks_per_s"],
            latency_ms=options["latency_ms"],
            state=options["state"],
            public_key=_text_of(options["public_key"]),
            chaos=load_chaos(options["chaos"], options["flags"]),
        )
        Signatures(settings.api_key, settings.secret, settings.public_key)
    except SettingsError as error:
        raise Refused("the faults are not used\n  " + "\n  ".join(map(str, error.problems))) from None
    except ValueError as error:
        raise Refused(str(error)) from None
    return settings


def _text_of(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read ({error}); name the PEM file of a public key") from None
