"""What a cluster shows of a DALP, read out of Kubernetes objects as `kubectl get -o json` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
SERVES = (  # words in a workload's name -> what it probably serves; the first that fits
    ("gateway", ("erpc", "gateway", "rpc")),
    ("indexer", ("indexer", "didx", "graph-node")),
    ("worker", ("worker", "ddwf", "engine")),
    ("api", ("dapi", "api", "hasura", "portal")),
    ("dapp", ("dapp", "console", "web")),
)
ORDER = {"gateway": 1, "indexer": 2, "api": 2, "other": 1, "dapp": 3, "worker": 4}


@dataclass(frozen=True)
class FoundNamespace:
    """One namespace of production."""

    name: str
    schedule: str | None
    release: str | None
    secrets: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class FoundService:
    """A workload behind a Service, and a guess at what it serves."""

    name: str
    namespace: str
    workload: str
    service: str
    port: int
    serves: str


@dataclass(frozen=True)
class FoundDatabase:
    """A CloudNativePG cluster and its archive."""

    cluster: str
    namespace: str
    image: str
    storage: str
    database: str
    owner: str
    bucket: str
    prefix: str
    server_name: str


@dataclass(frozen=True)
class Found:
    """Everything."""

    location: str | None
    bucket: str | None
    prefix: str
    namespaces: tuple[FoundNamespace, ...]
    services: tuple[FoundService, ...]
    databases: tuple[FoundDatabase, ...]


def source_namespaces(schedules: Iterable[Object]) -> tuple[str, ...]:
    """The namespaces that Velero's schedules back up."""
    return tuple(dict.fromkeys(n for s in schedules for n in (s["spec"].get("template") or {}).get("includedNamespaces") or () if n != "*"))


def read(schedules: Iterable[Object], locations: Iterable[Object], objects: Mapping[str, Iterable[Object]]) -> Found:
    """`objects`: namespace -> its workloads, Services, Pods, Ingresses, Clusters and ObjectStores."""
    plans, places = list(schedules), list(locations)
    place = next((p for p in places if p["spec"].get("default")), places[0] if places else None)
    storage = (place or {}).get("spec", {}).get("objectStorage", {})
    live = {name: list(items) for name, items in objects.items()}
    return Found(
        location=place["metadata"]["name"] if place else None,
        bucket=storage.get("bucket"),
        prefix=storage.get("prefix", ""),
        namespaces=tuple(_namespace(name, items, plans) for name, items in live.items()),
        services=tuple(s for name, items in live.items() for s in _services(name, items)),
        databases=tuple(d for name, items in live.items() for d in _databases(name, items)),
    )


def _of(items: Iterable[Object], *kinds: str) -> Iterator[Object]:
    return (i for i in items if i.get("kind") in kinds)


def _namespace(name: str, items: list[Object], schedules: list[Object]) -> FoundNamespace:
    schedule = next(
        (s["metadata"]["name"] for s in schedules if name in ((s["spec"].get("template") or {}).get("includedNamespaces") or ())), None
    )
    releases = [_release(i["metadata"]) for i in _of(items, "Deployment", "StatefulSet")]
    clusters = {c["metadata"]["name"] for c in _of(items, "Cluster")}
    pods = [p for p in _of(items, "Pod") if (p["metadata"].get("labels") or {}).get("cnpg.io/cluster") not in clusters]
    own = {f"{c}-{end}" for c in clusters for end in ("ca", "server", "app", "replication")}
    secrets = sorted({s for p in pods for s in _secrets(p)} - own)
    hosts = sorted({r["host"] for i in _of(items, "Ingress") for r in i["spec"].get("rules") or () if r.get("host")})
    return FoundNamespace(name, schedule, next((r for r in releases if r), None), tuple(secrets), tuple(hosts))


def _release(metadata: Mapping[str, Any]) -> str | None:
    name = (metadata.get("annotations") or {}).get("meta.helm.sh/release-name")
    return name or (metadata.get("labels") or {}).get("app.kubernetes.io/instance")


def _secrets(pod: Object) -> Iterator[str]:
    spec = pod["spec"]
    for volume in spec.get("volumes") or ():
        if found := (volume.get("secret") or {}).get("secretName"):
            yield found
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        yield from (str(k["name"]) for e in container.get("envFrom") or () if (k := e.get("secretRef")))
        yield from (str(k["name"]) for e in container.get("env") or () if (k := (e.get("valueFrom") or {}).get("secretKeyRef")))


def _services(namespace: str, items: list[Object]) -> Iterator[FoundService]:
    services = [s for s in _of(items, "Service") if s["spec"].get("selector") and s["spec"].get("ports")]
    for item in _of(items, "Deployment", "StatefulSet"):
        labels = item["spec"]["template"]["metadata"].get("labels") or {}
        service = next((s for s in services if s["spec"]["selector"].items() <= labels.items()), None)
        if service is not None:
            name = item["metadata"]["name"]
            port = int(service["spec"]["ports"][0]["port"])
            yield FoundService(name, namespace, f"{item['kind'].lower()}/{name}", service["metadata"]["name"], port, serves(name))


def serves(name: str) -> str:
    """A guess from the name."""
    return next((what for what, words in SERVES if any(w in name for w in words)), "other")


def _databases(namespace: str, items: list[Object]) -> Iterator[FoundDatabase]:
    stores = {s["metadata"]["name"]: s for s in _of(items, "ObjectStore")}
    for item in _of(items, "Cluster"):
        spec, name = item["spec"], item["metadata"]["name"]
        plugin: Object = next((p for p in spec.get("plugins") or () if p.get("isWALArchiver")), {})
        asked = plugin.get("parameters") or {}
        store = stores.get(asked.get("barmanObjectName", ""), {})
        tree = (spec.get("backup") or {}).get("barmanObjectStore") or {}
        path = (
            ((store.get("spec") or {}).get("configuration") or {}).get("destinationPath") or tree.get("destinationPath") or ""
        ).removeprefix("s3://")
        bootstrap = (spec.get("bootstrap") or {}).get("initdb") or {}
        yield FoundDatabase(
            cluster=name,
            namespace=namespace,
            image=spec.get("imageName") or (item.get("status") or {}).get("image") or "",
            storage=(spec.get("storage") or {}).get("size", ""),
            database=bootstrap.get("database", "app"),
            owner=bootstrap.get("owner", "app"),
            bucket=path.partition("/")[0],
            prefix=path.partition("/")[2].strip("/"),
            server_name=asked.get("serverName") or tree.get("serverName") or name,
        )
