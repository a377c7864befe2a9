"""What is past its retention goes: a step for each kind, all of them bounded, none touches unfinished work.

Ledger records, parked content, jobs and traces end by their own expiry in Redis (their retention is set when
they are written); here goes what Redis does not expire by itself.
"""
