-- Work with a child that nobody confirms: its source has stopped sending the child, or nobody has confirmed it for long.
set local role contactpoint_owner;

-- The day as at which the organisation's feed did not send the child any more; nothing once it does, or somebody confirms the work.
alter table involvement add unconfirmed_since date;

-- Since when nobody confirms what goes on: since its source stopped sending it, or 12 months after somebody confirmed it last.
create function unconfirmed_since(not_sent date, confirmed_on date, ended_on date, day date) returns date
    language sql immutable parallel safe as $$
    select case when ended_on is null then least(not_sent,
        case when confirmed_on + interval '12 months' < day then (confirmed_on + interval '12 months')::date + 1 end) end
$$;
revoke execute on function unconfirmed_since(date, date, date, date) from public;
grant execute on function unconfirmed_since(date, date, date, date) to contactpoint_app;

create or replace function involvement_told_on(day date)
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
               'unconfirmedSince', unconfirmed_since(i.unconfirmed_since, i.confirmed_on, i.ended_on, day),
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

reset role;
