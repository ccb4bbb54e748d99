-- What is told under a shield, and which records resemble one another.
set local role contactpoint_owner;

-- Beside what is told, what is left of it under a shield, and what is sealed.
create or replace view carer_told as
    select carer_id, child_id, superseded_at, received_at,
           json_build_object(
               'id', carer_id,
               'name', json_build_object('given', given, 'family', family),
               'relationship', relationship,
               'parentalResponsibility', parental_responsibility,
               'phones', phones,
               'emails', emails,
               'address', address,
               'source', json_build_object('organisationId', source_organisation_id, 'receivedAt', received_at, 'asAt', as_at),
               'version', version
           ) as told,
           json_build_object(
               'id', carer_id,
               'name', json_build_object('given', given, 'family', family),
               'relationship', relationship,
               'parentalResponsibility', parental_responsibility,
               'phones', '{}'::text[],
               'emails', '{}'::text[],
               'version', visible_version
           ) as visible,
           sealed
    from carer;

create or replace view name_told as
    select child_id, kind, superseded_at, received_at,
           json_build_object(
               'kind', kind, 'given', given, 'family', family,
               'source', json_build_object('organisationId', source_organisation_id, 'receivedAt', received_at, 'asAt', as_at)
           ) as told,
           json_build_object('kind', kind, 'given', given, 'family', family) as visible
    from child_name;

-- A statement says itself which records it takes: those in use, without the shielded ones where it looks for what a shield hides.
create or replace view candidate_told as
    select c.child_id, c.index_number,
           json_build_object(
               'indexNumber', c.index_number,
               'dateOfBirth', c.date_of_birth,
               'dateOfBirthPrecision', c.date_of_birth_precision,
               'gender', c.gender,
               'names', (
                   select json_agg(json_build_object(
                       'name', json_build_object('kind', n.kind, 'given', n.given, 'family', n.family),
                       'superseded', n.superseded_at is not null))
                   from child_name n where n.child_id = c.child_id)
           ) as told,
           (select json_agg(json_build_object('postcode', w.postcode,
                'former', w.superseded_at is not null or w.kind = 'lastKnown'))
            from whereabouts w where w.child_id = c.child_id and w.postcode is not null) as postcodes,
           (select json_agg(json_build_object('kind', i.kind, 'value', i.value))
            from child_identifier i where i.child_id = c.child_id and i.superseded_at is null) as identifiers,
           c.status, c.archives_on, c.shielded
    from child c;

-- What history tells under a shield; nothing of the other kinds of fact.
create function visible_part(fact text, was jsonb) returns jsonb
    language sql immutable parallel safe as $$
    select case fact
        when 'child' then jsonb_build_object('date_of_birth', was -> 'date_of_birth',
            'date_of_birth_precision', was -> 'date_of_birth_precision',
            'date_of_birth_estimated', was -> 'date_of_birth_estimated', 'gender', was -> 'gender')
        when 'carer' then jsonb_build_object('carer_id', was -> 'carer_id', 'given', was -> 'given', 'family', was -> 'family',
            'relationship', was -> 'relationship', 'parental_responsibility', was -> 'parental_responsibility')
    end
$$;

-- Whether two births may be the same day.
create function births_agree(one date, one_precision text, other date, other_precision text) returns boolean
    language sql immutable parallel safe as $$
    select one <= case other_precision when 'day' then other when 'month' then (other + interval '1 month')::date - 1
                      else (other + interval '1 year')::date - 1 end
       and other <= case one_precision when 'day' then one when 'month' then (one + interval '1 month')::date - 1
                        else (one + interval '1 year')::date - 1 end
$$;

-- The records that may be of the same person as this one: by any name they have or had with the birth, or by an identifier
-- that both hold. Not those of its own person, and not those of whom somebody has said that they are others.
create function resembling(this uuid) returns table (child_id uuid, person_id uuid, shielded boolean)
    language sql stable as $$
    select o.child_id, o.person_id, o.shielded
    from child c
    cross join lateral (
        select theirs.child_id
        from child_name mine
        join child_name theirs on theirs.family_key = mine.family_key and theirs.given_keys && mine.given_keys
            and theirs.date_of_birth in (c.date_of_birth, date_trunc('month', c.date_of_birth)::date,
                                         date_trunc('year', c.date_of_birth)::date)
        where mine.child_id = c.child_id
        union
        select theirs.child_id
        from child_name mine
        join child_name theirs on theirs.family_key = mine.family_key and theirs.given_keys && mine.given_keys
            and theirs.date_of_birth between c.date_of_birth and (date_trunc('year', c.date_of_birth) + interval '1 year')::date - 1
        where mine.child_id = c.child_id and c.date_of_birth_precision <> 'day'
    ) named
    join child o on o.child_id = named.child_id
    where c.child_id = this and o.child_id <> c.child_id
      and births_agree(c.date_of_birth, c.date_of_birth_precision, o.date_of_birth, o.date_of_birth_precision)
      and (c.person_id is null or o.person_id is null or c.person_id <> o.person_id
           and not exists (select from distinct_persons d
                           where d.one = least(c.person_id, o.person_id) and d.other = greatest(c.person_id, o.person_id)))
    union
    select o.child_id, o.person_id, o.shielded
    from child c
    join child_identifier mine on mine.child_id = c.child_id and mine.superseded_at is null
    join child_identifier theirs on theirs.kind = mine.kind and theirs.value = mine.value and theirs.superseded_at is null
    join child o on o.child_id = theirs.child_id
    where c.child_id = this and o.child_id <> c.child_id
      and (c.person_id is null or o.person_id is null or c.person_id <> o.person_id
           and not exists (select from distinct_persons d
                           where d.one = least(c.person_id, o.person_id) and d.other = greatest(c.person_id, o.person_id)))
$$;

-- Whether somebody may see an involvement: a sensitive one, or one behind a shield, is its own organisation's (where all who look
-- are of it); a feed sees its own organisation's alone.
create function may_see_involvement(of_own boolean, sensitive boolean, all_own boolean, feed boolean, hidden boolean) returns boolean
    language sql immutable parallel safe as $$
    select case when of_own then all_own or not (sensitive or hidden) else not (sensitive or feed or hidden) end
$$;

revoke execute on function may_see_involvement(boolean, boolean, boolean, boolean, boolean) from public;
grant execute on function may_see_involvement(boolean, boolean, boolean, boolean, boolean) to contactpoint_app;
revoke execute on function visible_part(text, jsonb), births_agree(date, text, date, text), resembling(uuid) from public;
grant execute on function visible_part(text, jsonb), births_agree(date, text, date, text), resembling(uuid) to contactpoint_app;

create index child_shielded on child (child_id) where shielded;

reset role;
