"""Errors of the lab: each says what happened, whose fault it is and what to do next."""


class LabError(Exception):
    """The lab cannot do what was asked; the message ends with what to do next."""
