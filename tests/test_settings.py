"""Start-up refuses a missing or unsafe configuration, in words that name the variable and what to set."""

import re
import subprocess
import sys
from dataclasses import fields

import pytest

from ops.stack import ROOT, command_environment
from settings import Settings, SettingsError, load_settings

SECRET = "0123456789abcdef0123456789abcdef"
USABLE = {"DATABASE_URL": "sqlite:///x.db", "BROKER_URL": "amqp://user:hidden@host//", "JWT_SECRET": SECRET}

REFUSED = [
    ({"JWT_SECRET": ""}, "JWT_SECRET is not set"),
    ({"JWT_SECRET": SECRET[:-1]}, "JWT_SECRET is shorter than 32 bytes"),
    ({"JWT_JWKS_URL": "https://id.example/jwks"}, "JWT_SECRET and JWT_JWKS_URL are both set"),
    ({"JWT_SECRET": "", "JWT_JWKS_URL": "id.example/jwks"}, "JWT_JWKS_URL is not a usable URL"),
    ({"JWT_SECRET": "", "JWT_JWKS_URL": "https://"}, "JWT_JWKS_URL is not a usable URL"),
    ({"JWT_SECRET": "", "JWT_JWKS_URL": "https://[bad"}, "JWT_JWKS_URL is not a usable URL"),
    ({"JWT_SECRET": "", "JWT_JWKS_URL": "http://id.example/jwks"}, "JWT_JWKS_URL is not a usable URL"),
    ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
    ({"DATABASE_URL": "sqlite:///:memory:"}, "DATABASE_URL is not a usable URL"),
    ({"DATABASE_URL": "mysql://host/x"}, "DATABASE_URL is not a usable URL"),
    ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL is not a usable URL"),
    ({"DATABASE_URL": "postgresql://host:port/x"}, "DATABASE_URL is not a usable URL"),
    ({"BROKER_URL": "redis://"}, "BROKER_URL is not a usable URL"),
    ({"BROKER_URL": "memory://"}, "BROKER_URL is not a usable URL"),
    ({"BROKER_URL": "amqp://user:hidden@host:port"}, "BROKER_URL is not a usable URL"),
    ({"BROKER_URL": "amqp://user:hidden@a;"}, "BROKER_URL is not a usable URL"),
    ({"BROKER_URL": "amqp://user:hidden@a;amqps://user:hidden@b"}, "BROKER_URL names several brokers with different"),
    ({"BROKER_URL": "redis://:hidden@a;redis://:hidden@b"}, "BROKER_URL names several Redis servers"),
    ({"BROKER_URL": "redis://:hidden@a/first"}, "BROKER_URL ends with a Redis database that is not a number"),
    ({"BROKER_URL": "redis+socket:///x?virtual_host=y"}, "BROKER_URL ends with a Redis database that is not a number"),
    ({"BROKER_URL": "sentinel://:hidden@a/0"}, "BROKER_URL does not name the Redis that the Sentinels watch"),
    ({"BROKER_URL": "redis://:hidden@a?ssl_ca_certs=/x"}, "BROKER_URL has an option that redis:// does not take"),
    ({"BROKER_URL": "rediss://:hidden@a?ssl_cert_reqs=hidden"}, "BROKER_URL has an unusable ssl_cert_reqs"),
    ({"BROKER_URL": "rediss://:hidden@a?ssl_ca_certs="}, "BROKER_URL has an unusable ssl_ca_certs"),
    (
        {"BROKER_URL": "amqps://a?ssl_ca_certs=/x;amqps://b?ssl_ca_certs=/y"},
        "BROKER_URL has two values of ssl_ca_certs",
    ),
    ({"RATE_LIMIT_REDIS_URL": "amqp://user:hidden@a"}, "RATE_LIMIT_REDIS_URL is not a usable URL"),
    ({"RATE_LIMIT_REDIS_URL": "redis://:hidden@a;redis://:hidden@b"}, "RATE_LIMIT_REDIS_URL names several Redis"),
    ({"API_PORT": "eight"}, "API_PORT is 'eight'"),
    ({"PUSH_PORT": "65536"}, "PUSH_PORT is '65536'"),
    ({"CORS_ORIGINS": "https://app.example, *"}, "CORS_ORIGINS holds '*'"),
    ({"CORS_ORIGINS": "app.example"}, "CORS_ORIGINS holds 'app.example'"),
    ({"CORS_ORIGINS": "https://*.app.example"}, "CORS_ORIGINS holds 'https://*.app.example'"),
    ({"CORS_ORIGINS": "http://[x"}, "CORS_ORIGINS holds 'http://[x'"),
    ({"PUBLIC_PUSH_URL": "nonsense"}, "PUBLIC_PUSH_URL is 'nonsense'"),
    ({"PUBLIC_PUSH_URL": "javascript:alert(1)"}, "PUBLIC_PUSH_URL is 'javascript:alert(1)'"),
    ({"PUBLIC_PUSH_URL": "https://x; script-src *"}, "PUBLIC_PUSH_URL is 'https://x; script-src *'"),
    ({"API_PORT": "9000", "PUSH_PORT": "9000"}, "API_PORT and PUSH_PORT are both 9000"),
    ({"RETENTION_DAYS": "0"}, "RETENTION_DAYS is '0'"),
    ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD'"),
    ({"FAILPOINT": "delivered"}, "FAILPOINT is set, which kills processes"),
    ({"FAILPOINT": "delivered", "DEVELOPMENT": "no"}, "FAILPOINT is set, which kills processes"),
    ({"FAILPOINT": "nowhere", "DEVELOPMENT": "yes"}, "FAILPOINT is 'nowhere'"),
]


@pytest.mark.parametrize(("changed", "said"), REFUSED)
def test_an_unusable_setting_is_named_with_what_to_set(changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as refusal:
        load_settings(USABLE | changed)
    assert "; set " in str(refusal.value) or "; list " in str(refusal.value)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "amqp://u:p@a:5672/v;amqp://u:p@b/v",
        "amqps://u:p@a/v;amqps://u:p@b/v?ssl_ca_certs=/ca.pem",
        "redis://a/3",
        "rediss://:p@a:6380/0?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
        "redis+socket:///run/redis.sock?virtual_host=2",
        "sentinel://:p@a:26379;sentinel://b/1?master_name=belfry&ssl=true&sentinel_password=s",
    ],
)
def test_every_form_of_a_broker_url_is_taken_as_it_is(url: str) -> None:
    assert load_settings(USABLE | {"BROKER_URL": url}).broker_url == url


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings({})
    for name in ("DATABASE_URL", "BROKER_URL", "JWT_SECRET"):
        assert f"{name} is not set" in str(refusal.value)


@pytest.mark.parametrize("url", ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_every_spelling_of_a_postgresql_url_reaches_psycopg(url: str) -> None:
    assert load_settings(USABLE | {"DATABASE_URL": url}).database_url == "postgresql+psycopg://u:p@h/d"


def test_only_the_own_origins_are_allowed_by_default() -> None:
    assert load_settings(USABLE).cors_origins == ("http://127.0.0.1:8000", "http://localhost:8000")


def test_the_example_environment_names_every_setting() -> None:
    example = (ROOT / ".env.example").read_text()
    for field in fields(Settings):
        assert re.search(rf"^#? ?{field.name.upper()}=", example, re.MULTILINE), f"{field.name} is not in .env.example"


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "api"],
        [sys.executable, "-m", "push"],
        ["celery", "-A", "workers", "worker"],
        ["celery", "-A", "workers", "beat"],
        ["alembic", "upgrade", "head"],
    ],
    ids=["api", "push", "worker", "beat", "migrate"],
)
def test_no_process_starts_with_a_weak_secret(command: list[str]) -> None:
    env = command_environment(USABLE | {"JWT_SECRET": "weak", "JWT_JWKS_URL": ""})
    said = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode != 0
    assert "JWT_SECRET is shorter than 32 bytes" in said.stdout + said.stderr
    assert "Traceback" not in said.stdout + said.stderr
