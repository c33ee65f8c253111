"""Start-up rejects missing and unsafe settings with messages that name the variable and say what to set."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from dev.stack import ROOT, command_environment
from lib.ports import without_service_links
from settings import ALL, API, DATABASE, PUSH, WORKER, Settings, SettingsError, load_settings

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
    ({"BROKER_URL": "redis://:hidden@a?ssl_ca_certs=/x"}, "BROKER_URL has an option, and redis:// takes no options"),
    ({"BROKER_URL": "amqp://user:hidden@a?heartbeat=3"}, "BROKER_URL has an option, and amqp:// takes no options"),
    ({"BROKER_URL": "rediss://:hidden@a?ssl_cert_reqs=hidden"}, "BROKER_URL has an unusable ssl_cert_reqs"),
    ({"BROKER_URL": "amqps://a?heartbeat=3"}, "BROKER_URL has an option that amqps:// does not take; set only: ssl_ca"),
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
    ({"CORS_ORIGINS": "null"}, "CORS_ORIGINS holds 'null', which would allow pages of any site"),
    ({"CORS_ORIGINS": "https://app.example/page"}, "CORS_ORIGINS holds 'https://app.example/page', which has a path"),
    ({"CORS_ORIGINS": "https://me:hidden@app.example"}, "CORS_ORIGINS holds an address, which has a user name"),
    ({"CORS_ORIGINS": "wss://app.example"}, "CORS_ORIGINS holds 'wss://app.example', which has the scheme wss"),
    ({"CORS_ORIGINS": "file://"}, "CORS_ORIGINS holds 'file:'"),
    ({"CORS_ORIGINS": "capacitor://"}, "CORS_ORIGINS holds 'capacitor:'"),
    ({"CORS_ORIGINS": "https://app example"}, "CORS_ORIGINS holds 'https://app example'"),
    ({"CORS_ORIGINS": "http://127.1"}, "CORS_ORIGINS holds 'http://127.1'"),
    ({"PUBLIC_PUSH_URL": "nonsense"}, "PUBLIC_PUSH_URL is 'nonsense'"),
    ({"PUBLIC_PUSH_URL": "javascript:alert(1)"}, "PUBLIC_PUSH_URL is 'javascript:alert(1)'"),
    ({"PUBLIC_PUSH_URL": "https://x; script-src *"}, "PUBLIC_PUSH_URL is 'https://x; script-src *'"),
    ({"PUBLIC_PUSH_URL": "https://me:hidden@push.example"}, "PUBLIC_PUSH_URL is an address, which has a user name"),
    ({"PUBLIC_PUSH_URL": "https://push.example/live?x=1"}, "PUBLIC_PUSH_URL is 'https://push.example/live?x=1'"),
    ({"PUBLIC_PUSH_URL": "https://push.example/a b"}, "PUBLIC_PUSH_URL is 'https://push.example/a b'"),
    ({"PUBLIC_PUSH_URL": "https://push.example/../x"}, "PUBLIC_PUSH_URL is 'https://push.example/../x'"),
    ({"PUBLIC_PUSH_URL": "capacitor://localhost"}, "PUBLIC_PUSH_URL is 'capacitor://localhost'"),
    ({"PUBLIC_API_URL": "/belfry"}, "PUBLIC_API_URL is '/belfry'"),
    ({"JWT_SECRET_PREVIOUS": "short"}, "JWT_SECRET_PREVIOUS is shorter than 32 bytes"),
    (
        {"JWT_SECRET": "", "JWT_SECRET_PREVIOUS": SECRET, "JWT_JWKS_URL": "https://id.example/jwks"},
        "JWT_SECRET_PREVIOUS has no effect with JWT_JWKS_URL",
    ),
    ({"JWT_LEEWAY_SECONDS": "601"}, "JWT_LEEWAY_SECONDS is '601'"),
    ({"JWT_LEEWAY_SECONDS": "-1"}, "JWT_LEEWAY_SECONDS is '-1'"),
    *(
        ({"URL_SCHEMES": f"myapp,{one}"}, f"URL_SCHEMES holds '{one.lower()}'")
        for one in ("JavaScript", "data", "file")
    ),
    ({"URL_SCHEMES": "myapp://"}, "URL_SCHEMES holds 'myapp://'"),
    ({"API_PORT": "9000", "PUSH_PORT": "9000"}, "API_PORT and PUSH_PORT are both 9000"),
    ({"RETENTION_DAYS": "0"}, "RETENTION_DAYS is '0'"),
    ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD'"),
    ({"FAILPOINT": "delivered"}, "FAILPOINT is set, which kills processes"),
    ({"FAILPOINT": "delivered", "DEVELOPMENT": "no"}, "FAILPOINT is set, which kills processes"),
    ({"FAILPOINT": "nowhere", "DEVELOPMENT": "yes"}, "FAILPOINT is 'nowhere'"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_an_unusable_setting_is_named_with_what_to_set(changed: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)) as refusal:
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
def test_every_form_of_a_broker_url_is_accepted_unchanged(url: str) -> None:
    assert load_settings(USABLE | {"BROKER_URL": url}).broker_url == url


def test_all_problems_are_reported_together() -> None:
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


SPELLINGS = {
    "https://App.Example.com": "https://app.example.com",
    "HTTPS://app.example.com:443/": "https://app.example.com",
    "http://app.example.com:0080": "http://app.example.com",
    "http://localhost:3000": "http://localhost:3000",
    "https://app.example.com:80": "https://app.example.com:80",
    "https://bücher.example": "https://xn--bcher-kva.example",
    "https://STRASSE.example": "https://strasse.example",
    "https://straße.example": "https://xn--strae-oqa.example",
    "https://例え.テスト": "https://xn--r8jz45g.xn--zckzah",
    "http://[0:0:0:0:0:0:0:1]:3000": "http://[::1]:3000",
    "http://192.168.0.10:8080": "http://192.168.0.10:8080",
    "https://my_host.example": "https://my_host.example",
    "capacitor://localhost": "capacitor://localhost",
    "ionic://LOCALHOST": "ionic://localhost",
    "tauri://localhost": "tauri://localhost",
    "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb": "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
    "moz-extension://5ca9b12c-6ab1-4a15-aaf5-8eca1c83e1ed": "moz-extension://5ca9b12c-6ab1-4a15-aaf5-8eca1c83e1ed",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_origins_are_normalized_as_browsers_write_them(spelling: str) -> None:
    assert load_settings(USABLE | {"CORS_ORIGINS": f" {spelling} ,"}).cors_origins == (SPELLINGS[spelling],)


def test_two_spellings_of_one_origin_are_one_origin() -> None:
    listed = {"CORS_ORIGINS": "https://App.Example.com,https://app.example.com:443"}
    assert load_settings(USABLE | listed).cors_origins == ("https://app.example.com",)


def test_a_public_address_may_have_a_path() -> None:
    urls = {"PUBLIC_PUSH_URL": "https://Example.com:443/live/", "PUBLIC_API_URL": "https://example.com/belfry/"}
    settings = load_settings(USABLE | urls)
    assert (settings.public_push_url, settings.public_api_url) == (
        "https://example.com/live",
        "https://example.com/belfry",
    )


@pytest.mark.parametrize("name", ["API_PORT", "PUSH_PORT"])
@pytest.mark.parametrize("scheme", ["tcp", "udp", "sctp"])
def test_the_port_that_kubernetes_sets_for_a_service_is_ignored_with_a_warning(
    name: str, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(USABLE | {name: f"{scheme}://10.43.0.5:8000"})
    assert (settings.api_port, settings.push_port) == (8000, 8001)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert f"variable={name} value={scheme}://10.43.0.5:8000 set_by=kubernetes_service" in record.getMessage()


UNUSABLE = {
    "DATABASE_POOLER": "perhaps",
    "DATABASE_URL": "mysql://host/x",
    "BROKER_URL": "memory://",
    "JWT_SECRET": "weak",
    "API_PORT": "eight",
    "PUSH_PORT": "nine",
    "PUBLIC_API_URL": "nonsense",
    "PUBLIC_PUSH_URL": "nonsense",
    "CORS_ORIGINS": "*",
    "URL_SCHEMES": "javascript",
    "JWT_LEEWAY_SECONDS": "long",
    "LOG_LEVEL": "LOUD",
    "WAITING_MAX": "many",
    "RATE_LIMIT_USER": "many",
    "RATE_LIMIT_PRODUCER": "many",
    "RATE_LIMIT_REDIS_URL": "amqp://x",
    "PUSH_MAX_SOCKETS": "many",
    "PUSH_MAX_SOCKETS_PER_USER": "many",
    "RETENTION_DAYS": "long",
    "CHANGES_RETENTION_DAYS": "long",
    "FAILPOINT": "nowhere",
}
WITHOUT_A_BAD_VALUE = {"JWT_SECRET_PREVIOUS", "JWT_JWKS_URL", "JWT_AUDIENCE", "JWT_ISSUER", "BIND_HOST", "DEVELOPMENT"}


@pytest.mark.parametrize("uses", [DATABASE, WORKER, API, PUSH], ids=["alembic", "worker", "api", "push"])
def test_a_process_reports_all_problems_with_the_variables_that_it_uses_and_no_others(uses: frozenset[str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(UNUSABLE, uses)
    named = set(re.findall(r"^  - (\w+) ", str(refusal.value), re.MULTILINE))
    assert named == uses & UNUSABLE.keys()


def test_every_setting_is_used_by_a_process_and_has_an_unusable_value_here() -> None:
    assert ALL == {field.name.upper() for field in fields(Settings)} == UNUSABLE.keys() | WITHOUT_A_BAD_VALUE


def test_the_other_servers_port_is_used_if_a_default_is_derived_from_it() -> None:
    for uses, port, address in ((API, "PUSH_PORT", "PUBLIC_PUSH_URL"), (PUSH, "API_PORT", "CORS_ORIGINS")):
        with pytest.raises(SettingsError, match=f"{port} is 'x'"):
            load_settings(USABLE | {port: "x"}, uses)
        load_settings(USABLE | {port: "x", address: "https://belfry.example"}, uses)


COMMANDS = {
    "api": [sys.executable, "-m", "api"],
    "push": [sys.executable, "-m", "push"],
    "worker": ["celery", "-A", "workers", "worker"],
    "beat": ["celery", "-A", "workers", "beat"],
    "migrate": ["alembic", "upgrade", "head"],
}


def run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command with only these settings."""
    env = command_environment(dict.fromkeys(ALL, "") | environ)
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "setting", "value", "message"),
    [
        ("api", "JWT_SECRET", "weak", "JWT_SECRET is shorter than 32 bytes"),
        ("push", "JWT_SECRET", "weak", "JWT_SECRET is shorter than 32 bytes"),
        ("worker", "BROKER_URL", "memory://", "BROKER_URL is not a usable URL"),
        ("beat", "BROKER_URL", "memory://", "BROKER_URL is not a usable URL"),
        ("migrate", "DATABASE_URL", "mysql://host/x", "DATABASE_URL is not a usable URL"),
    ],
)
def test_no_process_starts_with_an_unusable_setting_of_its_own(
    name: str, setting: str, value: str, message: str
) -> None:
    result = run(COMMANDS[name], USABLE | {setting: value})
    assert result.returncode != 0
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_alembic_needs_the_database_alone(tmp_path: Path) -> None:
    kubernetes = {"API_PORT": "tcp://10.43.0.5:8000", "PUSH_PORT": "tcp://10.43.0.6:8001"}
    result = run(COMMANDS["migrate"], {"DATABASE_URL": f"sqlite:///{tmp_path}/x.db"} | kubernetes)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "x.db").exists()


def test_celery_needs_neither_token_secrets_nor_ports() -> None:
    unused = {name: value for name, value in UNUSABLE.items() if name not in WORKER}
    result = run(["celery", "-A", "workers", "report"], USABLE | unused)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variable"), [("api", "API_PORT"), ("push", "PUSH_PORT")])
def test_the_log_says_which_port_was_ignored(name: str, variable: str) -> None:
    result = run(COMMANDS[name], USABLE | {variable: "tcp://10.43.0.5:8000", "LOG_LEVEL": "LOUD"})
    assert re.search(rf"Z WARNING settings port_ignored variable={variable} value=tcp://10.43.0.5:8000 ", result.stderr)
    assert "LOG_LEVEL is 'LOUD'" in result.stderr
    assert f"{variable} is" not in result.stderr


def test_make_up_ignores_the_ports_that_kubernetes_sets() -> None:
    environ = {"API_PORT": "tcp://10.43.0.5:8000", "PUSH_PORT": "8101", "BROKER_URL": "tcp://x"}
    assert without_service_links(environ) == {"PUSH_PORT": "8101", "BROKER_URL": "tcp://x"}
