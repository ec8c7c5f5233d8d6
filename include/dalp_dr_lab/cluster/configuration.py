"""Certificates, configuration files and command lines of one cluster."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from dalp_dr_lab.cluster.settings import ETCD, ETCD_PEER, NODE, PAUSE, SOURCE, Cluster

CNI_PLUGINS = Path("/usr/lib/cni")
MOUNTS = {
    "kubelet": "/var/lib/kubelet",
    "pods": "/var/log/pods",
    "containers": "/var/log/containers",
    "cni": "/var/lib/cni",
}


def write(cluster: Cluster) -> None:
    """Make everything that the programs read at their start."""
    for folder in ("logs", "cni", "cni-bin", "volumes", *(f"mount/{name}" for name in MOUNTS)):
        (cluster.run / folder).mkdir(parents=True, exist_ok=True)
    _containerd(cluster)
    _network(cluster)
    _kubelet(cluster)
    _certificates(cluster)


def _certificates(cluster: Cluster) -> None:
    """Make the CA, every certificate, the ServiceAccount key and one kubeconfig for each client."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=cluster.pki, check=True, capture_output=True)

    def new_key(name: str) -> None:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    cluster.pki.mkdir(mode=0o700)
    new_key("ca")
    openssl(
        *("req", "-x509", "-new", "-key", "ca.key", "-days", "365", "-subj", "/CN=cluster-ca", "-out", "ca.crt"),
        *("-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    openssl("genrsa", "-out", "sa.key", "2048")
    openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    names = [
        "localhost",
        *("kubernetes" + tail for tail in ("", ".default", ".default.svc", ".default.svc.cluster.local")),
    ]
    addresses = ("127.0.0.1", cluster.node_ip, cluster.api_ip)
    api_names = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in addresses)])
    for name, subject, server_names in (
        ("apiserver", "/CN=kube-apiserver", api_names),
        ("kubelet-server", f"/CN={NODE}", f"DNS:{NODE},IP:{cluster.node_ip}"),
        ("apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet", None),
        ("admin", "/O=system:masters/CN=admin", None),
        ("addons", "/O=system:masters/CN=addons", None),
        ("controllers", "/CN=system:kube-controller-manager", None),
        ("scheduler", "/CN=system:kube-scheduler", None),
        ("proxy", "/CN=system:kube-proxy", None),
        ("kubelet", f"/O=system:nodes/CN=system:node:{NODE}", None),
    ):
        use = f"extendedKeyUsage=serverAuth\nsubjectAltName={server_names}" if server_names else "extendedKeyUsage=clientAuth"
        (cluster.pki / f"{name}.ext").write_text(use)
        new_key(name)
        openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "365", "-out", f"{name}.crt", "-extfile", f"{name}.ext"),
        )
        if not server_names:
            _kubeconfig(cluster, name)


def _kubeconfig(cluster: Cluster, user: str) -> None:
    def data(name: str) -> str:
        return base64.b64encode((cluster.pki / name).read_bytes()).decode()

    name, server = cluster.name, f"https://{cluster.node_ip}:6443"
    path = cluster.run / f"{user}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}],
                "users": [
                    {
                        "name": user,
                        "user": {
                            "client-certificate-data": data(f"{user}.crt"),
                            "client-key-data": data(f"{user}.key"),
                        },
                    }
                ],
                "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            },
            indent=1,
        )
    )


def _containerd(cluster: Cluster) -> None:
    (cluster.run / "containerd.toml").write_text(f"""version = 2
root = "{cluster.store}"
state = "/run/containerd/state"
[grpc]
  address = "{cluster.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{cluster.run}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cluster.run}/cni-bin"
    conf_dir = "{cluster.run}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
""")


def _network(cluster: Cluster) -> None:
    for plugin in CNI_PLUGINS.iterdir():
        (cluster.run / "cni-bin" / plugin.name).symlink_to(plugin)
    (cluster.run / "cni-bin/policy-cni").symlink_to(cluster.bin / "policy-cni")
    addresses = {"type": "host-local", "ranges": [[{"subnet": cluster.pod_range}]], "routes": [{"dst": "0.0.0.0/0"}]}
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": addresses},
        {"type": "policy-cni", "socket": f"{cluster.run}/policy.sock"},
    ]
    (cluster.run / "cni/10-pods.conflist").write_text(json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}))
    (cluster.run / "resolv.conf").write_text("")  # pods know the cluster's DNS only


def _kubelet(cluster: Cluster) -> None:
    (cluster.run / "kubelet.json").write_text(
        json.dumps(
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "address": cluster.node_ip,
                "failCgroupV1": False,
                "cgroupDriver": "cgroupfs",
                "cgroupRoot": f"/{cluster.cgroup}",
                "failSwapOn": False,
                "enforceNodeAllocatable": ["pods"],
                "authentication": {
                    "anonymous": {"enabled": False},
                    "webhook": {"enabled": True},
                    "x509": {"clientCAFile": f"{cluster.pki}/ca.crt"},
                },
                "authorization": {"mode": "Webhook"},
                "tlsCertFile": f"{cluster.pki}/kubelet-server.crt",
                "tlsPrivateKeyFile": f"{cluster.pki}/kubelet-server.key",
                "containerRuntimeEndpoint": f"unix://{cluster.socket}",
                "clusterDomain": "cluster.local",
                "clusterDNS": [cluster.dns_ip],
                "resolvConf": f"{cluster.run}/resolv.conf",
                "imageGCHighThresholdPercent": 100,
                "imageGCLowThresholdPercent": 99,
                "evictionHard": {
                    "memory.available": "100Mi",
                    "nodefs.available": "1%",
                    "imagefs.available": "1%",
                    "nodefs.inodesFree": "1%",
                },
                "volumePluginDir": f"{cluster.run}/volume-plugins",
                "healthzBindAddress": "127.0.0.1",
                "readOnlyPort": 0,
            }
        )
    )


def commands(cluster: Cluster) -> dict[str, list[str]]:
    """The command line of every program that runs inside the node's namespaces."""
    run, pki, kube = cluster.run, cluster.pki, str(cluster.kube)

    def client(user: str) -> list[str]:
        kinds = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
        return [f"--{kind}={run}/{user}.kubeconfig" for kind in kinds]

    return {
        "containerd": ["containerd", f"--config={run}/containerd.toml"],
        "etcd": [
            *(kube, "etcd", f"--data-dir={run}/etcd", "--unsafe-no-fsync", "--log-level=warn"),
            *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}", f"--listen-peer-urls={ETCD_PEER}"),
            *(f"--initial-advertise-peer-urls={ETCD_PEER}", f"--initial-cluster=default={ETCD_PEER}"),
        ],
        "kube-apiserver": [
            *(kube, "kube-apiserver", f"--etcd-servers={ETCD}", f"--bind-address={cluster.node_ip}"),
            *(f"--advertise-address={cluster.node_ip}", "--secure-port=6443", f"--cert-dir={run}/apiserver"),
            *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
            *(f"--client-ca-file={pki}/ca.crt", f"--service-account-key-file={pki}/sa.pub"),
            f"--service-account-signing-key-file={pki}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            *(f"--service-cluster-ip-range={cluster.services}", "--authorization-mode=Node,RBAC"),
            *("--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
            *("--kubelet-preferred-address-types=InternalIP", f"--kubelet-certificate-authority={pki}/ca.crt"),
            f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet.key",
            *(f"--audit-policy-file={SOURCE}/audit-policy.yaml", f"--audit-log-path={cluster.audit_log}"),
            *("--audit-log-maxsize=100", "--audit-log-maxbackup=3"),
        ],
        "kube-controller-manager": [
            *(kube, "kube-controller-manager", *client("controllers"), "--bind-address=127.0.0.1"),
            *("--leader-elect=false", f"--service-account-private-key-file={pki}/sa.key"),
            *(f"--root-ca-file={pki}/ca.crt", f"--cluster-signing-cert-file={pki}/ca.crt"),
            *(f"--cluster-signing-key-file={pki}/ca.key", "--use-service-account-credentials"),
            *(f"--cluster-cidr={cluster.pods}", "--allocate-node-cidrs=false", f"--cert-dir={run}/controllers"),
        ],
        "kube-scheduler": [
            *(kube, "kube-scheduler", *client("scheduler"), "--bind-address=127.0.0.1", "--leader-elect=false"),
            f"--cert-dir={run}/scheduler",
        ],
        "network-policy": [
            kube,
            "network-policy",
            f"-kubeconfig={run}/addons.kubeconfig",
            f"-socket={run}/policy.sock",
        ],
        "local-storage": [kube, "local-storage", f"-kubeconfig={run}/addons.kubeconfig", f"-root={run}/volumes"],
        "kubelet": [
            *(kube, "kubelet", f"--config={run}/kubelet.json", f"--kubeconfig={run}/kubelet.kubeconfig"),
            *(f"--hostname-override={NODE}", f"--node-ip={cluster.node_ip}", "--root-dir=/var/lib/kubelet"),
            "--cert-dir=/var/lib/kubelet/pki",
        ],
        "kube-proxy": [
            *(kube, "kube-proxy", f"--kubeconfig={run}/proxy.kubeconfig", "--proxy-mode=nftables"),
            *(f"--cluster-cidr={cluster.pods}", f"--hostname-override={NODE}", "--conntrack-max-per-core=0"),
            *("--metrics-bind-address=127.0.0.1:10249", "--healthz-bind-address=127.0.0.1:10256"),
        ],
    }
