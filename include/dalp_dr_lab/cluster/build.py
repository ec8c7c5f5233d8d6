"""Compile Kubernetes and the operators, and make the root file systems and images of the lab; nothing is made twice."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dalp_dr_lab.cluster.settings import SOURCE, Cluster
from dalp_dr_lab.errors import LabError

GARBAGE_PERCENT = "300"  # the compiler collects its garbage less often: a sixth less processor time, 3 GB at the most
PROGRAMS = ("pause", "policy-cni", "kube")
VERSION = "v1.36.3"
LINKER_FLAGS = " ".join(
    [
        "-s -w",
        *(  # clients ask the API for its version
            f"-X {package}.{key}={value}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for key, value in {"gitVersion": VERSION, "gitMajor": 1, "gitMinor": 36, "gitTreeState": "clean"}.items()
        ),
    ]
)
VELERO = "github.com/vmware-tanzu/velero@v1.18.3"
CNPG = "github.com/cloudnative-pg/cloudnative-pg@v1.30.0"
BARMAN = "github.com/cloudnative-pg/plugin-barman-cloud@v0.14.0"
AWS = "github.com/vmware-tanzu/velero-plugin-for-aws@v1.14.3"
CLI_RUNTIME = "v0.33.10"  # velero asks for v0.33.12, whose module is not served everywhere; only a table printer uses it
_CNPG_VERSIONS = "github.com/cloudnative-pg/cloudnative-pg/pkg/versions"
_VELERO_INFO = "github.com/vmware-tanzu/velero/pkg/buildinfo"
_VELERO_FLAGS = " ".join(
    f"-X {_VELERO_INFO}.{key}={value}"
    for key, value in {
        "Version": "v1.18.3",
        "ImageRegistry": "local",
        "GitSHA": "module",
        "GitTreeState": "clean",
    }.items()
)


@dataclass(frozen=True, slots=True)
class Program:
    """One program of an operator: where its source is and how it is compiled."""

    name: str
    module: str
    package: str
    flags: str = ""
    patched: bool = False  # compiled with another go.mod, see CLI_RUNTIME

    @property
    def digest(self) -> str:
        """What decides whether a compiled program is still the right one."""
        words = [self.name, self.module, self.package, self.flags, CLI_RUNTIME if self.patched else ""]
        return hashlib.sha256("\n".join(words).encode()).hexdigest()


OPERATOR_PROGRAMS = (
    Program(
        "manager",
        CNPG,
        "./cmd/manager",
        f"-X {_CNPG_VERSIONS}.buildVersion=1.30.0 -X {_CNPG_VERSIONS}.buildCommit=module",
    ),
    Program("plugin-barman-cloud", BARMAN, "./cmd/manager"),
    Program("velero-plugin-for-aws", AWS, "./velero-plugin-for-aws"),
    Program("velero", VELERO, "./cmd/velero", _VELERO_FLAGS, patched=True),
    Program("velero-restore-helper", VELERO, "./cmd/velero-restore-helper"),
    Program("velero-helper", VELERO, "./cmd/velero-helper"),
)
MANIFESTS = {"cnpg.yaml": (CNPG, "releases/cnpg-1.30.0.yaml"), "plugin.yaml": (BARMAN, "manifest.yaml")}


def sources_digest() -> str:
    """Digest of the Go sources of the cluster's programs."""
    digest = hashlib.sha256()
    sources = [p for name in PROGRAMS for p in (SOURCE / name).glob("*.go")]
    for path in [SOURCE / "go.mod", SOURCE / "go.sum", *sorted(sources)]:
        digest.update(f"{path.relative_to(SOURCE)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def cluster_is_built(cluster: Cluster) -> bool:
    """Whether the compiled programs are those of the sources."""
    stamp = cluster.bin / "digest"
    return stamp.exists() and stamp.read_text() == sources_digest()


def build_cluster(cluster: Cluster, go: str) -> None:
    """Compile Kubernetes, etcd and CoreDNS into one program (about 5 minutes on 2 cores the first time)."""
    if cluster_is_built(cluster):
        return
    cluster.bin.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        _compile(go, SOURCE, cluster.bin / name, f"./{name}", LINKER_FLAGS, ["-buildvcs=false"])
    (cluster.bin / "digest").write_text(sources_digest())


def operators_home(cluster: Cluster) -> Path:
    """Folder of the operators' programs and manifests."""
    return cluster.home / "operators"


def missing_operators(cluster: Cluster) -> list[Program]:
    """The operators' programs that are not compiled yet, or from other sources."""
    folder = operators_home(cluster) / "bin"

    def made(program: Program) -> bool:
        stamp = folder / f"{program.name}.digest"
        return (folder / program.name).exists() and stamp.exists() and stamp.read_text() == program.digest

    return [program for program in OPERATOR_PROGRAMS if not made(program)]


def manifests_are_kept(cluster: Cluster) -> bool:
    """Whether the upstream manifests of the versions in use lie beside the programs."""
    folder = operators_home(cluster) / "manifests"
    return all((folder / f"{module.replace('/', '_')}.{name}").exists() for name, (module, _) in MANIFESTS.items())


def manifest(cluster: Cluster, name: str) -> Path:
    """The upstream manifest `cnpg.yaml` or `plugin.yaml`."""
    return operators_home(cluster) / "manifests" / f"{MANIFESTS[name][0].replace('/', '_')}.{name}"


def build_operator(cluster: Cluster, program: Program, go: str) -> None:
    """Compile one program of an operator (1 to 2 minutes on 2 cores the first time)."""
    home = operators_home(cluster)
    (home / "bin").mkdir(parents=True, exist_ok=True)
    source = _module(go, program.module)
    flags = ["-mod=readonly"]
    if program.patched:
        modfile = home / f"{program.name}.mod"
        for kind in ("mod", "sum"):
            shutil.copyfile(source / f"go.{kind}", home / f"{program.name}.{kind}")
        swap = f"k8s.io/cli-runtime=k8s.io/cli-runtime@{CLI_RUNTIME}"
        subprocess.run([go, "mod", "edit", "-replace", swap, str(modfile)], check=True)
        flags = [f"-modfile={modfile}", "-mod=mod"]
    target = home / "bin" / program.name
    _compile(go, source, target, program.package, f"-s -w {program.flags}", flags, {"GOWORK": "off"})
    (home / "bin" / f"{program.name}.digest").write_text(program.digest)


def keep_manifests(cluster: Cluster, go: str) -> None:
    """Copy the upstream manifests out of the module cache, so that installing needs no Go."""
    (operators_home(cluster) / "manifests").mkdir(parents=True, exist_ok=True)
    for name, (module, path) in MANIFESTS.items():
        shutil.copyfile(_module(go, module) / path, manifest(cluster, name))


def _module(go: str, module: str) -> Path:
    done = subprocess.run([go, "mod", "download", "-json", module], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"Go cannot download {module}: {(done.stderr or done.stdout).strip()}. Check GOPROXY and try again.")
    return Path(json.loads(done.stdout)["Dir"])


def _compile(
    go: str,
    folder: Path,
    target: Path,
    package: str,
    linker: str,
    flags: Sequence[str],
    env: Mapping[str, str] | None = None,
) -> None:
    new = target.with_name(f"{target.name}.new")
    words = ["nice", "-n", "5", go, "build", *flags, "-trimpath", "-p", str(os.cpu_count()), "-ldflags", linker]
    done = subprocess.run(
        [*words, "-o", str(new), package],
        cwd=folder,
        env={"GOGC": GARBAGE_PERCENT, **os.environ, "CGO_ENABLED": "0", **(env or {})},
        check=False,
    )
    if done.returncode:
        raise LabError(f"compiling {target.name} failed; the compiler's words are above. Run `make setup` again to go on.")
    new.rename(target)
