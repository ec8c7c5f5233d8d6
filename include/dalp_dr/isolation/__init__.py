"""The sandbox: what it consists of, who may do what, and the proof that nothing gets out."""
