"""The key file: read again when it changes, locked by who changes it, and made once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from casebridge.security.vault import (
    KeyFile,
    Vault,
    VaultError,
    add_key,
    changing,
    ensure_key,
    keep_newest,
    read_keys,
)

SECRETS = {"apiToken": "hunter2"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A key file with one key."""
    path = tmp_path / "encryption.key"
    assert ensure_key(path)
    return path


def test_the_file_is_private_and_made_once(path: Path):
    before = path.read_bytes()

    assert not ensure_key(path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_make_it_at_once_agree(tmp_path: Path):
    path, made = tmp_path / "encryption.key", []
    threads = [threading.Thread(target=lambda: made.append(ensure_key(path))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(made) == [False] * 7 + [True]
    assert len(read_keys(path)) == 1


def test_a_new_key_seals_from_then_on_and_old_envelopes_still_open(path: Path):
    vault = KeyFile(path)
    old = vault.seal(SECRETS, "space/a")
    add_key(path)
    new = vault.seal(SECRETS, "space/a")

    assert (vault.is_newest(old), vault.is_newest(new)) == (False, True)
    assert vault.open(old, "space/a") == vault.open(new, "space/a") == SECRETS


def test_an_envelope_of_a_key_that_came_later_opens(path: Path):
    vault, other = KeyFile(path), KeyFile(path)
    add_key(path)

    assert vault.open(other.seal(SECRETS, "a"), "a") == SECRETS


def test_a_running_server_opens_what_it_sealed_under_a_dropped_key_and_a_new_one_does_not(path: Path):
    vault = KeyFile(path)
    old = vault.seal(SECRETS, "a")
    add_key(path)
    keep_newest(path)

    assert vault.is_newest(vault.seal(SECRETS, "a"))
    assert vault.open(old, "a") == SECRETS
    with pytest.raises(VaultError, match="restore the key file"):
        KeyFile(path).open(old, "a")


def test_nothing_is_sealed_while_the_file_is_missing(path: Path):
    vault = KeyFile(path)
    sealed = vault.seal(SECRETS, "a")
    path.unlink()

    assert vault.open(sealed, "a") == SECRETS
    with pytest.raises(VaultError, match="cannot be read"):
        vault.seal(SECRETS, "a")


@pytest.mark.parametrize("text", ["nonsense\n", "00 AA==\n", "", "\xff"])
def test_what_is_no_key_file_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "encryption.key"
    path.write_text(text, "latin-1")

    with pytest.raises(VaultError):
        KeyFile(path)


def test_a_vault_does_not_show_its_keys(path: Path):
    assert repr(KeyFile(path)) == "Vault(1 keys)"
    assert repr(Vault(read_keys(path))) == "Vault(1 keys)"


def test_one_at_a_time_changes_the_file(path: Path):
    entered = threading.Event()

    def change() -> None:
        with changing(path):
            entered.set()

    with changing(path):
        thread = threading.Thread(target=change)
        thread.start()
        assert not entered.wait(0.2)
    assert entered.wait(5)
    thread.join()
