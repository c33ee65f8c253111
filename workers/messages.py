"""What a worker takes for a task: anything else on its queues is dropped and logged, and never ends the worker."""

from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


def only_tasks(task: Task, app: Celery, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's own strategy for what has a task's form. By itself it takes any JSON apart, and dies of what is none.

    The broker would then give the same message to the next worker, and so end one after the other.
    """
    handle = default(task, app, consumer, **options)

    def handle_task(message: Any, *more: Any, **also: Any) -> Any:
        _demand_arguments(message)
        return handle(message, *more, **also)

    return handle_task


def _demand_arguments(message: Any) -> None:
    """`[args, kwargs, options]`. What cannot be decoded at all Celery drops itself."""
    try:
        match message.payload:
            case [[*_], {}, {}]:
                return
    except TypeError:  # on Redis, an empty body
        pass
    raise InvalidTaskError("the message is not [args, kwargs, options]")
