"""The tables and every query. Queries never commit: the caller owns the transaction. Imports only `lib`."""
