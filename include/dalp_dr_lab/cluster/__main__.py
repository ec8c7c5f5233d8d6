"""A real one-node Kubernetes on this machine. Needs root, except for kubeconfig, kubectl and status.

    python3 -m dalp_dr_lab.cluster up | down | status
    python3 -m dalp_dr_lab.cluster kubeconfig         print the path of the administrator's kubeconfig
    python3 -m dalp_dr_lab.cluster kubectl ARGS...    the cluster's own kubectl
    python3 -m dalp_dr_lab.cluster image NAME DIR [--entrypoint WORD]... [--cmd WORD]... [--env K=V]... [--user U] [--workdir D]
                                                      turn a root file system into an image; load it when the cluster runs
    python3 -m dalp_dr_lab.cluster load FILE.tar...   load image archives (OCI layout or docker save)
    python3 -m dalp_dr_lab.cluster clean              down, then forget the loaded images too

CLUSTER_NUMBER=1 to 9 names further clusters beside the first (0). State: ${CLUSTER_HOME:-$HOME/.cache/dalp-cluster}.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

from dalp_dr_lab.cluster import images, lifecycle
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError


def main(words: list[str]) -> int:
    """Run one command; the changing ones one at a time."""
    verb, *rest = words or ["help"]
    cluster = Cluster.of(int(os.environ.get("CLUSTER_NUMBER") or 0))
    if verb == "kubeconfig":
        print(cluster.kubeconfig)
        return 0
    if verb == "kubectl":
        os.execv(cluster.kube, ["kube", "kubectl", f"--kubeconfig={cluster.kubeconfig}", *rest])
    if verb == "status":
        return _status(cluster)
    cluster.home.mkdir(parents=True, exist_ok=True)
    with (cluster.home / f"lock{cluster.suffix}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begin = time.monotonic()
        if verb == "up":
            new = lifecycle.up(cluster)
            print(f"up in {time.monotonic() - begin:.1f} s" if new else "already running")
            print(f"KUBECONFIG={cluster.kubeconfig}")
        elif verb in ("down", "clean"):
            lifecycle.down(cluster)
            if verb == "clean":
                shutil.rmtree(cluster.store, ignore_errors=True)
            print(f"down in {time.monotonic() - begin:.1f} s")
        elif verb == "image":
            _image(cluster, rest)
        elif verb == "load" and rest:
            print("\n".join(images.load(cluster, map(Path, rest))))
        else:
            print(__doc__)
            return 2
    return 0


def _image(cluster: Cluster, words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="image")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    for option in ("--entrypoint", "--cmd", "--env"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--workdir", default="/")
    given = parser.parse_args(words)
    image = images.Image(given.name, given.entrypoint, given.cmd, given.env, given.user, given.workdir)
    target = images.write(cluster.images / images.archive_name(given.name), [given.folder], [image])
    print(target)
    if lifecycle.running(cluster):
        images.load(cluster, [target])


def _status(cluster: Cluster) -> int:
    if not lifecycle.running(cluster):
        print(f"not running{': stopped ' + ', '.join(dead) if (dead := lifecycle.stopped(cluster)) else ''}")
        return 3
    for name, size_bytes in (sizes := lifecycle.memory(cluster)).items():
        print(f"{name:<26}{size_bytes / 2**20:>6.0f} MB")
    print(f"{'sum (proportional set size)':<26}{sum(sizes.values()) / 2**20:>5.0f} MB\nKUBECONFIG={cluster.kubeconfig}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(error.diagnostics())
