"""Planted keys: the real engine trades with them over HTTP, logs all it can, and writes them nowhere."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from dirigent.configuration.sample import literal
from dirigent.logging_secrets import MASK
from dirigent.proofs.death import daemons
from dirigent.proofs.death.daemons import PATIENCE_S, Daemon, Place, surroundings
from dirigent.rehearsal.chaos import Chaos
from dirigent.rehearsal.faults import Fault
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings

API_KEY = "fake-planted-api-key-7f3a9c1e5b"
UNWRITTEN = {"keys.toml", "private.pem"}
"""Where the keys stand. Nothing else may hold them."""

PRIVATE = ed25519.Ed25519PrivateKey.generate()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
BODY = PEM.splitlines()[1]
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

SECRET = "fakePlantedSecretOfHmacKind0123456789abcdefghijABCDEFGHIJ4hK2mN7q"


@dataclass(frozen=True)
class Planting:
    """One way to give the engine its keys: what is configured, written and set, and how the exchange knows them."""

    exchange: str
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = (API_KEY, SECRET, SECRET[:32], SECRET[32:])


PRIVATE_KEY = Planting(
    'key_file = "keys.toml"\nprivate_key_file = "private.pem"',
    files={"keys.toml": f'apiKey = "{API_KEY}"\n', "private.pem": PEM},
    known={"public_key": PUBLIC},
    secrets=(API_KEY, BODY, BODY[:32], BODY[32:]),
)
SECRET_IN_FILE = Planting(
    'key_file = "keys.toml"',
    files={"keys.toml": f'apiKey = "{API_KEY}"\nsecret = "{SECRET}"\n'},
    known={"secret": SECRET},
)
SECRET_IN_ENVIRONMENT = Planting(
    'key_variables = "PLANTED"',
    variables={"PLANTED_API_KEY": API_KEY, "PLANTED_SECRET": SECRET},
    known={"secret": SECRET},
)

CONFIGURATION = """mode = "live"
[exchange]
id = "binance"
{keys}
[exchange.options]
verbose = true
urls = {urls}
[logging]
level = "TRACE"
file = "engine.log"
json = {json}
[[pairs]]
symbol = "BTC/USDT"
strategy = "sma_cross"
params = {{ fast = 2, slow = 4 }}
deal_quota = "50"
take_profit = "0.0005"
stop_loss = "0.0005"
max_hold_s = 0.5
"""


def planted(
    directory: Path, server: Rehearsal, planting: Planting = PRIVATE_KEY, *, as_json: bool = False
) -> Place:
    for name, text in planting.files.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    urls = literal(server.ccxt_options()["urls"])
    written = CONFIGURATION.format(keys=planting.exchange, urls=urls, json=str(as_json).lower())
    return Place.make(directory, written)


async def until(holds: Callable[[], bool], complaint: Callable[[], str]) -> None:
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline_s, complaint()
        await asyncio.sleep(0.05)


def leaks(directory: Path, secrets: tuple[str, ...] = PRIVATE_KEY.secrets) -> list[str]:
    """Every file that holds a planted key, as bytes: logs, databases and their write-ahead logs."""
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name not in UNWRITTEN:
            content = path.read_bytes()
            found += [f"{path.name}: {one[:8]}..." for one in secrets if one.encode() in content]
    return found


def command_line_of(pid: int) -> bytes:
    """What every user of the machine can see."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize(
    "planting",
    [PRIVATE_KEY, SECRET_IN_FILE, SECRET_IN_ENVIRONMENT],
    ids=["private key file", "secret in a file", "secret in the environment"],
)
async def test_what_the_engine_writes_holds_no_key(
    tmp_path: Path, planting: Planting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "surroundings", lambda: {**surroundings(), **planting.variables})
    settings = RehearsalSettings(
        api_key=API_KEY,
        ticks_per_s=50,
        chaos=Chaos(server_error=0.02),
        symbols=("BTC/USDT",),
        **planting.known,
    )
    async with Rehearsal(settings) as server:
        place = planted(tmp_path, server, planting)
        with Daemon(place, "--live", "-vv") as daemon:
            await until(lambda: len(server.venue.desk.orders) >= 4, lambda: daemon.said[-3000:])
            server.venue.faults.arm(Fault.LOST_RESPONSE, times=1)
            known = len(server.venue.desk.orders)
            await until(lambda: len(server.venue.desk.orders) >= known + 3, lambda: daemon.said[-3000:])
            shown = command_line_of(daemon.process.pid)
            outputs = await asyncio.gather(
                *(
                    asyncio.to_thread(place.run, *words)
                    for words in (("status", "--json"), ("journal", "--json"))
                )
            )
            assert await asyncio.to_thread(daemon.stop) == 0, daemon.said[-3000:]
        examined = await asyncio.to_thread(place.run, "doctor", "--json", "-vv")
    assert examined.returncode == 0, examined.stderr[-2000:]
    written = "".join(ended.stdout + ended.stderr for ended in (*outputs, examined))
    assert "binance" in written
    log = (tmp_path / "engine.log").read_text()
    assert "X-MBX-APIKEY" in log, "ccxt said nothing of its requests: this proves nothing"
    assert MASK in log
    assert [one for one in planting.secrets if one in written or one.encode() in shown] == []
    assert leaks(tmp_path, planting.secrets) == []


async def test_a_wrong_start_says_nothing_of_the_key(tmp_path: Path) -> None:
    async with Rehearsal(RehearsalSettings(api_key="another", symbols=("BTC/USDT",))) as server:
        place = planted(tmp_path, server, as_json=True)
        (tmp_path / "private.pem").chmod(0o644)
        refused = await asyncio.to_thread(place.run, "trade", "--live")
        assert refused.returncode == 2
        (tmp_path / "private.pem").chmod(0o600)
        failed = await asyncio.to_thread(place.run, "trade", "--live", "-vv", "--duration", "5")
        assert failed.returncode in (1, 2), failed.stderr[-2000:]
    written = refused.stdout + refused.stderr + failed.stdout + failed.stderr
    assert "chmod 600" in written
    assert [one for one in PRIVATE_KEY.secrets if one in written] == []
    assert leaks(tmp_path) == []


UNCAUGHT = """
import asyncio, gc, sys, threading
from pathlib import Path
from dirigent.configuration.keys import resolve_keys
from dirigent.configuration.sections import LoggingSection
from dirigent.configuration.settings import load_settings
from dirigent.logging_setup import configure_logging

configure_logging(LoggingSection(), terminal=False)
keys = resolve_keys(load_settings(["dirigent.toml"])).as_ccxt()

async def fails():
    raise RuntimeError(f"in a task: {keys}")

async def forgets():
    asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

def in_a_thread():
    raise RuntimeError(f"in a thread: {keys!r}")

asyncio.run(forgets())
gc.collect()
thread = threading.Thread(target=in_a_thread)
thread.start()
thread.join()
raise RuntimeError(f"at the end: {keys['secret']}")
"""


async def test_an_exception_that_nobody_caught_is_told_without_the_key(tmp_path: Path) -> None:
    async with Rehearsal(RehearsalSettings()) as server:
        planted(tmp_path, server)
    (tmp_path / "uncaught.py").write_text(UNCAUGHT)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "uncaught.py",
        cwd=tmp_path,
        env=surroundings(),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    text = said.decode()
    for place in ("in a task", "in a thread", "at the end"):
        assert place in text
    assert "Task exception was never retrieved" in text
    assert [one for one in PRIVATE_KEY.secrets if one in text] == []
