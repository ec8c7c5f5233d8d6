"""A time-stamping authority of openssl's, with a root of its own: unrelated code on the other side."""

from __future__ import annotations

import subprocess
from pathlib import Path

CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Stamps of a test
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = stamps
[stamps]
serial = serial
signer_digest = sha256
digests = sha256
default_policy = 1.2.3.4.1
crypto_device = builtin
ordering = yes
tsa_name = no
ess_cert_id_chain = no
"""


class Authority:
    """Answers requests; `root` is the certificate that a reader trusts."""

    def __init__(self, folder: Path, name: str = "Stamps of a test") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "openssl.cnf").write_text(CONFIGURATION.replace("Stamps of a test", name))
        (folder / "serial").write_text("01\n")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self._openssl("req", "-x509", *curve, "-keyout", "root.key", "-out", "root.pem", "-days", "30", "-extensions", "root")
        self._openssl("req", "-new", *curve, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={name} leaf")
        issuer = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")
        extensions = ("-extfile", "openssl.cnf", "-extensions", "leaf")
        self._openssl("x509", "-req", "-in", "leaf.csr", *issuer, "-out", "leaf.pem", "-days", "30", *extensions, configured=False)

    @property
    def root(self) -> bytes:
        return (self.folder / "root.pem").read_bytes()

    def answer(self, question: bytes) -> bytes:
        """The DER answer to a DER request, at the present time."""
        (self.folder / "question.tsq").write_bytes(question)
        signer = ("-signer", "leaf.pem", "-inkey", "leaf.key")
        self._openssl("ts", "-reply", "-queryfile", "question.tsq", *signer, "-section", "stamps", "-out", "answer.tsr")
        return (self.folder / "answer.tsr").read_bytes()

    def _openssl(self, *words: str, configured: bool = True) -> None:
        more = ("-config", "openssl.cnf") if configured else ()
        subprocess.run(["openssl", *words, *more], cwd=self.folder, check=True, capture_output=True)
