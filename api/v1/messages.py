"""Messages from one user to another."""

from api.framework.endpoint import Answer, Call, endpoint
from api.framework.problems import IDEMPOTENCY_KEY_REUSED
from api.schemas.publishing_responses import Accepted
from api.schemas.requests import Message
from auth.scopes import INBOX
from models.notifications.accept import NewNotification


@endpoint(
    "POST",
    "/v1/messages",
    scope=INBOX,
    answers={202: Accepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def send_message(call: Call, body: Message) -> Answer:
    """Write to someone: it comes into their inbox, with the caller as the actor."""
    message = NewNotification(
        producer_id=call.caller,
        kind="message",
        title=f"Message from {call.caller}",
        body=body.text,
        actor=call.caller,
        recipients=(body.to,),
        idempotency_key=call.idempotency_key,
    )
    return Answer(Accepted(id=str(call.publisher.publish(message))))
