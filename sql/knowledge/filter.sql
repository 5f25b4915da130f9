create or replace function knowledge.own_filters()
    returns text[]
    language sql immutable
return '{kind,language,key,url,document_id,parent_id,occurred_at,created_at,updated_at}'::text[];

comment on function knowledge.own_filters() is 'What documents of every workspace can be filtered by.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.filter_type(type text)
    returns text
    language sql immutable
return case type when 'number' then 'numeric' when 'time' then 'timestamptz' when 'boolean' then 'bool' else type end;

comment on function knowledge.filter_type(text) is 'The SQL type of a filter.';
-- Granted to nobody: functions of this schema call it.

-- One filter as SQL. Values come in as literals of their type, so that nothing of them is read as SQL, and what is no
-- value of that type is refused here and not in the middle of a search.
create or replace function knowledge.filter_condition(name text, wanted jsonb, type text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_own   constant boolean := name = any (knowledge.own_filters());
    v_cast  constant text := knowledge.filter_type(type);
    v_value constant text := case
        when v_own then format('d.%I', name)
        when type = 'text' then format('(d.metadata ->> %L)', name)
        else format('(d.metadata ->> %L)::%s', name, v_cast) end;
    v_parts text[] := array[]::text[];
    v_word  text;
    v_one   jsonb;
begin
    if jsonb_typeof(wanted) = 'object' then
        for v_word, v_one in select * from jsonb_each(wanted) loop
            if v_word not in ('gt', 'gte', 'lt', 'lte') or jsonb_typeof(v_one) not in ('string', 'number') then
                perform access.refuse('22023', format('"%s" is no bound of "%s"', v_word, name),
                    'A range is {"gte": …, "lt": …}: gt, gte, lt or lte.');
            end if;
            v_parts := v_parts || format('%s %s %s', v_value,
                case v_word when 'gt' then '>' when 'gte' then '>=' when 'lt' then '<' else '<=' end,
                knowledge.filter_literal(name, v_one, v_cast));
        end loop;
    elsif jsonb_typeof(wanted) = 'array' then
        v_parts := array[format('%s in (%s)', v_value, coalesce((
            select string_agg(knowledge.filter_literal(name, e, v_cast), ', ') from jsonb_array_elements(wanted) as e),
            'null'))];
    elsif jsonb_typeof(wanted) = 'null' then
        v_parts := array[v_value || ' is null'];
    elsif v_own or type = 'time' or type = 'number' then
        v_parts := array[format('%s = %s', v_value, knowledge.filter_literal(name, wanted, v_cast))];
    else
        -- By the index of all metadata.
        perform knowledge.filter_literal(name, wanted, v_cast);
        v_parts := array[format('d.metadata @> %L', jsonb_build_object(name, wanted))];
    end if;
    return array_to_string(v_parts, ' and ');
end
$$;

comment on function knowledge.filter_condition(text, jsonb, text) is
    'SQL about d, a row of knowledge.documents: equal to a value, one of an array, within {"gte", "lt", …}, or null.
Errors: 22023 no bound, or no value of the type.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.filter_literal(name text, value jsonb, type text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text := value #>> '{}';
begin
    -- Read as its type, and written as it was read.
    execute format('select (%L::%I)::text', v_text, type) into v_text;
    return format('%L::%s', v_text, type);
exception
    when data_exception then
        perform access.refuse('22023', format('%s is no %s, which "%s" is filtered by', value, type, name));
        return null;
end
$$;

comment on function knowledge.filter_literal(text, jsonb, text) is 'A JSON value as an SQL literal. Errors: 22023 not of the type.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.filter_documents(workspace knowledge.workspaces, filters jsonb)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts text[] := array[]::text[];
    v_name  text;
    v_value jsonb;
    v_type  text;
begin
    if jsonb_typeof(filters) is distinct from 'object' then
        perform access.refuse('22023', 'filters are a JSON object', 'For example {"kind": "page"}.');
    end if;
    for v_name, v_value in select * from jsonb_each(filters) loop
        v_type := case
            when v_name in ('document_id', 'parent_id') then 'uuid'
            when v_name ~ '_at$' and v_name = any (knowledge.own_filters()) then 'time'
            when v_name = any (knowledge.own_filters()) then 'text'
            else workspace.filters ->> v_name end;
        if v_type is null then
            perform access.refuse('QC218', format('workspace "%s" has no filter "%s"', workspace.slug, v_name),
                format('It has %s.', array_to_string(knowledge.own_filters()
                    || array(select f from jsonb_object_keys(workspace.filters) as f order by f), ', ')));
        end if;
        v_parts := v_parts || knowledge.filter_condition(v_name, v_value, v_type);
    end loop;
    return nullif(array_to_string(v_parts, ' and '), '');
end
$$;

comment on function knowledge.filter_documents(knowledge.workspaces, jsonb) is
    'Filters as SQL about d, a row of knowledge.documents; null for none. Errors: QC218 unknown filter, 22023.';
-- Granted to nobody: functions of this schema call it.

-- Numbers are looked for in ranges, which the index of all metadata cannot. What is there already must fit: a search
-- reads it as what it is said to be.
create or replace function knowledge.apply_filters(workspace_id bigint, old jsonb, new jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_name  text;
    v_type  text;
    v_index text;
    v_value jsonb;
begin
    for v_name in select k from jsonb_object_keys(old || new) as k where old -> k is distinct from new -> k order by k loop
        v_type := new ->> v_name;
        v_index := format('documents_%s_by_%s', workspace_id, left(md5(v_name), 16));
        execute format('drop index if exists knowledge.%I', v_index);
        if v_type is not null then
            for v_value in execute format($sql$
                select distinct d.metadata -> %2$L from knowledge.documents_%1$s as d
                where jsonb_typeof(d.metadata -> %2$L) <> 'null'$sql$, workspace_id, v_name)
            loop
                perform knowledge.filter_literal(v_name, v_value, knowledge.filter_type(v_type));
            end loop;
        end if;
        if v_type = 'number' then
            execute format('create index %I on knowledge.documents_%s (((metadata ->> %L)::numeric))',
                v_index, workspace_id, v_name);
        end if;
    end loop;
end
$$;

comment on function knowledge.apply_filters(bigint, jsonb, jsonb) is
    'Makes the indexes that filters need. Errors: 22023 a document has a value that is not of the type.';
-- Granted to nobody: functions of this schema call it.
