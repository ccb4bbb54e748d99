-- What all of an organisation have spent together, so that seven who divide a sweep among them do not get seven times as far
-- (security rule E-4).
set local role contactpoint_owner;

create table budget_together (
    organisation_id uuid not null references organisation,
    day             date not null,
    searched        bigint not null,
    opened          bigint not null,
    primary key (organisation_id, day)
);
grant select, delete on budget_together to contactpoint_app;

-- Spends what these events ask for, each by its caller, and tells of those for which too little is left: of what, and until
-- when. What is refused spends nothing. Callers are taken in one order, and organisations after them, so that no two instances
-- wait for each other. What colleagues spend in the same moment is seen by the next.
create or replace function spend(events uuid[], callers uuid[], organisations uuid[], factors int[], charges text[], hits boolean[], openings bigint[],
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
    -- Whose searches and openings count together, of those let through.
    searched_by uuid[] := '{}';
    opened_by   uuid[] := '{}';
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
                   coalesce(own.matches_a_day, every.matches_a_day) as matches_a_day,
                   coalesce(together.searched, 0) as searched_together, coalesce(together.opened, 0) as opened_together
            into strict most
            from budget every
            left join budget own on own.organisation_id = asked.organisation_id
            left join budget_together together on together.organisation_id = asked.organisation_id and together.day = today
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
                elsif most.searched_together >= 20 * most.searches_a_day then
                    exceeded := 'searchesTogether';
                elsif this_hour >= most.searches_an_hour then
                    exceeded := 'searchesAnHour';
                    select min(held.n) into oldest from unnest(spent.recent) with ordinality as held (count, n) where held.count > 0;
                    until := to_timestamp((spent.slot + oldest) * 300::bigint);
                else
                    spent.searched := spent.searched + 1;
                    spent.recent[13] := spent.recent[13] + 1;
                    this_hour := this_hour + 1;
                    searched_by := searched_by || asked.organisation_id;
                    spent.misses := case when asked.hit then 0 else spent.misses + 1 end;
                    if spent.misses >= most.misses_in_a_row then
                        spent.misses := 0;
                        spent.paused_until := moment + make_interval(mins => most.pause_minutes);
                    end if;
                end if;
            when 'opening' then
                if spent.opened < most.children_a_day and most.opened_together < 20 * most.children_a_day then
                    insert into budget_opening (day, opening) values (today, asked.opening) on conflict do nothing;
                    if found then
                        spent.opened := spent.opened + 1;
                        opened_by := opened_by || asked.organisation_id;
                    end if;
                elsif not exists (select from budget_opening o where o.day = today and o.opening = asked.opening) then
                    exceeded := case when spent.opened < most.children_a_day then 'childrenTogether' else 'childrenADay' end;
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
    insert into budget_together as held (organisation_id, day, searched, opened)
    select organisation_id, today, count(*) filter (where searched), count(*) filter (where not searched)
    from (select unnest(searched_by) as organisation_id, true as searched
          union all select unnest(opened_by), false) spending
    group by organisation_id order by organisation_id
    on conflict on constraint budget_together_pkey do update
    set searched = held.searched + excluded.searched, opened = held.opened + excluded.opened;
end $$;

reset role;
