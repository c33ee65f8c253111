"""Follows: the target is told, and the follower is subscribed to what the target will send to its followers."""

from api.framework.endpoint import Answer, Call, endpoint
from api.framework.problems import IDEMPOTENCY_KEY_REUSED
from api.schemas.fields import Id
from api.schemas.publishing_responses import FollowAccepted
from api.schemas.requests import Follow
from auth.scopes import INBOX
from models.limits import FOLLOWED_PREFIX
from models.notifications.accept import NewNotification
from models.subscriptions import subscribe
from models.subscriptions import unsubscribe as unsubscribe_recipients


def topic_of(target: str) -> str:
    """The topic that the followers of `target` are subscribed to."""
    return f"{FOLLOWED_PREFIX}{target}"


@endpoint(
    "POST",
    "/v1/follows",
    scope=INBOX,
    answers={202: FollowAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def follow(call: Call, body: Follow) -> Answer:
    """Follow someone. Each call tells the target, unless it repeats an Idempotency-Key."""
    follower = call.caller
    told = NewNotification(
        producer_id=follower,
        kind="follow",
        title=f"{follower} follows you",
        actor=follower,
        recipients=(body.target,),
        idempotency_key=call.idempotency_key,
    )
    [id_] = call.publisher.publish_all(
        [told], call.now, also=lambda session: subscribe(session, topic_of(body.target), [follower], call.now)
    )
    return Answer(FollowAccepted(id=str(id_), target=body.target))


@endpoint("DELETE", "/v1/follows/{target}", scope=INBOX, answers={204: None})
def unfollow(call: Call, target: Id) -> Answer:
    """Follow someone no longer; also when they were never followed."""
    with call.database.write() as session:
        unsubscribe_recipients(session, topic_of(target), [call.caller])
    return Answer()
