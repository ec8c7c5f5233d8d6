"""The miniature DALP: image, charts, contract, configuration in Git, traffic and backups; a part of the lab."""

from dalp_dr_lab.miniature.deploy import down, env, status, up

__all__ = ["down", "env", "status", "up"]
