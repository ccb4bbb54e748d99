-- What must not be seen, and what must end. A shield belongs to the person: every record of one person is shielded with it,
-- and what a shielded record hides stands here only sealed by the service, whatever path writes it.
set local role contactpoint_owner;

-- A person whose records must be kept together: made when a shield is first asked for. A child without one stands alone.
create table person (
    person_id uuid primary key,
    shielded  boolean not null default false,
    unique (person_id, shielded)
);

alter table child
    add person_id       uuid,
    add shielded        boolean not null default false,
    -- Counts the changes of what a shield leaves visible, so that an ETag tells nothing of the rest.
    add visible_version bigint not null default 1,
    add died_on         date check (died_on >= date_of_birth),
    -- The day at whose beginning in Europe/London the record is archived; not known yet where there is none.
    add archives_on     date,
    add archived_on     date,
    drop constraint child_status_check,
    -- Retired: the identity has ended (adoption, protection) and only turns feeds away.
    add constraint child_status_check check (status in ('active', 'archived', 'retired')),
    add constraint child_archived_on_a_day check ((status = 'archived') = (archived_on is not null)),
    add constraint child_shielded_key unique (child_id, shielded),
    add constraint child_shielded_has_a_person check (not shielded or person_id is not null),
    add constraint child_shielded_with_its_person foreign key (person_id, shielded) references person (person_id, shielded)
        on update cascade;
create index child_by_person on child (person_id) where person_id is not null;
create index child_by_archive_day on child (archives_on) where status = 'active';

-- Whether a record is in use on a day, whether or not the task of that day has run.
create function in_use(status text, archives_on date, day date) returns boolean
    language sql immutable parallel safe as $$ select status = 'active' and (archives_on is null or archives_on > day) $$;

alter table whereabouts
    add shielded boolean not null default false,
    add sealed   bytea,
    alter kind drop not null,
    drop constraint whereabouts_check,
    drop constraint whereabouts_check1,
    drop constraint whereabouts_child_id_fkey,
    add constraint whereabouts_shielded_with_the_child foreign key (child_id, shielded) references child (child_id, shielded)
        on update cascade,
    add constraint whereabouts_sealed_under_a_shield check (not shielded or sealed is not null),
    add constraint whereabouts_sealed_or_said check ((sealed is null) = (kind is not null)),
    add constraint whereabouts_sealed_say_nothing
        check (sealed is null or num_nonnulls(lines, town, postcode, uprn, left_on, return_expected) = 0),
    add constraint whereabouts_have_an_address check (sealed is not null
        or (kind in ('current', 'lastKnown')) = (lines is not null and town is not null and postcode is not null)),
    add constraint whereabouts_have_left check (sealed is not null
        or (kind = 'leftEngland') = (left_on is not null and return_expected is not null));

alter table carer
    add shielded        boolean not null default false,
    add sealed          bytea,
    add visible_version bigint not null default 1,
    drop constraint carer_child_id_fkey,
    add constraint carer_shielded_with_the_child foreign key (child_id, shielded) references child (child_id, shielded)
        on update cascade,
    add constraint carer_sealed_under_a_shield check (not shielded or sealed is not null),
    add constraint carer_sealed_says_nothing check (sealed is null or (phones = '{}' and emails = '{}' and address is null));

alter table history
    add shielded boolean not null default false,
    add sealed   bytea,
    drop constraint history_child_id_fkey,
    add constraint history_shielded_with_the_child foreign key (child_id, shielded) references child (child_id, shielded)
        on update cascade,
    add constraint history_sealed_under_a_shield
        check (not shielded or fact <> 'carer' or (sealed is not null and not was ?| array['phones', 'emails', 'address']));

-- One identifier belongs to one live child: hidden records hold theirs without keeping others from it.
alter table child_identifier add held boolean not null default true;
drop index child_identifier_one_child;
create unique index child_identifier_one_child on child_identifier (kind, value) where superseded_at is null and held;
create index child_identifier_by_value on child_identifier (kind, value) where superseded_at is null;

create function identifier_is_held() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    new.held := (select c.status = 'active' and not c.shielded from child c where c.child_id = new.child_id);
    return new;
end $$;
create trigger identifier_is_held before insert on child_identifier for each row execute function identifier_is_held();

create function identifiers_are_held() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update child_identifier set held = (new.status = 'active' and not new.shielded) where child_id = new.child_id;
    return null;
end $$;
create trigger identifiers_are_held after update of status, shielded on child
    for each row when ((old.status, old.shielded) is distinct from (new.status, new.shielded))
    execute function identifiers_are_held();

-- What was said before keeps what is sealed sealed. That a shield begins or ends changes no fact.
create or replace function keep_history() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    was jsonb := to_jsonb(old) - '{sealed,shielded,visible_version}'::text[];
    kept bytea := (to_jsonb(old) ->> 'sealed')::bytea;
begin
    insert into history (child_id, fact, fact_id, was, sealed, shielded, superseded_at)
    values (old.child_id, tg_argv[0], (to_jsonb(old) ->> (tg_argv[0] || '_id'))::uuid,
            case when kept is null then was else was - '{phones,emails,address}'::text[] end, kept,
            (select c.shielded from child c where c.child_id = old.child_id), new.received_at);
    return null;
end $$;

drop trigger child_history on child;
create trigger child_history after update on child
    for each row when (
        to_jsonb(old) - '{version,visible_version,person_id,shielded,status,archives_on,archived_on}'::text[]
        is distinct from to_jsonb(new) - '{version,visible_version,person_id,shielded,status,archives_on,archived_on}'::text[])
    execute function keep_history('child');
drop trigger carer_history on carer;
create trigger carer_history after update on carer
    for each row when (old is distinct from new and old.shielded = new.shielded and (old.sealed is null) = (new.sealed is null))
    execute function keep_history('carer');

-- A carer says nothing of how to be reached while that is sealed, and history says it again once it is opened.
create function seal_history(id bigint, new_sealed bytea) returns void
    language sql security definer set search_path = public, pg_temp as $$
    update history set sealed = new_sealed, was = was - '{phones,emails,address}'::text[]
    where history_id = id and fact = 'carer' and sealed is null
$$;
create function unseal_history(id bigint, contact jsonb) returns void
    language sql security definer set search_path = public, pg_temp as $$
    update history set sealed = null, was = was || contact where history_id = id and fact = 'carer' and not shielded
$$;
revoke execute on function seal_history(bigint, bytea), unseal_history(bigint, jsonb), identifier_is_held(), identifiers_are_held()
    from public;
grant execute on function seal_history(bigint, bytea), unseal_history(bigint, jsonb) to contactpoint_app;

-- Somebody asks that a person be shielded. A shield stands while its person is shielded, which outlasts every request until
-- somebody lifts it.
create table shield_request (
    shield_request_id uuid primary key,
    child_id          uuid not null references child,
    ground            text not null,
    emergency         boolean not null default false,
    -- A record that resembles one of a shielded person is shielded until somebody has looked.
    resembles         uuid references person,
    status            text not null check (status in ('asked', 'inForce', 'declined', 'closed')),
    asked_by          uuid references account,
    asked_at          timestamptz not null,
    confirm_by        date,
    decided_by        uuid references account,
    decided_at        timestamptz,
    review_on         date,
    closed_by         uuid references account,
    closed_at         timestamptz,
    version           bigint not null default 1,
    constraint shield_request_decided_by_another check (decided_by <> asked_by),
    constraint shield_request_is_decided check (status <> 'declined' or decided_by is not null),
    constraint shield_request_is_reviewed check (status <> 'inForce' or num_nonnulls(confirm_by, review_on) >= 1),
    constraint shield_request_is_closed check ((status = 'closed') = (closed_by is not null))
);
create index shield_request_by_child on shield_request (child_id);

-- Two persons of whom somebody has said that they are not the same, in the order of their numbers.
create table distinct_persons (
    one   uuid not null references person,
    other uuid not null references person check (one < other),
    said_by uuid not null references account,
    said_at timestamptz not null,
    primary key (one, other)
);

-- Who looks past the shield of a child, in one session and for 15 minutes.
create table override_grant (
    grant_id   uuid primary key,
    child_id   uuid not null references child,
    account_id uuid not null references account,
    session_id uuid not null references session,
    reference  text not null,
    granted_at timestamptz not null,
    expires_at timestamptz not null check (expires_at <= granted_at + interval '15 minutes')
);
create index override_grant_by_child on override_grant (child_id, account_id, expires_at);

-- Whether somebody has a grant to look past the shield of a child.
create function has_override_grant(child uuid, account uuid, session uuid, at timestamptz) returns boolean
    language plpgsql stable parallel safe as $$
begin
    return exists (select from override_grant g
                   where g.child_id = child and g.account_id = account and g.session_id = session and g.expires_at > at);
end $$;

-- Whether somebody sees what the shield of a child hides: the shield approver of the authority that answers for the record,
-- and whoever has a grant. Without a subselect, so that it is part of the statement that asks: called, and planned anew each
-- time for shielded children alone, it told by its time what is hidden from what is not there.
create function sees_past_shield(child uuid, responsible uuid, viewer_role text, viewer_organisation uuid, account uuid, session uuid, at timestamptz)
    returns boolean language sql stable parallel safe as $$
    select case viewer_role
        when 'shieldApprover' then viewer_organisation = responsible
        when 'practitionerWithOverride' then has_override_grant(child, account, session, at)
        else false end
$$;
revoke execute on function has_override_grant(uuid, uuid, uuid, timestamptz),
    sees_past_shield(uuid, uuid, text, uuid, uuid, uuid, timestamptz) from public;
grant execute on function has_override_grant(uuid, uuid, uuid, timestamptz),
    sees_past_shield(uuid, uuid, text, uuid, uuid, uuid, timestamptz) to contactpoint_app;

-- What people are told to do or to know: a kind and a path, never a name. Without an organisation it is for the national
-- operator.
create table notice (
    notice_id       uuid primary key,
    kind            text not null,
    organisation_id uuid references organisation,
    role            text not null,
    about           text not null,
    due_on          date,
    told_at         timestamptz not null,
    seen_by         uuid references account,
    seen_at         timestamptz,
    version         bigint not null default 1,
    check ((seen_by is null) = (seen_at is null))
);
-- A reminder is told once, however often the task runs.
create unique index notice_once on notice (kind, about, role, coalesce(organisation_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(due_on, '-infinity'));
create index notice_by_organisation on notice (organisation_id, told_at, notice_id);

-- Answers to idempotency keys are kept sealed, since they may say what a shield hides later.
alter table idempotency add sealed bytea;

grant select, insert on person, distinct_persons, shield_request, override_grant, notice to contactpoint_app;
grant update (shielded) on person to contactpoint_app;
grant update (kind, lines, town, postcode, uprn, left_on, return_expected, sealed) on whereabouts to contactpoint_app;
grant update (status, confirm_by, decided_by, decided_at, review_on, closed_by, closed_at, version) on shield_request to contactpoint_app;
grant update (seen_by, seen_at, version) on notice to contactpoint_app;
grant update (sealed) on idempotency to contactpoint_app;

reset role;
