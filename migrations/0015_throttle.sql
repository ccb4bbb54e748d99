-- Guesses wait, and a flood of them from elsewhere locks nobody out (security rules AUTH-6 and AUTH-7).
set local role contactpoint_owner;

alter table sign_in_failure add address inet;
create unique index sign_in_failure_by_attempt on sign_in_failure (attempt_id);
create index sign_in_failure_by_name_and_network on sign_in_failure (user_name_hash, network, at);
create index sign_in_failure_by_address on sign_in_failure (address, at);
create index sign_in_failure_by_age on sign_in_failure (at);

-- From where an account signed in of late.
create table known_network (
    account_id uuid not null references account,
    network    inet not null,
    last_at    timestamptz not null,
    primary key (account_id, network)
);
create index known_network_by_age on known_network (last_at);

grant select, insert, delete on known_network to contactpoint_app;
grant update (last_at) on known_network to contactpoint_app;

reset role;
