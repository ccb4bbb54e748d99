-- What was answered is forgotten where a shield now hides it; values keep their key sealed with them, so that the key over it
-- can be changed; and authorities hand records over.
set local role contactpoint_owner;

-- The answers to these would tell again what a shield hides since.
create index idempotency_by_child on idempotency (child_id) where child_id is not null;
create function forget_answers() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update idempotency set answer = null, sealed = null
    where child_id = new.child_id and operation in ('add_child', 'add_carer', 'add_involvement');
    return null;
end $$;
create trigger child_answers_forgotten after update of shielded on child
    for each row when (new.shielded and not old.shielded) execute function forget_answers();
revoke execute on function forget_answers() from public;

-- A sealed value begins with its version (1 byte) and the number of the key over it (4), by which those under an old key are
-- found. In version 2 the nonce (12) and the value's own key (48) follow; the rest is the same whatever key is over it.
create function sealed_head(sealed bytea) returns bytea
    language sql immutable parallel safe as $$ select substring(sealed from 1 for 5) $$;
create function sealed_rest(sealed bytea) returns bytea
    language sql immutable parallel safe as $$ select substring(sealed from 66) $$;
create index whereabouts_sealed on whereabouts (whereabouts_id) where sealed is not null;
create index carer_sealed on carer (carer_id) where sealed is not null;
create index history_sealed on history (history_id) where sealed is not null;

-- Another key over the same value changes no fact.
drop trigger carer_history on carer;
create trigger carer_history after update on carer
    for each row when (
        (to_jsonb(old) - 'sealed', sealed_rest(old.sealed)) is distinct from (to_jsonb(new) - 'sealed', sealed_rest(new.sealed))
        and old.shielded = new.shielded and (old.sealed is null) = (new.sealed is null))
    execute function keep_history('carer');

create function reseal_history(id bigint, resealed bytea) returns void
    language sql security definer set search_path = public, pg_temp as $$
    update history set sealed = resealed where history_id = id and sealed_rest(sealed) = sealed_rest(resealed)
$$;
revoke execute on function reseal_history(bigint, bytea) from public;
grant execute on function reseal_history(bigint, bytea) to contactpoint_app;
grant update (seed) on invitation to contactpoint_app;

-- An authority offers another that it answer for a record. The duty moves when that is accepted, not before.
create table transfer (
    transfer_id    uuid primary key,
    child_id       uuid not null references child,
    offered_by     uuid not null references organisation,
    offered_to     uuid not null references organisation,
    status         text not null check (status in ('offered', 'accepted', 'declined', 'disputed', 'withdrawn')),
    decline_ground text,
    dispute_ground text,
    offered_at     timestamptz not null,
    changed_at     timestamptz not null,
    version        bigint not null default 1,
    constraint transfer_to_another check (offered_by <> offered_to),
    constraint transfer_declined_on_a_ground check (status not in ('declined', 'disputed') or decline_ground is not null),
    constraint transfer_disputed_on_a_ground check (status <> 'disputed' or dispute_ground is not null)
);
create unique index transfer_one_open on transfer (child_id) where status in ('offered', 'disputed');
create index transfer_by_child on transfer (child_id);
create index transfer_by_offering on transfer (offered_by, offered_at, transfer_id);
create index transfer_by_receiving on transfer (offered_to, offered_at, transfer_id);
grant select, insert on transfer to contactpoint_app;
grant update (status, decline_ground, dispute_ground, changed_at, version) on transfer to contactpoint_app;

reset role;
