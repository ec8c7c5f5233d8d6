"""The EVM network as the drill's witness: its identity and continuity, balances at one pinned block, requests in flight."""
