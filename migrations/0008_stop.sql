-- Everything stopped at once: while there is a row, the service answers no more than how organisations are reached.
set local role contactpoint_owner;

create table stop (
    single boolean primary key default true check (single),
    since  timestamptz not null,
    by     uuid not null
);
grant select, insert, delete on stop to contactpoint_app;

reset role;
