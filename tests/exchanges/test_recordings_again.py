"""A file that was found good is not checked twice, and one that has changed since then is."""

import os
from pathlib import Path

import pytest

from services.exchanges.recording_faults import RecordingError
from services.exchanges.recording_scan import scan
from services.exchanges.recordings import read_bars

HEADER = "timestamp,symbol,open,high,low,close,volume"
GOOD = [f"{at},BTC/USDT,10,11,9,10.5,1" for at in (1000, 2000, 3000)]


def write(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join([HEADER, *rows, ""]))


def test_the_second_reading_tells_what_the_first_found_good(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    write(path, GOOD)
    found = scan(path)
    assert found.fingerprint is not None
    again = list(read_bars([path], {path: found.fingerprint}))
    assert again == list(read_bars([path]))
    assert [bar[0] for bar in again] == [1000, 2000, 3000]


def test_a_file_that_changed_after_it_was_found_good_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    write(path, GOOD)
    found = scan(path)
    assert found.fingerprint is not None
    write(path, [GOOD[0], GOOD[1].replace(",11,", ",8,"), GOOD[2]])
    os.utime(path, ns=(found.fingerprint[2] + 1, found.fingerprint[2] + 1))
    with pytest.raises(RecordingError, match="line 3"):
        list(read_bars([path], {path: found.fingerprint}))
