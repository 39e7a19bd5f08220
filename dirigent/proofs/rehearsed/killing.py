"""Deaths of the real engine on the real path: ccxt, HTTP and websockets, an exchange with faults, and SIGKILL."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from dirigent.proofs.death.daemons import COMMAND, Daemon, DaemonFault, Place
from dirigent.proofs.death.killing import AT_RESUME, AT_START, AT_WORK
from dirigent.proofs.death.remains import copied, fates
from dirigent.proofs.rehearsed.beside import Beside, rehearsing
from dirigent.proofs.rehearsed.configurations import (
    LATENCY_MS,
    ONE_IN_FIFTY,
    SYMBOLS,
    TICKS_PER_S,
    trading_on,
)
from dirigent.proofs.rehearsed.lives import WORDS_MAX, is_trading_after_a_while, settled_differences
from dirigent.proofs.rehearsed.moments import ON_THE_WIRE, Moments
from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.settings import RehearsalSettings

FEE_COINS = (None, "BNB")
PASSINGS_MAX = 6
PATIENCE_S = 15.0
"""How long a moment on the wire is waited for; then the engine is killed wherever it is."""
AT_EASE = "at ease"
"""After a time in which everything unknown can become known."""
_SHARES = {AT_WORK: 3, AT_RESUME: 2, AT_START: 1, AT_EASE: 1} | dict.fromkeys(ON_THE_WIRE, 2)
MOMENTS = tuple(_SHARES)
_AFTER_S = {AT_WORK: (0.0, 2.0), AT_EASE: (12.0, 16.0), AT_RESUME: (0.0, 1.0), AT_START: (0.0, 3.0)}
"""How long after the moment's beginning the signal comes, at the earliest and at the latest."""


@dataclass(slots=True)
class Toll:
    """What the deaths met, and what was wrong afterwards."""

    kills: Counter[str] = field(default_factory=Counter)
    """By moment."""
    on_orders_in_flight: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """Orders in flight at a death, by what the exchange's book said of them."""
    never_begun: int = 0
    """Starts that the faults prevented."""
    seconds: float = 0
    orders: int = 0
    fills: int = 0
    fees: dict[str, str] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.kills.total()

    def note(self, moment: str, place: Place, beside: Beside) -> None:
        self.kills[moment] += 1
        if not place.database.exists():
            return
        with copied(place) as copy:
            under_way = fates(copy, beside.book)
        self.on_orders_in_flight += bool(under_way)
        self.found.update(under_way.values())

    def close(self, place: Place, beside: Beside, module: str) -> None:
        """No more faults: everything is sold, and both books are compared."""
        reckoned = beside.audit
        self.faults.update(reckoned["faults"])
        beside.set_faults(Chaos())
        self.wrong += settled_differences(place, beside, module)
        reckoned = beside.audit
        self.orders, self.fills = reckoned["orders"]["accepted"], reckoned["fills"]
        self.fees = {coin: f"{paid:f}" for coin, paid in reckoned["fees"].items() if paid}


def kill_at_random(
    directory: Path,
    kills: int,
    seed: int,
    told: Callable[[int], None],
    *,
    chaos: Chaos = ONE_IN_FIFTY,
    symbols: tuple[str, ...] = SYMBOLS,
    moments: tuple[str, ...] = MOMENTS,
    module: str = COMMAND[-1],
) -> Toll:
    """One account through `kills` lives; moments, faults and the coin that pays the fees are drawn from `seed`.

    `module` is run as the command, to show that another engine would be found out.
    """
    random = Random(seed)
    balances = dict(RehearsalSettings().balances)
    fee_coin = random.choice(FEE_COINS)
    if fee_coin is not None:
        balances[fee_coin] = balances["USDT"] / 10_000
    settings = RehearsalSettings(
        seed=seed,
        symbols=symbols,
        balances=balances,
        fee_coin=fee_coin,
        ticks_per_s=TICKS_PER_S,
        latency_ms=LATENCY_MS,
        chaos=chaos,
    )
    toll = Toll()
    with rehearsing(settings) as beside:
        place = Place.make(directory, trading_on(beside))
        on_the_wire = Moments(beside, random.random)
        began_s = time.monotonic()
        for number in range(kills):
            moment = random.choices(moments, [_SHARES[moment] for moment in moments])[0]
            _live_and_die(moment, place, random, on_the_wire, toll, module)
            toll.note(moment, place, beside)
            told(number + 1)
        toll.seconds = time.monotonic() - began_s
        toll.close(place, beside, module)
    return toll


def _live_and_die(
    moment: str, place: Place, random: Random, on_the_wire: Moments, toll: Toll, module: str
) -> None:
    while True:
        with Daemon(place, "--live", module=module) as daemon:
            if _die_at(moment, daemon, random, on_the_wire):
                return
        toll.never_begun += 1


def _die_at(moment: str, daemon: Daemon, random: Random, on_the_wire: Moments) -> bool:
    """False when the faults kept it from beginning."""
    if moment == AT_START:
        time.sleep(random.uniform(*_AFTER_S[moment]))
        return _killed(daemon)
    if moment == AT_RESUME:
        until_s = time.monotonic() + PATIENCE_S
        while not daemon.has_database():
            if daemon.process.poll() is not None or time.monotonic() > until_s:
                raise DaemonFault(f"it does not open: {daemon.said[-WORDS_MAX:]}")
            time.sleep(0.01)
        time.sleep(random.uniform(*_AFTER_S[moment]))
        return _killed(daemon)
    if moment in (AT_WORK, AT_EASE):
        if not is_trading_after_a_while(daemon):
            return False
        time.sleep(random.uniform(*_AFTER_S[moment]))
        return _killed(daemon)
    return _die_on_the_wire(moment, random.randint(1, PASSINGS_MAX), daemon, on_the_wire)


def _die_on_the_wire(moment: str, passings: int, daemon: Daemon, moments: Moments) -> bool:
    """Counted from the start, so that the look-ups of a resumption are among them."""
    dead = moments.expect(moment, passings, daemon.process.kill)
    until_s = time.monotonic() + 2 * PATIENCE_S
    try:
        while not dead.wait(0.05):
            if daemon.process.poll() is not None:
                return is_trading_after_a_while(daemon)
            if daemon.is_trading() and time.monotonic() > until_s:
                break
    finally:
        moments.forget()
    daemon.kill()
    return True


def _killed(daemon: Daemon) -> bool:
    """An engine that the faults ended at its start before the signal came is as dead."""
    if daemon.process.poll() is not None and is_trading_after_a_while(daemon):
        raise DaemonFault(f"it ended before it was killed: {daemon.said[-WORDS_MAX:]}")
    daemon.kill()
    return True
