"""What producers publish."""

from api.answers import NotificationAccepted
from api.endpoint import Answer, Call, endpoint
from api.problems import IDEMPOTENCY_KEY_REUSED
from api.schemas import Notification
from api.scopes import NOTIFY
from models.notifications import NewNotification, accept


@endpoint(
    "POST",
    "/v1/notifications",
    scope=NOTIFY,
    answers={202: NotificationAccepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def notify(call: Call, body: Notification) -> Answer:
    """Publish a notification to recipients, to the subscribers of a topic, or to everyone."""
    scheduled = body.deliver_at is not None and body.deliver_at > call.now
    with call.database.write() as session:
        [id_] = accept(session, [_new(call, body)], call.now)
    if not scheduled:
        call.enqueuer.deliver([id_])
    accepted = NotificationAccepted(id=str(id_), status="scheduled" if scheduled else "accepted")
    return Answer(accepted, headers={"Location": f"/v1/notifications/{id_}"})


def _new(call: Call, body: Notification) -> NewNotification:
    return NewNotification(
        producer_id=call.caller,
        kind=body.kind,
        title=body.title,
        body=body.body,
        url=body.url,
        data=body.data,
        actor=body.actor,
        severity=body.severity,
        recipients=None if body.recipients is None else tuple(body.recipients),
        topic=body.topic,
        everyone=body.everyone is True,
        expires_at=body.expires_at,
        deliver_at=body.deliver_at,
        idempotency_key=call.idempotency_key,
    )
