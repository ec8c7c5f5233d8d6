"""Who signs: a key, nobody on purpose, or an error. Never nobody by accident."""

import pytest

from dalp_dr_lab.miniature.services import settings, worker

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


def environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name in ("SIGNER_KIND", "SIGNER_PRIVATE_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("key", [KEY, "0x" + KEY])
def test_local_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    environment(monkeypatch, SIGNER_KIND="local", SIGNER_PRIVATE_KEY=key)
    assert worker.signer() == bytes.fromhex(KEY)


def test_sealed_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, SIGNER_KIND="sealed", SIGNER_PRIVATE_KEY="sealed by a drill")
    assert worker.signer() is None


@pytest.mark.parametrize("values", [{}, {"SIGNER_PRIVATE_KEY": KEY}, {"SIGNER_KIND": "local"}, {"SIGNER_KIND": ""}], ids=str)
def test_missing_setting_is_an_error(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    environment(monkeypatch, **values)
    with pytest.raises(settings.SettingsError):
        worker.signer()


@pytest.mark.parametrize("key", ["00" * 32, "dummy", "ab"])
def test_unusable_key_is_an_error(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    environment(monkeypatch, SIGNER_KIND="local", SIGNER_PRIVATE_KEY=key)
    with pytest.raises(ValueError, match=r"private key|hexadecimal"):
        worker.signer()
