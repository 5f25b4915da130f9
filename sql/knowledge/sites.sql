-- A crawl is jobs: robots.txt first, then the pages that are known, then those they lead to. Each page that comes is taken
-- in by the transaction that ends its job, so that a crawl that is interrupted anywhere goes on from there.

-- One request at a time and a pause after it, whoever's site it is: the host is the one to be spared.
create or replace function knowledge.set_pause(host text)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select queue.limit_rate('crawl:' || set_pause.host, 1,
        max(greatest(s.pause, make_interval(secs => coalesce((s.robots ->> 'pause')::float8, 0)))))
    from knowledge.sites as s
    where s.host = set_pause.host
    having count(*) > 0;
end;

comment on function knowledge.set_pause(text) is
    'Has requests to a host keep the longest pause that is asked for.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.fetch_for_site(
    site knowledge.sites, url text, key text, continuation text, on_failure text, headers jsonb
)
    returns bigint
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select queue.enqueue('fetch', jsonb_build_object('url', url, 'site_id', site.site_id, 'headers', headers,
            'max_bytes', knowledge.max_file_size()),
        continuation, key => key, tenant_id => site.tenant_id, max_attempts => 3, priority => 2,
        concurrency_group => 'crawl:' || site.host, rate_group => 'crawl:' || site.host,
        deadline => now() + interval '1 day', on_failure => on_failure);
end;

comment on function knowledge.fetch_for_site(knowledge.sites, text, text, text, text, jsonb) is
    'Has something fetched, after whatever else is fetched from that host; a host that is not there for a day is given up.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.fetch_page(site knowledge.sites, url text, etag text, last_modified text)
    returns bigint
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.fetch_for_site(site, url, format('knowledge.page:%s:%s', site.site_id, md5(url)),
        'knowledge.receive_page', 'knowledge.page_failed',
        jsonb_strip_nulls(jsonb_build_object('If-None-Match', etag, 'If-Modified-Since', last_modified)));
end;

comment on function knowledge.fetch_page(knowledge.sites, text, text, text) is
    'Has a page fetched, unless it is about to be.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.begin_crawl(site knowledge.sites)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- What failed last time is asked for anew: nobody is to retry it.
    delete from queue.dead_letter as d
    where d.kind = 'fetch' and d.continuation in ('knowledge.receive_robots', 'knowledge.receive_page')
        and d.payload ->> 'site_id' = site.site_id::text;
    perform knowledge.set_pause(site.host);
    perform knowledge.fetch_for_site(site, knowledge.canonical_url('/robots.txt', site.url),
        format('knowledge.robots:%s', site.site_id), 'knowledge.receive_robots', 'knowledge.robots_failed', '{}');
end
$$;

comment on function knowledge.begin_crawl(knowledge.sites) is
    'Has robots.txt fetched, from which all else follows; once.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.add_site(
    workspace text, url text, max_depth int default 2, max_pages int default 100, timing text default null,
    pause interval default '0.5 s', language text default null, metadata jsonb default '{}', access_level int default 0,
    access_groups text[] default '{}'
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_audience  bigint := knowledge.audience(v_workspace.tenant_id, access_level, access_groups);
    v_url       text := knowledge.canonical_url(url);
    v_old       knowledge.sites;
    v_site      knowledge.sites;
begin
    if v_url is null then
        perform access.refuse('QC221', format('"%s" is no address of a site', left(url, 200)),
            'It begins with http:// or https://, and has neither a name nor a password in it.');
    end if;
    perform knowledge.check_language(v_workspace, language);
    perform knowledge.check_metadata(v_workspace, metadata);
    select * into v_old from knowledge.sites as s
    where s.workspace_id = v_workspace.workspace_id and s.url = v_url for update;
    insert into knowledge.sites as s (workspace_id, tenant_id, url, host, max_depth, max_pages, pause, timing, language,
        metadata, access_level, access_groups)
    values (v_workspace.workspace_id, v_workspace.tenant_id, v_url, knowledge.host_of(v_url), max_depth, max_pages, pause,
        timing, language, coalesce(metadata, '{}'), access_level, access_groups)
    on conflict on constraint "a site is in a workspace once" do update
    set max_depth = excluded.max_depth, max_pages = excluded.max_pages, pause = excluded.pause, timing = excluded.timing,
        language = excluded.language, metadata = excluded.metadata, access_level = excluded.access_level,
        access_groups = excluded.access_groups
    returning * into v_site;

    if (v_old.access_level, v_old.access_groups) is distinct from (v_site.access_level, v_site.access_groups) then
        perform knowledge.move_pages(v_site, v_audience);
    end if;
    if v_old.max_depth < max_depth or v_old.max_pages < max_pages or v_old.metadata <> v_site.metadata then
        -- What has not changed is asked for in full: it may lead further than it did.
        update knowledge.site_pages as p set etag = null, last_modified = null where p.site_id = v_site.site_id;
    end if;
    if timing is not null then
        perform queue.set_schedule('knowledge.site:' || v_site.site_id, timing, 'call',
            jsonb_build_object('site_id', v_site.site_id), 'knowledge.crawl_due', tenant_id => v_site.tenant_id);
    elsif v_old.timing is not null then
        perform queue.drop_schedule('knowledge.site:' || v_site.site_id);
    end if;
    perform knowledge.begin_crawl(v_site);
    return v_site.site_id;
end
$$;

comment on function knowledge.add_site(text, text, int, int, text, interval, text, jsonb, int, text[]) is
    'Has a site crawled: from url on, on its host only, so many links deep and so many pages at most, with a pause between
requests, as its robots.txt allows; each page is a document under its canonical address. With a timing (as of
queue.next_time) again and again. Called again it changes what is said here, and crawls again. Returns the site.
Errors: QC401-QC403, QC405 not an organizer or service, QC215 workspace, QC221 no address of a site, QC213, QC214 timing,
22023 language, metadata or level, 23514 depth, pages or pause.';

grant execute on function knowledge.add_site(text, text, int, int, text, interval, text, jsonb, int, text[]) to concierge_app;

create or replace function knowledge.move_pages(site knowledge.sites, audience_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_id uuid;
begin
    for v_id in
        execute format($sql$
            update knowledge.documents_%1$s as d
            set audience_id = $2, updated_at = now()
            from knowledge.site_pages as p
            where p.site_id = $1 and d.workspace_id = %1$s and d.document_id = p.document_id and d.audience_id <> $2
            returning d.document_id$sql$, site.workspace_id)
        using site.site_id, audience_id
    loop
        perform knowledge.move_audience(site.workspace_id, v_id, audience_id);
    end loop;
end
$$;

comment on function knowledge.move_pages(knowledge.sites, bigint) is
    'Has others find the pages of a site, from this transaction on.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.require_site(workspace knowledge.workspaces, url text)
    returns knowledge.sites
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_site knowledge.sites;
begin
    select * into v_site from knowledge.sites as s
    where s.workspace_id = workspace.workspace_id and s.url = knowledge.canonical_url(require_site.url) for update;
    if not found then
        perform access.refuse('QC222', format('workspace "%s" has no site "%s"', workspace.slug, left(url, 200)),
            'knowledge.sites has them; knowledge.add_site(workspace, url) adds one.');
    end if;
    return v_site;
end
$$;

comment on function knowledge.require_site(knowledge.workspaces, text) is
    'A site, locked. Errors: QC222 there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.crawl_again(workspace text, url text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform knowledge.begin_crawl(knowledge.require_site(knowledge.workspace_to_fill(workspace), url));
end
$$;

comment on function knowledge.crawl_again(text, text) is
    'Has a site crawled again, now: pages that changed are processed, those that are gone removed, others left as they are.
Errors: QC401-QC403, QC405, QC215 workspace, QC222 no such site.';

grant execute on function knowledge.crawl_again(text, text) to concierge_app;

create or replace function knowledge.crawl_due(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.begin_crawl(s) from knowledge.sites as s
    where s.site_id = (queue.payload_of(crawl_due.job_id) ->> 'site_id')::bigint;
    select queue.drop_schedule('knowledge.site:' || p.site_id)
    from (select (queue.payload_of(crawl_due.job_id) ->> 'site_id')::bigint as site_id) as p
    where not exists (select from knowledge.sites as s where s.site_id = p.site_id);
end;

comment on function knowledge.crawl_due(bigint, jsonb) is
    'Continuation: crawls a site again; ends the schedule of one that is gone.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.remove_site(workspace text, url text)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_site      knowledge.sites := knowledge.require_site(v_workspace, url);
    v_ids       uuid[];
begin
    execute format($sql$
        select array_agg(d.document_id order by d.document_id) from knowledge.documents_%1$s as d
        where d.workspace_id = %1$s
            and d.document_id in (select p.document_id from knowledge.site_pages as p where p.site_id = $1)
            and d.document_id not in (
                select p.document_id from knowledge.site_pages as p
                where p.site_id <> $1 and p.document_id is not null)$sql$, v_site.workspace_id)
    into v_ids using v_site.site_id;
    delete from knowledge.sites as s where s.site_id = v_site.site_id;
    perform queue.drop_schedule('knowledge.site:' || v_site.site_id);
    perform queue.cancel(j.job_id) from queue.job as j
    where j.kind = 'fetch' and j.payload @> jsonb_build_object('site_id', v_site.site_id);
    if v_ids is not null then
        perform knowledge.take_away(v_site.workspace_id, v_ids);
    end if;
    return coalesce(cardinality(v_ids), 0)::bigint;
end
$$;

comment on function knowledge.remove_site(text, text) is
    'Takes a site away, with its pages; returns how many. Errors: QC401-QC403, QC405, QC215 workspace, QC222 no such site.';

grant execute on function knowledge.remove_site(text, text) to concierge_app;

-- What robots.txt says holds from here on: for pages that are known, too.
create or replace function knowledge.heed_robots(site_id bigint, content text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_site knowledge.sites;
    v_page knowledge.site_pages;
begin
    update knowledge.sites as s
    set robots = knowledge.read_robots(content), robots_error = null, run = s.run + 1, started_at = now()
    where s.site_id = heed_robots.site_id
    returning * into v_site;
    if not found then
        return;
    end if;
    perform knowledge.set_pause(v_site.host);
    insert into knowledge.site_pages (site_id, tenant_id, url, depth) values (v_site.site_id, v_site.tenant_id, v_site.url, 0)
    on conflict do nothing;
    for v_page in
        select * from knowledge.site_pages as p
        where p.site_id = v_site.site_id and (p.state <> 'gone' or p.depth = 0)
            and not knowledge.robots_allow(v_site.robots, p.url)
        order by p.url
    loop
        perform knowledge.drop_page(v_site, v_page, 'refused', null);
    end loop;
    -- Only what was taken in well may be answered with "not modified".
    execute format($sql$
        select count(knowledge.fetch_page($1, p.url, case when d.known then p.etag end,
            case when d.known then p.last_modified end))
        from (
            select * from knowledge.site_pages as p
            where p.site_id = $2 and p.run < $3 and (p.state <> 'gone' or p.depth = 0)
                and knowledge.robots_allow($4, p.url)
            order by p.depth, p.url
        ) as p
        cross join lateral (
            select p.state = 'read' and exists (
                select from knowledge.documents_%1$s as d
                where d.workspace_id = %1$s and d.document_id = p.document_id and d.status <> 'error') as known
        ) as d$sql$, v_site.workspace_id)
    using v_site, v_site.site_id, v_site.run, v_site.robots;
end
$$;

comment on function knowledge.heed_robots(bigint, text) is
    'Begins a crawl with what robots.txt says: pages it refuses go, those that are known are fetched again.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.receive_robots(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform knowledge.heed_robots((queue.payload_of(receive_robots.job_id) ->> 'site_id')::bigint,
        case when result ->> 'status' in ('404', '410') then ''
            else coalesce(result ->> 'text', encode(decode(result ->> 'base64', 'base64'), 'escape'), '') end);
    perform queue.forget(receive_robots.job_id, '{text,base64}');
end
$$;

comment on function knowledge.receive_robots(bigint, jsonb) is
    'Continuation: begins a crawl with a robots.txt; without one all is allowed.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.robots_failed(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.heed_robots((failure #>> '{payload,site_id}')::bigint, '')
    where failure ->> 'error' ~ '^HTTP status 4[0-9][0-9]$';
    update knowledge.sites as s
    set robots_error = queue.words_of(failure)
    where s.site_id = (failure #>> '{payload,site_id}')::bigint
        and coalesce(failure ->> 'error', '') !~ '^HTTP status 4[0-9][0-9]$';
end;

comment on function knowledge.robots_failed(bigint, jsonb) is
    'Continuation of a failure: what a server refuses (4xx) it does not have, and all is allowed; else nothing is, this time.';
-- Granted to nobody: the queue calls it.

create or replace function knowledge.drop_page(site knowledge.sites, page knowledge.site_pages, state text, error text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_ids uuid[];
begin
    execute format($sql$
        select array_agg(d.document_id) from knowledge.documents_%1$s as d
        where d.workspace_id = %1$s and d.document_id = $1$sql$, site.workspace_id)
    into v_ids using page.document_id;
    if v_ids is not null then
        perform knowledge.take_away(site.workspace_id, v_ids);
    end if;
    update knowledge.site_pages as p
    set state = drop_page.state, error = drop_page.error, document_id = null, same_as = null, source_hash = null, etag = null,
        last_modified = null, run = site.run, fetched_at = now()
    where p.site_id = site.site_id and p.url = page.url;
end
$$;

comment on function knowledge.drop_page(knowledge.sites, knowledge.site_pages, text, text) is
    'Notes what a page is instead of a document; if it was one, it goes.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.page_failed(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    -- Its document stays: a page that cannot be reached today is not gone.
    update knowledge.site_pages as p
    set state = 'failed', error = left(queue.words_of(failure), 1000),
        run = s.run, fetched_at = now()
    from knowledge.sites as s
    where s.site_id = (failure #>> '{payload,site_id}')::bigint and p.site_id = s.site_id
        and p.url = failure #>> '{payload,url}';
end;

comment on function knowledge.page_failed(bigint, jsonb) is
    'Continuation of a failure: notes why a page could not be fetched.';
-- Granted to nobody: the queue calls it.

-- A page has several addresses when it is fetched by one and found at another, or names another as its own. The one that is
-- meant is fetched itself.
create or replace function knowledge.is_alias(site knowledge.sites, page knowledge.site_pages, meant text)
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if meant is null or meant = page.url or knowledge.host_of(meant) <> site.host
        or not knowledge.robots_allow(site.robots, meant)
        -- Of two that name each other the first to come is no page; and what is not there is nobody's true address.
        or exists (
            select from knowledge.site_pages as p
            where p.site_id = site.site_id and p.url = meant and p.state not in ('waiting', 'read', 'unindexed', 'failed'))
        -- A page that names another that names another has an end, too.
        or (select count(*) >= 2 * site.max_pages and not bool_or(p.url = meant)
            from knowledge.site_pages as p where p.site_id = site.site_id)
    then
        return false;
    end if;
    perform knowledge.drop_page(site, page, 'alias', null);
    update knowledge.site_pages as p set same_as = meant where p.site_id = site.site_id and p.url = page.url;
    insert into knowledge.site_pages as p (site_id, tenant_id, url, depth, found_on)
    values (site.site_id, site.tenant_id, meant, page.depth, page.found_on)
    on conflict do nothing;
    if found then
        perform knowledge.fetch_page(site, meant, null, null);
    end if;
    return true;
end
$$;

comment on function knowledge.is_alias(knowledge.sites, knowledge.site_pages, text) is
    'Whether a page is but another address of the one that is meant; then it is noted, and that one fetched.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.follow_links(site knowledge.sites, page knowledge.site_pages, html text, base text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_left bigint := site.max_pages - (
        select count(*) from knowledge.site_pages as p where p.site_id = site.site_id and p.state <> 'gone');
    v_urls text[];
begin
    if page.depth >= site.max_depth or v_left <= 0 then
        return;
    end if;
    -- In the order of the page, and robots.txt is asked only until there are enough.
    v_urls := array(
        select l.url
        from (
            select l.url, l.place from knowledge.html_links(html, base) as l
            where knowledge.host_of(l.url) = site.host and not exists (
                select from knowledge.site_pages as p
                where p.site_id = site.site_id and p.url = l.url and (p.state <> 'gone' or p.run = site.run))
            order by l.place
            offset 0
        ) as l
        where knowledge.robots_allow(site.robots, l.url)
        limit v_left);
    insert into knowledge.site_pages as p (site_id, tenant_id, url, depth, found_on)
    select site.site_id, site.tenant_id, u.url, page.depth + 1, page.url
    from unnest(v_urls) as u (url)
    on conflict (site_id, url) do update
    set state = 'waiting', depth = excluded.depth, found_on = excluded.found_on, run = 0;
    perform knowledge.fetch_page(site, u.url, null, null)
    from unnest(v_urls) with ordinality as u (url, place) order by u.place;
end
$$;

comment on function knowledge.follow_links(knowledge.sites, knowledge.site_pages, text, text) is
    'Has the pages a page leads to fetched: those of the site that are not known yet, or were gone.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.receive_page(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload jsonb := queue.payload_of(receive_page.job_id);
    v_site    knowledge.sites;
    v_page    knowledge.site_pages;
    v_url     text := knowledge.canonical_url(result ->> 'url');
begin
    -- Pages of a site take turns: each sees what those before it have found.
    select * into v_site from knowledge.sites as s where s.site_id = (v_payload ->> 'site_id')::bigint for update;
    select * into v_page from knowledge.site_pages as p where p.site_id = v_site.site_id and p.url = v_payload ->> 'url';
    perform queue.forget(job_id, '{text,base64}');
    if v_page.url is null then
        return;
    elsif result ->> 'status' = '304' then
        update knowledge.site_pages as p set state = 'read', error = null, run = v_site.run, fetched_at = now()
        where p.site_id = v_site.site_id and p.url = v_page.url;
    elsif result ->> 'status' in ('404', '410') then
        perform knowledge.drop_page(v_site, v_page, 'gone', 'HTTP status ' || (result ->> 'status'));
    elsif v_url is null or knowledge.host_of(v_url) <> v_site.host then
        perform knowledge.drop_page(v_site, v_page, 'elsewhere', 'it leads to ' || left(result ->> 'url', 500));
    elsif v_url <> v_page.url and not knowledge.robots_allow(v_site.robots, v_url) then
        perform knowledge.drop_page(v_site, v_page, 'refused', 'it leads to ' || v_url);
    else
        perform knowledge.take_in_page(v_site, v_page, v_url, result);
    end if;
end
$$;

comment on function knowledge.receive_page(bigint, jsonb) is
    'Continuation: takes a page in, and has what it leads to fetched; one that is gone goes, one that has not changed stays.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.take_in_page(site knowledge.sites, page knowledge.site_pages, url text, result jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := (
        select w from knowledge.workspaces as w where w.workspace_id = site.workspace_id);
    v_type  text := lower(btrim(split_part(coalesce(result ->> 'media_type', 'text/html'), ';', 1)));
    v_bytes bytea := case when result ? 'base64' then decode(result ->> 'base64', 'base64')
        else convert_to(result ->> 'text', 'UTF8') end;
    v_hash  bytea := sha256(v_bytes);
    v_text  text := result ->> 'text';
    v_html  text;
    v_head  record;
    v_tag   record;
    v_same  text;
    v_id    uuid;
begin
    if v_type in ('text/html', 'application/xhtml+xml', 'text/plain', 'text/markdown') and v_text is null then
        begin
            v_text := case when v_type like '%html%' then knowledge.html_of(v_bytes, result ->> 'media_type')
                else knowledge.decode_text(v_bytes) end;
        exception when sqlstate 'QC220' then
            perform knowledge.drop_page(site, page, 'unreadable', sqlerrm);
            return;
        end;
    end if;
    if v_type in ('text/html', 'application/xhtml+xml') then
        v_type := 'text/html';
        v_html := knowledge.without_scripts(v_text);
        v_text := null;
        select * into v_head from knowledge.html_head(v_html, url);
    elsif v_type in ('text/plain', 'text/markdown', 'application/pdf', 'application/vnd.oasis.opendocument.text',
        'application/vnd.openxmlformats-officedocument.wordprocessingml.document')
    then
        select null as title, url as base, null as canonical, false as noindex, true as nofollow into v_head;
    else
        perform knowledge.drop_page(site, page, 'unreadable', 'it is ' || left(v_type, 200));
        return;
    end if;
    -- The head of a page and the answer's say the same things: what either forbids is forbidden.
    select v_head.noindex or t.noindex as noindex, v_head.nofollow or t.nofollow as nofollow into v_tag
    from knowledge.read_robots_tag(result -> 'robots') as t;
    if knowledge.is_alias(site, page, url) or knowledge.is_alias(site, page, v_head.canonical) then
        return;
    end if;

    select p.url into v_same from knowledge.site_pages as p
    where p.site_id = site.site_id and p.source_hash = v_hash and p.state = 'read' and p.run = site.run and p.url <> page.url
    limit 1;
    if v_same is not null then
        perform knowledge.drop_page(site, page, 'alias', null);
        update knowledge.site_pages as p set same_as = v_same where p.site_id = site.site_id and p.url = page.url;
        return;
    elsif v_tag.noindex then
        perform knowledge.drop_page(site, page, 'unindexed', null);
    else
        v_id := knowledge.put_document(v_workspace, 'page', page.url, coalesce(v_head.title, page.url), v_text, null,
            page.url, site.language, site.metadata, site.access_level, site.access_groups, null,
            knowledge.page_parent(site.site_id, page), v_hash);
        update knowledge.site_pages as p
        set state = 'read', document_id = v_id, source_hash = v_hash, same_as = null, error = null, run = site.run,
            fetched_at = now(), etag = result ->> 'etag', last_modified = result ->> 'last_modified'
        where p.site_id = site.site_id and p.url = page.url;
        if v_text is null then
            perform knowledge.convert_document(v_workspace, v_id, coalesce(v_head.title, page.url), v_type, v_bytes,
                v_html);
        end if;
    end if;
    if not v_tag.nofollow then
        perform knowledge.follow_links(site, page, v_html, v_head.base);
    end if;
end
$$;

comment on function knowledge.take_in_page(knowledge.sites, knowledge.site_pages, text, jsonb) is
    'Makes a document of a page that has come from url, unless it is another one by another address; one that is not in its
encoding (QC220) is noted as unreadable.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.page_parent(site_id bigint, page knowledge.site_pages)
    returns uuid
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(f.document_id, a.document_id)
    from knowledge.site_pages as f
    left join knowledge.site_pages as a on a.site_id = f.site_id and a.url = f.same_as
    where f.site_id = page_parent.site_id and f.url = page.found_on and f.url <> page.url
        and coalesce(f.document_id, a.document_id) is distinct from page.document_id;
end;

comment on function knowledge.page_parent(bigint, knowledge.site_pages) is
    'The document of the page a page was found on; null when that is none.';
-- Granted to nobody: functions of this schema call it.
