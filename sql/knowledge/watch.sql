-- Rows of an application's table as documents. Who writes there notes what has changed, and no more; jobs do the rest.
--
-- Operators alone say what is watched. A table knows nothing of tenants, and what is in it would be found by all of one: an
-- organizer who could name any table might name another tenant's. And the table's owner has to have allowed it, by granting
-- select and trigger to concierge_owner: what no such grant opens, not even an operator does. Values are read by the output
-- functions of their types alone, never by casts, which owners of types can make do anything.

create or replace function knowledge.column_number(relation oid, name text)
    returns smallint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_number smallint := (
        select a.attnum from pg_attribute as a
        where a.attrelid = relation and a.attname = column_number.name and a.attnum > 0 and not a.attisdropped);
begin
    if v_number is null then
        perform access.refuse('QC223', format('%s has no column "%s"', relation::regclass, column_number.name),
            'Names are written as in the catalogue; in a template, {{ and }} stand for { and }.');
    end if;
    return v_number;
end
$$;

comment on function knowledge.column_number(oid, text) is
    'The number of a column of a table. Errors: QC223 there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.read_template(relation oid, template text)
    returns jsonb
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts jsonb := jsonb_build_array();
    v_piece text;
    v_name  text;
begin
    for v_piece, v_name in
        select m.part[1], m.part[2]
        from regexp_matches(template, '(\{\{|\}\}|\{([^{}]*)\}|[^{}]+|.)', 'g') with ordinality as m (part, place)
        order by m.place
    loop
        if v_name is not null then
            v_parts := v_parts || to_jsonb(knowledge.column_number(relation, v_name));
        elsif v_piece in ('{', '}') then
            perform access.refuse('QC223', format('in the template "%s", a "%s" stands alone', left(template, 100), v_piece),
                'A column is {name}; {{ and }} stand for { and }.');
        else
            v_parts := v_parts || to_jsonb(case v_piece when '{{' then '{' when '}}' then '}' else v_piece end);
        end if;
    end loop;
    return v_parts;
end
$$;

comment on function knowledge.read_template(oid, text) is
    'A template as texts and numbers of columns. Errors: QC223 an unknown column, or a brace that stands alone.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.by_place(template jsonb, columns smallint[])
    returns jsonb
    language sql immutable
    set search_path = pg_catalog, pg_temp
return (
    select coalesce(jsonb_agg(case jsonb_typeof(e.part)
        when 'number' then to_jsonb(array_position(columns, (e.part #>> '{}')::smallint))
        else e.part end order by e.place), '[]')
    from jsonb_array_elements(template) with ordinality as e (part, place));

comment on function knowledge.by_place(jsonb, smallint[]) is
    'A template with places among columns instead of their numbers.';
-- Granted to nobody: functions of this schema call it.

-- What a value says is never read as a template.
create or replace function knowledge.template_sql(relation oid, template jsonb, columns smallint[])
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(string_agg(case jsonb_typeof(e.part)
        when 'string' then quote_literal(e.part #>> '{}')
        else (
            select format('concat(t.%I)', a.attname) from pg_attribute as a
            where a.attrelid = relation and a.attnum = columns[(e.part #>> '{}')::int]) end, ' || ' order by e.place), '''''')
    from jsonb_array_elements(template) with ordinality as e (part, place);
end;

comment on function knowledge.template_sql(oid, jsonb, smallint[]) is
    'A template as SQL about t, a row of the table; nulls are empty.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.base_type(type oid)
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    with recursive below as (
        select t.oid, t.typtype, t.typbasetype, t.typnamespace from pg_type as t where t.oid = base_type.type
        union all
        select t.oid, t.typtype, t.typbasetype, t.typnamespace
        from below as b join pg_type as t on t.oid = b.typbasetype where b.typtype = 'd'
    )
    select format_type(b.oid, null) from below as b
    where b.typtype <> 'd' and b.typnamespace = 'pg_catalog'::regnamespace;
end;

comment on function knowledge.base_type(oid) is
    'The system''s own type that a type is, or a domain is of; null: another one.';
-- Granted to nobody: functions of this schema call it.

-- Types of the system's own have no casts but its own; of others, the text.
create or replace function knowledge.column_json_sql(relation oid, number int, as_text boolean)
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select format(case
        when as_text or knowledge.base_type(a.atttypid) is null
            then 'case when t.%1$I is not null then to_jsonb(concat(t.%1$I)) end'
        else 'to_jsonb(t.%1$I)' end, a.attname)
    from pg_attribute as a
    where a.attrelid = relation and a.attnum = number;
end;

comment on function knowledge.column_json_sql(oid, int, boolean) is
    'A column as SQL about t for its value in JSON.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.row_name(row_key jsonb)
    returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return case when length(row_key::text) > 1000 then md5(row_key::text)
    when jsonb_array_length(row_key) = 1 then row_key ->> 0 else row_key::text end;

comment on function knowledge.row_name(jsonb) is 'A row''s key as the end of its document''s key.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.watched_columns(watch knowledge.watches)
    returns smallint[]
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select string_to_array(t.tgattr::text, ' ')::smallint[] from pg_trigger as t
    where t.tgrelid = watch.relation and t.tgname = 'concierge_needs_' || watch.watch_id;
end;

comment on function knowledge.watched_columns(knowledge.watches) is
    'Numbers of the columns a watch uses, by their places; null when its trigger is gone, as with a column that was dropped.';

grant execute on function knowledge.watched_columns(knowledge.watches) to concierge_admin;

create or replace function knowledge.require_watchable(relation regclass)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_table  pg_class := (select c from pg_class as c where c.oid = relation);
    v_schema text := v_table.relnamespace::regnamespace::text;
begin
    if v_table.relkind <> 'r' or v_table.relpersistence <> 'p' or v_table.relispartition
        or exists (select from pg_inherits as i where relation in (i.inhrelid, i.inhparent))
    then
        perform access.refuse('QC223', format('%s is no table whose rows can be watched', relation),
            'It is to be an ordinary table: no view, no temporary one, none with parts.');
    elsif v_table.relowner = current_user::regrole then
        perform access.refuse('QC415', format('%s is a table of Concierge itself', relation));
    elsif not (has_schema_privilege(v_schema, 'usage') and has_table_privilege(relation, 'select')
        and has_table_privilege(relation, 'trigger'))
    then
        perform access.refuse('QC415', format('the owner of %s has not allowed it to be watched', relation),
            format('As its owner: grant usage on schema %s to concierge_owner; grant select, trigger on %s to concierge_owner.',
                v_schema, relation));
    elsif v_table.relrowsecurity and not exists (
            select from pg_policy as p
            where p.polrelid = relation and p.polpermissive and p.polcmd in ('r', '*')
                and pg_get_expr(p.polqual, relation) = 'true'
                and current_user::regrole = any (p.polroles))
        or exists (select from pg_policy as p where p.polrelid = relation and not p.polpermissive)
    then
        perform access.refuse('QC415', format('%s has row-level security, which hides rows from the one who watches', relation),
            format('As its owner: create policy watch on %s for select to concierge_owner using (true).', relation));
    end if;
end
$$;

comment on function knowledge.require_watchable(regclass) is
    'Refuses a table that cannot be watched, QC223, or may not be, QC415.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.row_key_columns(relation regclass, columns name[])
    returns smallint[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_wanted smallint[] := (
        select array_agg(knowledge.column_number(relation, c) order by n) from unnest(columns) with ordinality as u (c, n));
    v_index  smallint[] := (
        select i.indkey::smallint[] from pg_index as i
        where i.indrelid = relation and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
            and i.indexprs is null and i.indnkeyatts = i.indnatts
            and case when v_wanted is null then i.indisprimary
                else i.indkey::smallint[] @> v_wanted and i.indkey::smallint[] <@ v_wanted end
        order by i.indisprimary desc limit 1);
begin
    if v_index is null or exists (
        select from pg_attribute as a
        where a.attrelid = relation and a.attnum = any (v_index)
            and (not a.attnotnull or knowledge.base_type(a.atttypid) is null))
    then
        perform access.refuse('QC223',
            format('%s has no key %s', relation, coalesce(array_to_string(columns, ', '), 'of its own')),
            'A key has a unique index, is never null, and is of types of pg_catalog.');
    end if;
    return coalesce(v_wanted, array(select unnest(v_index)));
end
$$;

comment on function knowledge.row_key_columns(regclass, name[]) is
    'Numbers of the columns that name a row: its primary key, unless others are given. Errors: QC223 they do not.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.watch(
    source regclass, tenant text, workspace text, title_template text, content_template text,
    key_columns name[] default null, url_template text default null, metadata_columns name[] default '{}',
    language text default null, access_level int default 0, access_groups text[] default '{}'
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '2s'
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_of(tenant, workspace);
    v_old       knowledge.watches;
    v_watch     knowledge.watches;
    v_name      text;
    v_key       smallint[];
    v_title     jsonb;
    v_content   jsonb;
    v_url       jsonb;
    v_metadata  jsonb;
    v_columns   smallint[];
begin
    if source is null then
        perform access.refuse('22004', 'a table is required');
    end if;
    perform knowledge.require_watchable(source);
    perform knowledge.check_language(v_workspace, language);
    select a.attname::text into v_name from unnest(metadata_columns) as m (name)
    join pg_attribute as a on a.attrelid = source and a.attname = m.name
    join pg_type as t on t.oid = a.atttypid
    where t.typcategory <> case v_workspace.filters ->> a.attname when 'number' then 'N' when 'time' then 'D'
        when 'boolean' then 'B' else t.typcategory end;
    if found then
        perform access.refuse('QC223', format('column "%s" is no %s, which workspace "%s" filters by', v_name,
            v_workspace.filters ->> v_name, workspace), 'Name another column, or another filter.');
    end if;

    select * into v_old from knowledge.watches as w
    where w.workspace_id = v_workspace.workspace_id and w.relation = source;
    v_key := knowledge.row_key_columns(source, key_columns);
    v_title := knowledge.read_template(source, coalesce(title_template, ''));
    v_content := knowledge.read_template(source, coalesce(content_template, ''));
    v_url := knowledge.read_template(source, url_template);
    v_metadata := coalesce((
        select jsonb_agg(knowledge.column_number(source, m) order by n)
        from unnest(metadata_columns) with ordinality as u (m, n)),
        '[]');
    v_columns := array(
        select distinct c.number
        from (
            select unnest(v_key)
            union all
            select (e.part #>> '{}')::smallint from jsonb_array_elements(v_title || v_content || v_url || v_metadata) as e (part)
            where jsonb_typeof(e.part) = 'number'
        ) as c (number)
        order by c.number);
    insert into knowledge.watches as w (workspace_id, tenant_id, relation, name, key_columns, title, content, url, metadata,
        language, audience_id)
    select v_workspace.workspace_id, v_workspace.tenant_id, source, format('%s.%s', n.nspname, c.relname),
        array(select array_position(v_columns, k.number) from unnest(v_key) with ordinality as k (number, n) order by k.n),
        knowledge.by_place(v_title, v_columns), knowledge.by_place(v_content, v_columns), knowledge.by_place(v_url, v_columns),
        coalesce((
            select jsonb_object_agg(u.m, knowledge.by_place(v_metadata, v_columns) -> (u.n - 1)::int)
            from unnest(metadata_columns) with ordinality as u (m, n)), '{}'),
        language, knowledge.audience(v_workspace.tenant_id, access_level, access_groups)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = source
    on conflict on constraint "a table is watched once for a workspace" do update
    set key_columns = excluded.key_columns, title = excluded.title, content = excluded.content, url = excluded.url,
        metadata = excluded.metadata, language = excluded.language, audience_id = excluded.audience_id, error = null
    returning * into v_watch;

    if v_old.audience_id <> v_watch.audience_id then
        perform knowledge.move_rows(v_watch);
    end if;
    perform knowledge.set_watching_triggers(v_watch, v_columns);
    -- Rows that are there, and documents whose rows are not, or not under this key.
    perform queue.enqueue('call', jsonb_build_object('watch_id', v_watch.watch_id), 'knowledge.index_all_rows',
        key => format('knowledge.watch:%s', v_watch.watch_id), tenant_id => v_watch.tenant_id, priority => 2,
        on_conflict => 'replace', on_failure => 'knowledge.watch_failed');
    insert into knowledge.changed_rows (watch_id) values (v_watch.watch_id);
    perform knowledge.have_rows_indexed(v_watch, interval '0');
    return v_watch.watch_id;
end
$$;

comment on function knowledge.watch(
    regclass, text, text, text, text, name[], text, name[], text, int, text[]) is
    'Keeps a document for each row of a table: in a workspace, named by slugs of tenant and workspace, with title, content and
url by templates in which {column} stands for a value and {{ for a brace; columns of metadata can be filtered by. Writers
only note what changed. Called again it changes what is said here. Returns the watch. Errors: 22004, QC202 tenant, QC215
workspace, QC223 no such column or key, a template that cannot be read, a table that cannot be watched, QC415 its owner has
not allowed it, 22023 language or level, 23505 another table of that name, 55P03 it is locked for longer than two seconds.';

-- Apps are not: what is watched is for operators to say.
grant execute on function knowledge.watch(
    regclass, text, text, text, text, name[], text, name[], text, int, text[]) to concierge_admin;

create or replace function knowledge.workspace_of(tenant text, workspace text)
    returns knowledge.workspaces
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id uuid := (select t.tenant_id from access.tenants as t where t.slug = workspace_of.tenant);
    v_workspace knowledge.workspaces;
begin
    if v_tenant_id is null then
        perform access.refuse('QC202', format('there is no tenant "%s"', tenant), 'access.tenants has them.');
    end if;
    select * into v_workspace from knowledge.workspaces as w
    where w.tenant_id = v_tenant_id and w.slug = workspace_of.workspace;
    if not found then
        perform access.refuse('QC215', format('tenant "%s" has no workspace "%s"', tenant, workspace),
            'knowledge.workspaces has them.');
    end if;
    return v_workspace;
end
$$;

comment on function knowledge.workspace_of(text, text) is
    'A workspace by slugs, for operators. Errors: QC202 no such tenant, QC215 no such workspace.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.move_rows(watch knowledge.watches)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid;
begin
    for v_id in
        execute format($sql$
            update knowledge.documents_%1$s as d
            set audience_id = $2, updated_at = now()
            where d.workspace_id = %1$s and d.kind = 'row' and starts_with(d.key, $1 || ':') and d.audience_id <> $2
            returning d.document_id$sql$, watch.workspace_id)
        using watch.name, watch.audience_id
    loop
        perform knowledge.move_audience(watch.workspace_id, v_id, watch.audience_id);
    end loop;
end
$$;

comment on function knowledge.move_rows(knowledge.watches) is
    'Has others find the rows of a table, from this transaction on.';
-- Granted to nobody: functions of this schema call it.

-- One set of triggers a table, however many watch it. The one that needs the columns never runs: because of it PostgreSQL
-- refuses to drop them, or to change their types, and names it; and it knows them when they are renamed, or restored from a
-- dump, which gives them other numbers. Only a table's owner can drop a trigger.
create or replace function knowledge.set_watching_triggers(watch knowledge.watches, columns smallint[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_relation regclass := watch.relation;
    v_event    text;
begin
    for v_event in
        select e from unnest(array['insert', 'update', 'delete', 'truncate']) as e
        where not exists (
            select from pg_trigger as t where t.tgrelid = v_relation and t.tgname = 'concierge_note_' || e)
    loop
        execute format(case v_event
            when 'insert' then 'create trigger concierge_note_insert after insert on %s referencing new table as new_rows
                for each statement execute function knowledge.tg__note_rows()'
            when 'update' then 'create trigger concierge_note_update after update on %s
                referencing old table as old_rows new table as new_rows
                for each statement execute function knowledge.tg__note_rows()'
            when 'delete' then 'create trigger concierge_note_delete after delete on %s referencing old table as old_rows
                for each statement execute function knowledge.tg__note_rows()'
            else 'create trigger concierge_note_truncate after truncate on %s
                for each statement execute function knowledge.tg__note_rows()' end, v_relation);
    end loop;
    execute format('create or replace trigger concierge_needs_%s after update of %s on %s for each row when (false)
        execute function knowledge.tg__note_rows()', watch.watch_id, (
            select string_agg(quote_ident(a.attname), ', ' order by array_position(columns, a.attnum)) from pg_attribute as a
            where a.attrelid = v_relation and a.attnum = any (columns)), v_relation);
end
$$;

comment on function knowledge.set_watching_triggers(knowledge.watches, smallint[]) is
    'Puts triggers on a table that is watched.';
-- Granted to nobody: functions of this schema call it.

-- Without a key: of two transactions that enqueue under one, the second waits for the first to end.
create or replace function knowledge.have_rows_indexed(watch knowledge.watches, after interval)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_setting text := 'concierge.watch_' || watch.watch_id;
begin
    -- Once a transaction; a savepoint that is rolled back takes both along.
    if current_setting(v_setting, true) is distinct from pg_current_xact_id()::text then
        perform set_config(v_setting, pg_current_xact_id()::text, true);
        perform queue.enqueue('call', jsonb_build_object('watch_id', watch.watch_id), 'knowledge.index_changed_rows',
            run_at => now() + after, tenant_id => watch.tenant_id, priority => 2,
            on_failure => 'knowledge.watch_failed');
    end if;
end
$$;

comment on function knowledge.have_rows_indexed(knowledge.watches, interval) is
    'Has what changed indexed, so long after this transaction.';
-- Granted to nobody: functions of this schema call it.

-- Never in the way of who writes: that a column is gone is complained of where rows are indexed.
create or replace function knowledge.tg__note_rows()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_watch   knowledge.watches;
    v_columns smallint[];
    v_key     text;
    v_used    text;
    v_count   bigint;
begin
    for v_watch in select * from knowledge.watches as w where w.relation = tg_relid order by w.watch_id loop
        v_columns := knowledge.watched_columns(v_watch);
        select string_agg(knowledge.column_json_sql(tg_relid, a.attnum, false), ', ' order by array_position(k.key, a.attnum))
                filter (where a.attnum = any (k.key)),
            string_agg(format('case when t.%1$I is not null then concat(t.%1$I) end', a.attname), ', ')
        into v_key, v_used
        from pg_attribute as a
        cross join (select array(select v_columns[p] from unnest(v_watch.key_columns) as p) as key) as k
        where a.attrelid = tg_relid and a.attnum = any (v_columns);
        if tg_op = 'TRUNCATE' or v_key is null then
            insert into knowledge.changed_rows (watch_id) values (v_watch.watch_id);
            v_count := 1;
        elsif tg_op = 'UPDATE' then
            execute format($sql$
                insert into knowledge.changed_rows (watch_id, row_key)
                select $1, c.row_key from (
                    (select jsonb_build_array(%1$s) as row_key, array[%2$s]::text[] from new_rows as t
                    except select jsonb_build_array(%1$s), array[%2$s]::text[] from old_rows as t)
                    union all
                    (select jsonb_build_array(%1$s), array[%2$s]::text[] from old_rows as t
                    except select jsonb_build_array(%1$s), array[%2$s]::text[] from new_rows as t)
                ) as c
                group by c.row_key$sql$, v_key, v_used)
            using v_watch.watch_id;
            get diagnostics v_count = row_count;
        else
            execute format($sql$
                insert into knowledge.changed_rows (watch_id, row_key)
                select $1, jsonb_build_array(%s) from %s as t$sql$, v_key, case tg_op when 'INSERT' then 'new_rows' else 'old_rows' end)
            using v_watch.watch_id;
            get diagnostics v_count = row_count;
        end if;
        if v_count > 0 then
            perform knowledge.have_rows_indexed(v_watch, interval '0.5 s');
        end if;
    end loop;
    return null;
end
$$;

comment on function knowledge.tg__note_rows() is
    'Statement trigger of tables that are watched: notes rows that came, went, or changed in a column that is used.';
-- Granted to nobody: triggers call it.

create or replace function knowledge.why_not_indexed(watch knowledge.watches)
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select case
        when not exists (select from pg_class as c where c.oid = watch.relation) then format('the table %s is gone', watch.name)
        when knowledge.watched_columns(watch) is null then format(
            'a column of %s that it uses is gone, or the trigger concierge_needs_%s: call knowledge.watch again', watch.name,
            watch.watch_id)
        end;
end;

comment on function knowledge.why_not_indexed(knowledge.watches) is
    'What keeps rows from being indexed; null: nothing.';

grant execute on function knowledge.why_not_indexed(knowledge.watches) to concierge_admin;

create or replace function knowledge.note_watch_error(watch knowledge.watches)
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_error text := knowledge.why_not_indexed(watch);
begin
    if v_error is distinct from watch.error then
        update knowledge.watches as w set error = v_error where w.watch_id = watch.watch_id;
    end if;
    return v_error is not null;
end
$$;

comment on function knowledge.note_watch_error(knowledge.watches) is
    'Notes on a watch what keeps it from its rows; whether something does.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.watch_failed(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    update knowledge.watches as w
    set error = left(coalesce(failure ->> 'error', failure ->> 'state'), 1000)
    where w.watch_id = (failure #>> '{payload,watch_id}')::bigint;
end;

comment on function knowledge.watch_failed(bigint, jsonb) is
    'Continuation of a failure: notes why rows are not taken in.';
-- Granted to nobody: the queue calls it.

create or replace function knowledge.key_of(watch knowledge.watches)
    returns table (number smallint, place bigint)
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select c.columns[k.column_place], k.place
    from knowledge.watched_columns(watch) as c (columns)
    cross join unnest(watch.key_columns) with ordinality as k (column_place, place);
end;

comment on function knowledge.key_of(knowledge.watches) is
    'Numbers of the columns that name a row, in their order.';
-- Granted to nobody: functions of this schema call it.

-- What changed is deleted and looked at again in one transaction: it is noted anew, or it was seen.
create or replace function knowledge.index_some_changes(watch_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id    bigint := watch_id;
    v_watch knowledge.watches;
    v_keys  jsonb[];
    v_sweep boolean;
    v_count bigint;
begin
    -- One at a time.
    select * into v_watch from knowledge.watches as w where w.watch_id = v_id for no key update;
    if v_watch.watch_id is null or knowledge.note_watch_error(v_watch) then
        return;
    end if;
    with taken as (
        delete from knowledge.changed_rows as c
        where c.watch_id = v_id and c.change_id = any (array(
            select o.change_id from knowledge.changed_rows as o where o.watch_id = v_id order by o.change_id limit 500))
        returning c.row_key
    )
    select array_agg(distinct t.row_key) filter (where t.row_key is not null), bool_or(t.row_key is null), count(*)
    into v_keys, v_sweep, v_count
    from taken as t;
    if v_keys is not null then
        perform knowledge.index_rows(v_watch, v_keys);
    end if;
    if v_sweep and not knowledge.sweep_rows(v_watch) then
        insert into knowledge.changed_rows (watch_id) values (v_id);
        v_count := 500;
    end if;
    if v_count = 500 then
        perform knowledge.have_rows_indexed(v_watch, interval '0');
    end if;
end
$$;

comment on function knowledge.index_some_changes(bigint) is
    'Brings documents up to date with up to five hundred rows that changed, and has it done again while there are more.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.index_changed_rows(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.index_some_changes((p.payload ->> 'watch_id')::bigint)
    from queue.payload_of(index_changed_rows.job_id) as p (payload);
end;

comment on function knowledge.index_changed_rows(bigint, jsonb) is
    'Continuation: brings documents up to date with rows that changed, five hundred at a time.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.index_next_rows(watch_id bigint, after jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_watch knowledge.watches;
    v_next  text;
    v_keys  jsonb[];
begin
    select * into v_watch from knowledge.watches as w
    where w.watch_id = index_next_rows.watch_id for no key update;
    if v_watch.watch_id is null or knowledge.note_watch_error(v_watch) then
        return;
    end if;
    select format('select jsonb_build_array(%1$s) from %2$s as t where $1 is null or (%3$s) > (%4$s) order by %3$s limit 500',
        string_agg(knowledge.column_json_sql(v_watch.relation, k.number, false), ', ' order by k.place), v_watch.relation,
        string_agg(format('t.%I', a.attname), ', ' order by k.place),
        string_agg(format('($1 ->> %s)::%s', k.place - 1, knowledge.base_type(a.atttypid)), ', ' order by k.place))
    into v_next
    from knowledge.key_of(v_watch) as k
    join pg_attribute as a on a.attrelid = v_watch.relation and a.attnum = k.number;
    execute format('select array(%1$s)', v_next)
    into v_keys using after;
    perform knowledge.index_rows(v_watch, v_keys);
    if cardinality(v_keys) = 500 then
        perform queue.enqueue('call', jsonb_build_object('watch_id', v_watch.watch_id, 'after', v_keys[500]),
            'knowledge.index_all_rows', key => format('knowledge.watch:%s', v_watch.watch_id),
            tenant_id => v_watch.tenant_id, priority => 2, on_failure => 'knowledge.watch_failed');
    end if;
end
$$;

comment on function knowledge.index_next_rows(bigint, jsonb) is
    'Takes in the five hundred rows whose keys come after one, null: the first, and has those after them taken in.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.index_all_rows(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.index_next_rows((p.payload ->> 'watch_id')::bigint, p.payload -> 'after')
    from queue.payload_of(index_all_rows.job_id) as p (payload);
end;

comment on function knowledge.index_all_rows(bigint, jsonb) is
    'Continuation: takes in the rows of a table in the order of their keys, five hundred at a time.';
-- Granted to nobody: queue.finish calls it.

-- As the rows are now, whatever happened to them.
create or replace function knowledge.index_rows(watch knowledge.watches, row_keys jsonb[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_filters jsonb := (select w.filters from knowledge.workspaces as w where w.workspace_id = watch.workspace_id);
    v_lookup  text := (
        select string_agg(format('t.%I = (k.row_key ->> %s)::%s', a.attname, k.place - 1,
            knowledge.base_type(a.atttypid)), ' and ')
        from knowledge.key_of(watch) as k
        join pg_attribute as a on a.attrelid = watch.relation and a.attnum = k.number);
    v_columns smallint[] := knowledge.watched_columns(watch);
    v_metadata text := coalesce((
        select format('jsonb_strip_nulls(jsonb_build_object(%s))', string_agg(format('%L, %s', m.key,
            knowledge.column_json_sql(watch.relation, v_columns[m.value::int], v_filters ->> m.key = 'text')), ', '))
        from jsonb_each_text(watch.metadata) as m having count(*) > 0), '''{}''::jsonb');
    v_ids     uuid[];
    v_changed uuid[];
    v_moved   uuid[];
    v_gone    uuid[];
begin
    execute format($sql$
        with told as (
            select $2 || ':' || knowledge.row_name(k.row_key) as key, %3$s as title, %4$s as content, %5$s as url,
                %6$s as metadata
            from unnest($1) as k (row_key)
            join %2$s as t on %7$s
        ), known as (
            select d.document_id, d.key, d.content_hash, d.status, d.audience_id from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.key in (select $2 || ':' || knowledge.row_name(k) from unnest($1) as k)
        ), written as (
            insert into knowledge.documents_%1$s as d (workspace_id, tenant_id, kind, key, title, content, url, language,
                metadata, audience_id, content_hash, status)
            select %1$s, $3, 'row', t.key, t.title, t.content, t.url, $4, t.metadata, $5,
                knowledge.content_hash('row', t.title, t.content, null, $4), 'processing'
            from told as t
            order by t.key
            on conflict (workspace_id, key) do update
            set kind = 'row', title = excluded.title, content = excluded.content, answer = null, url = excluded.url,
                language = case when d.content_hash = excluded.content_hash then d.language else excluded.language end,
                metadata = excluded.metadata, audience_id = excluded.audience_id, content_hash = excluded.content_hash,
                source_hash = null, version = d.version + 1, updated_at = now()
            where (d.content_hash, d.url, d.metadata, d.audience_id) is distinct from
                (excluded.content_hash, excluded.url, excluded.metadata, excluded.audience_id) or d.status <> 'processed'
            returning d.document_id, d.content_hash
        )
        select array_agg(w.document_id order by w.document_id),
            array_agg(w.document_id order by w.document_id) filter (
                where k.content_hash is distinct from w.content_hash or k.status <> 'processed'),
            array_agg(w.document_id) filter (where k.audience_id <> $5),
            (select array_agg(n.document_id order by n.document_id) from known as n
            where not exists (select from told as t where t.key = n.key))
        from written as w
        left join known as k on k.document_id = w.document_id$sql$,
        watch.workspace_id, watch.relation, knowledge.template_sql(watch.relation, watch.title, v_columns),
        knowledge.template_sql(watch.relation, watch.content, v_columns),
        coalesce('nullif(' || knowledge.template_sql(watch.relation, watch.url, v_columns) || ', '''')', 'null'),
        v_metadata, v_lookup)
    into v_ids, v_changed, v_moved, v_gone
    using row_keys, watch.name, watch.tenant_id, watch.language, watch.audience_id;

    if v_gone is not null then
        perform knowledge.take_away(watch.workspace_id, v_gone);
    end if;
    if v_ids is not null then
        perform access.write_audit('update', 'knowledge.documents', watch.tenant_id, cardinality(v_ids), to_jsonb(v_ids), null);
        perform knowledge.move_audience(watch.workspace_id, m, watch.audience_id) from unnest(v_moved) as m;
    end if;
    if v_changed is not null then
        perform knowledge.process_documents(watch.workspace_id, v_changed);
    end if;
end
$$;

comment on function knowledge.index_rows(knowledge.watches, jsonb[]) is
    'Makes, changes or takes away the documents of rows; only what changed is processed.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.sweep_rows(watch knowledge.watches)
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns text;
    v_ids     uuid[];
begin
    select string_agg(knowledge.column_json_sql(watch.relation, k.number, false), ', ' order by k.place) into v_columns
    from knowledge.key_of(watch) as k;
    execute format($sql$
        select array_agg(g.document_id)
        from (
            select d.document_id from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.kind = 'row' and starts_with(d.key, $1 || ':') and not exists (
                select from %2$s as t where $1 || ':' || knowledge.row_name(jsonb_build_array(%3$s)) = d.key)
            limit 2000
        ) as g$sql$, watch.workspace_id, watch.relation, v_columns)
    into v_ids using watch.name;
    if v_ids is not null then
        perform knowledge.take_away(watch.workspace_id, v_ids);
    end if;
    return coalesce(cardinality(v_ids), 0) < 2000;
end
$$;

comment on function knowledge.sweep_rows(knowledge.watches) is
    'Takes away documents whose rows are not there, two thousand at a time; whether that was all.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.unwatch(tenant text, workspace text, name text, keep_documents boolean default false)
    returns text
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_of(tenant, workspace);
    v_watch     knowledge.watches;
    v_drops     text;
begin
    delete from knowledge.watches as w
    where w.workspace_id = v_workspace.workspace_id and w.name = name
    returning * into v_watch;
    if not found then
        perform access.refuse('QC222', format('workspace "%s" watches no table "%s"', workspace, name),
            'knowledge.watches has their names.');
    end if;
    delete from knowledge.changed_rows as c where c.watch_id = v_watch.watch_id;
    if not keep_documents then
        perform queue.enqueue('call', jsonb_build_object('workspace_id', v_watch.workspace_id, 'name', v_watch.name),
            'knowledge.remove_rows', tenant_id => v_watch.tenant_id);
    end if;
    select string_agg(format('drop trigger %I on %s;', t.tgname, t.tgrelid::regclass), ' ' order by t.tgname) into v_drops
    from pg_trigger as t
    where t.tgrelid = v_watch.relation and (t.tgname = 'concierge_needs_' || v_watch.watch_id or t.tgname ~ '^concierge_note_'
        and not exists (select from knowledge.watches as w where w.relation = v_watch.relation));
    return v_drops;
end
$$;

comment on function knowledge.unwatch(text, text, text, boolean) is
    'Watches a table no more; its documents go, unless they are to be kept. Its triggers do nothing from now on; returns what
the table''s owner, who alone can, may run to be rid of them. Errors: QC202 tenant, QC215 workspace, QC222 it is not watched.';

grant execute on function knowledge.unwatch(text, text, text, boolean) to concierge_admin;

create or replace function knowledge.remove_some_rows(workspace_id bigint, name text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id      bigint := workspace_id;
    v_ids     uuid[];
begin
    -- Watched again meanwhile: then they are that watch's to sweep.
    if not exists (select from knowledge.workspaces as w where w.workspace_id = v_id) or exists (
        select from knowledge.watches as w where w.workspace_id = v_id and w.name = remove_some_rows.name)
    then
        return;
    end if;
    execute format($sql$
        select array_agg(g.document_id)
        from (
            select d.document_id from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.kind = 'row' and starts_with(d.key, $1 || ':') limit 2000
        ) as g$sql$, v_id)
    into v_ids using name;
    if v_ids is not null then
        perform knowledge.take_away(v_id, v_ids);
    end if;
    if cardinality(v_ids) = 2000 then
        perform queue.enqueue('call', jsonb_build_object('workspace_id', v_id, 'name', name), 'knowledge.remove_rows');
    end if;
end
$$;

comment on function knowledge.remove_some_rows(bigint, text) is
    'Takes away two thousand documents of a table that is not watched any more, and has more taken away while there are any.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.remove_rows(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.remove_some_rows((p.payload ->> 'workspace_id')::bigint, p.payload ->> 'name')
    from queue.payload_of(remove_rows.job_id) as p (payload);
end;

comment on function knowledge.remove_rows(bigint, jsonb) is
    'Continuation: takes away the documents of a table that is not watched any more.';
-- Granted to nobody: queue.finish calls it.
