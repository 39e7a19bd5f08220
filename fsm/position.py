"""The position machine: the life of one deal from its signal to its money."""

from fsm.table import DEADLINE_PASSED, Ignored, Row, State, Table

IDLE, SIGNALLED, ORDERING, OPEN, CLOSING = "idle", "signalled", "ordering", "open", "closing"
CLOSED, ABANDONED, DUST = "closed", "abandoned", "dust"

ENTRY_SIGNALLED = "entry_signalled"
ENTRY_PLANNED = "entry_planned"
ENTRY_FILLED_FURTHER = "entry_filled_further"
ENTRY_ENDED = "entry_ended"
ENTRY_WENT_STALE = "entry_went_stale"
EXIT_TRIGGERED = "exit_triggered"
EXIT_FILLED_FURTHER = "exit_filled_further"
EXIT_ENDED = "exit_ended"
HOLDING_ADOPTED = "holding_adopted"
ENTRY_ADOPTED = "entry_adopted"
POSITION_DETACHED = "position_detached"

_STATES = (
    State(IDLE, "conceived and not yet signalled", initial=True),
    State(SIGNALLED, "bound to the signal that wants it"),
    State(ORDERING, "its entry order is in flight", deadline="entry_age"),
    State(OPEN, "it holds coins and watches its exits", deadline="holding_time"),
    State(CLOSING, "its exit order is in flight or about to be repeated", deadline="exit_patience"),
    State(CLOSED, "sold, or given up by a person; its money is booked", final=True),
    State(ABANDONED, "nothing was ever bought", final=True),
    State(DUST, "what was bought is below the exchange's minimum; its cost is booked", final=True),
)

_GUARDS = {
    "holding_is_sellable": "what is held meets the exchange's minimum amount and notional",
    "holding_is_dust": "something is held that the exchange would not take",
    "nothing_is_held": "no coin is held",
    "entry_is_cancellable": "an entry order rests at the exchange",
    "entry_may_be_replaced": "the entry was withdrawn as stale and attempts are left",
    "no_exit_is_live": "no exit order is in flight",
    "exit_is_cancellable": "an exit order rests at the exchange",
}

_EFFECTS = {
    "submit_entry": "plan the next entry order",
    "cancel_entry": "ask for the entry order's cancellation",
    "submit_exit": "plan the next exit order over all that is held",
    "cancel_exit": "ask for the exit order's cancellation",
    "arm_exits": "set the exit levels; leave at once when an exit was asked for meanwhile",
    "note_exit": "remember why it has to leave",
    "rearm_deadline": "wait once more, from now",
    "book_result": "book the realised profit or loss, the cost of dust included",
    "tell_pair": "raise positions_changed on the pair",
}

_SELLABLE, _DUST, _NOTHING = ("holding_is_sellable",), ("holding_is_dust",), ("nothing_is_held",)
_END = ("book_result", "tell_pair")

# fmt: off
_ROWS = (
    #   source     event                 target     guards                                   effects
    Row(IDLE,      ENTRY_SIGNALLED,      SIGNALLED),
    Row(SIGNALLED, ENTRY_PLANNED,        ORDERING,  (),                                      ("submit_entry",)),
    Row(IDLE,      HOLDING_ADOPTED,      OPEN,      _SELLABLE,                               ("arm_exits", "tell_pair"), "a person gives it coins that the account holds"),
    Row(IDLE,      ENTRY_ADOPTED,        ORDERING,  (),                                      (), "a person gives it a purchase that rests at the exchange"),

    Row(ORDERING,  ENTRY_FILLED_FURTHER, ORDERING),
    Row(ORDERING,  ENTRY_ENDED,          OPEN,      _SELLABLE,                               ("arm_exits", "tell_pair"), "filled, or cancelled after a partial fill: what filled is the position"),
    Row(ORDERING,  ENTRY_ENDED,          DUST,      _DUST,                                   _END, "too little filled to ever be sold"),
    Row(ORDERING,  ENTRY_ENDED,          ORDERING,  (*_NOTHING, "entry_may_be_replaced"),    ("submit_entry", "rearm_deadline")),
    Row(ORDERING,  ENTRY_ENDED,          ABANDONED, _NOTHING,                                _END, otherwise=True),
    Row(ORDERING,  ENTRY_WENT_STALE,     ORDERING,  ("entry_is_cancellable",),               ("cancel_entry",), "the market moved away"),
    Row(ORDERING,  DEADLINE_PASSED,      ORDERING,  ("entry_is_cancellable",),               ("cancel_entry", "rearm_deadline"), "the entry order is too old"),
    Row(ORDERING,  DEADLINE_PASSED,      ORDERING,  (),                                      ("rearm_deadline",), "the order's own deadlines settle it first", otherwise=True),
    Row(ORDERING,  EXIT_TRIGGERED,       ORDERING,  ("entry_is_cancellable",),               ("note_exit", "cancel_entry"), "first stop buying, then sell what filled"),
    Row(ORDERING,  EXIT_TRIGGERED,       ORDERING,  (),                                      ("note_exit",), "it leaves as soon as the entry has ended", otherwise=True),

    Row(OPEN,      EXIT_TRIGGERED,       CLOSING,   _SELLABLE,                               ("note_exit", "submit_exit", "tell_pair")),
    Row(OPEN,      EXIT_TRIGGERED,       DUST,      _DUST,                                   ("note_exit", *_END), "the price fell until the holding was worth less than the minimum"),
    Row(OPEN,      DEADLINE_PASSED,      CLOSING,   _SELLABLE,                               ("note_exit", "submit_exit", "tell_pair"), "held for as long as allowed"),
    Row(OPEN,      DEADLINE_PASSED,      DUST,      _DUST,                                   ("note_exit", *_END)),
    Row(OPEN,      ENTRY_FILLED_FURTHER, OPEN,      (),                                      ("arm_exits",), "the cancel lost its race"),
    Row(OPEN,      EXIT_FILLED_FURTHER,  OPEN,      (*_SELLABLE,),                           (), "an exit that was given up filled late"),
    Row(OPEN,      EXIT_FILLED_FURTHER,  CLOSED,    (),                                      _END, "an exit that was given up filled late and sold all", otherwise=True),

    Row(CLOSING,   EXIT_FILLED_FURTHER,  CLOSING),
    Row(CLOSING,   EXIT_ENDED,           CLOSING,   _SELLABLE,                               ("rearm_deadline",), "rejected or cut short: it is repeated after a pause, for ever"),
    Row(CLOSING,   EXIT_ENDED,           CLOSED,    (),                                      _END, "the rest, if any, is dust", otherwise=True),
    Row(CLOSING,   DEADLINE_PASSED,      CLOSING,   ("no_exit_is_live", *_SELLABLE),         ("submit_exit", "rearm_deadline")),
    Row(CLOSING,   DEADLINE_PASSED,      CLOSED,    ("no_exit_is_live",),                    _END, "the price fell until the rest was dust", otherwise=True),
    Row(CLOSING,   DEADLINE_PASSED,      CLOSING,   ("exit_is_cancellable",),                ("cancel_exit", "rearm_deadline"), "the exit rests for too long: cancel it, then repeat it", otherwise=True),
    Row(CLOSING,   DEADLINE_PASSED,      CLOSING,   (),                                      ("rearm_deadline",), "the order's own deadlines settle it first", otherwise=True),
    Row(CLOSING,   ENTRY_FILLED_FURTHER, CLOSING,   (),                                      (), "bought late: the next exit sells it too"),

    Row(ABANDONED, ENTRY_FILLED_FURTHER, OPEN,      _SELLABLE,                               ("arm_exits", "tell_pair"), "an entry that was given up filled late"),
    Row(ABANDONED, ENTRY_FILLED_FURTHER, DUST,      _DUST,                                   _END),
    Row(DUST,      ENTRY_FILLED_FURTHER, OPEN,      _SELLABLE,                               ("arm_exits", "tell_pair")),
    Row(DUST,      ENTRY_FILLED_FURTHER, DUST,      _DUST,                                   _END),
    Row(CLOSED,    ENTRY_FILLED_FURTHER, OPEN,      _SELLABLE,                               ("arm_exits", "tell_pair"), "a fill after the end is still ours"),
    Row(CLOSED,    ENTRY_FILLED_FURTHER, CLOSED,    _DUST,                                   _END),
    Row(CLOSED,    EXIT_FILLED_FURTHER,  CLOSED,    (),                                      _END, "an exit order sold dust late"),
    Row(DUST,      EXIT_FILLED_FURTHER,  DUST,      (),                                      _END, "an exit order sold dust late"),

    Row(OPEN,      POSITION_DETACHED,    CLOSED,    (),                                      _END, "its coins are gone, says a person: they count as sold for nothing"),
    Row(CLOSING,   POSITION_DETACHED,    CLOSED,    ("no_exit_is_live",),                    _END),
    Row(DUST,      POSITION_DETACHED,    CLOSED,    (),                                      _END),
    Row(CLOSED,    POSITION_DETACHED,    CLOSED,    (),                                      _END, "the dust it left is gone"),
)
# fmt: on

POSITION = Table(
    name="position",
    states=_STATES,
    rows=_ROWS,
    guards=_GUARDS,
    effects=_EFFECTS,
    ignored=(
        Ignored(
            (OPEN, CLOSING, DUST, ABANDONED, CLOSED),
            ENTRY_ENDED,
            "a late end of an entry that no longer decides anything",
        ),
        Ignored((OPEN, CLOSED, DUST), EXIT_ENDED, "a late end of an exit that no longer decides anything"),
        Ignored((CLOSING,), EXIT_TRIGGERED, "it is leaving already"),
        Ignored((CLOSED, ABANDONED, DUST), EXIT_TRIGGERED, "it has ended"),
        Ignored((ORDERING,), POSITION_DETACHED, "its entry order is settled first"),
        Ignored((ABANDONED,), POSITION_DETACHED, "it never held anything"),
    ),
    exclusive=(frozenset({"holding_is_sellable", "holding_is_dust", "nothing_is_held"}),),
)
