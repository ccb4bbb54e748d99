-- Accounts begin with an invitation, and act on dated facts.
set local role contactpoint_owner;

alter table account
    add police_checked_on date,
    add trained_on        date,
    add version           bigint not null default 1,
    add updated_at        timestamptz,
    alter credential drop not null,
    alter one_time_code_seed drop not null,
    alter vetted_until drop not null,
    alter trained_until drop not null,
    alter agreement_signed_on drop not null,
    drop constraint account_status_check,
    add constraint account_status_check check (status in ('invited', 'active', 'suspended', 'closed')),
    add constraint account_has_its_secrets check (status <> 'active' or (credential is not null and one_time_code_seed is not null));
update account set police_checked_on = vetted_until - interval '3 years', trained_on = trained_until - interval '3 years',
    updated_at = created_at;
create index account_by_user_name on account (organisation_id, user_name);

-- What a person opens an account with, once: made by the administrator, and where it gives back an account that is in use,
-- approved by a second one.
create table invitation (
    invitation_id uuid primary key,
    account_id    uuid not null references account,
    purpose       text not null check (purpose in ('enrolment', 'recovery')),
    token_hash    bytea not null constraint invitation_token_unique unique check (length(token_hash) = 32),
    seed          bytea not null,
    made_by       uuid not null,
    made_at       timestamptz not null,
    expires_at    timestamptz not null,
    approved_by   uuid check (approved_by <> made_by),
    used_at       timestamptz,
    version       bigint not null default 1
);
create index invitation_by_account on invitation (account_id) where used_at is null;

create or replace function stands_until(account uuid, client uuid) returns timestamptz
    language sql stable set search_path = public, pg_temp as $$
    select case
        when coalesce(a.status, c.status) <> 'active' or o.status <> 'accredited' then '-infinity'
        when a.account_id is null then 'infinity'
        when a.agreement_signed_on is null then '-infinity'
        else coalesce(end_of_day(case when a.vetted_until < a.trained_until then a.vetted_until
                                      when a.vetted_until is not null then a.trained_until end), '-infinity') end
    from (select) nobody
    left join account a on a.account_id = account
    left join client c on c.client_id = client
    join organisation o on o.organisation_id = coalesce(a.organisation_id, c.organisation_id)
$$;
drop trigger account_stands on account;
create trigger account_stands
    after update of status, organisation_id, vetted_until, trained_until, agreement_signed_on on account
    for each row execute function account_stands();

create view account_told as
    select a.account_id, a.organisation_id, a.user_name, a.status, a.role, o.kind as organisation_kind,
           json_strip_nulls(json_build_object(
               'id', a.account_id,
               'organisationId', a.organisation_id,
               'userName', a.user_name,
               'name', a.name,
               'role', a.role,
               'status', a.status,
               'policeCheckedOn', a.police_checked_on,
               'trainedOn', a.trained_on,
               'agreementSignedOn', a.agreement_signed_on,
               'actsUntil', case when a.status = 'active' then case when a.agreement_signed_on is not null
                   and a.vetted_until is not null and a.trained_until is not null then least(a.vetted_until, a.trained_until) end end,
               'version', a.version
           )) as told
    from account a
    join organisation o on o.organisation_id = a.organisation_id;

grant execute on function stands_until(uuid, uuid) to contactpoint_app;
grant select on account_told to contactpoint_app;
grant select, insert on invitation to contactpoint_app;
grant update (approved_by, used_at, expires_at, version) on invitation to contactpoint_app;
grant update (name, credential, one_time_code_seed, police_checked_on, trained_on, agreement_signed_on, version, updated_at)
    on account to contactpoint_app;

reset role;
