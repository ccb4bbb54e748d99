-- Until when whoever signed in by a session may act: kept on the session itself, so that every request learns it from one row.
set local role contactpoint_owner;

-- Midnight in Europe/London after a day on which something still holds.
create function end_of_day(day date) returns timestamptz
    language sql immutable parallel safe as $$ select (day + 1)::timestamp at time zone 'Europe/London' $$;

-- Every condition that an account or a client must meet to act, in one place.
create function stands_until(account uuid, client uuid) returns timestamptz
    language sql stable set search_path = public, pg_temp as $$
    select case when coalesce(a.status, c.status) = 'active' and o.status = 'accredited'
           then coalesce(end_of_day(least(a.vetted_until, a.trained_until)), 'infinity') else '-infinity' end
    from (select) nobody
    left join account a on a.account_id = account
    left join client c on c.client_id = client
    join organisation o on o.organisation_id = coalesce(a.organisation_id, c.organisation_id)
$$;
revoke execute on function stands_until(uuid, uuid) from public;

alter table session add stands_until timestamptz;
update session set stands_until = case when ended_at is null then least(expires_at, stands_until(account_id, client_id)) else '-infinity' end;
alter table session alter stands_until set not null;

-- A session that begins holds what it stands on until it is there, so that whoever stops its holder cannot miss it.
create function session_stands() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        perform from account where account_id = new.account_id for share;
        perform from client where client_id = new.client_id for share;
        perform from organisation o where o.organisation_id in (
            select organisation_id from account where account_id = new.account_id
            union all select organisation_id from client where client_id = new.client_id) for share;
    end if;
    new.stands_until := case when new.ended_at is null
        then least(new.expires_at, stands_until(new.account_id, new.client_id)) else '-infinity' end;
    return new;
end $$;
create trigger session_stands before insert or update on session for each row execute function session_stands();

-- What stops an account, a client or an organisation stops their sessions with it, whoever writes it down and however.
create function account_stands() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update session set ended_at = ended_at where account_id = new.account_id and ended_at is null;
    return null;
end $$;
create trigger account_stands after update of status, organisation_id, vetted_until, trained_until on account
    for each row execute function account_stands();

create function client_stands() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update session set ended_at = ended_at where client_id = new.client_id and ended_at is null;
    return null;
end $$;
create trigger client_stands after update of status, organisation_id on client
    for each row execute function client_stands();

create function organisation_stands() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update session set ended_at = ended_at where ended_at is null
        and (account_id in (select account_id from account where organisation_id = new.organisation_id)
             or client_id in (select client_id from client where organisation_id = new.organisation_id));
    return null;
end $$;
create trigger organisation_stands after update of status on organisation
    for each row when (old.status is distinct from new.status) execute function organisation_stands();

create index session_by_client on session (client_id) where ended_at is null;
create index account_by_organisation on account (organisation_id);
create index client_by_organisation on client (organisation_id);

drop function caller_may_act(uuid, timestamptz, date);
drop view caller_standing;

reset role;
