"""The order machine: what is known of one order at the exchange, never more."""

from fsm.table import DEADLINE_PASSED, Ignored, Row, State, Table

PLANNED, SUBMITTING, WORKING = "planned", "submitting", "working"
PARTIALLY_FILLED, CANCELLING, UNKNOWN = "partially_filled", "cancelling", "unknown"
FILLED, CANCELLED, REJECTED, EXPIRED = "filled", "cancelled", "rejected", "expired"

ORDER_SUBMITTED = "order_submitted"
ORDER_ACCEPTED = "order_accepted"
ORDER_PARTIALLY_FILLED = "order_partially_filled"
ORDER_FILLED = "order_filled"
ORDER_CANCELLED = "order_cancelled"
ORDER_REJECTED = "order_rejected"
ORDER_EXPIRED = "order_expired"
ORDER_ABSENT = "order_absent"
CANCEL_REQUESTED = "cancel_requested"
CANCEL_REFUSED = "cancel_refused"
OUTCOME_LOST = "outcome_lost"
ORDER_FOUND_ALIVE = "order_found_alive"
ORDER_ADOPTED = "order_adopted"
ENGINE_RESTARTED = "engine_restarted"

_STATES = (
    State(PLANNED, "decided, not yet on disk", initial=True),
    State(SUBMITTING, "on disk; the request may be on its way", deadline="acknowledgement"),
    State(WORKING, "resting at the exchange, nothing filled", deadline="check_in"),
    State(PARTIALLY_FILLED, "resting at the exchange, partly filled", deadline="check_in"),
    State(CANCELLING, "its cancellation was asked for", deadline="cancellation"),
    State(UNKNOWN, "nobody knows; it is left on evidence only", deadline="next_look_up"),
    State(FILLED, "filled to its amount", final=True),
    State(CANCELLED, "cancelled; what filled before counts", final=True),
    State(REJECTED, "surely refused, or proved never to have arrived", final=True),
    State(EXPIRED, "ended by the exchange; what filled before counts", final=True),
)

_GUARDS = {
    "absence_is_proved": "the exchange's window for late requests has passed and every source says no",
    "nothing_has_filled": "no fill of this order is known",
    "cancel_is_wanted": "its cancellation was asked for and never confirmed, or its position went on without it",
}

_EFFECTS = {
    "send_order": "outbox: create the order at the exchange",
    "send_cancel": "outbox: cancel the order at the exchange",
    "look_up_order": "outbox: ask the exchange for the order, then its trades",
    "tell_fill": "raise entry_filled_further or exit_filled_further on the position",
    "tell_end": "raise entry_ended or exit_ended on the position, with the report's fills unless told already",
    "rearm_deadline": "wait once more, from now",
    "note_anomaly": "count it and quarantine the pair's entries",
}

_FILL, _END, _LATE = ("tell_fill",), ("tell_end",), ("tell_fill", "tell_end")
_LOOK = ("look_up_order", "rearm_deadline")
_STOP = ("send_cancel", "note_anomaly")

# fmt: off
_ROWS = (
    #   source            event                   target            guards                    effects
    Row(PLANNED,          ORDER_SUBMITTED,        SUBMITTING,       (),                       ("send_order",)),
    Row(PLANNED,          ORDER_ADOPTED,          UNKNOWN,          (),                       _LOOK, "a person adopts an order that rests at the exchange: look before believing"),

    Row(SUBMITTING,       ORDER_ACCEPTED,         WORKING),
    Row(SUBMITTING,       ORDER_PARTIALLY_FILLED, PARTIALLY_FILLED, (),                       _FILL, "the fill overtook the acknowledgement"),
    Row(SUBMITTING,       ORDER_FILLED,           FILLED,           (),                       _END),
    Row(SUBMITTING,       ORDER_CANCELLED,        CANCELLED,        (),                       _END, "an order for immediate execution, or the exchange's own cancel"),
    Row(SUBMITTING,       ORDER_REJECTED,         REJECTED,         (),                       _END),
    Row(SUBMITTING,       ORDER_EXPIRED,          EXPIRED,          (),                       _END),
    Row(SUBMITTING,       OUTCOME_LOST,           UNKNOWN,          (),                       _LOOK),
    Row(SUBMITTING,       DEADLINE_PASSED,        UNKNOWN,          (),                       _LOOK, "a time-out is not a failure"),
    Row(SUBMITTING,       ENGINE_RESTARTED,       UNKNOWN,          (),                       _LOOK, "the request may have left before the process died"),

    Row(WORKING,          ORDER_PARTIALLY_FILLED, PARTIALLY_FILLED, (),                       _FILL),
    Row(WORKING,          ORDER_FILLED,           FILLED,           (),                       _END),
    Row(WORKING,          ORDER_CANCELLED,        CANCELLED,        (),                       _END),
    Row(WORKING,          ORDER_REJECTED,         REJECTED,         (),                       _END, "refused after an early acknowledgement"),
    Row(WORKING,          ORDER_EXPIRED,          EXPIRED,          (),                       _END),
    Row(WORKING,          CANCEL_REQUESTED,       CANCELLING,       (),                       ("send_cancel",)),
    Row(WORKING,          OUTCOME_LOST,           WORKING,          (),                       (), "a failed question is no answer"),
    Row(WORKING,          ORDER_ABSENT,           UNKNOWN,          (),                       _LOOK),
    Row(WORKING,          DEADLINE_PASSED,        WORKING,          (),                       _LOOK, "reports can be lost: ask now and then"),
    Row(WORKING,          ENGINE_RESTARTED,       WORKING,          (),                       _LOOK),

    Row(PARTIALLY_FILLED, ORDER_PARTIALLY_FILLED, PARTIALLY_FILLED, (),                       _FILL),
    Row(PARTIALLY_FILLED, ORDER_FILLED,           FILLED,           (),                       _END),
    Row(PARTIALLY_FILLED, ORDER_CANCELLED,        CANCELLED,        (),                       _END),
    Row(PARTIALLY_FILLED, ORDER_EXPIRED,          EXPIRED,          (),                       _END),
    Row(PARTIALLY_FILLED, ORDER_REJECTED,         CANCELLED,        (),                       _END, "the rest was refused; what filled counts"),
    Row(PARTIALLY_FILLED, CANCEL_REQUESTED,       CANCELLING,       (),                       ("send_cancel",)),
    Row(PARTIALLY_FILLED, OUTCOME_LOST,           PARTIALLY_FILLED, (),                       (), "a failed question is no answer"),
    Row(PARTIALLY_FILLED, ORDER_ABSENT,           UNKNOWN,          (),                       _LOOK),
    Row(PARTIALLY_FILLED, DEADLINE_PASSED,        PARTIALLY_FILLED, (),                       _LOOK),
    Row(PARTIALLY_FILLED, ENGINE_RESTARTED,       PARTIALLY_FILLED, (),                       _LOOK),

    Row(CANCELLING,       ORDER_PARTIALLY_FILLED, CANCELLING,       (),                       _FILL),
    Row(CANCELLING,       ORDER_FILLED,           FILLED,           (),                       _END, "the cancel lost its race"),
    Row(CANCELLING,       ORDER_CANCELLED,        CANCELLED,        (),                       _END),
    Row(CANCELLING,       ORDER_REJECTED,         REJECTED,         (),                       _END),
    Row(CANCELLING,       ORDER_EXPIRED,          EXPIRED,          (),                       _END),
    Row(CANCELLING,       CANCEL_REFUSED,         UNKNOWN,          (),                       _LOOK, "not found may mean cancelled or filled: look, do not believe"),
    Row(CANCELLING,       OUTCOME_LOST,           UNKNOWN,          (),                       (), "its deadline asks: at once it could go round with a cancel that nobody answers"),
    Row(CANCELLING,       ORDER_ABSENT,           UNKNOWN,          (),                       _LOOK),
    Row(CANCELLING,       DEADLINE_PASSED,        UNKNOWN,          (),                       _LOOK),
    Row(CANCELLING,       ENGINE_RESTARTED,       UNKNOWN,          (),                       _LOOK),

    Row(UNKNOWN,          ORDER_ACCEPTED,         CANCELLING,       ("cancel_is_wanted",),    ("send_cancel",), "found alive after the cancel was lost: cancel again"),
    Row(UNKNOWN,          ORDER_ACCEPTED,         WORKING,          (),                       (), otherwise=True),
    Row(UNKNOWN,          ORDER_PARTIALLY_FILLED, CANCELLING,       ("cancel_is_wanted",),    (*_FILL, "send_cancel")),
    Row(UNKNOWN,          ORDER_PARTIALLY_FILLED, PARTIALLY_FILLED, (),                       _FILL, otherwise=True),
    Row(UNKNOWN,          ORDER_FILLED,           FILLED,           (),                       _END),
    Row(UNKNOWN,          ORDER_CANCELLED,        CANCELLED,        (),                       _END),
    Row(UNKNOWN,          ORDER_REJECTED,         REJECTED,         (),                       _END),
    Row(UNKNOWN,          ORDER_EXPIRED,          EXPIRED,          (),                       _END),
    Row(UNKNOWN,          ORDER_ABSENT,           REJECTED,         ("absence_is_proved", "nothing_has_filled"), _END, "it never arrived"),
    Row(UNKNOWN,          ORDER_ABSENT,           CANCELLED,        ("absence_is_proved",),   _END, "forgotten by the exchange; what filled counts", otherwise=True),
    Row(UNKNOWN,          ORDER_ABSENT,           UNKNOWN,          (),                       (), "too early to believe: the deadline asks again", otherwise=True),
    Row(UNKNOWN,          OUTCOME_LOST,           UNKNOWN,          (),                       (), "a failed question is no answer"),
    Row(UNKNOWN,          DEADLINE_PASSED,        UNKNOWN,          (),                       _LOOK),
    Row(UNKNOWN,          ENGINE_RESTARTED,       UNKNOWN,          (),                       _LOOK),

    Row(FILLED,           ORDER_FILLED,           FILLED,           (),                       ("tell_fill", "note_anomaly"), "filled beyond its amount: the coins are ours all the same"),
    Row(CANCELLED,        ORDER_PARTIALLY_FILLED, CANCELLED,        (),                       _FILL, "a fill that was reported late"),
    Row(CANCELLED,        ORDER_FILLED,           FILLED,           (),                       _LATE, "the cancel lost its race"),
    Row(EXPIRED,          ORDER_PARTIALLY_FILLED, EXPIRED,          (),                       _FILL, "a fill that was reported late"),
    Row(EXPIRED,          ORDER_FILLED,           FILLED,           (),                       _LATE),
    Row(REJECTED,         ORDER_PARTIALLY_FILLED, UNKNOWN,          (),                       ("tell_fill", "note_anomaly", *_LOOK), "believed dead and alive: look again"),
    Row(REJECTED,         ORDER_FILLED,           FILLED,           (),                       ("tell_fill", "tell_end", "note_anomaly"), "believed dead and filled: its coins are ours"),

    Row(FILLED,           ORDER_FOUND_ALIVE,      FILLED,           (),                       _STOP, "it rests at the exchange and must buy or sell no more"),
    Row(CANCELLED,        ORDER_FOUND_ALIVE,      CANCELLED,        (),                       _STOP),
    Row(REJECTED,         ORDER_FOUND_ALIVE,      REJECTED,         (),                       _STOP),
    Row(EXPIRED,          ORDER_FOUND_ALIVE,      EXPIRED,          (),                       _STOP),
)
# fmt: on

_LIVE = (SUBMITTING, WORKING, PARTIALLY_FILLED, CANCELLING, UNKNOWN)
_ENDED = (FILLED, CANCELLED, REJECTED, EXPIRED)

ORDER = Table(
    name="order",
    states=_STATES,
    rows=_ROWS,
    guards=_GUARDS,
    effects=_EFFECTS,
    ignored=(
        Ignored((WORKING, PARTIALLY_FILLED), ORDER_ACCEPTED, "it is known to be accepted"),
        Ignored((CANCELLING,), ORDER_ACCEPTED, "an echo from before the cancel; the deadline asks"),
        Ignored(_ENDED, ORDER_ACCEPTED, "a late acknowledgement brings no order back"),
        Ignored(_ENDED, ORDER_CANCELLED, "it has ended already"),
        Ignored(_ENDED, ORDER_EXPIRED, "it has ended already"),
        Ignored(_ENDED, ORDER_REJECTED, "it has ended already"),
        Ignored((FILLED,), ORDER_PARTIALLY_FILLED, "an older report than the last"),
        Ignored(
            (SUBMITTING, CANCELLING, UNKNOWN),
            CANCEL_REQUESTED,
            "it cannot be cancelled before it is known to rest",
        ),
        Ignored(_ENDED, CANCEL_REQUESTED, "it has ended already"),
        Ignored((SUBMITTING, WORKING, PARTIALLY_FILLED, UNKNOWN), CANCEL_REFUSED, "no cancel is pending"),
        Ignored(_ENDED, CANCEL_REFUSED, "it had ended before the cancel arrived"),
        Ignored(_ENDED, OUTCOME_LOST, "the outcome is known"),
        Ignored((SUBMITTING,), ORDER_ABSENT, "the request may still arrive"),
        Ignored(_ENDED, ORDER_ABSENT, "exchanges forget ended orders"),
        Ignored(_LIVE, ORDER_FOUND_ALIVE, "it is known to live"),
        Ignored((*_LIVE, *_ENDED), ORDER_ADOPTED, "it is ours already"),
    ),
    exclusive=(),
)
