"""Two daemons started at the same moment on one database: one trades, the other is refused."""

from dataclasses import dataclass
from pathlib import Path

from dirigent.proofs.death.configurations import Market, restless
from dirigent.proofs.death.daemons import Daemon, Place, wait_until
from dirigent.proofs.death.settling import settled_differences

REFUSED = 2


@dataclass(frozen=True, slots=True)
class RivalryReport:
    rounds: int
    refused_with: list[int]
    """The exit code of each round's loser."""
    wrong: list[str]


def start_two_at_once(directory: Path, rounds: int, seed: int) -> RivalryReport:
    """The first round makes the database; each winner is killed, so that the next round resumes."""
    market = Market(seed=seed)
    place = Place.make(directory, restless(market))
    codes: list[int] = []
    wrong: list[str] = []
    for number in range(1, rounds + 1):
        logs = [directory / f"daemon{number}{side}.log" for side in "ab"]
        with Daemon(place, log=logs[0]) as one, Daemon(place, log=logs[1]) as other:
            loser, winner = _loser_and_winner(one, other)
            codes.append(loser.wait())
            if codes[-1] != REFUSED or "is using it; stop that engine first" not in loser.said:
                wrong.append(f"round {number}: the loser ended with {codes[-1]}: {loser.said}")
            if loser.is_trading():
                wrong.append(f"round {number}: both traded")
            winner.wait_until_trading()
            winner.kill()
    return RivalryReport(rounds, codes, wrong + settled_differences(place, market))


def _loser_and_winner(one: Daemon, other: Daemon) -> tuple[Daemon, Daemon]:
    wait_until(
        lambda: one.process.poll() is not None or other.process.poll() is not None,
        lambda: f"both live: {one.said} {other.said}",
    )
    return (one, other) if one.process.poll() is not None else (other, one)
