-- Sensitive services, the consents that they stand on, and the requests to be put in touch. No row here joins an organisation
-- and a child in plain: who provides is sealed, and found again by keyed hashes that differ from child to child.
set local role contactpoint_owner;

create table sensitive_involvement (
    involvement_id uuid primary key,
    child_id       uuid not null references child,
    -- Keyed hashes: of the organisation with the child's index number; of the organisation with this involvement; of what is
    -- recorded once.
    provider_key   bytea not null,
    owner_key      bytea not null,
    once_key       bytea not null,
    -- Organisation, service type, contact, and who recorded it.
    sealed         bytea not null,
    basis          text not null check (basis in ('consent', 'significantHarm')),
    started_on     date not null,
    ended_on       date check (ended_on >= started_on),
    confirmed_on   date not null,
    -- When the consent that it stands on was withdrawn: from then on nobody is told of it.
    withdrawn_at   timestamptz,
    version        bigint not null default 1,
    received_at    timestamptz not null,
    as_at          date not null,
    check (withdrawn_at is null or basis = 'consent')
);
create unique index sensitive_involvement_once on sensitive_involvement (once_key) where ended_on is null and withdrawn_at is null;
create index sensitive_involvement_by_child on sensitive_involvement (child_id);
create index sensitive_involvement_by_provider on sensitive_involvement (provider_key);

-- What a sensitive involvement said before each change.
create table sensitive_history (
    history_id     bigint generated always as identity primary key,
    child_id       uuid not null references child,
    involvement_id uuid not null references sensitive_involvement,
    sealed         bytea not null,
    ended_on       date,
    confirmed_on   date not null,
    received_at    timestamptz not null,
    superseded_at  timestamptz not null
);
create index sensitive_history_by_involvement on sensitive_history (involvement_id);

create function keep_sensitive_history() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into sensitive_history (child_id, involvement_id, sealed, ended_on, confirmed_on, received_at, superseded_at)
    values (old.child_id, old.involvement_id, old.sealed, old.ended_on, old.confirmed_on, old.received_at, new.received_at);
    return null;
end $$;
revoke execute on function keep_sensitive_history() from public;
create trigger sensitive_involvement_history after update on sensitive_involvement
    for each row when (old.version <> new.version) execute function keep_sensitive_history();

-- Others are told of what stands in this table, so a sensitive service never does.
alter table involvement
    add constraint involvement_tells_no_sensitive_service
        check (not sensitive and service_type not in ('sexualHealth', 'mentalHealth', 'substanceMisuse'));

-- A consent, and its withdrawal: to a sensitive service being recorded, or to staying in the index until the 25th birthday.
create table consent (
    consent_id     uuid primary key,
    child_id       uuid not null references child,
    purpose        text not null check (purpose in ('sensitiveService', 'stayToTwentyFive')),
    involvement_id uuid references sensitive_involvement,
    -- A keyed hash of the organisation that provides the sensitive service with this consent.
    owner_key      bytea,
    ground         text check (ground in ('careLeaver', 'learningDifficulty')),
    given_by       text not null,
    capacity_basis text not null,
    given_on       date not null,
    until          date,
    withdrawn_on   date check (withdrawn_on >= given_on),
    withdrawn_at   timestamptz,
    version        bigint not null default 1,
    -- Not known of a sensitive service: an account tells its organisation.
    recorded_by    uuid,
    received_at    timestamptz not null,
    check ((withdrawn_on is null) = (withdrawn_at is null)),
    constraint consent_to_a_sensitive_service check (
        (purpose = 'sensitiveService') = (involvement_id is not null)
        and (purpose = 'sensitiveService') = (owner_key is not null)
        and (purpose <> 'sensitiveService' or recorded_by is null)),
    constraint consent_to_stay check ((purpose = 'stayToTwentyFive') = (ground is not null))
);
create index consent_by_child on consent (child_id);
create unique index consent_by_involvement on consent (involvement_id) where involvement_id is not null;

-- How an organisation is reached, as the API tells it.
create function reachable(organisation uuid) returns json
    language sql stable parallel safe as $$
    select json_build_object('id', o.organisation_id, 'name', o.name, 'kind', o.kind, 'officeHours', o.office_hours, 'duty', o.duty)
    from organisation o where o.organisation_id = organisation
$$;
revoke execute on function reachable(uuid) from public;
grant execute on function reachable(uuid) to contactpoint_app;

-- A sensitive involvement that may be told to its own organisation and to whoever brokers contact; the service opens it.
create view sensitive_told as
    select s.involvement_id, s.child_id, s.provider_key, s.owner_key, s.started_on, s.ended_on,
           json_strip_nulls(json_build_object(
               'id', s.involvement_id,
               'sealed', translate(encode(s.sealed, 'base64'), E'\n', ''),
               'basis', case when s.basis = 'significantHarm' then s.basis end,
               'consent', (
                   select json_build_object('id', c.consent_id, 'givenBy', c.given_by, 'capacityBasis', c.capacity_basis, 'givenOn', c.given_on)
                   from consent c where c.involvement_id = s.involvement_id),
               'startedOn', s.started_on,
               'endedOn', s.ended_on,
               'confirmedOn', s.confirmed_on,
               'receivedAt', s.received_at,
               'asAt', s.as_at,
               'version', s.version
           )) as told
    from sensitive_involvement s
    where s.withdrawn_at is null;

-- Somebody asks to be put in touch with whoever else works with a child. The providing organisation stands here sealed, and
-- is found by keyed hashes: with the day of asking, and with this request.
create table contact_request (
    contact_request_id uuid primary key,
    child_id           uuid not null references child,
    asked_by           uuid not null references account,
    asker_organisation uuid not null references organisation,
    asked_at           timestamptz not null,
    stage              text not null check (stage in ('asked', 'forwarded', 'accepted', 'closed')),
    -- By when the next step is due.
    due_at             timestamptz,
    involvement_id     uuid,
    provider_key       bytea,
    owner_key          bytea,
    -- The asker's contact, the provider's, and who declined.
    sealed             bytea not null,
    version            bigint not null default 1,
    constraint contact_request_with_a_provider check (
        (stage in ('forwarded', 'accepted')) = (involvement_id is not null)
        and (involvement_id is null) = (provider_key is null) and (involvement_id is null) = (owner_key is null)),
    constraint contact_request_due check ((stage in ('asked', 'forwarded')) = (due_at is not null))
);
create index contact_request_by_child on contact_request (child_id);
create index contact_request_by_asker on contact_request (asked_by, asked_at);
create index contact_request_by_provider on contact_request (provider_key) where provider_key is not null;
create index contact_request_by_involvement on contact_request (involvement_id) where involvement_id is not null;
create index contact_request_by_due_time on contact_request (due_at) where due_at is not null;

grant select, insert on sensitive_involvement, consent, contact_request to contactpoint_app;
grant select on sensitive_told, sensitive_history to contactpoint_app;
grant update (sealed) on sensitive_history to contactpoint_app;
grant update (once_key, sealed, ended_on, confirmed_on, withdrawn_at, version, received_at, as_at) on sensitive_involvement to contactpoint_app;
grant update (until, withdrawn_on, withdrawn_at, version) on consent to contactpoint_app;
grant update (stage, due_at, involvement_id, provider_key, owner_key, sealed, version) on contact_request to contactpoint_app;

reset role;
