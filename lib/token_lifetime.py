"""The longest life of a token. Revocations are kept longer than this, so that none is forgotten before its tokens."""

from datetime import timedelta

TOKEN_LIFETIME_MAX = timedelta(days=400)
