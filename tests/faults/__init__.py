"""Faults played on real processes: what they need, and the matrix of them (`make faults`)."""
