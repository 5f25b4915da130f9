-- The audit trail is written by triggers, so that no way of writing is without one: one row a statement,
-- however many rows it touches. Inserts note the keys (the rows are there to be read); updates and deletes
-- note what is gone.
create or replace function access.write_audit(
    operation text, relation regclass, tenant_id uuid, row_count bigint, keys jsonb, changes jsonb
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_identity access.identity;
begin
    -- Without a token it is an operator or the daemon, known by db_role. So it is with a token that does not
    -- verify: a guarded write would have refused it, and an operator may just have retired its key.
    if nullif(current_setting('request.jwt', true), '') is not null then
        begin
            v_identity := access.me();
        exception
            when sqlstate 'QC402' or sqlstate 'QC403' then
                v_identity := null;
        end;
    end if;
    insert into access.audit_log (operation, relation, tenant_id, person_id, row_count, keys, changes)
    values (write_audit.operation, write_audit.relation::text,
        coalesce(write_audit.tenant_id, v_identity.tenant_id), v_identity.person_id,
        write_audit.row_count, coalesce(write_audit.keys, '[]'), write_audit.changes);
end
$$;

comment on function access.write_audit(text, regclass, uuid, bigint, jsonb, jsonb) is
    'Appends to access.audit_log who wrote what. Called by triggers only.';
-- Granted to nobody: an entry is made by a write, not by a call.

create or replace function access.tg__audit_insert()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_count  bigint;
    v_keys   jsonb;
    v_tenant uuid;
begin
    -- The key column differs from table to table; %I quotes it.
    execute format('select count(*), jsonb_agg(%I), (array_agg(tenant_id))[1] from new_rows', tg_argv[0])
    into v_count, v_keys, v_tenant;
    if v_count > 0 then
        perform access.write_audit('insert', tg_relid, v_tenant, v_count, v_keys, null);
    end if;
    return null;
end
$$;

comment on function access.tg__audit_insert() is
    'Statement trigger: notes the keys of inserted rows. Argument: the key column.';

-- Old and new rows are paired by the whole primary key: the column that names a row in the trail need not be
-- unique. A row whose primary key was changed finds no partner and is noted whole.
create or replace function access.tg__audit_update()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_primary_key text := (
        select string_agg(quote_ident(a.attname), ', ')
        from pg_index as i
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indrelid = tg_relid and i.indisprimary);
    v_count   bigint;
    v_keys    jsonb;
    v_changes jsonb;
    v_tenant  uuid;
begin
    execute format($sql$
        select count(*), jsonb_agg(o.%1$I), jsonb_agg(access.changed_values(to_jsonb(o), to_jsonb(n))),
            (array_agg(o.tenant_id))[1]
        from old_rows as o left join new_rows as n using (%2$s)
        where o is distinct from n $sql$, tg_argv[0], v_primary_key)
    into v_count, v_keys, v_changes, v_tenant;
    if v_count > 0 then
        perform access.write_audit('update', tg_relid, v_tenant, v_count, v_keys, v_changes);
    end if;
    return null;
end
$$;

comment on function access.tg__audit_update() is
    'Statement trigger: notes keys and old values of rows that changed. Argument: the key column.';

create or replace function access.tg__audit_delete()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_count   bigint;
    v_keys    jsonb;
    v_changes jsonb;
    v_tenant  uuid;
begin
    execute format('select count(*), jsonb_agg(%I), jsonb_agg(to_jsonb(o) - ''embedding'' - ''secret''),
            (array_agg(tenant_id))[1]
        from old_rows as o', tg_argv[0])
    into v_count, v_keys, v_changes, v_tenant;
    if v_count > 0 then
        perform access.write_audit('delete', tg_relid, v_tenant, v_count, v_keys, v_changes);
    end if;
    return null;
end
$$;

comment on function access.tg__audit_delete() is
    'Statement trigger: notes the rows that went. Argument: the key column.';

-- Before the truncate, while the rows can be counted. Which rows and whose they were is not kept: there
-- may be millions.
create or replace function access.tg__audit_truncate()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_count bigint;
begin
    execute format('select count(*) from %s', tg_relid::regclass) into v_count;
    perform access.write_audit('truncate', tg_relid, null, v_count, null, null);
    return null;
end
$$;

comment on function access.tg__audit_truncate() is
    'Statement trigger: notes how many rows a truncate is about to remove.';

create or replace function access.changed_values(old_row jsonb, new_row jsonb)
    returns jsonb
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select jsonb_object_agg(o.key,
        case when o.key in ('embedding', 'secret') then '"not kept"' else o.value end)
    from jsonb_each(old_row) as o
    where o.value is distinct from new_row -> o.key and o.key <> 'updated_at';
end;

comment on function access.changed_values(jsonb, jsonb) is
    'Old values of the columns that differ; vectors and secrets are only named.';

create or replace function access.tg__append_only()
    returns trigger
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.refuse('QC413', format('%s is append-only', tg_relid::regclass),
        'Add a row that corrects the earlier one.');
    return null;
end
$$;

comment on function access.tg__append_only() is 'Refuses (QC413) to change or remove rows, whoever asks.';

create or replace trigger refuse_change before update or delete or truncate on access.audit_log
    for each statement execute function access.tg__append_only();
-- Always: a session that replays changes (session_replication_role) does not get past it either.
alter table access.audit_log enable always trigger refuse_change;

-- One line a table instead of four triggers each.
create or replace procedure access.audit_table(
    relation regclass, key_column name, inserts boolean default true
)
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if inserts then
        execute format('create or replace trigger audit_insert after insert on %s
            referencing new table as new_rows
            for each statement execute function access.tg__audit_insert(%L)', relation, key_column);
    else
        execute format('drop trigger if exists audit_insert on %s', relation);
    end if;
    execute format('create or replace trigger audit_update after update on %s
        referencing old table as old_rows new table as new_rows
        for each statement execute function access.tg__audit_update(%L)', relation, key_column);
    execute format('create or replace trigger audit_delete after delete on %s
        referencing old table as old_rows
        for each statement execute function access.tg__audit_delete(%L)', relation, key_column);
    execute format('create or replace trigger audit_truncate before truncate on %s
        for each statement execute function access.tg__audit_truncate()', relation);
end
$$;

comment on procedure access.audit_table(regclass, name, boolean) is
    'Puts the audit triggers on a table; key_column names its rows in the trail. Without inserts, the function
that adds rows notes them.';
-- Granted to nobody: the owner decides what is audited.

call access.audit_table('access.tenants', 'tenant_id');
call access.audit_table('access.people', 'person_id');
call access.audit_table('access.token_keys', 'key_id');
