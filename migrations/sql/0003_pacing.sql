-- core/pacing.py, class Book, in one statement: times are microseconds of the server's clock, a number of 0 is a call
-- that went out and any other one a plan. The tests give P_NOW.
create function frontdesk_free_from(p_times bigint[], p_count integer, p_per bigint, p_at bigint) returns bigint
language plpgsql immutable as $$
begin
    for i in 1 .. cardinality(p_times) - p_count + 1 loop
        if p_times[i + p_count - 1] - p_times[i] < p_per
            and p_times[i + p_count - 1] - p_per < p_at and p_at < p_times[i] + p_per
        then
            p_at := p_times[i] + p_per;
        end if;
    end loop;
    return p_at;
end $$;
create function frontdesk_lock_pacing(p_keys text[]) returns void language plpgsql as $$
declare
    locked integer;
begin
    loop
        perform from pacing where key = any(p_keys) order by key for update;
        get diagnostics locked = row_count;
        exit when locked = cardinality(p_keys);
        insert into pacing (key) select wanted from unnest(p_keys) wanted order by 1 on conflict do nothing;
    end loop;
end $$;
create function frontdesk_pace(
    p_keys text[], p_rate_keys text[], p_counts integer[], p_pers bigint[], p_number bigint, p_most bigint,
    p_now bigint default null, out wait_us bigint, out number bigint
) language plpgsql as $$
declare
    log record;
    at bigint;
    before bigint := -1;
begin
    perform frontdesk_lock_pacing(p_keys);
    p_now := coalesce(p_now, (extract(epoch from clock_timestamp()) * 1000000)::bigint);
    update pacing set held_from = p_now, held_until = p_now + held_until - held_from
        where key = any(p_keys) and held_from > p_now;
    select greatest(p_now, max(held_until)), greatest(p_now, max(newest) + 1) into at, number
        from pacing where key = any(p_keys);
    number := case when p_number = 0 then number else p_number end;
    while at <> before loop
        before := at;
        for log in
            select wanted.count, wanted.per, array(
                select case when own = 0 then least(made, p_now) else made end
                from unnest(pacing.times, pacing.numbers) as calls(made, own)
                where p_number = 0 or own < p_number order by 1
            ) as times
            from unnest(p_rate_keys, p_counts, p_pers) as wanted(key, count, per) join pacing using (key)
        loop
            at := frontdesk_free_from(log.times, log.count, log.per, at);
        end loop;
    end loop;
    wait_us := at - p_now;
    update pacing p set
        newest = greatest(p.newest, frontdesk_pace.number),
        times = kept.times,
        numbers = kept.numbers,
        idle_at = greatest(p.idle_at, at + wanted.longest)
    from (
        select key, max(per) as longest from unnest(p_rate_keys, p_pers) as rates(key, per) group by key
    ) wanted join pacing old using (key) cross join lateral (
        select coalesce(array_agg(made order by made), '{}') as times,
            coalesce(array_agg(own order by made), '{}') as numbers
        from (
            select case when own = 0 then least(made, p_now) else made end as made, own
            from unnest(old.times, old.numbers) as calls(made, own) where p_number = 0 or own <> p_number
            union all
            select at, case when wait_us = 0 then 0 else frontdesk_pace.number end
            where wait_us = 0 or p_most < 0 or wait_us <= p_most
        ) calls where made + wanted.longest > p_now
    ) kept
    where p.key = wanted.key;
end $$;
