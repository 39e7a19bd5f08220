"""Under which address others reach this machine, where a server listens on all of its addresses."""

import socket
from ipaddress import ip_address

_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of documentation (RFC 5737, RFC 3849): nothing is sent there, a route to them is looked up."""


def is_every_address(host: str) -> bool:
    """Whether it stands for all addresses of a machine, as 0.0.0.0 does, and names none."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def reachable_host(bound_to: str) -> str:
    """The address itself; for one that stands for all, the machine's own on its way out, or else its name."""
    if not is_every_address(bound_to):
        return bound_to
    families = (socket.AF_INET6, socket.AF_INET) if ":" in bound_to else (socket.AF_INET,)
    for family in families:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.connect((_ELSEWHERE[family], 9))
                return str(asking.getsockname()[0])
        except OSError:  # no route by this family
            continue
    return socket.gethostname()
