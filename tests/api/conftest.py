"""One API process for each database, shared by all tests. A test that breaks something starts its own."""

from collections.abc import Iterator

import pytest

from tests.api.running import Api, Caller, running_api
from tests.conftest import demand_service
from tests.support.fresh import fresh_database


@pytest.fixture(scope="session")
def sqlite_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with running_api(f"sqlite:///{folder}/belfry.sqlite", folder) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url, running_api(url, folder) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest) -> Api:
    """The API without a broker: only `api.deliver(…)` delivers.

    Both run until the session ends: one fixture with two parameters would start anew at each change of the parameter.
    """
    running: Api = request.getfixturevalue(f"{request.param}_api")
    return running


@pytest.fixture
def alice(api: Api) -> Caller:
    return api.caller("alice")


@pytest.fixture
def bob(api: Api) -> Caller:
    return api.caller("bob")


@pytest.fixture
def shop(api: Api) -> Caller:
    """A producer."""
    return api.caller("shop", "notify")
