"""Debian's packages: only those that are missing, and no server of theirs is started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.setup.machine import missing_packages

PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins", "nftables", "iptables", "iproute2", "procps", "openssl"),
    *("debootstrap", "postgresql", "git"),
    "prometheus",  # promtool, for the alerts' tests; its server is not started
)
POLICY = Path("/usr/sbin/policy-rc.d")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")


def missing() -> list[str]:
    """The packages that set-up would install."""
    return missing_packages(PACKAGES)


def install() -> None:
    """Install what is missing; Debian's PostgreSQL gets no cluster of its own and no service is started."""
    wanted = missing()
    if not wanted:
        return
    if not NO_CLUSTER.exists() and "postgresql" in wanted:
        NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        NO_CLUSTER.write_text("create_main_cluster = false\n")
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")  # Debian's way to say: start no service
        POLICY.chmod(0o755)
    try:
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", *wanted)
    finally:
        if ours:
            POLICY.unlink()


def _apt(*words: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *words], env=env, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise LabError(f"apt-get {words[0]} failed ({done.returncode}); its words are above. Mend apt, then go on with `make setup`.")
