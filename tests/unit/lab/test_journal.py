"""The journal remembers across restarts what was signed and how far each request was."""

from pathlib import Path

from dalp_dr_lab.miniature.services.journal import Journal


def test_signed_transaction_survives_a_restart(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal")
    first.write(7, "SIGNING", nonce=3)
    first.write(7, "BROADCASTING", nonce=3, tx_hash="0xaa", raw="0x02ff")
    again = Journal(tmp_path / "journal")
    assert again.last[7]["step"] == "BROADCASTING"
    assert again.raw_transaction("0xaa") == "0x02ff"
    assert again.raw_transaction("0xbb") is None


def test_lines_are_appended(tmp_path: Path) -> None:
    for step in ("PREPARING", "SIGNING"):
        Journal(tmp_path).write(1, step)
    assert len((tmp_path / "requests.jsonl").read_text().splitlines()) == 2
