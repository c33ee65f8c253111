"""Follows: the target is notified, and the follower is subscribed to the topic of the target's followers."""

from api.framework.endpoint import RequestContext, Response, endpoint
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
    responses={202: FollowAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def follow(context: RequestContext, body: Follow) -> Response:
    """Follow someone. Each call notifies the target, unless it repeats an Idempotency-Key."""
    follower = context.caller
    notification = NewNotification(
        producer_id=follower,
        kind="follow",
        title=f"{follower} follows you",
        actor=follower,
        recipients=(body.target,),
        idempotency_key=context.idempotency_key,
    )
    [id_] = context.publisher.publish_all(
        [notification],
        context.now,
        also=lambda conn: subscribe(conn, topic_of(body.target), [follower], context.now),
    )
    return Response(FollowAccepted(id=str(id_), target=body.target))


@endpoint("DELETE", "/v1/follows/{target}", scope=INBOX, responses={204: None})
def unfollow(context: RequestContext, target: Id) -> Response:
    """Stop following someone. It is no error if the caller did not follow them."""
    with context.database.transaction() as conn:
        unsubscribe_recipients(conn, topic_of(target), [context.caller])
    return Response()
