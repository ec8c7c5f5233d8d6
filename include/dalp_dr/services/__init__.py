"""DALP's services on restored state: start in order, health, and a reader's journey."""
