-- The record of a child. A fact is never overwritten or deleted: it is superseded and kept, with its provenance
-- (who said it, when it was received, as at which day).
set local role contactpoint_owner;

create table child (
    child_id                 uuid primary key,
    index_number             text not null constraint child_index_number_unique unique check (index_number ~ '^[0-9]{11}$'),
    date_of_birth            date not null,
    date_of_birth_precision  text not null default 'day' check (date_of_birth_precision in ('day', 'month', 'year')),
    date_of_birth_estimated  boolean not null default false,
    gender                   text not null check (gender in ('female', 'male', 'notSpecified')),
    without_service          text[] not null default '{}',
    responsible_authority_id uuid not null references organisation,
    status                   text not null default 'active' check (status in ('active', 'archived')),
    version                  bigint not null default 1,
    source_organisation_id   uuid not null references organisation,
    recorded_by              uuid,
    received_at              timestamptz not null,
    as_at                    date not null,
    unique (child_id, date_of_birth)
);

create table child_name (
    name_id                uuid primary key default gen_random_uuid(),
    child_id               uuid not null references child,
    kind                   text not null check (kind in ('current', 'former', 'knownAs')),
    given                  text[] not null check (cardinality(given) between 1 and 5),
    family                 text not null,
    -- What a search compares, folded by the service; the date of birth stands here too, so that one index finds both.
    given_keys             text[] not null,
    family_key             text not null,
    date_of_birth          date not null,
    source_organisation_id uuid not null references organisation,
    recorded_by            uuid,
    received_at            timestamptz not null,
    as_at                  date not null,
    superseded_at          timestamptz,
    foreign key (child_id, date_of_birth) references child (child_id, date_of_birth) on update cascade
);
create unique index child_name_one_current on child_name (child_id) where kind = 'current' and superseded_at is null;
create index child_name_by_child on child_name (child_id);
create index child_name_by_family_and_birth on child_name (family_key, date_of_birth);

create table whereabouts (
    whereabouts_id         uuid primary key default gen_random_uuid(),
    child_id               uuid not null references child,
    kind                   text not null check (kind in ('current', 'lastKnown', 'noneKnown', 'leftEngland')),
    lines                  text[] check (cardinality(lines) between 1 and 5),
    town                   text,
    postcode               text,
    uprn                   text,
    left_on                date,
    return_expected        text check (return_expected in ('intends', 'doesNotIntend', 'notKnown')),
    source_organisation_id uuid not null references organisation,
    recorded_by            uuid,
    received_at            timestamptz not null,
    as_at                  date not null,
    superseded_at          timestamptz,
    check ((kind in ('current', 'lastKnown')) = (lines is not null and town is not null and postcode is not null)),
    check ((kind = 'leftEngland') = (left_on is not null and return_expected is not null))
);
create unique index whereabouts_one_in_force on whereabouts (child_id) where superseded_at is null;
create index whereabouts_by_child on whereabouts (child_id);
create index whereabouts_by_postcode on whereabouts (postcode);

create table child_identifier (
    identifier_id          uuid primary key default gen_random_uuid(),
    child_id               uuid not null references child,
    kind                   text not null check (kind in ('upn', 'nhsNumber', 'childReference', 'nationalInsuranceNumber', 'uln')),
    value                  text not null,
    source_organisation_id uuid not null references organisation,
    recorded_by            uuid,
    received_at            timestamptz not null,
    as_at                  date not null,
    superseded_at          timestamptz
);
create unique index child_identifier_one_child on child_identifier (kind, value) where superseded_at is null;
create index child_identifier_by_child on child_identifier (child_id);

create table carer (
    carer_id                uuid primary key,
    child_id                uuid not null references child,
    given                   text[] not null check (cardinality(given) between 1 and 5),
    family                  text not null,
    relationship            text not null,
    parental_responsibility boolean not null,
    phones                  text[] not null default '{}',
    emails                  text[] not null default '{}',
    address                 jsonb,
    version                 bigint not null default 1,
    source_organisation_id  uuid not null references organisation,
    recorded_by             uuid,
    received_at             timestamptz not null,
    as_at                   date not null,
    superseded_at           timestamptz
);
create index carer_by_child on carer (child_id);

create table involvement (
    involvement_id         uuid primary key,
    child_id               uuid not null references child,
    organisation_id        uuid not null references organisation,
    service_type           text not null,
    sensitive              boolean not null default false,
    contact                jsonb not null,
    started_on             date not null,
    ended_on               date check (ended_on >= started_on),
    confirmed_on           date not null,
    version                bigint not null default 1,
    source_organisation_id uuid not null references organisation,
    recorded_by            uuid,
    received_at            timestamptz not null,
    as_at                  date not null
);
create unique index involvement_once on involvement (child_id, organisation_id, service_type, coalesce(contact ->> 'team', '')) where ended_on is null;
create index involvement_by_child on involvement (child_id);
create index involvement_by_organisation on involvement (organisation_id);

create table flag (
    flag_id        uuid primary key default gen_random_uuid(),
    involvement_id uuid not null references involvement,
    child_id       uuid not null references child,
    flag           text not null check (flag in ('informationToShare', 'takingAction', 'assessmentUndertaken', 'leadProfessional')),
    set_on         date not null,
    expires_on     date not null check (expires_on > set_on and expires_on <= set_on + interval '24 months'),
    recorded_by    uuid,
    received_at    timestamptz not null,
    cleared_at     timestamptz
);
create unique index flag_once on flag (involvement_id, flag) where cleared_at is null;
create unique index flag_one_lead_professional on flag (child_id) where flag = 'leadProfessional' and cleared_at is null;
create index flag_by_child on flag (child_id) where cleared_at is null;

-- What a child, a carer and an involvement said before each change.
create table history (
    history_id    bigint generated always as identity primary key,
    child_id      uuid not null references child,
    fact          text not null check (fact in ('child', 'carer', 'involvement')),
    fact_id       uuid not null,
    was           jsonb not null,
    superseded_at timestamptz not null
);
create index history_by_child on history (child_id, history_id);

create function keep_history() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into history (child_id, fact, fact_id, was, superseded_at)
    values (old.child_id, tg_argv[0], (to_jsonb(old) ->> (tg_argv[0] || '_id'))::uuid, to_jsonb(old), new.received_at);
    return null;
end $$;
revoke execute on function keep_history() from public;

create trigger child_history after update on child
    for each row when (to_jsonb(old) - 'version' is distinct from to_jsonb(new) - 'version') execute function keep_history('child');
create trigger carer_history after update on carer
    for each row when (old is distinct from new) execute function keep_history('carer');
create trigger involvement_history after update on involvement
    for each row when (old is distinct from new) execute function keep_history('involvement');

-- Facts as the API tells them, written once for every statement that reads them.
create view involvement_told as
    select i.involvement_id, i.child_id, i.organisation_id, i.sensitive, i.started_on, i.ended_on, o.authority_id,
           json_build_object(
               'id', i.involvement_id,
               'organisation', json_build_object('id', o.organisation_id, 'name', o.name, 'kind', o.kind,
                   'officeHours', o.office_hours, 'duty', o.duty),
               'serviceType', i.service_type,
               'contact', i.contact,
               'startedOn', i.started_on,
               'endedOn', i.ended_on,
               'confirmedOn', i.confirmed_on,
               'source', json_build_object('organisationId', i.source_organisation_id, 'receivedAt', i.received_at, 'asAt', i.as_at),
               'flags', coalesce((
                   select json_agg(json_build_object('flag', f.flag, 'setOn', f.set_on, 'expiresOn', f.expires_on) order by f.flag)
                   from flag f
                   where f.involvement_id = i.involvement_id and f.cleared_at is null
               ), '[]'),
               'version', i.version
           ) as told
    from involvement i
    join organisation o on o.organisation_id = i.organisation_id;

create view carer_told as
    select carer_id, child_id, superseded_at, received_at,
           json_build_object(
               'id', carer_id,
               'name', json_build_object('given', given, 'family', family),
               'relationship', relationship,
               'parentalResponsibility', parental_responsibility,
               'phones', phones,
               'emails', emails,
               'address', address,
               'source', json_build_object('organisationId', source_organisation_id, 'receivedAt', received_at, 'asAt', as_at),
               'version', version
           ) as told
    from carer;

create view whereabouts_told as
    select child_id, superseded_at, received_at,
           json_strip_nulls(json_build_object(
               'kind', kind,
               'address', case when lines is not null then
                   json_build_object('lines', lines, 'town', town, 'postcode', postcode, 'uprn', uprn) end,
               'leftOn', left_on,
               'return', return_expected,
               'source', json_build_object('organisationId', source_organisation_id, 'receivedAt', received_at, 'asAt', as_at)
           )) as told
    from whereabouts;

create view name_told as
    select child_id, kind, superseded_at, received_at,
           json_build_object(
               'kind', kind, 'given', given, 'family', family,
               'source', json_build_object('organisationId', source_organisation_id, 'receivedAt', received_at, 'asAt', as_at)
           ) as told
    from child_name;

-- A child as a search compares it. A column that a statement does not ask for costs it nothing.
create view candidate_told as
    select c.child_id, c.index_number,
           json_build_object(
               'indexNumber', c.index_number,
               'dateOfBirth', c.date_of_birth,
               'dateOfBirthPrecision', c.date_of_birth_precision,
               'gender', c.gender,
               'names', (
                   select json_agg(json_build_object(
                       'name', json_build_object('kind', n.kind, 'given', n.given, 'family', n.family),
                       'superseded', n.superseded_at is not null))
                   from child_name n where n.child_id = c.child_id)
           ) as told,
           (select json_agg(json_build_object('postcode', w.postcode,
                'former', w.superseded_at is not null or w.kind = 'lastKnown'))
            from whereabouts w where w.child_id = c.child_id and w.postcode is not null) as postcodes,
           (select json_agg(json_build_object('kind', i.kind, 'value', i.value))
            from child_identifier i where i.child_id = c.child_id and i.superseded_at is null) as identifiers
    from child c
    where c.status = 'active';

grant select on candidate_told, involvement_told, carer_told, whereabouts_told, name_told to contactpoint_app;
grant select, insert on child, child_name, whereabouts, child_identifier, carer, involvement, flag to contactpoint_app;
grant select on history to contactpoint_app;
grant update on child, carer, involvement to contactpoint_app;
grant update (superseded_at) on child_name, whereabouts, child_identifier to contactpoint_app;
grant update (cleared_at) on flag to contactpoint_app;

reset role;
