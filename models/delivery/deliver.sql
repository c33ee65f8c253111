-- The delivery of direct notifications on PostgreSQL, as one statement; see postgres.py, which removes these comments.
-- It has several forms. A line that ends in `-- only: ...` belongs to the named forms; every other line to all.

-- waiting: the given notifications that are to be delivered. They are locked in the order of ids, so that two workers
-- with the same ones wait for each other instead of deadlocking. Broadcasts are not locked here: a fan-out holds its
-- notification for as long as a chunk takes.
WITH waiting AS MATERIALIZED (
    SELECT id, batch, content, kind, topic, severity, actor, recipients, expires_at FROM notifications
    WHERE id = ANY(:ids) AND delivered_at IS NULL AND cancelled_at IS NULL AND parked_at IS NULL
        AND (deliver_at IS NULL OR deliver_at <= :now) AND recipients IS NOT NULL
    ORDER BY id FOR UPDATE
-- ahead: for each batch the first notification that waits and is not among the given ones. Those after it are left out,
-- unless the caller has found that they may go (`:ordered`, see batch_order.py). OFFSET 0 makes the planner read the
-- batch by its own index, and not by the index of all undelivered, which is shorter until there is a backlog.
), ahead AS MATERIALIZED (  -- only: batched
    SELECT batch, first FROM (SELECT DISTINCT batch FROM waiting WHERE NOT :ordered) AS theirs  -- only: batched
    CROSS JOIN LATERAL (SELECT id AS first  -- only: batched
        FROM (SELECT * FROM notifications WHERE notifications.batch = theirs.batch ORDER BY id OFFSET 0) AS in_order  -- only: batched
        WHERE delivered_at IS NULL AND cancelled_at IS NULL AND parked_at IS NULL  -- only: batched
        AND (deliver_at IS NULL OR deliver_at <= :now)  -- only: batched
        AND (expires_at IS NULL OR expires_at > :now) AND id NOT IN (SELECT id FROM waiting) LIMIT 1  -- only: batched
    ) AS others  -- only: batched
-- measured: how many items each writes. As many notifications fit into the transaction as write `:most` items together,
-- and the first in any case. One that has expired is marked as delivered, and writes none.
), measured AS MATERIALIZED (
    SELECT *, size = reach OR reach <= :most AS fits, expires_at IS NULL OR expires_at > :now AS lives
    FROM (SELECT *, sum(size) OVER (ORDER BY id) AS reach
        FROM (SELECT waiting.*, json_array_length(recipients) AS size FROM waiting
            WHERE batch IS NULL  -- only: single
            LEFT JOIN ahead USING (batch) WHERE first IS NULL OR id < first  -- only: batched
        ) AS sized) AS summed
-- claimed: those that fit become delivered, whatever attempts were counted before.
), claimed AS (
    UPDATE notifications SET delivered_at = :now, enqueue_at = notifications.expires_at, enqueued = 0, attempts = 0,
        parked_at = NULL, recipient_count = CASE WHEN lives THEN size ELSE 0 END
    FROM measured WHERE notifications.id = measured.id AND fits
-- given: one row for each item, in the order in which the items arrive.
), given AS MATERIALIZED (
    SELECT measured.*, recipient COLLATE "C" AS recipient, row_number() OVER (ORDER BY id, at) AS place
    FROM measured, json_array_elements_text(recipients) WITH ORDINALITY AS named (recipient, at) WHERE fits AND lives
-- moved: each inbox advances by the number of its items. Inboxes are locked in the order of recipients.
), moved AS (
    INSERT INTO inboxes (recipient_id, version, unread, unseen, changes_since, opened_at)
    SELECT recipient, count(*), count(*), count(*), 0, :now FROM given GROUP BY recipient ORDER BY recipient
    ON CONFLICT (recipient_id) DO UPDATE SET version = inboxes.version + excluded.version,
        unread = inboxes.unread + excluded.unread, unseen = inboxes.unseen + excluded.unseen
    RETURNING recipient_id, version, unread, unseen
-- numbered: each item with its inbox as it is at the end, and `later`: how many items come after it in that inbox.
), numbered AS MATERIALIZED (
    SELECT given.*, version, unread, unseen, row_number() OVER (PARTITION BY recipient ORDER BY place DESC) - 1 AS later
    FROM given JOIN moved ON recipient_id = recipient
-- written: the items.
), written AS (
    INSERT INTO inbox_items (recipient_id, seq, version, notification_id, kind, topic, severity, actor)
    SELECT recipient, version - later, version - later, id, kind, topic, severity, actor FROM numbered
)
-- One row. First the ids that another transaction has to deliver; then what each form says beside; then the items,
-- column by column.
SELECT ARRAY(SELECT id FROM measured WHERE NOT fits ORDER BY id),
    -- Broadcasts, and members of batches, which this form does not deliver.
    ARRAY(SELECT id FROM notifications WHERE id = ANY(:ids) AND  -- only: single
        delivered_at IS NULL AND cancelled_at IS NULL AND parked_at IS NULL  -- only: single
        AND (deliver_at IS NULL OR deliver_at <= :now) AND recipients IS NULL ORDER BY id),  -- only: single
    ARRAY(SELECT id FROM waiting WHERE batch IS NOT NULL),  -- only: single
    -- Those behind another of their batch, and the batches of those that are delivered.
    ARRAY(SELECT id FROM waiting JOIN ahead USING (batch) WHERE id > first ORDER BY id),  -- only: batched
    ARRAY(SELECT DISTINCT batch FROM measured WHERE fits AND batch IS NOT NULL),  -- only: batched
    ARRAY(SELECT content FROM measured WHERE fits AND lives AND size > 0 ORDER BY id),
    array_agg(content_nth), array_agg(recipient), array_agg(version - later),
    array_agg(unread - later), array_agg(unseen - later),
    (SELECT epoch FROM epoch)
FROM (SELECT *, dense_rank() OVER (ORDER BY id) - 1 AS content_nth FROM numbered ORDER BY place) AS in_order
