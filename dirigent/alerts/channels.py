"""One channel to people, by apprise: a message is handed to a thread of its own, and nothing ever waits for it."""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dirigent.alerts.secrecy import scheme_of, secrets_of
from dirigent.logging_secrets import masked_text, redact

if TYPE_CHECKING:
    from apprise import NotifyBase

PATIENCE_S = 30.0
"""After which a message counts as not told. Its thread may go on: no second one is begun before it ends."""


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a channel took a message, and what it said when it did not, without secrets."""

    taken: bool
    reason: str = ""


@dataclass(slots=True)
class Channel:
    """`name` is for people, `key` for the store: neither gives the address away."""

    name: str
    key: str
    notifier: "NotifyBase" = field(repr=False)
    patience_s: float = PATIENCE_S
    _is_busy: bool = False

    async def tell(self, message: Message) -> Answer:
        """Never raises, and never takes longer than the patience."""
        if self._is_busy:
            return Answer(False, "the message before is still on its way")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def hand_back(answer: Answer) -> None:
            self._is_busy = False
            if not answered.done():
                answered.set_result(answer)

        def work() -> None:
            answer = send(self.notifier, message)
            with suppress(RuntimeError):  # the engine has stopped meanwhile: nobody waits any more
                loop.call_soon_threadsafe(hand_back, answer)

        # A daemon thread: those of the loop's executor are waited for when the engine stops.
        threading.Thread(target=work, name=f"alerts {self.name}", daemon=True).start()
        self._is_busy = True
        try:
            async with asyncio.timeout(self.patience_s):
                return await answered
        except TimeoutError:
            return Answer(False, f"no answer within {self.patience_s:g} s")


def send(notifier: "NotifyBase", message: Message) -> Answer:
    """Blocks until the channel has answered; its libraries have time-outs, and not for everything."""
    from apprise import NotifyType

    kind = NotifyType.WARNING if message.is_urgent else NotifyType.INFO
    with _Overheard() as heard:
        try:
            body = masked_text(message.body)  # an exchange's or a strategy's own words may hold anything
            taken = bool(notifier.notify(body=body, title=message.title, notify_type=kind))
        except (
            Exception
        ) as error:  # a hundred plug-ins over as many libraries: whatever they raise is a refusal
            return Answer(False, masked_text(repr(error)))
    return Answer(taken, "" if taken else heard.words() or "the channel did not take it")


class _Overheard(logging.Handler):
    """What apprise logs in this thread while a message is sent: it returns no reason."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._lines.append(record.getMessage())

    def words(self) -> str:
        return masked_text("; ".join(self._lines[-2:]))

    def __enter__(self) -> "_Overheard":
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


def open_channels(
    urls: Sequence[str], on_unusable: Callable[[str], None], patience_s: float = PATIENCE_S
) -> list[Channel]:
    """The channels that apprise can make of these addresses; the others are named to `on_unusable`.

    Importing and asking apprise takes most of a second, once.
    """
    from apprise import Apprise

    quieten()
    for secret in secrets_of(urls):
        redact(secret)
    channels: list[Channel] = []
    seen: dict[str, int] = {}
    for number, url in enumerate(urls, 1):
        name = f"{number} ({scheme_of(url)})"
        notifier = Apprise.instantiate(url)
        if notifier is None:
            on_unusable(name)
            continue
        known = hashlib.sha256(_masked_address(notifier).encode()).hexdigest()[:12]
        seen[known] = seen.get(known, 0) + 1
        channels.append(Channel(name, f"{known}-{seen[known]}", notifier, patience_s))
    return channels


def _masked_address(notifier: "NotifyBase") -> str:
    masked: str = notifier.url(privacy=True)  # type: ignore[no-untyped-call]  # apprise says no type here
    return masked


def quieten() -> None:
    """What these libraries log may hold an address, and would go to stderr past every mask."""
    for library in ("apprise", "urllib3", "requests"):
        logger = logging.getLogger(library)
        logger.propagate = False
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
