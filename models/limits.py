"""The limits of requests, in one place. Lengths are in code points unless stated otherwise."""

ID_MAX = 255  # recipients, actors, producers, topics
TOPIC_MAX = 255
FOLLOWED_PREFIX = "user:"  # followed by a user's id: the topic that the user's followers are subscribed to
STORED_TOPIC_MAX = len(FOLLOWED_PREFIX) + ID_MAX
KIND_MAX = 100
TITLE_MAX = 10_240
BODY_MAX = 65_536  # also a message's text
URL_MAX = 2_048
DATA_MAX_BYTES = 65_536  # as JSON in UTF-8
IDEMPOTENCY_KEY_MAX = 255
RECIPIENTS_MAX = 1_000
BATCH_MAX = 1_000  # notifications in one request
SUBSCRIBERS_MAX = 1_000  # add and remove together
REQUEST_MAX_BYTES = 262_144
SEQ_MAX = 2**63 - 1
SEQS_MAX = 1_000
PAGE_DEFAULT = 20
PAGE_MAX = 100
CHANGES_MAX = 500
COUNTED_AT_ONCE = 10_000  # items of a notification, each time its producer asks: five milliseconds
ERROR_MAX = 200  # the stored error of a failed attempt
