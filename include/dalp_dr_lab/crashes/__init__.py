"""Crashes in the middle of a good drill: real processes ended by signal and pid. The drill must end as it would have without them.

`python -m dalp_dr_lab crashes [NAME...]` runs them in as few drills as their moments allow and looks at what each drill left.
"""

from dalp_dr_lab.crashes.matrix import main

__all__ = ["main"]
