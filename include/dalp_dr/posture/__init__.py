"""The watch between drills: would the backups still allow a recovery? A green posture is never a proof of recovery."""
