select json_build_object('results', coalesce(json_agg(json_build_object(
           'indexNumber', c.index_number,
           'dateOfBirth', c.date_of_birth,
           'gender', c.gender,
           'names', (
               select json_agg(json_build_object('kind', n.kind, 'given', n.given, 'family', n.family))
               from child_name n where n.child_id = c.child_id)
       )), '[]'))::text
from (select distinct child_id from child_name where family_key = $1 and date_of_birth = $2 and given_keys && $3) found
join child c on c.child_id = found.child_id
where c.status = 'active'
