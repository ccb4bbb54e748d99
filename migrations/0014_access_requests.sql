-- Anyone asks for access; the council decides, or for national partners the national operator.
set local role contactpoint_owner;

create table access_request (
    access_request_id uuid primary key,
    organisation_id   uuid not null references organisation,
    -- The council that decides; none where the national operator does.
    council_id        uuid references organisation,
    role              text not null,
    -- Who asks, which is forgotten a while after the request has ended.
    asker_id          uuid references account,
    name              text,
    name_key          text,
    email             text,
    office_hours      text,
    status            text not null default 'pending' check (status in ('pending', 'approved', 'declined', 'expired')),
    asked_at          timestamptz not null,
    expires_at        timestamptz not null,
    ended_at          timestamptz,
    decided_by        uuid references account,
    reason            text,
    account_id        uuid references account,
    version           bigint not null default 1,
    constraint access_request_ends check ((status = 'pending') = (ended_at is null)),
    constraint access_request_is_decided check ((status in ('approved', 'declined')) = (decided_by is not null)),
    constraint access_request_makes_an_account check ((status = 'approved') = (account_id is not null)),
    constraint access_request_has_an_asker check (status <> 'pending' or num_nonnulls(name, name_key, email, office_hours) = 4)
);
create unique index access_request_pending_once on access_request (organisation_id, role, name_key, lower(email)) where status = 'pending';
create index access_request_by_end on access_request (expires_at) where status = 'pending';
create index access_request_by_age on access_request (ended_at) where name is not null;
create index access_request_by_account on access_request (account_id) where account_id is not null;
create index access_request_by_council on access_request (council_id, asked_at, access_request_id);

-- A request as it is told at a moment: one whose time is over has ended.
create function access_request_told_at(at timestamptz)
    returns table (access_request_id uuid, council_id uuid, status text, asked_at timestamptz, told json)
    language sql stable parallel safe as $$
    select r.access_request_id, r.council_id, s.status, r.asked_at,
           json_strip_nulls(json_build_object(
               'id', r.access_request_id,
               'organisationId', r.organisation_id,
               'role', r.role,
               'name', r.name,
               'email', r.email,
               'officeHours', r.office_hours,
               'askedBy', r.asker_id,
               'status', s.status,
               'askedAt', r.asked_at,
               'expiresAt', r.expires_at,
               'decidedAt', case when r.decided_by is not null then r.ended_at end,
               'decidedBy', r.decided_by,
               'reason', r.reason,
               'accountId', r.account_id,
               'version', r.version
           ))
    from access_request r
    cross join lateral (
        select case when r.status = 'pending' and r.expires_at <= at then 'expired' else r.status end as status) s
$$;
revoke execute on function access_request_told_at(timestamptz) from public;
grant execute on function access_request_told_at(timestamptz) to contactpoint_app;

-- The same organisation as before, found by the index of the list: anyone asks.
create or replace function organisation_known_as(list text, code text) returns uuid
    language sql stable set search_path = public, pg_temp as $$
    select organisation_id from organisation
    where (list = 'authority' and authority_code = code) or (list = 'gss' and gss_code = code) or (list = 'urn' and urn = code)
       or (list = 'laestab' and laestab = code) or (list = 'ods' and ods = code) or (list = 'reference' and reference = code)
$$;

grant select, insert on access_request to contactpoint_app;
grant update (status, ended_at, decided_by, reason, account_id, version, asker_id, name, name_key, email, office_hours)
    on access_request to contactpoint_app;

reset role;
