-- What other systems send: feeds, their batches, what became of each row, and which child a source's record is of.
set local role contactpoint_owner;

-- One source system of one organisation.
create table feed (
    feed_id         uuid primary key,
    organisation_id uuid not null references organisation,
    name            text not null,
    -- What the organisation does for the children whom it sends.
    service_type    text not null,
    stage           text not null default 'trial' check (stage in ('trial', 'live')),
    version         bigint not null default 1,
    created_at      timestamptz not null,
    created_by      uuid not null,
    live_since      timestamptz,
    constraint feed_once unique (organisation_id, name),
    check ((stage = 'live') = (live_since is not null))
);

-- A batch is received, waits, is worked on, and is done; `failed` is one whose body broke off or could not be read to its end.
create table feed_batch (
    batch_id      uuid primary key,
    feed_id       uuid not null references feed,
    format        text not null check (format in ('ndjson', 'csv', 'ctf')),
    -- Whether it holds all that the feed holds, so that what is absent is no longer sent.
    complete      boolean not null,
    -- Whether it only reports what it would do.
    trial         boolean not null,
    status        text not null default 'receiving' check (status in ('receiving', 'waiting', 'processing', 'done', 'failed')),
    -- Why it failed; `dropped` is one of which nothing stays, since its content was here already, or we failed.
    failure       text check (failure in ('brokenOff', 'tooLarge', 'unreadable', 'dropped')),
    as_at         date not null,
    content_hash  bytea,
    bytes         bigint not null default 0,
    rows          bigint not null default 0,
    linked        bigint not null default 0,
    created       bigint not null default 0,
    unchanged     bigint not null default 0,
    review        bigint not null default 0,
    rejected      bigint not null default 0,
    -- How many of those rejected could not be read, so that nobody works on them.
    unreadable    bigint not null default 0,
    unconfirmed   bigint not null default 0,
    sent_by       uuid not null,
    received_at   timestamptz not null,
    -- When something of it last came in.
    heard_at      timestamptz not null,
    begun_at      timestamptz,
    ended_at      timestamptz,
    version       bigint not null default 1,
    check ((status = 'failed') = (failure is not null))
);
create unique index feed_batch_once on feed_batch (feed_id, content_hash, complete, as_at, trial)
    where status in ('waiting', 'processing', 'done');
create index feed_batch_by_feed on feed_batch (feed_id, received_at, batch_id);
create index feed_batch_to_do on feed_batch (received_at, batch_id) where status in ('waiting', 'processing');
create index feed_batch_unfinished on feed_batch (heard_at) where status in ('receiving', 'failed');

-- A row as it was sent, sealed, until it is done; then what became of it.
create table feed_row (
    batch_id  uuid not null references feed_batch on delete cascade,
    line      bigint not null,
    reference text,
    hash      bytea,
    sent      bytea,
    outcome   text check (outcome in ('linked', 'created', 'unchanged', 'review', 'rejected')),
    -- Why it was rejected: pointers and sentences, never values.
    faults    jsonb,
    child_id  uuid references child on delete set null,
    done_at   timestamptz,
    primary key (batch_id, line),
    check ((outcome is null) = (done_at is null))
);
-- A source's record stands in a batch once.
create unique index feed_row_once on feed_row (batch_id, reference) where faults is null;
create index feed_row_to_do on feed_row (batch_id, line) where outcome is null;
create index feed_row_by_child on feed_row (child_id) where child_id is not null;

-- Which child a record of a source is of: one at most. What it said last is kept, sealed, so that a repeat costs no write and the
-- record can be built again from its sources.
create table source_record (
    feed_id        uuid not null references feed,
    reference      text not null,
    child_id       uuid not null references child on delete cascade,
    hash           bytea not null,
    sent           bytea not null,
    batch_id       uuid references feed_batch on delete set null,
    seen_at        timestamptz not null,
    unconfirmed_at timestamptz,
    primary key (feed_id, reference)
);
create index source_record_by_child on source_record (child_id);
create index source_record_by_batch on source_record (feed_id, batch_id);

-- A row that is nearly like a child, or like two: a steward decides. `candidates` are children, best first.
create table review_task (
    review_task_id uuid primary key,
    feed_id        uuid not null references feed,
    batch_id       uuid not null references feed_batch on delete cascade,
    line           bigint not null,
    reference      text not null,
    hash           bytea not null,
    sent           bytea not null,
    authority_id   uuid not null references organisation,
    candidates     uuid[] not null,
    reasons        text[] not null,
    model_version  text not null,
    status         text not null default 'open' check (status in ('open', 'linked', 'created', 'dismissed', 'superseded')),
    rationale      text,
    raised_at      timestamptz not null,
    decided_by     uuid,
    decided_at     timestamptz,
    version        bigint not null default 1,
    check ((status in ('linked', 'created', 'dismissed')) = (decided_by is not null and decided_at is not null and rationale is not null))
);
create unique index review_task_once on review_task (feed_id, reference) where status = 'open';
create index review_task_by_reference on review_task (feed_id, reference);
create index review_task_by_authority on review_task (authority_id, raised_at, review_task_id);

-- Feeds as they are told, with what decides on who sees them.
create view feed_told as
select f.feed_id, f.name, f.organisation_id, o.authority_id, o.kind as organisation_kind,
       json_strip_nulls(json_build_object('id', f.feed_id, 'organisationId', f.organisation_id, 'name', f.name,
           'serviceType', f.service_type, 'stage', f.stage, 'liveSince', f.live_since, 'version', f.version)) as told
from feed f
join organisation o on o.organisation_id = f.organisation_id;

grant select on feed_told to contactpoint_app;
grant select, insert on feed, feed_batch, feed_row, source_record, review_task to contactpoint_app;
grant update (name, stage, live_since, version) on feed to contactpoint_app;
grant update (status, failure, content_hash, bytes, rows, linked, created, unchanged, review, rejected, unreadable, unconfirmed,
    heard_at, begun_at, ended_at, version), delete on feed_batch to contactpoint_app;
grant update (sent, outcome, faults, child_id, done_at), delete on feed_row to contactpoint_app;
grant update (child_id, hash, sent, batch_id, seen_at, unconfirmed_at), delete on source_record to contactpoint_app;
grant update (sent, status, rationale, decided_by, decided_at, candidates, version) on review_task to contactpoint_app;

reset role;
