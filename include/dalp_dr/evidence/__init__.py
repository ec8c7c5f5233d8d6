"""Evidence: canonical records, bundle, seal, statements after it, ledger, and their verification offline."""
