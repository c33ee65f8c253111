"""The keys that an identity provider publishes (JWKS), fetched when needed and kept while it is unreachable."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import jwt

log = logging.getLogger(__name__)

FETCH_TIMEOUT = 2  # seconds; requests wait for it
MAX_AGE_SECONDS = 300  # of the keys, before they are fetched again: a withdrawn key is accepted for so long
RETRY_SECONDS = 5  # between two fetches, whatever key ids clients invent


class KeysUnavailable(Exception):
    """The keys to verify this token with cannot be fetched at present."""


class UnknownKey(Exception):
    """No published key has the id in the token's header."""


class PublishedKeys:
    """The provider's RS256 and ES256 keys by their ids. Fetched keys stay valid while the provider is unreachable."""

    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    def keys_for(self, token: str) -> Sequence[jwt.PyJWK]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in self.algorithms or "kid" not in header:
            raise UnknownKey("the token names no published key, or another algorithm")
        return [self._key(header["kid"])]

    def _key(self, kid: str) -> jwt.PyJWK:
        key = self._keys.get(kid)
        if key is None:
            self._refresh(wait=True)
        elif not _within(self._fetched_at, MAX_AGE_SECONDS):
            self._refresh(wait=False)
        key = self._keys.get(kid)
        if key is not None:
            return key
        if self._up_to_date():
            raise UnknownKey("no published key has the id that the token names")
        raise KeysUnavailable("the published keys cannot be fetched")

    def _refresh(self, *, wait: bool) -> None:
        """Fetch, unless it was tried within `RETRY_SECONDS`. Without `wait`, return if another thread is fetching."""
        if not self._lock.acquire(blocking=wait, timeout=2 * FETCH_TIMEOUT if wait else -1):
            return
        try:
            if not _within(self._tried_at, RETRY_SECONDS):
                self._tried_at = time.monotonic()
                self._keys = _fetch(self._url)
                self._fetched_at = self._tried_at
        except (jwt.PyJWTError, OSError, ValueError) as error:
            log.warning("jwks_fetch_failed error=%s keys_kept=%d", type(error).__name__, len(self._keys))
        finally:
            self._lock.release()

    def _up_to_date(self) -> bool:
        """Whether the last fetch succeeded, so that a key which is not here does not exist."""
        return self._fetched_at is not None and self._fetched_at == self._tried_at


def _fetch(url: str) -> dict[str, jwt.PyJWK]:
    if url.startswith("file:"):
        key_set = jwt.PyJWKSet.from_dict(json.loads(Path(url2pathname(urlsplit(url).path)).read_text()))
    else:
        key_set = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_TIMEOUT).get_jwk_set()
    return {key.key_id: key for key in key_set.keys if key.key_id and key.public_key_use in ("sig", None)}


def _within(moment: float | None, seconds: float) -> bool:
    return moment is not None and time.monotonic() - moment < seconds
