"""The pair machine: the decision cycle of one symbol, with at most one entry in flight."""

from fsm.table import DEADLINE_PASSED, Ignored, Row, State, Table

IDLE, SIGNALLED, ORDERING, OPEN, CLOSING = "idle", "signalled", "ordering", "open", "closing"

BUY_SIGNALLED = "buy_signalled"
SELL_SIGNALLED = "sell_signalled"
ENTRY_CONSIDERED = "entry_considered"
POSITIONS_CHANGED = "positions_changed"
CONFIGURED = "configured"
ENTRY_ADOPTED = "entry_adopted"

_STATES = (
    State(IDLE, "no position lives and no entry is in flight", initial=True),
    State(SIGNALLED, "a buy signal was accepted and waits for a fresh price", deadline="signal_expiry"),
    State(ORDERING, "one entry is in flight", waits_on="position"),
    State(OPEN, "at least one position lives that is not closing", waits_on="position"),
    State(CLOSING, "every live position is closing", waits_on="position"),
)

_GUARDS = {
    "signal_is_new": "this signal id was never offered before",
    "signal_is_fresh": "the signal has not expired",
    "entry_is_permitted": "the pair and the engine are active: neither exits only nor halted",
    "cooldown_is_over": "the pause after this pair's last deal has passed",
    "outcomes_are_known": "no order of the pair is unknown",
    "price_is_fresh": "the last tick is younger than the limit",
    "risk_allows_entry": "every configured risk check approves the deal",
    "entry_is_done": "no position of this pair is still entering",
    "no_position_lives": "the pair holds no live position besides entering ones",
    "a_position_is_open": "at least one position of the pair is open",
    "every_position_is_closing": "the pair's live positions are all closing",
}

_EFFECTS = {
    "consider_entry": "raise entry_considered in the same turn",
    "plan_entry": "reserve the quota and give birth to the position with its entry order",
    "drop_signal": "forget the signal and keep the reason",
}

_NEW = ("signal_is_new", "signal_is_fresh", "entry_is_permitted", "outcomes_are_known", "cooldown_is_over")
_NONE, _SOME, _ALL = ("no_position_lives",), ("a_position_is_open",), ("every_position_is_closing",)
_DONE = ("entry_is_done",)

# fmt: off
_ROWS = (
    #   source     event              target     guards                                   effects
    Row(IDLE,      BUY_SIGNALLED,     SIGNALLED, _NEW,                                    ("consider_entry",)),
    Row(OPEN,      BUY_SIGNALLED,     SIGNALLED, _NEW,                                    ("consider_entry",)),
    Row(CLOSING,   BUY_SIGNALLED,     SIGNALLED, _NEW,                                    ("consider_entry",)),

    Row(SIGNALLED, ENTRY_CONSIDERED,  ORDERING,  ("entry_is_permitted", "price_is_fresh", "risk_allows_entry"), ("plan_entry",), "asked again: it may have been halted since the signal came"),
    Row(SIGNALLED, ENTRY_CONSIDERED,  IDLE,      ("price_is_fresh", *_NONE),              ("drop_signal",), "risk or permission refused", otherwise=True),
    Row(SIGNALLED, ENTRY_CONSIDERED,  OPEN,      ("price_is_fresh", *_SOME),              ("drop_signal",), "risk or permission refused", otherwise=True),
    Row(SIGNALLED, ENTRY_CONSIDERED,  CLOSING,   ("price_is_fresh", *_ALL),               ("drop_signal",), "risk or permission refused", otherwise=True),
    Row(SIGNALLED, SELL_SIGNALLED,    IDLE,      _NONE,                                   ("drop_signal",), "the market changed its mind before the order left"),
    Row(SIGNALLED, SELL_SIGNALLED,    OPEN,      _SOME,                                   ("drop_signal",)),
    Row(SIGNALLED, SELL_SIGNALLED,    CLOSING,   _ALL,                                    ("drop_signal",)),
    Row(SIGNALLED, DEADLINE_PASSED,   IDLE,      _NONE,                                   ("drop_signal",), "no fresh price came before the signal expired"),
    Row(SIGNALLED, DEADLINE_PASSED,   OPEN,      _SOME,                                   ("drop_signal",)),
    Row(SIGNALLED, DEADLINE_PASSED,   CLOSING,   _ALL,                                    ("drop_signal",)),

    Row(ORDERING,  POSITIONS_CHANGED, IDLE,      (*_DONE, *_NONE)),
    Row(ORDERING,  POSITIONS_CHANGED, OPEN,      (*_DONE, *_SOME)),
    Row(ORDERING,  POSITIONS_CHANGED, CLOSING,   (*_DONE, *_ALL),                         (), "the entry filled and left again in one turn"),
    Row(ORDERING,  POSITIONS_CHANGED, ORDERING,  (),                                      (), "another deal of the pair moved", otherwise=True),
    Row(SIGNALLED, POSITIONS_CHANGED, SIGNALLED, (),                                      (), "the pair settles when its signal does"),
    Row(OPEN,      POSITIONS_CHANGED, IDLE,      _NONE),
    Row(OPEN,      POSITIONS_CHANGED, CLOSING,   _ALL),
    Row(OPEN,      POSITIONS_CHANGED, OPEN,      _SOME,                                   (), "one of several deals moved"),
    Row(CLOSING,   POSITIONS_CHANGED, IDLE,      _NONE),
    Row(CLOSING,   POSITIONS_CHANGED, CLOSING,   _ALL,                                    (), "one of several deals ended"),
    Row(CLOSING,   POSITIONS_CHANGED, OPEN,      _SOME,                                   (), "an entry that was given up filled late"),
    Row(IDLE,      POSITIONS_CHANGED, IDLE,      _NONE,                                   (), "a deal that had ended was corrected"),
    Row(IDLE,      POSITIONS_CHANGED, OPEN,      _SOME,                                   (), "an entry that was given up filled late"),
    Row(IDLE,      POSITIONS_CHANGED, CLOSING,   _ALL,                                    (), "it filled late and is leaving already"),

    Row(IDLE,      ENTRY_ADOPTED,     ORDERING,  (),                                      (), "a person gives it a purchase that rests at the exchange"),
    Row(OPEN,      ENTRY_ADOPTED,     ORDERING),
    Row(CLOSING,   ENTRY_ADOPTED,     ORDERING),

    Row(IDLE,      CONFIGURED,        IDLE,      (),                                      (), "the pair is traded from now on, or by other strategies"),
    Row(SIGNALLED, CONFIGURED,        SIGNALLED),
    Row(ORDERING,  CONFIGURED,        ORDERING),
    Row(OPEN,      CONFIGURED,        OPEN),
    Row(CLOSING,   CONFIGURED,        CLOSING),
)
# fmt: on

PAIR = Table(
    name="pair",
    states=_STATES,
    rows=_ROWS,
    guards=_GUARDS,
    effects=_EFFECTS,
    ignored=(
        Ignored((SIGNALLED, ORDERING), BUY_SIGNALLED, "one entry of this pair is in flight already"),
        Ignored((SIGNALLED, ORDERING), ENTRY_ADOPTED, "one entry of this pair is in flight already"),
        Ignored((IDLE, ORDERING, OPEN, CLOSING), SELL_SIGNALLED, "the positions answer a sell signal"),
    ),
    exclusive=(frozenset({"no_position_lives", "a_position_is_open", "every_position_is_closing"}),),
)
