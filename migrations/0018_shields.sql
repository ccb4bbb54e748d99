-- How a shield is asked for, decided on and lifted; who looked past one; and how an identity ends.
set local role contactpoint_owner;

-- Counts what happens to the shield of a person and to the requests for it.
alter table person add version bigint not null default 1;
grant update (version) on person to contactpoint_app;

-- A record that resembled another and turned out to be of the same person: its requests go on with that person's.
grant update (resembles) on shield_request to contactpoint_app;
create index shield_request_in_force on shield_request (status) where status = 'inForce';
create index shield_request_by_asker on shield_request (asked_by, asked_at, shield_request_id);

-- A request for a shield as it is told on a day.
create function shield_request_told_on(day date)
    returns table (shield_request_id uuid, child_id uuid, person_id uuid, asked_by uuid, asked_at timestamptz, status text,
                   responsible_authority_id uuid, child_status text, archives_on date, told json)
    language sql stable parallel safe as $$
    select r.shield_request_id, r.child_id, c.person_id, r.asked_by, r.asked_at, r.status,
           c.responsible_authority_id, c.status, c.archives_on,
           json_strip_nulls(json_build_object(
               'id', r.shield_request_id,
               'indexNumber', c.index_number,
               'ground', r.ground,
               'emergency', r.emergency,
               'status', r.status,
               'resembles', case when r.resembles is not null then coalesce((
                   select json_agg(t.index_number order by t.index_number) from child t
                   where t.person_id = r.resembles and in_use(t.status, t.archives_on, day) and t.child_id <> r.child_id), '[]') end,
               'askedBy', r.asked_by,
               'askedAt', r.asked_at,
               'confirmBy', r.confirm_by,
               'decidedBy', r.decided_by,
               'decidedAt', r.decided_at,
               'reviewOn', r.review_on,
               'closedBy', r.closed_by,
               'closedAt', r.closed_at,
               'version', r.version
           ))
    from shield_request r
    join child c on c.child_id = r.child_id
$$;
revoke execute on function shield_request_told_on(date) from public;
grant execute on function shield_request_told_on(date) to contactpoint_app;

-- What is looked into because of how the index was used: here, that somebody looked past a shield.
create table investigation (
    investigation_id uuid primary key,
    kind             text not null check (kind = 'override'),
    child_id         uuid not null references child,
    grant_id         uuid references override_grant,
    account_id       uuid not null references account,
    organisation_id  uuid not null references organisation,
    -- Who looks into it: the authority that answered for the record at the time.
    authority_id     uuid not null references organisation,
    reference        text not null,
    ground           text,
    opened_at        timestamptz not null,
    outcome          text check (outcome in ('justified', 'notJustified')),
    decided_by       uuid references account,
    decided_at       timestamptz,
    version          bigint not null default 1,
    constraint investigation_of_a_grant check (grant_id is not null),
    constraint investigation_decided_by_another check (decided_by <> account_id),
    constraint investigation_is_decided check (num_nonnulls(outcome, decided_by, decided_at) in (0, 3))
);
create index investigation_by_authority on investigation (authority_id, opened_at, investigation_id);
create index investigation_by_child on investigation (child_id);
create index override_grant_by_account on override_grant (account_id, granted_at);

-- An identity that has ended is told to nobody, here neither.
create view investigation_told as
select i.investigation_id, i.child_id, i.account_id, i.authority_id, i.opened_at, i.outcome,
       json_strip_nulls(json_build_object(
           'id', i.investigation_id,
           'kind', i.kind,
           'indexNumber', case when c.status <> 'retired' then c.index_number end,
           'accountId', i.account_id,
           'organisationId', i.organisation_id,
           'reference', i.reference,
           'ground', i.ground,
           'grantedAt', g.granted_at,
           'expiresAt', g.expires_at,
           'status', case when i.outcome is null then 'open' else 'closed' end,
           'outcome', i.outcome,
           'decidedBy', i.decided_by,
           'decidedAt', i.decided_at,
           'version', i.version
       )) as told
from investigation i
join child c on c.child_id = i.child_id
left join override_grant g on g.grant_id = i.grant_id;
grant select on investigation_told to contactpoint_app;
grant select, insert on investigation to contactpoint_app;
grant update (outcome, decided_by, decided_at, version) on investigation to contactpoint_app;

-- The identity of a child is to end. It says nothing of another: what is added anew stands alone.
create table identity_end (
    identity_end_id uuid primary key,
    child_id        uuid not null references child,
    ground          text not null check (ground in ('adoption', 'witnessProtection')),
    proposed_by     uuid not null references account,
    proposed_at     timestamptz not null,
    expires_at      timestamptz not null,
    approved_by     uuid references account,
    approved_at     timestamptz,
    version         bigint not null default 1,
    constraint identity_end_approved_by_another check (approved_by <> proposed_by),
    constraint identity_end_is_approved check ((approved_by is null) = (approved_at is null))
);
create index identity_end_by_child on identity_end (child_id);
grant select, insert on identity_end to contactpoint_app;
grant update (approved_by, approved_at, version) on identity_end to contactpoint_app;

-- Ended for ever, and never seen again in the open.
alter table child add constraint child_retired_under_a_shield check (status <> 'retired' or shielded);

create function retired_for_ever() returns trigger
    language plpgsql set search_path = public, pg_temp as $$
begin
    raise exception 'an identity that has ended stays so' using errcode = 'check_violation';
end $$;
create trigger retired_for_ever before update of status, shielded, person_id on child
    for each row when (old.status = 'retired' and (new.status <> 'retired' or not new.shielded)) execute function retired_for_ever();

reset role;
