from pathlib import Path

import pytest

from api.tokens import main
from auth.tokens import make_verifier
from tests.api.running import SECRET

ENVIRON = {"JWT_SECRET": SECRET}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, environ: dict[str, str] | None = None) -> str:
    assert main(arguments, ENVIRON if environ is None else environ) == 0
    return capsys.readouterr().out.strip()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, environ: dict[str, str]) -> str:
    assert main(arguments, environ) == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def test_a_token_is_for_one_user_and_the_inbox_for_an_hour(capsys: pytest.CaptureFixture[str]) -> None:
    claims = make_verifier(secret=SECRET).verify(printed(capsys, "alice"))
    assert (claims.sub, claims.scopes) == ("alice", frozenset({"inbox"}))
    assert claims.issued_at is not None
    assert (claims.expires_at - claims.issued_at).total_seconds() == 3600


def test_scopes_replace_the_default_and_may_be_several(capsys: pytest.CaptureFixture[str]) -> None:
    verifier = make_verifier(secret=SECRET)
    assert verifier.verify(printed(capsys, "shop", "--scope", "notify")).scopes == {"notify"}
    both = printed(capsys, "shop", "--scope", "notify", "--scope", "inbox", "--ttl", "60")
    assert verifier.verify(both).scopes == {"notify", "inbox"}


def test_the_token_fits_the_audience_and_the_issuer_that_are_expected(capsys: pytest.CaptureFixture[str]) -> None:
    token = printed(
        capsys, "alice", environ=ENVIRON | {"JWT_AUDIENCE": "belfry", "JWT_ISSUER": "https://id.example.com"}
    )
    assert make_verifier(secret=SECRET, audience="belfry", issuer="https://id.example.com").verify(token).sub == "alice"


def test_without_a_secret_that_of_the_embedded_run_is_taken_and_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "make up" in refused(capsys, "alice", environ={})
    Path("var").mkdir()
    Path("var/embedded.env").write_text(f"DATABASE_URL=sqlite:///x\nJWT_SECRET={SECRET}\n")
    assert main(["alice"], {}) == 0
    output = capsys.readouterr()
    assert make_verifier(secret=SECRET).verify(output.out.strip()).sub == "alice"
    assert output.err == "JWT_SECRET is taken from var/embedded.env\n"


def test_no_token_is_made_that_nobody_would_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert "identity provider" in refused(capsys, "alice", environ={"JWT_JWKS_URL": "https://id.example.com/jwks"})
    assert "shorter than 32 bytes" in refused(capsys, "alice", environ={"JWT_SECRET": "short"})
    assert "--ttl" in refused(capsys, "alice", "--ttl", "0", environ=ENVIRON)
    for sub in ("", "x" * 256, "a\nb"):
        assert "would not be valid" in refused(capsys, sub, environ=ENVIRON)


def test_an_unknown_scope_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["alice", "--scope", "admin"], ENVIRON)
    assert "admin" in capsys.readouterr().err
