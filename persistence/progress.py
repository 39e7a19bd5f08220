"""How the progress of an engine is written: its heartbeat, feeds, indicators, refusals and assessments as rows."""

import sqlite3

from fsm.commit import Progress
from persistence.codec import heartbeat_to_json, storable
from persistence.refusals import ASSESSMENT_SET, REFUSAL_SET, assessment_row, refusal_row
from persistence.transactions import Write

_HEARTBEAT_SET = """INSERT INTO engine(name, value) VALUES ('heartbeat', ?)
    ON CONFLICT(name) DO UPDATE SET value = excluded.value"""
_FEED_SET = """INSERT INTO feeds(symbol, last_price, last_tick_at_ms, note) VALUES (?, ?, ?, ?)
    ON CONFLICT(symbol) DO UPDATE SET
    last_price = excluded.last_price, last_tick_at_ms = excluded.last_tick_at_ms, note = excluded.note"""
_INDICATORS_SET = """INSERT INTO indicator_checkpoints(symbol, at_ms, state) VALUES (?, ?, ?)
    ON CONFLICT(symbol) DO UPDATE SET at_ms = excluded.at_ms, state = excluded.state"""


def progress_writer(progress: Progress) -> Write:
    """Everything is encoded before the transaction begins; a heartbeat without content leaves the last one."""
    heartbeat = heartbeat_to_json(progress.heartbeat) if progress.heartbeat else ""
    feeds = [(storable(name), price, at, storable(note)) for name, price, at, note in progress.feeds]
    states = [
        (storable(symbol), progress.at_ms, storable(state)) for symbol, state in progress.checkpoints.items()
    ]
    refusals = [refusal_row(one) for one in progress.refusals]
    assessments = [assessment_row(one) for one in progress.assessments]

    def write(connection: sqlite3.Connection) -> None:
        if heartbeat:
            connection.execute(_HEARTBEAT_SET, (heartbeat,))
        connection.executemany(_FEED_SET, feeds)
        connection.executemany(_INDICATORS_SET, states)
        connection.executemany(REFUSAL_SET, refusals)
        connection.executemany(ASSESSMENT_SET, assessments)

    return write
