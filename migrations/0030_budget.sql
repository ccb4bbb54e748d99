-- How much anybody may look for and open: the limits, and what has been spent of them on all instances together
-- (security rule E-3).
set local role contactpoint_owner;

-- The limits of an organisation; those without an organisation hold where it has none of its own.
create table budget (
    organisation_id  uuid references organisation,
    searches_an_hour int check (searches_an_hour > 0),
    searches_a_day   int check (searches_a_day > 0),
    misses_in_a_row  int check (misses_in_a_row > 0),
    pause_minutes    int check (pause_minutes > 0),
    children_a_day   int check (children_a_day > 0),
    matches_a_day    int check (matches_a_day > 0),
    constraint budget_once unique nulls not distinct (organisation_id),
    check (organisation_id is not null
           or num_nulls(searches_an_hour, searches_a_day, misses_in_a_row, pause_minutes, children_a_day, matches_a_day) = 0)
);
insert into budget values (null, 60, 300, 20, 10, 200, 432000);

-- What an account or a client has spent: on a day in London, and in each five minutes of the last hour and a bit, the latest
-- last. Rewritten in place at every search.
create table budget_spent (
    caller_id    uuid primary key,
    day          date not null default '2000-01-01',
    searched     int not null default 0,
    opened       int not null default 0,
    matched      int not null default 0,
    slot         int not null default 0,
    recent       int[] not null default array_fill(0, array[13]) check (cardinality(recent) = 13),
    misses       int not null default 0,
    paused_until timestamptz
) with (fillfactor = 50);
insert into budget_spent (caller_id) select account_id from account union all select client_id from client;

create function budget_begins() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into budget_spent (caller_id) values ((to_jsonb(new) ->> tg_argv[0])::uuid) on conflict do nothing;
    return null;
end $$;
create trigger account_budget after insert on account for each row execute function budget_begins('account_id');
create trigger client_budget after insert on client for each row execute function budget_begins('client_id');

-- Which children were opened by whom on a day, each pair as a hash, so that it can be told again and not read.
create table budget_opening (
    day     date not null,
    opening bigint not null,
    primary key (day, opening)
);

-- Spends what these events ask for, each by its caller, and tells of those for which too little is left: of what, and until
-- when. What is refused spends nothing. Callers are taken in one order, so that no two instances wait for each other.
create function spend(events uuid[], callers uuid[], organisations uuid[], factors int[], charges text[], hits boolean[], openings bigint[],
                      moment timestamptz, today date, tomorrow timestamptz)
    returns table (event_id uuid, exceeded text, until timestamptz)
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    present   int := floor(extract(epoch from moment) / 300);
    asked     record;
    spent     budget_spent;
    most      record;
    this_hour int;
    oldest    int;
begin
    if cardinality(events) = 0 then
        return;
    end if;
    for asked in
        select a.* from unnest(events, callers, organisations, factors, charges, hits, openings)
            with ordinality as a (event_id, caller_id, organisation_id, factor, charge, hit, opening, n)
        order by a.caller_id, a.n
    loop
        if asked.caller_id is distinct from spent.caller_id then
            if spent.caller_id is not null then
                update budget_spent s
                set day = spent.day, searched = spent.searched, opened = spent.opened, matched = spent.matched, slot = spent.slot,
                    recent = spent.recent, misses = spent.misses, paused_until = spent.paused_until
                where s.caller_id = spent.caller_id;
            end if;
            select * into strict spent from budget_spent s where s.caller_id = asked.caller_id for update;
            if spent.day <> today then
                spent.day := today;
                spent.searched := 0;
                spent.opened := 0;
                spent.matched := 0;
            end if;
            if spent.slot < present then
                oldest := least(13, present - spent.slot);
                spent.recent := spent.recent[oldest + 1:] || array_fill(0, array[oldest]);
                spent.slot := present;
            end if;
            this_hour := (select sum(n) from unnest(spent.recent) n);
            select coalesce(own.searches_an_hour, every.searches_an_hour)::bigint * asked.factor as searches_an_hour,
                   coalesce(own.searches_a_day, every.searches_a_day)::bigint * asked.factor as searches_a_day,
                   coalesce(own.misses_in_a_row, every.misses_in_a_row)::bigint * asked.factor as misses_in_a_row,
                   coalesce(own.pause_minutes, every.pause_minutes) as pause_minutes,
                   coalesce(own.children_a_day, every.children_a_day)::bigint * asked.factor as children_a_day,
                   coalesce(own.matches_a_day, every.matches_a_day) as matches_a_day
            into strict most
            from budget every
            left join budget own on own.organisation_id = asked.organisation_id
            where every.organisation_id is null;
        end if;

        exceeded := null;
        until := tomorrow;
        case asked.charge
            when 'search' then
                if spent.paused_until > moment then
                    exceeded := 'misses';
                    until := spent.paused_until;
                elsif spent.searched >= most.searches_a_day then
                    exceeded := 'searchesADay';
                elsif this_hour >= most.searches_an_hour then
                    exceeded := 'searchesAnHour';
                    select min(held.n) into oldest from unnest(spent.recent) with ordinality as held (count, n) where held.count > 0;
                    until := to_timestamp((spent.slot + oldest) * 300::bigint);
                else
                    spent.searched := spent.searched + 1;
                    spent.recent[13] := spent.recent[13] + 1;
                    this_hour := this_hour + 1;
                    spent.misses := case when asked.hit then 0 else spent.misses + 1 end;
                    if spent.misses >= most.misses_in_a_row then
                        spent.misses := 0;
                        spent.paused_until := moment + make_interval(mins => most.pause_minutes);
                    end if;
                end if;
            when 'opening' then
                if spent.opened < most.children_a_day then
                    insert into budget_opening (day, opening) values (today, asked.opening) on conflict do nothing;
                    if found then
                        spent.opened := spent.opened + 1;
                    end if;
                elsif not exists (select from budget_opening o where o.day = today and o.opening = asked.opening) then
                    exceeded := 'childrenADay';
                end if;
            when 'match' then
                if spent.matched < most.matches_a_day then
                    spent.matched := spent.matched + 1;
                else
                    exceeded := 'matchesADay';
                end if;
        end case;
        if exceeded is not null then
            event_id := asked.event_id;
            return next;
        end if;
    end loop;
    update budget_spent s
    set day = spent.day, searched = spent.searched, opened = spent.opened, matched = spent.matched, slot = spent.slot,
        recent = spent.recent, misses = spent.misses, paused_until = spent.paused_until
    where s.caller_id = spent.caller_id;
end $$;
revoke execute on function budget_begins(), spend(uuid[], uuid[], uuid[], int[], text[], boolean[], bigint[], timestamptz, date, timestamptz)
    from public;
grant execute on function spend(uuid[], uuid[], uuid[], int[], text[], boolean[], bigint[], timestamptz, date, timestamptz)
    to contactpoint_app;
grant select on budget to contactpoint_app;
grant select, delete on budget_opening to contactpoint_app;

reset role;
