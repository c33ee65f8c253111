"""Tables, the session, every query. Imports nothing of ours; queries never commit: the caller owns the transaction."""
