-- An organisation is told with the days of its accreditation and its privacy officer.
set local role contactpoint_owner;

create or replace view organisation_told as
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
               'privacyOfficer', o.privacy_officer,
               'status', o.status,
               'accreditedFrom', o.accredited_from,
               'accreditedUntil', o.accredited_until,
               'openedOn', o.opened_on,
               'closedOn', o.closed_on,
               'version', o.version
           ) as told
    from organisation o
    left join organisation a on a.organisation_id = o.authority_id;

reset role;
