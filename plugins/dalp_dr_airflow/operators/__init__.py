"""Operators of a drill, one file a stage or surface: look first, act once under a fixed name, defer, record, judge."""
