select json_build_object(
           'indexNumber', c.index_number,
           'names', (
               select json_agg(n.told order by n.kind, n.received_at) from name_told n
               where n.child_id = c.child_id and n.superseded_at is null),
           'dateOfBirth', c.date_of_birth,
           'dateOfBirthPrecision', c.date_of_birth_precision,
           'dateOfBirthEstimated', c.date_of_birth_estimated,
           'gender', c.gender,
           'whereabouts', (
               select w.told from whereabouts_told w where w.child_id = c.child_id and w.superseded_at is null),
           'identifiers', coalesce((
               select json_agg(json_build_object('kind', i.kind, 'value', i.value) order by i.kind)
               from child_identifier i where i.child_id = c.child_id and i.superseded_at is null), '[]'),
           'carers', coalesce((
               select json_agg(r.told order by r.received_at, r.carer_id) from carer_told r
               where r.child_id = c.child_id and r.superseded_at is null), '[]'),
           'involvements', coalesce((
               select json_agg(i.told order by i.started_on desc, i.involvement_id) from involvement_told_on(current_date) i
               where i.child_id = c.child_id), '[]'),
           'withoutService', c.without_service,
           'responsibleAuthority', json_build_object(
               'organisationId', a.organisation_id, 'code', a.authority_code, 'name', a.name),
           'status', c.status,
           'version', c.version
       )::text
from child c
join organisation a on a.organisation_id = c.responsible_authority_id
where c.index_number = $1 and c.status = 'active'
