-- Every event is bound to its transaction, numbered by the instance that wrote it, and hashed over all that is kept of it; what is
-- hashed is sealed, transaction by transaction, in signed roots. docs/audit.md says what each column holds.
set local role contactpoint_owner;

-- In which life of the database an event was written: transactions are numbered anew where a dump is restored into another
-- server, and then another epoch begins. `since` is the first transaction whose events are hashed.
create table audit_epoch (
    epoch   int primary key,
    cluster text not null,
    since   bigint not null,
    at      timestamptz not null default now()
);
grant select on audit_epoch to contactpoint_app;
insert into audit_epoch (epoch, cluster, since)
select 1, system_identifier, pg_current_xact_id()::text::bigint + 1 from pg_control_system();

create function present_audit_epoch() returns int language sql immutable as 'select 1';
grant execute on function present_audit_epoch() to contactpoint_app;

-- Begins another epoch where the database has come to another server, and says which one is present.
create function begin_audit_epoch() returns int
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    here text := (select system_identifier from pg_control_system());
    last audit_epoch%rowtype;
begin
    perform pg_advisory_xact_lock(7261045);
    select * into last from audit_epoch order by epoch desc limit 1;
    if last.cluster = here then
        return last.epoch;
    end if;
    insert into audit_epoch (epoch, cluster, since) values (last.epoch + 1, here, 0);
    execute format('create or replace function present_audit_epoch() returns int language sql immutable as %L',
        format('select %s', last.epoch + 1));
    return last.epoch + 1;
end $$;
revoke execute on function begin_audit_epoch() from public;
grant execute on function begin_audit_epoch() to contactpoint_app;

alter table audit_event
    add epoch   int not null default present_audit_epoch(),
    add tx      xid8 not null default pg_current_xact_id(),
    add serial  bigint,
    add settled bigint,
    add voids   bigint[] not null default '{}',
    add hidden  bytea,
    add leaf    bytea,
    add mac     bytea;
-- Events from before have none of this. Of those from now on what was kept in `details` is sealed in `hidden`.
alter table audit_event add constraint audit_event_is_evident
    check (leaf is not null and length(leaf) = 32 and mac is not null and length(mac) = 32 and serial is not null
           and settled is not null and details is null) not valid;
create index audit_event_by_transaction on audit_event (epoch, tx, event_id);
create index audit_event_by_child on audit_event using gin (children) with (fastupdate = off);

-- The application says neither in which transaction nor in which epoch it writes.
revoke insert on audit_event from contactpoint_app;
grant insert (event_id, at, operation, outcome, status, problem, account_id, client_id, organisation_id, session_id, token_id, role,
              reason, reference, children, request_id, address, user_agent, instance, on_behalf_of, serial, settled, voids, hidden,
              leaf, mac)
    on audit_event to contactpoint_app;

-- The month of an event, by which its key is found.
create function audit_month(at timestamptz) returns date language sql immutable parallel safe
    as $$ select date_trunc('month', at at time zone 'UTC')::date $$;
grant execute on function audit_month(timestamptz) to contactpoint_app;

-- What is hidden in the events of a month is under the month's key, which is sealed itself. Without it the events still verify.
create table audit_key (
    month  date primary key check (month = date_trunc('month', month)),
    sealed bytea not null
);
grant select, insert, delete, update (sealed) on audit_key to contactpoint_app;

-- The roots over the events, each signed and naming the one before.
create table audit_seal (
    n         bigint primary key,
    epoch     int not null,
    cluster   text not null,
    tx_from   bigint not null,
    tx_to     bigint not null check (tx_to > tx_from),
    events    bigint not null,
    earlier   bigint not null,
    root      bytea not null check (length(root) = 32),
    doubted   uuid[] not null,
    previous  bytea not null unique check (length(previous) = 32),
    at        timestamptz not null,
    kid       text not null,
    signature bytea not null,
    hash      bytea not null unique check (length(hash) = 32)
);
create index audit_seal_by_transaction on audit_seal (epoch, tx_to);
grant select, insert on audit_seal to contactpoint_app;

-- An event as exports have it: a line of JSON, with moments in microseconds since 1970 and bytes in hexadecimal.
create function audit_line(e audit_event) returns text language sql stable parallel safe as $$
    select json_build_object('event', json_build_object(
        'epoch', e.epoch, 'tx', e.tx::text::bigint, 'id', e.event_id, 'at', (extract(epoch from e.at) * 1000000)::bigint,
        'operation', e.operation, 'outcome', e.outcome, 'status', e.status, 'problem', e.problem, 'account', e.account_id,
        'client', e.client_id, 'on_behalf_of', e.on_behalf_of, 'organisation', e.organisation_id, 'session', e.session_id,
        'token', e.token_id, 'role', e.role, 'reason', e.reason, 'reference', e.reference, 'children', e.children,
        'hidden', encode(e.hidden, 'hex'), 'details', e.details, 'request', e.request_id, 'address', host(e.address),
        'user_agent', e.user_agent, 'instance', e.instance, 'serial', e.serial, 'settled', e.settled, 'voids', e.voids,
        'leaf', encode(e.leaf, 'hex')))::text
$$;
revoke execute on function audit_line(audit_event) from public;
grant execute on function audit_line(audit_event) to contactpoint_app;

reset role;
