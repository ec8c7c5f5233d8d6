"""Root file systems from Debian's packages, and the images that the cluster and its operators run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from dalp_dr_lab.cluster import build
from dalp_dr_lab.cluster.images import Files, Image, archive_name, write
from dalp_dr_lab.cluster.settings import PAUSE, Cluster
from dalp_dr_lab.errors import LabError

RELEASE = "trixie"
BARMAN_TOOLS = "barman[cloud]==3.20.0"
POSTGRES_PACKAGES = "postgresql-17 procps python3 python3-venv python3-psycopg2"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/tmp:/sbin/nologin\n"
POSTGRES_PATH = "PATH=/venv/bin:/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def folder(cluster: Cluster, name: str, recipe: str, fill: Callable[[Path], None]) -> Path:
    """Root file system `name`; `fill` makes it in a new folder when there is none of this `recipe` yet."""
    root = cluster.home / "rootfs" / name
    stamp = root.with_name(f"{name}.digest")
    wanted = hashlib.sha256(recipe.encode()).hexdigest()
    if root.exists() and stamp.exists() and stamp.read_text() == wanted:
        return root
    new = root.with_name(f"{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    fill(new)
    shutil.rmtree(root, ignore_errors=True)
    new.rename(root)
    stamp.write_text(wanted)
    return root


def debian(root: Path, *, include: str = "ca-certificates") -> None:
    """Bootstrap a minimal Debian into `root`; $DEBIAN_MIRROR names another mirror than the default one."""
    mirror = os.environ.get("DEBIAN_MIRROR")
    words = ["debootstrap", "--variant=minbase", f"--include={include}", RELEASE, str(root), *([mirror] if mirror else [])]
    _run(words, "debootstrap cannot fetch Debian's packages")
    borrow_network(root)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)


def borrow_network(root: Path) -> None:
    """Give a root file system this machine's way to package indexes, until `forget_network` takes it back."""
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", root / "etc" / name)
    shutil.copyfile(CERTIFICATES, root / str(CERTIFICATES).lstrip("/"))
    apt = [path for path in Path("/etc/apt/apt.conf.d").glob("*") if _names_an_index(path)]
    for path in [*apt, *(path for path in (Path("/etc/pip.conf"),) if path.exists())]:
        target = root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def forget_network(root: Path) -> None:
    """Take back what `borrow_network` gave, and package lists with it."""
    (root / "etc/pip.conf").unlink(missing_ok=True)
    for name in ("resolv.conf", "hosts"):
        (root / "etc" / name).write_text("")
    for path in Path("/etc/apt/apt.conf.d").glob("*"):
        if _names_an_index(path):
            (root / str(path).lstrip("/")).unlink(missing_ok=True)
    for path in (root / "var/cache/apt/archives").glob("*.deb"):
        path.unlink()
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
    (root / "var/lib/apt/lists").mkdir()


def _names_an_index(path: Path) -> bool:
    try:
        text = path.read_text().lower()
    except (OSError, UnicodeDecodeError):
        return False
    return any(word in text for word in ("acquire", "proxy"))


def chroot(root: Path, script: str) -> None:
    """Run a shell script inside a root file system."""
    _run(["chroot", str(root), "/bin/sh", "-euc", script], "a package could not be installed in the image")


def _run(words: Sequence[str], failed: str) -> None:
    done = subprocess.run(
        [*words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-8:])
        raise LabError(f"{failed}:\n{tail}\nCheck this machine's way to the package indexes and run `make setup` again.")


def _fill_base(root: Path) -> None:
    debian(root)
    forget_network(root)


def _fill_postgres(root: Path, start: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", str(start), str(root)], check=True)
    borrow_network(root)
    (root / "etc/postgresql-common").mkdir(parents=True, exist_ok=True)
    (root / "etc/postgresql-common/createcluster.conf").write_text("create_main_cluster = false\n")
    chroot(
        root,
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; apt-get install -y -qq --no-install-recommends"
        f" -o Dpkg::Options::=--force-confold {POSTGRES_PACKAGES}; python3 -m venv --system-site-packages /venv;"
        f" /venv/bin/pip install -q --no-cache-dir '{BARMAN_TOOLS}'; python3 -m compileall -q /venv",
    )
    forget_network(root)


def base(cluster: Cluster) -> Path:
    """A minimal Debian, to be copied and added to."""
    return folder(cluster, "base", f"1 debian {RELEASE}", _fill_base)


def postgres(cluster: Cluster) -> Path:
    """Debian with PostgreSQL 17 and Barman's cloud tools, in which PostgreSQL's user is 100:102."""
    recipe = f"1 {RELEASE} {POSTGRES_PACKAGES} {BARMAN_TOOLS}"
    return folder(cluster, "postgres", recipe, lambda root: _fill_postgres(root, base(cluster)))


def pause_image(cluster: Cluster) -> Path:
    """The image that holds every pod's namespaces."""
    layer = Files(programs={"pause": cluster.bin / "pause"})
    return _once(cluster, [layer], [Image(PAUSE, command=["/pause"])], build.sources_digest())


def operator_images(cluster: Cluster) -> list[Path]:
    """The images of Velero, CloudNativePG, the Barman plugin and PostgreSQL; those that exist are left alone."""
    programs = build.operators_home(cluster) / "bin"
    digests = {program.name: program.digest for program in build.OPERATOR_PROGRAMS}
    texts = {str(CERTIFICATES): CERTIFICATES.read_text(), "/etc/passwd": USERS}

    def small(*open_folders: str, links: dict[str, str] | None = None, **wanted: str) -> Files:
        paths = {path: programs / name for name, path in wanted.items()}
        return Files(programs=paths, texts=texts, links=links or {}, open_folders=("/tmp", *open_folders))

    velero = {name: f"/{name}" for name in ("velero", "velero-restore-helper", "velero-helper")}
    velero["velero-plugin-for-aws"] = "/plugins/velero-plugin-for-aws"
    nobody = "65532:65532"
    database = {"environment": [POSTGRES_PATH, "LANG=C.UTF-8"], "user": "100:102"}
    root = postgres(cluster)
    stamp = root.with_name("postgres.digest").read_text()
    return [
        _once(
            cluster,
            [small("/scratch", **velero)],
            [Image("docker.io/local/velero:v1.18.3", user=nobody)],
            json.dumps([digests[name] for name in velero]),
        ),
        _once(
            cluster,
            [small(links={"/manager": "operator/manager_amd64"}, manager="/operator/manager_amd64")],
            [Image("docker.io/local/cnpg:1.30.0", entrypoint=["/manager"], user=nobody)],
            digests["manager"],
        ),
        _once(
            cluster,
            [small(**{"plugin-barman-cloud": "/manager"})],
            [Image("docker.io/local/barman-plugin:0.14.0", entrypoint=["/manager"], user=nobody)],
            digests["plugin-barman-cloud"],
        ),
        _once(  # the sidecar is the same file system; its entrypoint differs, since the plugin gives arguments only
            cluster,
            [root, Files(programs={"/manager": programs / "plugin-barman-cloud"})],
            [
                Image("docker.io/local/postgres:17", **database),
                Image("docker.io/local/barman-sidecar:0.14.0", entrypoint=["/manager"], **database),
            ],
            stamp + digests["plugin-barman-cloud"],
        ),
    ]


def _once(cluster: Cluster, layers: Sequence[Path | Files], images: Sequence[Image], inputs: str) -> Path:
    """Write the archive of `images`, named after the first, unless it was written from the same inputs."""
    target = cluster.images / archive_name(images[0].name)
    stamp = target.with_suffix(".digest")
    wanted = hashlib.sha256(f"{inputs}\n{images}".encode()).hexdigest()
    if not (target.exists() and stamp.exists() and stamp.read_text() == wanted):
        write(target, layers, images)
        stamp.write_text(wanted)
    return target
