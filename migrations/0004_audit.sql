-- Every look and every change, kept by month. The application writes here and can never rewrite.
set local role contactpoint_owner;

create table audit_event (
    event_id        uuid not null,
    at              timestamptz not null,
    operation       text not null,
    outcome         text not null check (outcome in ('answered', 'refused', 'failed')),
    status          smallint not null,
    problem         text,
    account_id      uuid,
    client_id       uuid,
    organisation_id uuid,
    session_id      uuid,
    token_id        uuid,
    role            text,
    reason          text,
    reference       text,
    children        uuid[] not null default '{}',
    details         jsonb,
    request_id      uuid not null,
    address         inet,
    user_agent      text,
    instance        uuid not null
) partition by range (at);
create index audit_event_by_organisation on audit_event (organisation_id, at, event_id);

-- A net under the months: an event is never lost because its month was not prepared.
create table audit_event_default partition of audit_event default;

-- Prepares the month of `day` and the three after it; called at the start of the service and every day.
create function prepare_audit_months(day date) returns void
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    month date := date_trunc('month', day);
    partition text;
begin
    perform pg_advisory_xact_lock(7261043);
    for step in 0..3 loop
        partition := 'audit_event_' || to_char(month, 'YYYY_MM');
        if to_regclass(partition) is null then
            execute format('create table %I partition of audit_event for values from (%L) to (%L)',
                partition, month::timestamp at time zone 'UTC', (month + interval '1 month')::timestamp at time zone 'UTC');
        end if;
        month := month + interval '1 month';
    end loop;
end $$;
revoke execute on function prepare_audit_months(date) from public;
grant execute on function prepare_audit_months(date) to contactpoint_app;
grant select, insert on audit_event to contactpoint_app;

-- The first answer to a creating request, given again when the request is repeated with the same key.
create table idempotency (
    caller_id  uuid not null,
    key        text not null,
    operation  text not null,
    body_hash  bytea not null,
    status     smallint,
    location   text,
    etag       text,
    answer     jsonb,
    child_id   uuid,
    created_at timestamptz not null,
    constraint idempotency_key_unique primary key (caller_id, key)
);
create index idempotency_by_age on idempotency (created_at);
grant select, insert, delete on idempotency to contactpoint_app;
grant update (status, location, etag, answer, child_id) on idempotency to contactpoint_app;

reset role;
