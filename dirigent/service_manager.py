"""What a service manager is told by datagrams: ready, alive, stopping; the protocol of systemd's `sd_notify`."""

import asyncio
import os
import socket

from loguru import logger

from dirigent.running import Run

SOCKET = "NOTIFY_SOCKET"
INTERVAL_S = 5.0
"""Between two words when no watchdog wants them more often."""
_PATIENCE_S = 0.1


def notify(message: str) -> bool:
    """Sends one message; False where nobody listens. Never raises, and never waits longer than a moment."""
    address = os.environ.get(SOCKET, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.settimeout(_PATIENCE_S)
            sending.sendto(message.encode(), address)
    except OSError as error:
        logger.bind(event="service_manager_deaf", error=repr(error)).debug("service_manager_deaf")
        return False
    return True


def watchdog_s() -> float | None:
    """After how long without a word the manager kills this process; None when it does not watch it."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    written = os.environ.get("WATCHDOG_USEC", "")
    return int(written) / 1_000_000 if written.isdigit() and int(written) else None


async def report(run: Run) -> None:
    """Ready now, since trading has begun; alive as long as the event loop turns; stopping at the end.

    A loop that hangs sends nothing, and the manager starts the engine anew, which resumes.
    """
    if SOCKET not in os.environ:
        return
    limit_s = watchdog_s()
    pause_s = INTERVAL_S if limit_s is None else min(INTERVAL_S, limit_s / 3)
    notify("READY=1")
    try:
        while not run.stop.is_set():
            notify(f"WATCHDOG=1\nSTATUS={run.heartbeat.line()}")
            await asyncio.sleep(pause_s)
    finally:
        notify("STOPPING=1")
