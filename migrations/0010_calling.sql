-- Who calls, and on what it stands: organisations accredited for a time, clients with keys, sessions that two share.
set local role contactpoint_owner;

alter table organisation
    add accredited_from  date,
    add accredited_until date,
    add privacy_officer  jsonb,
    add constraint organisation_accredited_in_order check (accredited_until >= accredited_from);

-- A client proves itself by a secret or by a key, never by either.
alter table client
    alter secret_hash drop not null,
    add auth_method         text not null default 'client_secret' check (auth_method in ('client_secret', 'private_key_jwt')),
    add jwks                jsonb,
    add jwks_uri            text,
    add scopes              text[],
    add dpop_required       boolean not null default false,
    add requests_per_second integer not null default 5 check (requests_per_second between 1 and 1000),
    add version             bigint not null default 1,
    add updated_at          timestamptz,
    add constraint client_proves_itself_in_one_way check (case auth_method
        when 'client_secret' then secret_hash is not null and num_nonnulls(jwks, jwks_uri) = 0
        else secret_hash is null and num_nonnulls(jwks, jwks_uri) = 1 end);
update client set updated_at = created_at;

-- A case system acts with a practitioner by a session of both, which ends with the practitioner's own.
alter table session drop constraint session_check;
alter table session
    add constraint session_is_of_somebody check (num_nonnulls(account_id, client_id) >= 1),
    add constraint session_of_both_has_a_parent check ((parent_id is not null) = (num_nonnulls(account_id, client_id) = 2)),
    add parent_id uuid references session,
    -- Signed in by another issuer, such as a council's directory.
    add external  boolean not null default false,
    -- Where it may do less than its account.
    add role      text,
    -- The thumbprint (RFC 7638) of the key that its tokens are bound to (RFC 9449).
    add dpop_jkt  text;
create index session_by_parent on session (parent_id) where ended_at is null;

alter table refresh_token add repeated boolean not null default false;

-- What may be used once: the numbers of client assertions, DPoP proofs and tokens of other issuers, until they have ended.
create table spent (
    token_hash bytea primary key check (length(token_hash) = 32),
    until      timestamptz not null
);
create index spent_by_age on spent (until);

-- Mediated access: the account for whom the caller looks.
alter table audit_event add on_behalf_of uuid;

-- Midnight in Europe/London at which a day begins.
create function start_of_day(day date) returns timestamptz
    language sql immutable parallel safe as $$ select day::timestamp at time zone 'Europe/London' $$;

-- Until when an organisation that is accredited at a moment stays so.
create function accredited_until(organisation uuid, at timestamptz) returns timestamptz
    language sql stable set search_path = public, pg_temp as $$
    select case
        when o.status <> 'accredited' or start_of_day(o.accredited_from) > at then '-infinity'
        else coalesce(end_of_day(o.accredited_until), 'infinity') end
    from organisation o where o.organisation_id = organisation
$$;
revoke execute on function accredited_until(uuid, timestamptz) from public;

-- Every condition that an account, a client, or both together must meet to act from a moment on, in one place.
create function stands_until(account uuid, client uuid, at timestamptz) returns timestamptz
    language sql stable set search_path = public, pg_temp as $$
    select least(
        (select case
            when a.status <> 'active' or a.agreement_signed_on is null or a.vetted_until is null or a.trained_until is null
                then '-infinity'
            else least(end_of_day(least(a.vetted_until, a.trained_until)), accredited_until(a.organisation_id, at)) end
         from account a where a.account_id = account),
        (select case when c.status <> 'active' then '-infinity' else accredited_until(c.organisation_id, at) end
         from client c where c.client_id = client))
$$;
revoke execute on function stands_until(uuid, uuid, timestamptz) from public;
grant execute on function accredited_until(uuid, timestamptz), stands_until(uuid, uuid, timestamptz) to contactpoint_app;

-- The same, now: what the version before asks.
create or replace function stands_until(account uuid, client uuid) returns timestamptz
    language sql stable set search_path = public, pg_temp as $$ select stands_until(account, client, now()) $$;

create or replace function session_stands() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        perform from session where session_id = new.parent_id for share;
        perform from account where account_id = new.account_id for share;
        perform from client where client_id = new.client_id for share;
        perform from organisation o where o.organisation_id in (
            select organisation_id from account where account_id = new.account_id
            union all select organisation_id from client where client_id = new.client_id) for share;
    end if;
    new.stands_until := case when new.ended_at is null
        then least(new.expires_at, stands_until(new.account_id, new.client_id, new.authenticated_at),
                   (select p.stands_until from session p where p.session_id = new.parent_id))
        else '-infinity' end;
    return new;
end $$;

-- What was begun with a session ends with it.
create function session_ends() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update session set ended_at = ended_at where parent_id = new.session_id and ended_at is null;
    return null;
end $$;
create trigger session_ends after update on session
    for each row when (old.stands_until is distinct from new.stands_until) execute function session_ends();

drop trigger organisation_stands on organisation;
create trigger organisation_stands after update of status, accredited_from, accredited_until on organisation
    for each row when ((old.status, old.accredited_from, old.accredited_until)
        is distinct from (new.status, new.accredited_from, new.accredited_until))
    execute function organisation_stands();

grant select, insert, delete on spent to contactpoint_app;
grant update (name, auth_method, secret_hash, jwks, jwks_uri, scopes, dpop_required, requests_per_second, version, updated_at)
    on client to contactpoint_app;
grant update (repeated) on refresh_token to contactpoint_app;

reset role;
