-- Signing in by another issuer: an identity there, linked in advance to one account here.
set local role contactpoint_owner;

alter table account
    add external_issuer  text,
    add external_subject text,
    add constraint account_identity_whole check (num_nonnulls(external_issuer, external_subject) in (0, 2)),
    add constraint account_identity_unique unique (external_issuer, external_subject),
    drop constraint account_has_its_secrets,
    add constraint account_has_its_secrets check (status <> 'active'
        or (credential is not null and one_time_code_seed is not null) or external_subject is not null);

-- The organisation that a code of one of the lists names.
create function organisation_known_as(list text, code text) returns uuid
    language sql stable set search_path = public, pg_temp as $$
    select organisation_id from organisation
    where case list when 'authority' then authority_code when 'gss' then gss_code when 'urn' then urn
        when 'laestab' then laestab when 'ods' then ods when 'reference' then reference end = code
$$;
revoke execute on function organisation_known_as(text, text) from public;
grant execute on function organisation_known_as(text, text) to contactpoint_app;

create or replace view account_told as
    select a.account_id, a.organisation_id, a.user_name, a.status, a.role, o.kind as organisation_kind,
           json_strip_nulls(json_build_object(
               'id', a.account_id,
               'organisationId', a.organisation_id,
               'userName', a.user_name,
               'name', a.name,
               'role', a.role,
               'status', a.status,
               'externalIdentity', case when a.external_subject is not null
                   then json_build_object('issuer', a.external_issuer, 'subject', a.external_subject) end,
               'policeCheckedOn', a.police_checked_on,
               'trainedOn', a.trained_on,
               'agreementSignedOn', a.agreement_signed_on,
               'actsUntil', case when a.status = 'active' then case when a.agreement_signed_on is not null
                   and a.vetted_until is not null and a.trained_until is not null then least(a.vetted_until, a.trained_until) end end,
               'version', a.version
           )) as told
    from account a
    join organisation o on o.organisation_id = a.organisation_id;

grant update (external_issuer, external_subject) on account to contactpoint_app;

reset role;
