"""The subscribers of a topic, set by a producer."""

from api.framework.endpoint import RequestContext, Response, endpoint
from api.schemas.fields import Topic
from api.schemas.publishing_responses import SubscribersChanged
from api.schemas.requests import Subscribers
from auth.scopes import NOTIFY
from models.subscriptions import subscribe, unsubscribe


@endpoint("PUT", "/v1/topics/{topic}/subscribers", scope=NOTIFY, responses={200: SubscribersChanged})
def change_subscribers(context: RequestContext, topic: Topic, body: Subscribers) -> Response:
    """Subscribe users to a topic and unsubscribe users from it, all or none."""
    with context.database.transaction() as conn:
        added = subscribe(conn, topic, body.add, context.now)
        removed = unsubscribe(conn, topic, body.remove)
    return Response(SubscribersChanged(added=added, removed=removed))
