"""What was promised is kept, whatever dies, freezes or falls silent: `make faults`.

Real processes under load; one fault is injected and healed; when all is quiet a ledger says what was lost or doubled.
"""
