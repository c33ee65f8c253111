"""The caller's own subscriptions."""

from api.framework.endpoint import RequestContext, Response, endpoint
from api.schemas.fields import Topic
from api.schemas.inbox_responses import Topics
from auth.scopes import INBOX
from models import subscriptions


@endpoint("GET", "/v1/subscriptions", scope=INBOX, responses={200: Topics})
def read_subscriptions(context: RequestContext) -> Response:
    """The topics that the caller is subscribed to, sorted."""
    with context.database.snapshot() as conn:
        return Response(Topics(topics=subscriptions.topics_of(conn, context.caller)))


@endpoint("PUT", "/v1/subscriptions/{topic}", scope=INBOX, responses={204: None})
def subscribe(context: RequestContext, topic: Topic) -> Response:
    """Subscribe the caller to a topic."""
    with context.database.transaction() as conn:
        subscriptions.subscribe(conn, topic, [context.caller], context.now)
    return Response()


@endpoint("DELETE", "/v1/subscriptions/{topic}", scope=INBOX, responses={204: None})
def unsubscribe(context: RequestContext, topic: Topic) -> Response:
    """Unsubscribe the caller from a topic. It is no error if the caller was not subscribed."""
    with context.database.transaction() as conn:
        subscriptions.unsubscribe(conn, topic, [context.caller])
    return Response()
