"""Fresh databases and virtual hosts in running services, removed when the block is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from dev.rabbitmq import RabbitMQ


@contextmanager
def fresh_database(admin_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new PostgreSQL database, copied from the template; remaining connections are closed at the end."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield urlsplit(admin_url)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def fresh_vhost(broker: RabbitMQ, queue_type: str = "") -> Iterator[str]:
    """The URL of a new virtual host; remaining connections are closed at the end. `queue_type` is its default type."""
    name = f"test-{uuid4().hex}"
    try:
        yield broker.add_vhost(name, queue_type)
    finally:
        broker.delete_vhost(name)
