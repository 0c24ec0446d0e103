-- One round trip for each event. A row is looked for before the bounds are checked: what is stored already is never
-- refused. The lock of a thread is Thread.lock of core/inbox.py. The application plans each statement anew, for the sake
-- of its searches; here that would take three times as long as the work. A plan that was made while the table was small
-- must not read all of it later.
create function frontdesk_lock(
    p_tenant integer, p_platform text, p_installation text, p_channel text, p_thread text
) returns text language sql immutable as $$
    select concat_ws(chr(31), p_tenant, p_platform, p_installation, p_channel, p_thread)
$$;
create function frontdesk_wake(
    p_tenant integer, p_platform text, p_installation text, p_channel text, p_thread text,
    p_priority integer, p_at timestamptz
) returns void language plpgsql as $$
begin
    perform procrastinate_defer_jobs_v1(array[row(
        'messages', 'serve_thread', p_priority,
        frontdesk_lock(p_tenant, p_platform, p_installation, p_channel, p_thread), null,
        jsonb_build_object('tenant_id', p_tenant, 'platform', p_platform, 'installation', p_installation,
            'channel', p_channel, 'thread', p_thread),
        p_at)::procrastinate_job_to_defer_v1]);
end $$;
create function frontdesk_concerned(p_event inbox, p_target text) returns bigint[] language sql stable as $$
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
        and kind in ('message', 'edit') and (p_event.kind = 'delete' or revision < p_event.revision))
    end
$$;
create function frontdesk_interrupt(p_event inbox, p_target text) returns void language plpgsql as $$
declare
    concerned bigint[] := frontdesk_concerned(p_event, p_target);
    lead bigint;
begin
    if concerned is null then
        return;
    end if;
    perform from inbox where inbox_id = any(concerned) order by inbox_id for update;
    for lead in
        with marked as (
            update inbox set interrupted_by = p_event.kind
            where inbox_id = any(concerned) and state <> 'ended' and interrupted_by is distinct from 'delete'
            returning state, answered_by)
        select distinct answered_by from marked where state = 'answering'
    loop
        perform pg_notify('frontdesk_interruptions', p_event.tenant_id || ':' || lead || ':' || p_event.kind);
    end loop;
end $$;
create function frontdesk_known(
    p_tenant integer, p_platform text, p_installation text, p_channel text, p_event text, p_message text,
    p_kind text, p_revision bigint
) returns bigint language sql stable as $$
    select coalesce(
        (select inbox_id from inbox where tenant_id = p_tenant and platform = p_platform
            and installation = p_installation and event_id = p_event),
        (select inbox_id from inbox where tenant_id = p_tenant and platform = p_platform
            and installation = p_installation and channel = p_channel and message_id = p_message
            and kind = p_kind and revision = p_revision))
$$;
create function frontdesk_accept(
    p_tenant integer, p_platform text, p_installation text, p_channel text, p_thread text, p_event text,
    p_message text, p_kind text, p_revision bigint, p_author text, p_target text, p_body jsonb, p_request text,
    p_counted_to integer, p_waiting_limit integer, p_author_limit integer,
    out outcome text, out id bigint, out retry_after_s double precision
) language plpgsql set plan_cache_mode = auto set enable_seqscan = off as $$
declare
    waiting integer;
    earlier timestamptz;
    event inbox;
begin
    perform set_config('frontdesk.tenant_id', p_tenant::text, true);
    outcome := 'duplicate';
    id := frontdesk_known(p_tenant, p_platform, p_installation, p_channel, p_event, p_message, p_kind, p_revision);
    if id is not null then
        return;
    end if;
    select count(*) into waiting from (
        select from inbox where tenant_id = p_tenant and state = 'waiting' limit p_counted_to) counted;
    if p_kind in ('message', 'edit') then
        if waiting >= p_waiting_limit then
            outcome := 'tenant';
            retry_after_s := 5;
            return;
        end if;
        select received_at into earlier from inbox
            where tenant_id = p_tenant and platform = p_platform and author_id = p_author
                and received_at > now() - interval '1 minute' and kind in ('message', 'edit')
            order by received_at desc offset p_author_limit - 1 limit 1;
        if found then
            outcome := 'author';
            retry_after_s := greatest(1, extract(epoch from earlier + interval '1 minute' - now()));
            return;
        end if;
    end if;
    insert into inbox (tenant_id, platform, installation, event_id, channel, thread, message_id, kind, revision,
        author_id, body, request_id)
    values (p_tenant, p_platform, p_installation, p_event, p_channel, p_thread, p_message, p_kind, p_revision,
        p_author, p_body, p_request)
    on conflict do nothing returning * into event;
    if not found then
        id := frontdesk_known(p_tenant, p_platform, p_installation, p_channel, p_event, p_message, p_kind, p_revision);
        return;
    end if;
    outcome := 'stored';
    id := event.inbox_id;
    if p_kind in ('edit', 'delete', 'stop', 'takeover') then
        perform frontdesk_interrupt(event, p_target);
        waiting := waiting - 20;
    end if;
    perform frontdesk_wake(p_tenant, p_platform, p_installation, p_channel, p_thread,
        -least(20, floor(waiting / 20.0)::integer), null);
end $$;
