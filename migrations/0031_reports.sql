-- By what stewards' reports look through the records of an authority, in the order of their numbers.
set local role contactpoint_owner;

create index child_in_use_by_authority on child (responsible_authority_id, index_number) where status = 'active';

reset role;
