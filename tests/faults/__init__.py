"""`make faults`: every promise holds, whichever process or service is killed, frozen or cut off.

Real processes run under load. One fault is injected and healed. When nothing is under way any more, a ledger reports
what was lost or doubled.
"""
