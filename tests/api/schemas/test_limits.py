"""Inputs at their limits are accepted, and values derived from them fit into their columns."""

from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import String, func, select

from models import limits
from models.schema import metadata
from tests.api.running import Api, Caller, answered

# From one to four bytes of UTF-8 for a character. What is drawn at random cannot be compressed into an index's row.
ALPHABETS = [
    "".join(map(chr, range(0x21, 0x7F))),
    "".join(map(chr, range(0xC0, 0x250))),
    "".join(map(chr, range(0x4E00, 0x9FA5))),
]
ALPHABETS += ["".join(map(chr, range(0x1F300, 0x1FA00)))]
OF_TWO_BYTES = ALPHABETS[:2]  # four times 65,536 bytes are more than a request may have
RANDOM = Random()
SOME = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],  # there is nothing to make smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def text(length: int, alphabets: list[str] = ALPHABETS) -> st.SearchStrategy[str]:
    """Different texts of this length or one less."""
    drawn = st.tuples(st.sampled_from(alphabets), st.sampled_from([length, length - 1]))
    return drawn.map(lambda one: "".join(RANDOM.choices(one[0], k=one[1])))


ID, TOPIC, KIND = text(limits.ID_MAX), text(limits.TOPIC_MAX), text(limits.KIND_MAX)
KEY = text(limits.IDEMPOTENCY_KEY_MAX, ALPHABETS[:1])
FOLLOWED = ID.map(lambda one: f"{limits.FOLLOWED_PREFIX}{one}")
CONTENT = st.fixed_dictionaries(
    {
        "kind": KIND,
        "title": text(limits.TITLE_MAX, OF_TWO_BYTES),
        "body": text(limits.BODY_MAX, OF_TWO_BYTES),
        "url": text(limits.URL_MAX - 1, ALPHABETS[:2]).map(lambda one: "/" + one.translate({0x2F: "x", 0x5C: "x"})),
        "actor": ID,
        "severity": st.sampled_from(["none", "low", "medium", "high"]),
        "data": text(limits.DATA_MAX_BYTES - 20, ALPHABETS[:1]).map(
            lambda one: {"x": one.translate({0x22: "x", 0x5C: "x"})}
        ),
        "expires_at": st.sampled_from(["9999-12-31T23:59:59.999999Z", "2999-01-01T00:00:00+14:00"]),
    }
)


def path(template: str, *values: str) -> str:
    return template.format(*(quote(value, safe="") for value in values))


@SOME
@given(follower=ID, target=ID, key=KEY)
def test_a_follow_of_the_longest_ids_works_to_its_end(api: Api, follower: str, target: str, key: str) -> None:
    one, other = api.named(follower, "inbox", "notify"), api.named(target)
    api.deliver(one.post("/v1/follows", {"target": target}, key))
    topic = f"user:{target}"
    assert topic in answered(one.get("/v1/subscriptions"), 200)["topics"]
    [item] = answered(other.get("/v1/inbox", kind="follow", actor=follower), 200)["items"]
    assert item["title"] == f"{follower} follows you"

    api.deliver(one.post("/v1/notifications", {"topic": topic, "kind": "k", "title": "t"}))
    assert answered(one.get("/v1/inbox", topic=topic), 200)["items"]
    assert answered(one.get("/v1/notifications", topic=topic), 200)["notifications"]
    through = {"through": limits.SEQ_MAX, "topic": topic, "kind": "k"}
    assert answered(one.post("/v1/inbox/read", through), 200)["changed"] == 1
    assert one.delete(path("/v1/subscriptions/{}", topic)).status_code == 204
    assert one.put(path("/v1/subscriptions/{}", topic)).status_code == 204
    assert one.delete(path("/v1/follows/{}", target)).status_code == 204
    assert answered(one.get("/v1/subscriptions"), 200) == {"topics": []}


@SOME
@given(producer=ID, recipient=ID, topic=TOPIC | FOLLOWED, content=CONTENT, key=KEY)
def test_a_notification_at_every_limit_reaches_its_reader_as_it_was_sent(
    api: Api, producer: str, recipient: str, topic: str, content: dict[str, Any], key: str
) -> None:
    shop, reader = api.named(producer, "notify"), api.named(recipient)
    subscribers = {"add": [recipient]}
    answered(shop.put(path("/v1/topics/{}/subscribers", topic), subscribers), 200)
    api.deliver(shop.post("/v1/notifications", content | {"recipients": [recipient]}, key))
    sent = answered(
        shop.post("/v1/notifications/batch", {"notifications": [small(content) | {"topic": topic}]}, key), 202
    )
    api.deliver_ids([sent["notifications"][0]["id"]])
    filters = {"topic": topic, "kind": content["kind"], "actor": content["actor"], "severity": content["severity"]}
    [item] = answered(reader.get("/v1/inbox", **filters), 200)["items"]
    assert (item["topic"], item["kind"], item["actor"]) == (topic, content["kind"], content["actor"])
    [_, first] = answered(reader.get("/v1/inbox"), 200)["items"]
    assert {name: first[name] for name in ("title", "body", "data", "url")} == {
        name: content[name] for name in ("title", "body", "data", "url")
    }


def small(content: dict[str, Any]) -> dict[str, Any]:
    return content | {"title": "t", "body": None, "data": None}


@SOME
@given(producer=ID, topic=FOLLOWED, content=CONTENT)
def test_the_next_page_of_the_longest_query_can_be_asked_for(
    api: Api, producer: str, topic: str, content: dict[str, Any]
) -> None:
    shop, reader = api.named(producer, "notify"), api.caller("reader")
    answered(shop.put(path("/v1/topics/{}/subscribers", topic), {"add": [reader.id]}), 200)
    api.deliver(*(shop.post("/v1/notifications", small(content) | {"topic": topic}) for _ in range(2)))
    filters = {"topic": topic, "kind": content["kind"], "limit": "1"}
    own = {"actor": content["actor"], "state": "unread", "severity": content["severity"]}
    published = {"status": "delivered", "since": "0001-01-01T00:00:00.000000Z", "until": "9999-12-31T00:00:00.000000Z"}
    for caller, where, more in ((reader, "/v1/inbox", own), (shop, "/v1/notifications", published)):
        first = caller.get(where, **filters, **more)
        answered(first, 200)
        following = caller.http.get(first.url.join(first.links["next"]["url"]), headers=caller.headers)
        answered(following, 200)


@SOME
@given(user=ID, target=ID, words=text(limits.BODY_MAX, OF_TWO_BYTES), key=KEY)
def test_messages_and_revocations_of_the_longest_ids_work(
    api: Api, user: str, target: str, words: str, key: str
) -> None:
    sender, receiver = api.named(user, "inbox", "notify"), api.named(target)
    api.deliver(sender.post("/v1/messages", {"to": target, "text": words}, key))
    [item] = answered(receiver.get("/v1/inbox", kind="message", actor=user), 200)["items"]
    assert (item["title"], item["body"]) == (f"Message from {user}", words)
    assert answered(sender.post("/v1/tokens/revoke", {"user": target}), 200)["user"] == target


@pytest.mark.parametrize("since", [0, limits.SEQ_MAX])
def test_numbers_at_their_limits_are_answered(api: Api, alice: Caller, since: int) -> None:
    alice.inbox()
    assert alice.get("/v1/inbox/changes", since=since, limit=limits.CHANGES_MAX).status_code in (200, 410)
    answered(alice.post("/v1/inbox/read", {"through": since}), 200)
    seqs = [limits.SEQ_MAX - n for n in range(limits.SEQS_MAX)]
    assert answered(alice.post("/v1/inbox/read", {"seqs": seqs}), 200)["changed"] == 0


def test_nothing_longer_than_its_column_was_stored(api: Api) -> None:
    """Runs after the tests above. PostgreSQL would have refused longer values; SQLite stores any."""
    with api.database.snapshot() as conn:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String) and column.type.length:
                    longest = conn.scalar(select(func.max(func.length(column))))
                    assert (longest or 0) <= column.type.length, column
