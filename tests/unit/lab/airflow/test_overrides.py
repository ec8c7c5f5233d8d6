"""A fault lets a connection lead elsewhere; everything else stays, and mending leaves nothing behind."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dalp_dr_lab.airflow import overrides
from dalp_dr_lab.lab import Lab


def test_a_connection_leads_elsewhere_until_it_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path))
    lab = Lab.load()
    overrides.path(lab).parent.mkdir(parents=True)
    assert overrides.read(lab) == {}
    overrides.put(lab, "dalp_object_storage", {"conn_type": "aws"})
    overrides.put(lab, "dalp_sandbox_kubernetes", {"conn_type": "kubernetes"})
    assert set(overrides.read(lab)) == {"dalp_object_storage", "dalp_sandbox_kubernetes"}
    assert stat.S_IMODE(overrides.path(lab).stat().st_mode) == 0o600, "it holds credentials"
    overrides.put(lab, "dalp_object_storage", None)
    assert overrides.read(lab) == {"dalp_sandbox_kubernetes": {"conn_type": "kubernetes"}}
    overrides.put(lab, "dalp_sandbox_kubernetes", None)
    assert overrides.read(lab) == {}
