"""Errors of the lab: each says what happened, whose fault it is and what to do next."""

from dalp_dr.errors import DrillError


class LabError(DrillError):
    """The lab cannot do what was asked; the message ends with what to do next."""
