-- A sign-in counts as failed from its beginning, until it succeeds: guesses sent at once are counted like any others.
set local role contactpoint_owner;
alter table sign_in_failure add attempt_id uuid not null default gen_random_uuid();
reset role;
