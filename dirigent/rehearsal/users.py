"""The user stream: reports of orders and balances, to whoever has subscribed with a signature or a listen key."""

import asyncio
import secrets
from dataclasses import dataclass

from dirigent.rehearsal.connection import Connection, encoded
from dirigent.rehearsal.faults import Fault, Faults
from dirigent.rehearsal.shapes import Json

_HELD_BACK_S = 0.25
"""How long the report of an order waits for another to overtake it; those of balances only go past."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """`number` None: a listen key's stream, whose events come bare."""

    connection: Connection
    number: int | None

    def send(self, frame: str) -> None:
        if self.number is not None:
            frame = f'{{"subscriptionId":{self.number},"event":{frame}}}'
        self.connection.send(frame)


class Users:
    """What is sent here may be lost, doubled or overtaken, where the faults say so."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.subscriptions: list[Subscription] = []
        self._numbers = 0
        self._held: list[str] = []
        self._release: asyncio.TimerHandle | None = None
        self.listen_keys: set[str] = set()

    def new_listen_key(self) -> str:
        listen_key = secrets.token_hex(32)
        self.listen_keys.add(listen_key)
        return listen_key

    def subscribe(self, connection: Connection, *, bare: bool = False) -> int | None:
        number = None
        if not bare:
            number = self._numbers
            self._numbers += 1
        self.subscriptions.append(Subscription(connection, number))
        return number

    def forget(self, connection: Connection, number: int | None = None) -> None:
        """Ends one subscription of a connection, or all of them."""
        self.subscriptions = [
            held
            for held in self.subscriptions
            if held.connection is not connection or (number is not None and held.number != number)
        ]

    def report(self, event: Json) -> None:
        if not self.subscriptions:
            return
        fault = self._faults.of_report()
        if fault is Fault.LOST_REPORT:
            return
        frame = encoded(event)
        is_of_order = event["e"] == "executionReport"
        if fault is Fault.REORDERED_REPORT and is_of_order:
            self._held.append(frame)
            if self._release is None:
                self._release = asyncio.get_running_loop().call_later(_HELD_BACK_S, self._send_held)
            return
        self._send(frame)
        if fault is Fault.DUPLICATE_REPORT:
            self._send(frame)
        if is_of_order:
            self._send_held()

    def close(self) -> None:
        if self._release is not None:
            self._release.cancel()

    def _send_held(self) -> None:
        if self._release is not None:
            self._release.cancel()
            self._release = None
        held, self._held = self._held, []
        for frame in held:
            self._send(frame)

    def _send(self, frame: str) -> None:
        for subscription in self.subscriptions:
            subscription.send(frame)
