"""Hooks gather raw answers from the outside world; they never judge what they found."""
