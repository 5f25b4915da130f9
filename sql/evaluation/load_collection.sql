-- A collection is what its files say: loaded again, queries and judgements that are no longer in them go. Runs stay, and
-- their figures are those of the judgements there are now.
create or replace function evaluation.load_collection(slug text, name text, queries jsonb, judgements jsonb)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id     uuid := access.tenant_id();
    v_collection_id bigint;
    v_unknown       text;
begin
    perform access.require_role('organizer', 'service');
    if jsonb_typeof(queries) is distinct from 'array' or jsonb_typeof(judgements) is distinct from 'array' then
        perform access.refuse('22023', 'queries and judgements are arrays of objects',
            'Queries are [{"key", "text"}, …], judgements [{"query", "document", "grade"}, …].');
    end if;

    v_unknown := (
        select j.query from jsonb_to_recordset(judgements) as j (query text)
        except select q.key from jsonb_to_recordset(queries) as q (key text)
        order by query limit 1);
    if v_unknown is not null then
        perform access.refuse('QC243', format('a judgement is of query "%s", which is not there', v_unknown),
            'Pass every query that is judged.');
    end if;

    insert into evaluation.collections as c (tenant_id, slug, name)
    values (v_tenant_id, load_collection.slug, load_collection.name)
    on conflict on constraint "a slug names one collection of a tenant" do update set name = excluded.name
    returning c.collection_id into v_collection_id;

    delete from evaluation.queries as q
    where q.collection_id = v_collection_id
        and q.key not in (select n.key from jsonb_to_recordset(queries) as n (key text) where n.key is not null);
    insert into evaluation.queries as q (tenant_id, collection_id, key, text)
    select v_tenant_id, v_collection_id, n.key, n.text
    from jsonb_to_recordset(queries) as n (key text, text text)
    on conflict on constraint "a key names one query of a collection" do update set text = excluded.text
        where q.text <> excluded.text;

    delete from evaluation.judgements as j
    using evaluation.queries as q
    where q.query_id = j.query_id and q.collection_id = v_collection_id;
    insert into evaluation.judgements (query_id, document_key, grade, tenant_id)
    select q.query_id, n.document, n.grade, v_tenant_id
    from jsonb_to_recordset(judgements) as n (query text, document text, grade int)
    join evaluation.queries as q on q.key = n.query
    where q.collection_id = v_collection_id;

    return jsonb_build_object('collection', slug, 'queries', jsonb_array_length(queries),
        'judgements', jsonb_array_length(judgements));
end
$$;

comment on function evaluation.load_collection(text, text, jsonb, jsonb) is
    'Makes a collection, or makes it what is passed: queries [{"key", "text"}], judgements [{"query", "document", "grade"}],
documents by their keys; returns how many. Needs role organizer or service. Errors: 22023 no arrays, 21000 or 23505
something twice, 23502 something missing, QC243 a judged query is missing, QC405.';

grant execute on function evaluation.load_collection(text, text, jsonb, jsonb) to concierge_app;

create or replace function evaluation.drop_collection(slug text)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.require_role('organizer', 'service');
    delete from evaluation.collections as c
    where c.tenant_id = (select access.tenant_id()) and c.slug = drop_collection.slug;
    return found;
end
$$;

comment on function evaluation.drop_collection(text) is
    'Removes a collection with its runs; false when there was none. Needs role organizer or service. Errors: QC405.';

grant execute on function evaluation.drop_collection(text) to concierge_app;
