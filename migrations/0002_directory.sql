-- Who works with children, and who may sign in.
set local role contactpoint_owner;

create table organisation (
    organisation_id uuid primary key,
    kind            text not null check (kind in ('localAuthority', 'school', 'gpPractice', 'healthTrust', 'policeForce', 'charity', 'nationalPartner')),
    name            text not null,
    authority_code  text constraint organisation_authority_code_unique unique check (authority_code ~ '^[0-9]{3}$'),
    gss_code        text constraint organisation_gss_code_unique unique,
    urn             text constraint organisation_urn_unique unique,
    laestab         text constraint organisation_laestab_unique unique,
    ods             text constraint organisation_ods_unique unique,
    reference       text constraint organisation_reference_unique unique,
    authority_id    uuid references organisation,
    office_hours    text not null,
    duty            text not null,
    email           text,
    status          text not null default 'accredited' check (status in ('accredited', 'suspended', 'closed')),
    opened_on       date,
    closed_on       date check (closed_on >= opened_on),
    version         bigint not null default 1,
    updated_at      timestamptz not null,
    check ((kind = 'localAuthority') = (authority_code is not null))
);
create index organisation_by_name on organisation (lower(name), organisation_id);
create index organisation_by_authority on organisation (authority_id, lower(name));

create table account (
    account_id          uuid primary key,
    user_name           text not null constraint account_user_name_unique unique,
    name                text not null,
    organisation_id     uuid not null references organisation,
    role                text not null,
    credential          text not null,
    one_time_code_seed  bytea not null,
    last_step           bigint not null default 0,
    status              text not null default 'active' check (status in ('active', 'suspended', 'closed')),
    vetted_until        date not null,
    trained_until       date not null,
    agreement_signed_on date not null,
    created_at          timestamptz not null
);

create table client (
    client_id       uuid primary key,
    name            text not null,
    organisation_id uuid not null references organisation,
    role            text not null,
    secret_hash     bytea not null check (length(secret_hash) = 32),
    status          text not null default 'active' check (status in ('active', 'suspended', 'closed')),
    created_at      timestamptz not null
);

create table session (
    session_id       uuid primary key,
    account_id       uuid references account,
    client_id        uuid references client,
    authenticated_at timestamptz not null,
    expires_at       timestamptz not null,
    ended_at         timestamptz,
    check (num_nonnulls(account_id, client_id) = 1)
);
create index session_by_account on session (account_id) where ended_at is null;

create table refresh_token (
    token_hash  bytea primary key check (length(token_hash) = 32),
    session_id  uuid not null references session,
    issued_at   timestamptz not null,
    idle_until  timestamptz not null,
    used_at     timestamptz,
    replaced_by bytea
);
create index refresh_token_by_session on refresh_token (session_id);

-- A few guesses from one network are let through, then they wait (security rules AUTH-6).
create table sign_in_failure (
    user_name_hash bytea not null check (length(user_name_hash) = 32),
    network        inet not null,
    at             timestamptz not null
);
create index sign_in_failure_by_name on sign_in_failure (user_name_hash, at);
create index sign_in_failure_by_network on sign_in_failure (network, at);

create view organisation_told as
    select o.organisation_id, o.name, o.kind, a.authority_code as authority,
           json_build_object(
               'id', o.organisation_id,
               'kind', o.kind,
               'name', o.name,
               'codes', json_strip_nulls(json_build_object('authority', o.authority_code, 'gss', o.gss_code, 'urn', o.urn,
                   'laestab', o.laestab, 'ods', o.ods, 'reference', o.reference)),
               'authority', a.authority_code,
               'officeHours', o.office_hours,
               'duty', o.duty,
               'email', o.email,
               'status', o.status,
               'openedOn', o.opened_on,
               'closedOn', o.closed_on,
               'version', o.version
           ) as told
    from organisation o
    left join organisation a on a.organisation_id = o.authority_id;

grant select on organisation_told to contactpoint_app;
grant select, insert on organisation, account, client, session, refresh_token, sign_in_failure to contactpoint_app;
grant update on organisation to contactpoint_app;
grant update (last_step, status, vetted_until, trained_until) on account to contactpoint_app;
grant update (status) on client to contactpoint_app;
grant update (ended_at) on session to contactpoint_app;
grant update (used_at, replaced_by) on refresh_token to contactpoint_app;
grant delete on refresh_token, sign_in_failure to contactpoint_app;

-- Every condition that whoever signed in by a session must meet to act, in one place.
create view caller_standing as
    select s.session_id, s.expires_at, least(a.vetted_until, a.trained_until) as fit_until, a.agreement_signed_on,
           (s.ended_at is null and o.status = 'accredited'
            and coalesce(a.status, 'active') = 'active' and coalesce(c.status, 'active') = 'active') as live
    from session s
    left join account a on a.account_id = s.account_id
    left join client c on c.client_id = s.client_id
    join organisation o on o.organisation_id = coalesce(a.organisation_id, c.organisation_id);
grant select on caller_standing to contactpoint_app;

-- Whether whoever signed in by this session may act now.
create function caller_may_act(session uuid, at timestamptz, today date) returns boolean
    language plpgsql stable set search_path = public, pg_temp as $$
begin
    return (
        select s.live and s.expires_at > at and coalesce(s.fit_until >= today, true) and coalesce(s.agreement_signed_on <= today, true)
        from caller_standing s
        where s.session_id = session
    );
end $$;
revoke execute on function caller_may_act(uuid, timestamptz, date) from public;
grant execute on function caller_may_act(uuid, timestamptz, date) to contactpoint_app;

reset role;
