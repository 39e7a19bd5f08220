"""A strategy that never comes back would stop every pair: a timer's signal breaks it off."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from services.strategies.budget import break_off_if_longer_than

HANGS_AFTER_S = 1.0


@contextmanager
def hanging_strategies_broken_off(after_s: float = HANGS_AFTER_S) -> Iterator[None]:
    """For the length of the block, which may be within another such block. In any thread but the main one, to which
    signals go, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: break_off_if_longer_than(int(after_s * 1e9)))
    timer_before = signal.setitimer(signal.ITIMER_REAL, after_s / 2, after_s / 2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer_before)
