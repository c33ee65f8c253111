"""The caller's own subscriptions."""

from api.framework.endpoint import Answer, Call, endpoint
from api.schemas.fields import Topic
from api.schemas.inbox_responses import Topics
from auth.scopes import INBOX
from models import subscriptions


@endpoint("GET", "/v1/subscriptions", scope=INBOX, answers={200: Topics})
def read_subscriptions(call: Call) -> Answer:
    """The topics the caller is subscribed to, sorted."""
    with call.database.read() as session:
        return Answer(Topics(topics=subscriptions.topics_of(session, call.caller)))


@endpoint("PUT", "/v1/subscriptions/{topic}", scope=INBOX, answers={204: None})
def subscribe(call: Call, topic: Topic) -> Answer:
    """Receive what is sent to a topic from now on."""
    with call.database.write() as session:
        subscriptions.subscribe(session, topic, [call.caller], call.now)
    return Answer()


@endpoint("DELETE", "/v1/subscriptions/{topic}", scope=INBOX, answers={204: None})
def unsubscribe(call: Call, topic: Topic) -> Answer:
    """Receive it no longer; also when the caller never did."""
    with call.database.write() as session:
        subscriptions.unsubscribe(session, topic, [call.caller])
    return Answer()
