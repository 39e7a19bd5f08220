"""The permission machine: whether a pair, or the whole engine, may enter trades. Exits are always permitted."""

from fsm.table import DEADLINE_PASSED, Ignored, Row, State, Table

ACTIVE, EXITS_ONLY, HALTED = "active", "exits_only", "halted"

ENTRIES_STOPPED = "entries_stopped"
LIMIT_REACHED = "limit_reached"
QUARANTINED = "quarantined"
HALT_ORDERED = "halt_ordered"
RESUMED = "resumed"
BALANCE_ACCEPTED = "balance_accepted"
COMMAND_ANSWERED = "command_answered"
BACKUP_RESTORED = "backup_restored"

ENGINE_SUBJECT = "engine"
"""The id of the permission that governs every pair; the others are named by their symbol."""

_STATES = (
    State(ACTIVE, "entries and exits", initial=True),
    State(EXITS_ONLY, "no new entries; positions leave as they would", deadline="pause"),
    State(HALTED, "no entries until a person resumes; protective exits go on"),
)

# fmt: off
_ROWS = (
    #   source      event            target      guards  effects            why
    Row(ACTIVE,     ENTRIES_STOPPED, EXITS_ONLY, (),     ()),
    Row(ACTIVE,     LIMIT_REACHED,   EXITS_ONLY, (),     (),               "until the next day begins, UTC"),
    Row(ACTIVE,     QUARANTINED,     HALTED,     (),     (),               "an anomaly: a person has to look"),
    Row(ACTIVE,     HALT_ORDERED,    HALTED,     (),     ()),
    Row(EXITS_ONLY, ENTRIES_STOPPED, EXITS_ONLY, (),     (),               "a stop by a person outlasts the limit's"),
    Row(EXITS_ONLY, DEADLINE_PASSED, ACTIVE,     (),     ("clear_reason",)),
    Row(EXITS_ONLY, QUARANTINED,     HALTED,     (),     ()),
    Row(EXITS_ONLY, HALT_ORDERED,    HALTED,     (),     ()),
    Row(EXITS_ONLY, RESUMED,         ACTIVE,     (),     ("clear_reason",)),
    Row(HALTED,     RESUMED,         ACTIVE,     (),     ("clear_reason",)),

    Row(ACTIVE,     BALANCE_ACCEPTED, ACTIVE,     (),     (),              "a person took a deposit or a withdrawal into the books"),
    Row(EXITS_ONLY, BALANCE_ACCEPTED, EXITS_ONLY, (),     ()),
    Row(HALTED,     BALANCE_ACCEPTED, HALTED,     (),     ()),

    Row(ACTIVE,     COMMAND_ANSWERED, ACTIVE,     (),     (),              "a person's command that moved nothing else: the journal has it all the same"),
    Row(EXITS_ONLY, COMMAND_ANSWERED, EXITS_ONLY, (),     ()),
    Row(HALTED,     COMMAND_ANSWERED, HALTED,     (),     ()),

    Row(ACTIVE,     BACKUP_RESTORED,  HALTED,     (),     (),              "the exchange may know more than these books: a person has to look"),
    Row(EXITS_ONLY, BACKUP_RESTORED,  HALTED,     (),     ()),
    Row(HALTED,     BACKUP_RESTORED,  HALTED,     (),     ()),
)
# fmt: on

PERMISSION = Table(
    name="permission",
    states=_STATES,
    rows=_ROWS,
    guards={},
    effects={
        "clear_reason": "forget the reason",
    },
    ignored=(
        Ignored((HALTED,), ENTRIES_STOPPED, "entries are stopped already"),
        Ignored((EXITS_ONLY, HALTED), LIMIT_REACHED, "entries are stopped already"),
        Ignored((HALTED,), QUARANTINED, "halted already"),
        Ignored((HALTED,), HALT_ORDERED, "halted already"),
        Ignored((ACTIVE,), RESUMED, "active already"),
    ),
)
