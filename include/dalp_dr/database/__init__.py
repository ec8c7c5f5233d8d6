"""The surface database: the archive and its window, the recovery point, the recovery and its proof."""
