"""A topic's subscribers, as a producer sets them."""

from api.framework.endpoint import Answer, Call, endpoint
from api.schemas.fields import Topic
from api.schemas.publishing_responses import SubscribersChanged
from api.schemas.requests import Subscribers
from auth.scopes import NOTIFY
from models.subscriptions import subscribe, unsubscribe


@endpoint("PUT", "/v1/topics/{topic}/subscribers", scope=NOTIFY, answers={200: SubscribersChanged})
def change_subscribers(call: Call, topic: Topic, body: Subscribers) -> Answer:
    """Subscribe others to a topic and unsubscribe others, all or none."""
    with call.database.write() as session:
        added = subscribe(session, topic, body.add, call.now)
        removed = unsubscribe(session, topic, body.remove)
    return Answer(SubscribersChanged(added=added, removed=removed))
