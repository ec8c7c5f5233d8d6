"""Recovery drills for self-hosted DALP: the pure core.

Rules take values and return values. Clock, network and disk belong to the caller. Read in this order:
model (environment, plan, check, record), the surfaces (database, kubernetes_resources, object_storage, observability,
configuration), chain, services, isolation, timing, then catalogue (all record kinds and checks), dossier, decide,
evidence (bundle, seal, ledger) and report.
"""
