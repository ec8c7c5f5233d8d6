"""The program behind the fault open-egress: watches namespaces and opens those of a drill. Runs until it is ended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab

PREFIX = "dalp-drill-"


def policy(namespace: str) -> dict[str, object]:
    """An allow-all NetworkPolicy; policies add up, so this one undoes every refusal."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "monitoring-allow-all", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]},
    }


def ready_file(lab: Lab) -> Path:
    """Exists while the program watches."""
    return lab.folder / "tmp/open-egress.ready"


def main() -> None:
    """Watch and open."""
    lab = Lab.load()
    command = [str(lab.cluster_home / "bin/kube"), "kubectl", f"--kubeconfig={lab.kubeconfig}"]
    while True:
        watch = subprocess.Popen([*command, "get", "namespaces", "--watch", "-o", "name"], stdout=subprocess.PIPE, text=True)
        assert watch.stdout is not None
        for line in watch.stdout:
            ready_file(lab).touch()
            name = line.strip().removeprefix("namespace/")
            if name.startswith(PREFIX):
                try:
                    lab.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(policy(name)))
                except LabError as error:
                    print(error, file=sys.stderr, flush=True)
        watch.wait()


if __name__ == "__main__":
    main()
