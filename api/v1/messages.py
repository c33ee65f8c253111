"""Messages from one user to another."""

from api.framework.endpoint import RequestContext, Response, endpoint
from api.framework.problems import IDEMPOTENCY_KEY_REUSED
from api.schemas.publishing_responses import Accepted
from api.schemas.requests import Message
from auth.scopes import INBOX
from models.notifications.accept import NewNotification


@endpoint(
    "POST",
    "/v1/messages",
    scope=INBOX,
    responses={202: Accepted},
    problems=(IDEMPOTENCY_KEY_REUSED,),
    keyed=True,
)
def send_message(context: RequestContext, body: Message) -> Response:
    """Send someone a message. It arrives in their inbox, with the caller as the actor."""
    message = NewNotification(
        producer_id=context.caller,
        kind="message",
        title=f"Message from {context.caller}",
        body=body.text,
        actor=context.caller,
        recipients=(body.to,),
        idempotency_key=context.idempotency_key,
    )
    return Response(Accepted(id=str(context.publisher.publish(message))))
