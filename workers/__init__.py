"""The Celery side: `celery -A workers worker` and `celery -A workers beat`."""
