-- One round trip for all events of a moment; a deletion that says when it was ends nothing newer.
drop function frontdesk_accept, frontdesk_wake;
create function frontdesk_job(
    p_tenant integer, p_platform text, p_installation text, p_channel text, p_thread text,
    p_priority integer, p_at timestamptz
) returns procrastinate_job_to_defer_v1 language sql stable as $$
    select row(
        'messages', 'serve_thread', p_priority,
        frontdesk_lock(p_tenant, p_platform, p_installation, p_channel, p_thread), null,
        jsonb_build_object('tenant_id', p_tenant, 'platform', p_platform, 'installation', p_installation,
            'channel', p_channel, 'thread', p_thread),
        p_at)::procrastinate_job_to_defer_v1
$$;
create or replace function frontdesk_concerned(p_event inbox, p_target text) returns bigint[] language sql stable as $$
    select case p_event.kind
    when 'stop' then (select array_agg(inbox_id) from inbox where
        tenant_id = p_event.tenant_id and platform = p_event.platform and installation = p_event.installation
        and channel = p_event.channel and thread = p_event.thread and state <> 'ended'
        and kind in ('message', 'edit') and inbox_id < p_event.inbox_id
        and (p_target <> '' or author_id = p_event.author_id)
        and (p_target = '' or message_id = p_target or answered_by in (
            select asked.answered_by from inbox asked left join outbox on outbox.inbox_id = asked.answered_by
            where asked.tenant_id = p_event.tenant_id and asked.platform = p_event.platform
                and asked.installation = p_event.installation and asked.channel = p_event.channel
                and asked.thread = p_event.thread and asked.state <> 'ended' and asked.answered_by is not null
                and (asked.message_id = p_target
                    or outbox.sent @> jsonb_build_array(jsonb_build_object('message_id', p_target))))))
    when 'takeover' then (select array_agg(inbox_id) from inbox where
        tenant_id = p_event.tenant_id and platform = p_event.platform and installation = p_event.installation
        and channel = p_event.channel and thread = p_event.thread and state <> 'ended'
        and kind in ('message', 'edit') and inbox_id < p_event.inbox_id)
    else (select array_agg(inbox_id) from inbox where
        tenant_id = p_event.tenant_id and platform = p_event.platform and installation = p_event.installation
        and channel = p_event.channel and message_id = p_event.message_id and state <> 'ended'
        and kind in ('message', 'edit') and case p_event.kind
            when 'delete' then p_event.revision = 0 or revision <= p_event.revision
            else revision < p_event.revision end)
    end
$$;
create type frontdesk_event as (
    tenant_id integer, platform text, installation text, channel text, thread text, event_id text, message_id text,
    kind text, revision bigint, author_id text, target text, body text, request_id text,
    counted_to integer, waiting_limit integer, author_limit integer
);
create type frontdesk_outcome as (outcome text, id bigint, retry_after_s double precision);
create function frontdesk_refused(p_event frontdesk_event, p_waiting integer)
returns frontdesk_outcome language plpgsql as $$
declare
    earlier timestamptz;
begin
    if p_event.kind not in ('message', 'edit') then
        return null;
    end if;
    if p_waiting >= p_event.waiting_limit then
        return row('tenant', null, 5)::frontdesk_outcome;
    end if;
    select received_at into earlier from inbox
        where tenant_id = p_event.tenant_id and platform = p_event.platform and author_id = p_event.author_id
            and received_at > now() - interval '1 minute' and kind in ('message', 'edit')
        order by received_at desc offset p_event.author_limit - 1 limit 1;
    if found then
        return row('author', null,
            greatest(1, extract(epoch from earlier + interval '1 minute' - now())))::frontdesk_outcome;
    end if;
    return null;
end $$;
create function frontdesk_store(p_event frontdesk_event, p_waiting integer)
returns frontdesk_outcome language plpgsql as $$
declare
    refused frontdesk_outcome := frontdesk_refused(p_event, p_waiting);
    stored inbox;
    known bigint;
begin
    if refused is null then
        insert into inbox (tenant_id, platform, installation, event_id, channel, thread, message_id, kind, revision,
            author_id, body, request_id)
        values (p_event.tenant_id, p_event.platform, p_event.installation, p_event.event_id, p_event.channel,
            p_event.thread, p_event.message_id, p_event.kind, p_event.revision, p_event.author_id, p_event.body::jsonb,
            p_event.request_id)
        on conflict do nothing returning * into stored;
        if found then
            if p_event.kind in ('edit', 'delete', 'stop', 'takeover') then
                perform frontdesk_interrupt(stored, p_event.target);
            end if;
            return row('stored', stored.inbox_id, null)::frontdesk_outcome;
        end if;
    end if;
    -- What is stored already is never refused.
    known := frontdesk_known(p_event.tenant_id, p_event.platform, p_event.installation, p_event.channel,
        p_event.event_id, p_event.message_id, p_event.kind, p_event.revision);
    return case when known is null then refused else row('duplicate', known, null)::frontdesk_outcome end;
end $$;
-- The application plans each statement anew, for the sake of its searches; here that would take three times as long as
-- the work. A plan that was made while the table was small must not read all of it later.
create function frontdesk_accept(p_events frontdesk_event[])
returns setof frontdesk_outcome language plpgsql set plan_cache_mode = auto set enable_seqscan = off as $$
declare
    tenant integer;
    waiting integer;
    event frontdesk_event;
    outcome frontdesk_outcome;
    jobs procrastinate_job_to_defer_v1[];
begin
    foreach event in array p_events loop
        if event.tenant_id is distinct from tenant then
            tenant := event.tenant_id;
            perform set_config('frontdesk.tenant_id', tenant::text, true);
            select count(*) into waiting from (
                select from inbox where tenant_id = tenant and state = 'waiting' limit event.counted_to) counted;
        end if;
        outcome := frontdesk_store(event, waiting);
        if outcome.outcome = 'stored' then
            jobs := jobs || frontdesk_job(tenant, event.platform, event.installation, event.channel, event.thread,
                -least(20, floor(
                    case when event.kind in ('message', 'edit') then waiting else waiting - 20 end / 20.0)::integer),
                null);
            waiting := waiting + 1;
        end if;
        return next outcome;
    end loop;
    if jobs is not null then
        perform procrastinate_defer_jobs_v1(jobs);
    end if;
end $$;
