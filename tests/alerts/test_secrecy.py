"""The address of a channel is read nowhere: in no log, no message, no repr, no refusal, no database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dirigent.alerts.channels import Message, open_channels, send
from dirigent.alerts.secrecy import scheme_of, secrets_of
from dirigent.configuration.problems import SettingsError
from dirigent.configuration.settings import load_settings
from dirigent.logging_secrets import forget_secrets, masked_text, redact
from tests.alerts.listeners import TOKEN, Listener, listening
from tests.command_line.running import invoke, spawn
from tests.settings.writing import PAIR, written


@pytest.fixture(autouse=True)
def _forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    forget_secrets()


@pytest.mark.parametrize(
    ("url", "tokens"),
    [
        ("tgram://123456789:AAnotarealtoken_00/987654321", ["123456789", "AAnotarealtoken_00", "987654321"]),
        ("discord://webhookid00/webhooktoken00", ["webhookid00", "webhooktoken00"]),
        ("mailto://me:pass%20word1@mail.example", ["pass%20word1", "pass word1"]),
        ("json://127.0.0.1:80/x?key=notarealsecret", ["notarealsecret"]),
    ],
)
def test_whatever_may_be_a_token_is_masked_however_it_is_written(url: str, tokens: list[str]) -> None:
    assert set(tokens) <= set(secrets_of([url]))
    open_channels([url], lambda _: None)
    told = masked_text(f"GET {url} failed; " + " and ".join(tokens))
    for token in tokens:
        assert token not in told


def test_names_of_machines_stay_legible() -> None:
    open_channels(["json://127.0.0.1:80/notarealtoken0", "mailto://me:secret99@mail.example.org"], print)
    assert masked_text("127.0.0.1 mail.example.org localhost") == "127.0.0.1 mail.example.org localhost"


def test_a_channel_shows_its_number_and_scheme_and_its_key_hides_the_token() -> None:
    one, two, three = open_channels(
        [
            f"json://127.0.0.1/{TOKEN}",
            f"json://127.0.0.1/{TOKEN}",
            "tgram://123456789:AAnotarealtoken/1234/",
        ],
        print,
    )
    assert [one.name, two.name, three.name] == ["1 (json)", "2 (json)", "3 (tgram)"]
    assert len({one.key, two.key, three.key}) == 3
    assert TOKEN not in repr((one, two)) + one.key
    (again,) = open_channels(["tgram://123456789:AAnotarealtoken/1234/"], print)
    assert again.key == three.key


def test_what_a_library_says_of_a_failure_is_told_without_the_address() -> None:
    with listening(Listener(status=500)) as listener:
        (channel,) = open_channels([listener.url], print)
        answer = send(channel.notifier, Message("title", "body"))
    assert not answer.taken
    assert "500" in answer.reason
    assert TOKEN not in answer.reason


def test_a_message_holds_no_key_whoever_s_words_it_repeats() -> None:
    """Such as those of an exchange that refused an order, or of a strategy that raised."""
    redact("notarealkey0123")
    with listening(Listener()) as listener:
        (channel,) = open_channels([listener.url], print)
        words = f"halted: POST failed with notarealkey0123, {TOKEN}, signature=abcdef0123456789"
        assert send(channel.notifier, Message("title", words)).taken
    assert listener.bodies == "halted: POST failed with ***, ***, signature=***"


def test_settings_hide_the_addresses_in_every_form(tmp_path: Path) -> None:
    path = written(tmp_path, f'{PAIR}[alerts]\nurls = ["json://127.0.0.1/{TOKEN}"]\n')
    settings = load_settings([path], environment={})
    assert settings.alerts.urls[0].get_secret_value().endswith(TOKEN)
    assert TOKEN not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    "urls", [f'"{TOKEN}"', f'["{TOKEN}"]', f'["json://127.0.0.1", "{TOKEN}"]', f'[["{TOKEN}"]]']
)
def test_a_refusal_names_the_place_and_not_the_address(tmp_path: Path, urls: str) -> None:
    path = written(tmp_path, f"{PAIR}[alerts]\nurls = {urls}\n")
    with pytest.raises(SettingsError) as refusal:
        load_settings([path], environment={})
    assert TOKEN not in str(refusal.value)
    assert "alerts.urls" in str(refusal.value)
    with pytest.raises(SettingsError) as refusal:
        load_settings([], environment={"DIRIGENT_ALERTS__URLS": urls})
    assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[alerts]\ndaily_summary_at = "25:00"', "alerts.daily_summary_at"),
        ('[alerts]\nevents = ["fireworks"]', "alerts.events[1]"),
        ("[alerts]\nmessages_per_hour = 0", "alerts.messages_per_hour"),
        ("[metrics]\nport = 70000", "metrics.port"),
        ('[metrics]\nport = "many"', "metrics.port"),
        ("[metrics]\nprot = 9108", "did you mean 'port'?"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings([written(tmp_path, f"{PAIR}{text}\n")], environment={})
    assert problem in str(refusal.value)


def test_the_environment_and_off_are_understood() -> None:
    settings = load_settings([], environment={"DIRIGENT_METRICS__PORT": "9108"})
    assert settings.metrics.port == 9108
    off = load_settings([], {"metrics": {"port": "off"}, "alerts": {"daily_summary_at": "off"}}, {})
    assert (off.metrics.port, off.alerts.daily_summary_at) == (None, None)


def test_alert_test_sends_one_message_to_each_channel_and_says_which_took_it(tmp_path: Path) -> None:
    with listening(Listener()) as good, listening(Listener(status=500)) as bad:
        urls = json.dumps([good.url, bad.url, "nosuchservice://anywhere"])
        written(tmp_path, f"{PAIR}[alerts]\nurls = {urls}\n")
        result = invoke("alert", "test")
        (message,) = good.messages
        assert message["title"] == "dirigent (paper): a test"
        assert result.exit_code == 1
        assert "failed: 2 of 3 channels were not told" in result.output
        rows = json.loads(invoke("alert", "test", "--json").stdout)
        assert [(row["channel"], row["told"]) for row in rows] == [
            ("1 (json)", True),
            ("2 (json)", False),
            ("3 (nosuchservice)", False),
        ]
        assert TOKEN not in result.output
        written(tmp_path, f'{PAIR}[alerts]\nurls = ["{good.url}"]\n')
        assert invoke("alert", "test").exit_code == 0


def test_alert_test_without_a_channel_is_refused_with_the_way_out(tmp_path: Path) -> None:
    ended = spawn("alert", "test", directory=tmp_path)
    assert ended.returncode == 2
    assert "set urls in [alerts]" in ended.stderr


def test_a_scheme_is_what_stands_before_the_address() -> None:
    assert scheme_of("NTFY://topic") == "ntfy"


def test_check_names_the_channels_and_warns_of_one_that_nobody_knows(tmp_path: Path) -> None:
    urls = json.dumps([f"json://127.0.0.1/{TOKEN}", f"nosuchservice://{TOKEN}"])
    written(tmp_path, f"{PAIR}[alerts]\nurls = {urls}\n")
    result = invoke("check")
    assert result.exit_code == 0
    assert "alerts: 1 (json)\n" in result.output
    assert "lacks a part: 2 (nosuchservice)" in result.output
    assert TOKEN not in result.output
