-- An involvement as it is told on a day: a flag whose day has come is told no more.
set local role contactpoint_owner;

create function involvement_told_on(day date)
    returns table (involvement_id uuid, child_id uuid, organisation_id uuid, sensitive boolean, started_on date, ended_on date,
                   authority_id uuid, told json)
    language sql stable parallel safe as $$
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
                   where f.involvement_id = i.involvement_id and f.cleared_at is null and f.expires_on > day
               ), '[]'),
               'version', i.version
           )
    from involvement i
    join organisation o on o.organisation_id = i.organisation_id
$$;
revoke execute on function involvement_told_on(date) from public;
grant execute on function involvement_told_on(date) to contactpoint_app;

drop view involvement_told;

reset role;
