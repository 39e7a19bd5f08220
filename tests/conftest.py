"""For every test: properties are judged by what holds, not by speed; Ctrl-C reaches the commands that tests start."""

import signal

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores the signal, and so would every command begun from it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
