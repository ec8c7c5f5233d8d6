"""Root file systems from Debian's packages, and the images that the cluster and its operators run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dalp_dr_lab.cluster import build
from dalp_dr_lab.cluster.images import PATH, Files, Image, archive_name, write
from dalp_dr_lab.cluster.settings import PAUSE, Cluster
from dalp_dr_lab.errors import LabError

RELEASE = "trixie"
BARMAN_TOOLS = "barman[cloud]==3.20.0"
POSTGRES_PACKAGES = "postgresql-17 procps python3 python3-venv python3-psycopg2"
BASE_RECIPE = f"1 debian {RELEASE}"
POSTGRES_RECIPE = f"1 {RELEASE} {POSTGRES_PACKAGES} {BARMAN_TOOLS}"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/tmp:/sbin/nologin\n"
POSTGRES_PATH = "PATH=/venv/bin:/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def folder(cluster: Cluster, name: str, recipe: str, fill: Callable[[Path], None]) -> Path:
    """Root file system `name`; `fill` makes it in a new folder when there is none of this `recipe` yet."""
    root = cluster.home / "rootfs" / name
    if _is_made(cluster, name, recipe):
        return root
    new = root.with_name(f"{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    fill(new)
    shutil.rmtree(root, ignore_errors=True)
    new.rename(root)
    root.with_name(f"{name}.digest").write_text(_stamp(recipe))
    return root


def _is_made(cluster: Cluster, name: str, recipe: str) -> bool:
    root = cluster.home / "rootfs" / name
    stamp = root.with_name(f"{name}.digest")
    return root.exists() and stamp.exists() and stamp.read_text() == _stamp(recipe)


def _stamp(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()


def debian(root: Path, *, include: str = "ca-certificates") -> None:
    """Bootstrap a minimal Debian into `root`; $DEBIAN_MIRROR names another mirror than the default one."""
    mirror = os.environ.get("DEBIAN_MIRROR")
    words = [
        "debootstrap",
        "--variant=minbase",
        f"--include={include}",
        RELEASE,
        str(root),
        *([mirror] if mirror else []),
    ]
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
    env = {**os.environ, "PATH": PATH.removeprefix("PATH="), "HOME": "/root", "TMPDIR": "/tmp"}
    _run(["chroot", str(root), "/bin/sh", "-euc", script], "a package could not be installed in the image", env)


def _run(words: Sequence[str], failed: str, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [*words],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
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
    return folder(cluster, "base", BASE_RECIPE, _fill_base)


def postgres(cluster: Cluster) -> Path:
    """Debian with PostgreSQL 17 and Barman's cloud tools, in which PostgreSQL's user is 100:102."""
    return folder(cluster, "postgres", POSTGRES_RECIPE, lambda root: _fill_postgres(root, base(cluster)))


def are_made(cluster: Cluster) -> bool:
    """Whether both root file systems are there, made by today's recipes."""
    return _is_made(cluster, "base", BASE_RECIPE) and _is_made(cluster, "postgres", POSTGRES_RECIPE)


def images_are_made(cluster: Cluster) -> bool:
    """Whether every archive of `operator_images` and `pause_image` is there, from today's programs."""
    return are_made(cluster) and all(_is_written(cluster, images, inputs) for _, images, inputs in _recipes(cluster))


def pause_image(cluster: Cluster) -> Path:
    """The image that holds every pod's namespaces."""
    return _once(cluster, *_recipes(cluster)[0])


def operator_images(cluster: Cluster) -> list[Path]:
    """The images of Velero, CloudNativePG, the Barman plugin and PostgreSQL; those that exist are left alone."""
    postgres(cluster)
    return [_once(cluster, *recipe) for recipe in _recipes(cluster)[1:]]


def _recipes(cluster: Cluster) -> list[tuple[list[Path | Files], list[Image], str]]:
    """(layers, images, digest of what goes in) of each archive, the pause image first."""
    programs = build.operators_home(cluster) / "bin"
    digests = {program.name: program.digest for program in build.OPERATOR_PROGRAMS}
    texts = {str(CERTIFICATES): CERTIFICATES.read_text(), "/etc/passwd": USERS}

    def small(wanted: Mapping[str, str], *open_folders: str, links: Mapping[str, str] | None = None) -> list[Path | Files]:
        paths = {path: programs / name for name, path in wanted.items()}
        return [Files(programs=paths, texts=texts, links=links or {}, open_folders=("/tmp", *open_folders))]

    velero = {name: f"/{name}" for name in ("velero", "velero-restore-helper", "velero-helper")}
    velero["velero-plugin-for-aws"] = "/plugins/velero-plugin-for-aws"
    manager, plugin = digests["manager"], digests["plugin-barman-cloud"]
    nobody = "65532:65532"
    environment, user = [POSTGRES_PATH, "LANG=C.UTF-8"], "100:102"
    pause: list[Path | Files] = [Files(programs={"pause": cluster.bin / "pause"})]
    database: list[Path | Files] = [
        cluster.home / "rootfs/postgres",
        Files(programs={"/manager": programs / "plugin-barman-cloud"}),
    ]
    return [
        (pause, [Image(PAUSE, command=["/pause"])], build.sources_digest()),
        (
            small(velero, "/scratch"),
            [Image("docker.io/local/velero:v1.18.3", user=nobody)],
            json.dumps([digests[name] for name in velero]),
        ),
        (
            small({"manager": "/operator/manager_amd64"}, links={"/manager": "operator/manager_amd64"}),
            [Image("docker.io/local/cnpg:1.30.0", entrypoint=["/manager"], user=nobody)],
            manager,
        ),
        (
            small({"plugin-barman-cloud": "/manager"}),
            [Image("docker.io/local/barman-plugin:0.14.0", entrypoint=["/manager"], user=nobody)],
            plugin,
        ),
        (  # the sidecar is the same file system; its entrypoint differs, since the plugin gives arguments only
            database,
            [
                Image("docker.io/local/postgres:17", environment=environment, user=user),
                Image("docker.io/local/barman-sidecar:0.14.0", entrypoint=["/manager"], environment=environment, user=user),
            ],
            _stamp(POSTGRES_RECIPE) + plugin,
        ),
    ]


def _once(cluster: Cluster, layers: Sequence[Path | Files], images: Sequence[Image], inputs: str) -> Path:
    """Write the archive of `images`, named after the first, unless it was written from the same inputs."""
    target = cluster.images / archive_name(images[0].name)
    if not _is_written(cluster, images, inputs):
        write(target, layers, images)
        target.with_suffix(".digest").write_text(_stamp(f"{inputs}\n{images}"))
    return target


def _is_written(cluster: Cluster, images: Sequence[Image], inputs: str) -> bool:
    target = cluster.images / archive_name(images[0].name)
    stamp = target.with_suffix(".digest")
    return target.exists() and stamp.exists() and stamp.read_text() == _stamp(f"{inputs}\n{images}")
