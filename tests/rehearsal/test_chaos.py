"""Faults are read from a file and from flags; what is badly written is refused with its place and the way out."""

from pathlib import Path

import pytest

from dirigent.configuration.problems import SettingsError
from dirigent.rehearsal.chaos import Chaos, load_chaos
from dirigent.rehearsal.faults import Fault, Faults


def _written(folder: Path, text: str) -> Path:
    file = folder / "chaos.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_names_faults_and_flags_win_over_it(tmp_path: Path) -> None:
    file = _written(
        tmp_path, "lost_response = 0.05\nstall = 0.1\n[[maintenance]]\nafter_s = 60\nduration_s = 30\n"
    )
    chaos = load_chaos(file, ["stall=0.2", "orders_only=true"])
    assert (chaos.lost_response, chaos.stall, chaos.orders_only) == (0.05, 0.2, True)
    assert (chaos.maintenance[0].after_s, chaos.maintenance[0].duration_s) == (60, 30)


def test_nothing_is_faulty_unless_it_is_said() -> None:
    assert load_chaos() == Chaos()
    faults = Faults(Chaos(), 1, lambda: 1e9)
    for _ in range(1_000):
        assert faults.of_request("POST /api/v3/order", trades=True, creates=True) is None
        assert faults.of_report() is faults.of_second("market") is None
        assert not faults.fills_partly()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lost_respons = 0.1", "chaos.toml: lost_respons = 0.1: unknown key; did you mean 'lost_response'?"),
        ("stall = 1.5", "chaos.toml: stall = 1.5"),
        ('stall = "often"', "stall"),
        ("late_ms_min = 9\nlate_ms_max = 5", "late_ms_min = 9: more than late_ms_max, which is 5"),
        ("[[maintenance]]\nafter_s = 1", "maintenance[1].duration_s: missing"),
        ("[[maintenance]]\nafter = 1\nduration_s = 1", "did you mean 'after_s'?"),
        ("stall =", "not TOML"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_chaos(_written(tmp_path, text))
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("lost=1", "lost: unknown fault"),
        ("stal=1", "did you mean 'stall'?"),
        ("stall", "stall: no value; write stall=VALUE"),
        ("stall=often", "stall = often: not a value"),
        ("stall=2", "stall = 2"),
    ],
)
def test_a_bad_flag_is_refused(flag: str, words: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_chaos(None, [flag])
    assert str(refusal.value).startswith("--fault: ")
    assert words in str(refusal.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load_chaos(tmp_path / "none.toml")


@pytest.mark.parametrize("fault", ["lost_request", "lost_response", "late_execution", "garbage"])
def test_a_chance_is_met_about_as_often_as_it_says(fault: str) -> None:
    faults = Faults(Chaos.model_validate({fault: 0.2}), 1, lambda: 0.0)
    drawn = [faults.of_request("POST /api/v3/order", trades=True, creates=True) for _ in range(2_000)]
    assert set(drawn) == {None, Fault(fault)}
    assert 320 < faults.counts[fault] < 480


def test_the_chance_of_one_fault_does_not_move_another() -> None:
    def lost(**more: float) -> list[bool]:
        faults = Faults(Chaos.model_validate({"lost_request": 0.2, **more}), 1, lambda: 0.0)
        return [
            faults.of_request("POST /api/v3/order", trades=True, creates=True) is Fault.LOST_REQUEST
            for _ in range(200)
        ]

    assert lost() == lost(garbage=0.5, late_execution=0.5)


def test_a_late_execution_befalls_new_orders_only() -> None:
    faults = Faults(Chaos(late_execution=1), 1, lambda: 0.0)
    assert faults.of_request("DELETE /api/v3/order", trades=True, creates=False) is None
    assert faults.of_request("POST /api/v3/order", trades=True, creates=True) is Fault.LATE_EXECUTION
