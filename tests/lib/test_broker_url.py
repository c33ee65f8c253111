"""Broker URLs: synonyms of options."""

import ssl

import pytest

from lib.broker_url import parse_broker_url


@pytest.mark.parametrize(
    ("spelling", "verification"),
    [
        ("required", ssl.CERT_REQUIRED),
        ("CERT_REQUIRED", ssl.CERT_REQUIRED),
        ("optional", ssl.CERT_REQUIRED),
        ("CERT_OPTIONAL", ssl.CERT_REQUIRED),
        ("none", ssl.CERT_NONE),
        ("CERT_NONE", ssl.CERT_NONE),
    ],
)
def test_the_verification_is_spelt_as_by_celery_or_by_redis(spelling: str, verification: ssl.VerifyMode) -> None:
    over_amqp = parse_broker_url(f"amqps://a?ssl_cert_reqs={spelling}").tls
    over_redis = parse_broker_url(f"rediss://a?ssl_cert_reqs={spelling}").tls
    assert isinstance(over_amqp, dict)
    assert isinstance(over_redis, dict)
    assert over_amqp["cert_reqs"] == verification
    assert over_redis["ssl_cert_reqs"] == ("required" if verification == ssl.CERT_REQUIRED else "none")
