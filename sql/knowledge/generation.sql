-- The HNSW index is there from the beginning: built later, it would stop who writes meanwhile.
create or replace function knowledge.open_generation(
    workspace text, model text, dimensions int, metric text default 'cosine', half boolean default false
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_id        bigint;
begin
    if open_generation.model = 'offline' and open_generation.dimensions <> 256 then
        perform access.refuse('22023', 'the offline model has 256 dimensions', 'Leave dimensions out.');
    end if;
    perform model.require_model(open_generation.model, 'embed');
    if not half and dimensions > 2000 or dimensions > 4000 then
        perform access.refuse('22023', format('an index cannot hold %s dimensions', dimensions),
            'It holds 2,000, with half => true 4,000.');
    end if;
    insert into knowledge.generations as g (workspace_id, tenant_id, model, dimensions, metric, half)
    values (v_workspace.workspace_id, v_workspace.tenant_id, open_generation.model, open_generation.dimensions,
        open_generation.metric, open_generation.half)
    returning g.generation_id into v_id;

    perform knowledge.make_partition('embeddings', v_id);
    perform knowledge.make_partition('document_embeddings', v_id);
    execute format('alter table knowledge.embeddings_%1$s
        add constraint "a vector has as many dimensions as its generation"
            check (extensions.vector_dims(embedding) = %2$s),
        alter column embedding set storage %3$s', v_id, dimensions,
        -- A page holds 8 kB.
        case when dimensions <= 1900 then 'plain' else 'external' end);
    execute format('create index %I on knowledge.embeddings_%s using hnsw (%s %s)',
        format('embeddings_%s_nearest', v_id), v_id, knowledge.indexed_vector(dimensions, half),
        format('extensions.%s_%s_ops', case when half then 'halfvec' else 'vector' end,
            case metric when 'cosine' then 'cosine' when 'euclidean' then 'l2' else 'ip' end));
    -- An empty workspace has all its vectors.
    perform knowledge.switch_if_complete(v_id);
    if exists (select from knowledge.generations as g where g.generation_id = v_id and g.state = 'filling') then
        perform knowledge.fill_generation(v_id);
    end if;
    return v_id;
end
$$;

comment on function knowledge.open_generation(text, text, int, text, boolean) is
    'Begins vectors of a model for a workspace, beside those it has; search reads them once all chunks have one.
Returns their generation. Errors: QC401-QC403, QC405, QC215, QC227 model, 22023 dimensions, 23505 one is being filled already.';

grant execute on function knowledge.open_generation(text, text, int, text, boolean) to concierge_app;

create or replace function knowledge.indexed_vector(dimensions int, half boolean)
    returns text
    language sql immutable
    set search_path = pg_catalog, pg_temp
return format('(embedding::extensions.%s(%s))', case when half then 'halfvec' else 'vector' end, dimensions);

comment on function knowledge.indexed_vector(int, boolean) is 'The expression the nearest are found by.';
-- Granted to nobody: functions of this schema call it.

-- The offline model is here; others are effects of the daemon, sixty-four texts at a time.
create or replace function knowledge.fill_generation(generation_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform queue.enqueue('call', jsonb_build_object('generation_id', generation_id), 'knowledge.embed_missing',
        key => format('knowledge.embed_missing:%s', generation_id), on_conflict => 'replace');
end
$$;

comment on function knowledge.fill_generation(bigint) is 'Has the chunks that have no vector in a generation get one.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.missing_vectors(generation_id bigint)
    returns bigint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace_id bigint := (select g.workspace_id from knowledge.generations as g
                              where g.generation_id = missing_vectors.generation_id);
    v_count        bigint;
begin
    execute format($sql$
        select count(*) from knowledge.chunks_%1$s as c
        where not exists (
            select from knowledge.embeddings_%2$s as e
            where e.generation_id = %2$s and e.chunk_id = c.chunk_id)$sql$, v_workspace_id, generation_id)
    into v_count;
    return v_count;
end
$$;

comment on function knowledge.missing_vectors(bigint) is 'How many chunks have no vector in a generation.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.copy_vectors(generation knowledge.generations, other bigint, chunk_ids bigint[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format($sql$
        insert into knowledge.embeddings_%2$s
            (generation_id, chunk_id, document_id, audience_id, content_hash, embedding)
        select distinct on (c.chunk_id) %2$s, c.chunk_id, c.document_id, l.audience_id, c.content_hash, e.embedding
        from knowledge.chunks_%1$s as c
        join knowledge.lexical_%1$s as l on l.workspace_id = c.workspace_id and l.chunk_id = c.chunk_id
        join knowledge.embeddings_%3$s as e on e.content_hash = c.content_hash
        where c.workspace_id = %1$s and c.chunk_id = any ($1)
        on conflict (generation_id, chunk_id) do nothing$sql$,
        generation.workspace_id, generation.generation_id, other)
    using chunk_ids;
end
$$;

comment on function knowledge.copy_vectors(knowledge.generations, bigint, bigint[]) is
    'Gives chunks the vectors that the same text has in another generation.';
-- Granted to nobody: functions of this schema call it.

-- A text that the model has seen for this tenant is not embedded again, whatever document it is in now.
create or replace function knowledge.copy_known_vectors(generation_id bigint, chunk_ids bigint[])
    returns bigint[]
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_generation knowledge.generations := (select g from knowledge.generations as g
                                           where g.generation_id = copy_known_vectors.generation_id);
    v_other      bigint;
    v_left       bigint[] := chunk_ids;
begin
    for v_other in
        select g.generation_id
        from knowledge.generations as g
        join knowledge.workspaces as w using (workspace_id)
        where g.model = v_generation.model and g.dimensions = v_generation.dimensions
            and w.tenant_id = (
                select w.tenant_id from knowledge.workspaces as w
                where w.workspace_id = v_generation.workspace_id)
        order by g.generation_id <> v_generation.generation_id, g.generation_id
    loop
        exit when v_left = '{}';
        perform knowledge.copy_vectors(v_generation, v_other, v_left);
        execute format($sql$
            select array(
                select unnest($1)
                except
                select e.chunk_id from knowledge.embeddings_%1$s as e
                where e.generation_id = %1$s and e.chunk_id = any ($1))$sql$, v_generation.generation_id)
        into v_left using v_left;
    end loop;
    return v_left;
end
$$;

comment on function knowledge.copy_known_vectors(bigint, bigint[]) is
    'Gives chunks the vectors the same text has from the same model, in this generation or another of the tenant;
returns the chunks that are left.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.embed_chunks(generation knowledge.generations, chunk_ids bigint[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_left  bigint[] := knowledge.copy_known_vectors(generation.generation_id, chunk_ids);
    v_texts jsonb;
begin
    if v_left = '{}' then
        null;
    elsif generation.model = 'offline' then
        -- What has no words has no direction; any will do that is far from all.
        execute format($sql$
            insert into knowledge.embeddings_%2$s
                (generation_id, chunk_id, document_id, audience_id, content_hash, embedding)
            select %2$s, c.chunk_id, c.document_id, l.audience_id, c.content_hash,
                coalesce(model.embed_offline(knowledge.indexed_text(d.title, c.heading, c.content)),
                    array_prepend(1::real, array_fill(0::real, array[255]))::extensions.vector)
            from knowledge.chunks_%1$s as c
            join knowledge.lexical_%1$s as l on l.workspace_id = c.workspace_id and l.chunk_id = c.chunk_id
            join knowledge.documents_%1$s as d on d.workspace_id = c.workspace_id and d.document_id = c.document_id
            where c.workspace_id = %1$s and c.chunk_id = any ($1)$sql$,
            generation.workspace_id, generation.generation_id)
        using v_left;
    else
        -- A text is asked for once, however many chunks have it, and not again while the answer is on its way.
        for v_texts in execute format($sql$
            with wanted as (
                select c.chunk_id, c.content_hash, knowledge.indexed_text(d.title, c.heading, c.content) as text
                from knowledge.chunks_%1$s as c
                join knowledge.documents_%1$s as d on d.workspace_id = %1$s and d.document_id = c.document_id
                where c.workspace_id = %1$s and c.chunk_id = any ($1)
            ), noted as (
                insert into knowledge.pending_vectors (generation_id, chunk_id, content_hash)
                select %2$s, w.chunk_id, w.content_hash from wanted as w order by w.chunk_id
                on conflict do nothing
            ), asked as (
                select distinct on (w.content_hash) w.content_hash, w.text, w.chunk_id
                from wanted as w
                where not exists (
                    select from knowledge.pending_vectors as p
                    where p.generation_id = %2$s and p.content_hash = w.content_hash)
                order by w.content_hash, w.chunk_id
            ), placed as (
                select a.*, row_number() over (order by a.chunk_id) - 1 as place from asked as a
            )
            select jsonb_build_object('hashes', jsonb_agg(encode(p.content_hash, 'hex') order by p.place),
                'texts', jsonb_agg(p.text order by p.place))
            from placed as p group by p.place / 64$sql$, generation.workspace_id, generation.generation_id)
        using v_left
        loop
            perform model.enqueue_embed(generation.model, generation.dimensions,
                jsonb_build_object('generation_id', generation.generation_id, 'hashes', v_texts -> 'hashes'), v_texts -> 'texts',
                jsonb_build_object('tenant_id', generation.tenant_id, 'workspace_id', generation.workspace_id),
                'knowledge.receive_vectors', 'knowledge.give_up_vectors');
        end loop;
    end if;
    perform knowledge.mean_vectors(generation, chunk_ids);
end
$$;

comment on function knowledge.embed_chunks(knowledge.generations, bigint[]) is
    'Gives chunks vectors: known ones, those of the offline model at once, others by way of the embed effect.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.indexed_text(title text, heading text, content text)
    returns text
    language sql immutable parallel safe
return concat_ws(E'\n', nullif(title, ''), nullif(heading, ''), content);

comment on function knowledge.indexed_text(text, text, text) is
    'What of a chunk is searched: with the title and headings it stands under.';
-- Granted to nobody: functions of this schema call it.

-- A thousand at a time, so that no transaction is long; the next thousand is the next job.
create or replace function knowledge.embed_next(generation_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_generation knowledge.generations := (
        select g from knowledge.generations as g where g.generation_id = embed_next.generation_id);
    v_chunk_ids  bigint[];
begin
    if v_generation is null then
        return;
    end if;
    execute format($sql$
        select array(
            select c.chunk_id from knowledge.chunks_%1$s as c
            where not exists (
                select from knowledge.embeddings_%2$s as e
                where e.generation_id = %2$s and e.chunk_id = c.chunk_id)
                and not exists (
                    select from knowledge.pending_vectors as p
                    where p.generation_id = %2$s and p.chunk_id = c.chunk_id)
            order by c.chunk_id limit 1000)$sql$, v_generation.workspace_id, v_generation.generation_id)
    into v_chunk_ids;
    if v_chunk_ids <> '{}' then
        perform knowledge.embed_chunks(v_generation, v_chunk_ids);
        perform knowledge.note_change(v_generation.workspace_id);
        perform queue.enqueue('call', jsonb_build_object('generation_id', v_generation.generation_id),
            'knowledge.embed_missing');
    else
        perform knowledge.switch_if_complete(v_generation.generation_id);
    end if;
end
$$;

comment on function knowledge.embed_next(bigint) is
    'Gives a thousand chunks without a vector one, or asks their model for it.';
-- Granted to nobody: embed_missing calls it.

create or replace function knowledge.embed_missing(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.embed_next((queue.payload_of(job_id) ->> 'generation_id')::bigint);
end;

comment on function knowledge.embed_missing(bigint, jsonb) is
    'Continuation: gives chunks without a vector one, or asks their model for it.';
-- Granted to nobody: queue.finish calls it.

-- What the model said counts only for the text it was asked about.
create or replace function knowledge.receive_vectors(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload    jsonb := queue.payload_of(receive_vectors.job_id);
    v_generation knowledge.generations := (
        select g from knowledge.generations as g where g.generation_id = (v_payload ->> 'generation_id')::bigint);
    v_chunk_ids  bigint[];
begin
    if v_generation is null then
        return;
    end if;
    perform knowledge.check_count(v_payload -> 'hashes', result -> 'embeddings', 'vectors');
    execute format($sql$
        with answered as (
            select decode(i.hash, 'hex') as content_hash,
                knowledge.check_vector((o.output::text)::extensions.vector, %3$s) as embedding
            from jsonb_array_elements_text($1) with ordinality as i (hash, place)
            join jsonb_array_elements($2) with ordinality as o (output, place) using (place)
            where o.output <> 'null'
        ), over as (
            delete from knowledge.pending_vectors as p using answered as a
            where p.generation_id = %2$s and p.content_hash = a.content_hash
            returning p.chunk_id, p.content_hash, a.embedding
        ), written as (
            insert into knowledge.embeddings_%2$s
                (generation_id, chunk_id, document_id, audience_id, content_hash, embedding)
            select %2$s, c.chunk_id, c.document_id, l.audience_id, c.content_hash, o.embedding
            from over as o
            join knowledge.chunks_%1$s as c on c.workspace_id = %1$s and c.chunk_id = o.chunk_id
                and c.content_hash = o.content_hash
            join knowledge.lexical_%1$s as l on l.workspace_id = c.workspace_id and l.chunk_id = c.chunk_id
            on conflict (generation_id, chunk_id) do nothing
            returning chunk_id
        )
        select array_agg(w.chunk_id) from written as w$sql$,
        v_generation.workspace_id, v_generation.generation_id, v_generation.dimensions)
    into v_chunk_ids using v_payload -> 'hashes', result -> 'embeddings';
    -- One text that the model will not have is no reason to be without the others.
    update knowledge.pending_vectors as p
    set failed = coalesce(e.error ->> 'error', 'the model gave no vector')
    from jsonb_array_elements_text(v_payload -> 'hashes') with ordinality as i (hash, place)
    join jsonb_array_elements(result -> 'embeddings') with ordinality as o (output, place) using (place)
    left join jsonb_array_elements(result -> 'errors') as e (error) on (e.error ->> 'index')::numeric = i.place - 1
    where o.output = 'null' and p.generation_id = v_generation.generation_id and p.content_hash = decode(i.hash, 'hex');
    perform model.close_call(job_id, v_payload, result);
    perform knowledge.mean_vectors(v_generation, v_chunk_ids);
    perform knowledge.note_change(v_generation.workspace_id);
    perform knowledge.switch_if_complete(v_generation.generation_id);
end
$$;

comment on function knowledge.receive_vectors(bigint, jsonb) is
    'Continuation of embed: {"embeddings": [[…] or null, …], "errors": [{"index", "error"}]} in the order of the texts. A chunk
that has changed since, or is gone, takes none; one the model has no vector for says why in knowledge.pending_vectors. Errors, which count against the job: QC501 too few, QC217 no vector of the generation''s.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.give_up_vectors(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select model.close_call(give_up_vectors.job_id, failure -> 'payload', null, failure);
    update knowledge.pending_vectors as p
    set failed = queue.words_of(failure)
    from jsonb_array_elements_text(failure #> '{payload,hashes}') as h (hash)
    where p.generation_id = (failure #>> '{payload,generation_id}')::bigint
        and p.content_hash = decode(h.hash, 'hex');
end;

comment on function knowledge.give_up_vectors(bigint, jsonb) is 'On failure of embed: notes why chunks have no vector.';
-- Granted to nobody: the queue calls it.

create or replace function knowledge.check_count(texts jsonb, answers jsonb, what text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_array_length(answers) is distinct from jsonb_array_length(texts) then
        perform access.refuse('QC501', format('the model was given %s texts and returned %s %s',
            jsonb_array_length(texts), coalesce(jsonb_array_length(answers), 0), what));
    end if;
end
$$;

comment on function knowledge.check_count(jsonb, jsonb, text) is
    'Refuses what a model returned unless it is one for each text. Errors: QC501.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.check_vector(embedding extensions.vector, dimensions int)
    returns extensions.vector
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if extensions.vector_dims(embedding) <> dimensions then
        perform access.refuse('QC217', format('the vector has %s dimensions, and those it is to be compared with %s',
            extensions.vector_dims(embedding), dimensions), 'Use the model that knowledge.generations names.');
    elsif extensions.vector_norm(embedding) = 0 then
        perform access.refuse('QC217', 'the vector is zero: it has no direction', 'Leave it out.');
    end if;
    return embedding;
end
$$;

comment on function knowledge.check_vector(extensions.vector, int) is
    'The vector, unless it cannot be compared with those of a generation. NaN and infinity are none to begin with
(22000, by pgvector). Errors: QC217.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.mean_vectors(generation knowledge.generations, chunk_ids bigint[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format($sql$
        insert into knowledge.document_embeddings_%1$s as d (generation_id, document_id, embedding)
        select %1$s, e.document_id, extensions.avg(extensions.l2_normalize(e.embedding))
        from knowledge.embeddings_%1$s as e
        where e.document_id in (
            select o.document_id from knowledge.embeddings_%1$s as o
            where o.generation_id = %1$s and o.chunk_id = any ($1))
        group by e.document_id
        on conflict (generation_id, document_id) do update set embedding = excluded.embedding$sql$,
        generation.generation_id)
    using chunk_ids;
end
$$;

comment on function knowledge.mean_vectors(knowledge.generations, bigint[]) is
    'Works out the vectors of the documents these chunks belong to.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.switch_if_complete(generation_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if exists (
            select from knowledge.generations as g
            where g.generation_id = switch_if_complete.generation_id and g.state = 'filling')
        and knowledge.missing_vectors(switch_if_complete.generation_id) = 0
    then
        perform knowledge.serve_generation(switch_if_complete.generation_id);
    end if;
end
$$;

comment on function knowledge.switch_if_complete(bigint) is 'Has search read a generation that was filling, and is full.';
-- Granted to nobody: functions of this schema call it.

-- In one transaction: a search reads the old generation or the new one, and never both.
create or replace function knowledge.serve_generation(generation_id bigint)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    update knowledge.generations as g
    set state = 'kept', switched_at = now()
    from knowledge.generations as n
    where n.generation_id = serve_generation.generation_id and g.workspace_id = n.workspace_id
        and g.state = 'serving' and g.generation_id <> n.generation_id;
    update knowledge.generations as g
    set state = 'serving', switched_at = now()
    where g.generation_id = serve_generation.generation_id;
    update knowledge.workspaces as w
    set generation_id = g.generation_id
    from knowledge.generations as g
    where g.generation_id = serve_generation.generation_id and w.workspace_id = g.workspace_id;
    insert into knowledge.content_changes (workspace_id)
    select g.workspace_id from knowledge.generations as g where g.generation_id = serve_generation.generation_id;
end;

comment on function knowledge.serve_generation(bigint) is 'Has search read a generation from this transaction''s end on.';
-- Granted to nobody: functions of this schema call it.

-- At once where it has all vectors; one that lacks what came since is filled first, and then served by itself.
create or replace function knowledge.switch_generation(workspace text, generation_id bigint)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
begin
    if not exists (
        select from knowledge.generations as g
        where g.generation_id = switch_generation.generation_id and g.workspace_id = v_workspace.workspace_id)
    then
        perform access.refuse('QC215', format('workspace "%s" has no generation %s', workspace, generation_id),
            'knowledge.generations has them.');
    end if;
    if knowledge.missing_vectors(generation_id) = 0 then
        perform knowledge.serve_generation(generation_id);
        return true;
    end if;
    update knowledge.generations as g set state = 'filling'
    where g.generation_id = switch_generation.generation_id and g.state = 'kept';
    -- What was given up is asked for again.
    delete from knowledge.pending_vectors as p
    where p.generation_id = switch_generation.generation_id and p.failed is not null;
    perform knowledge.fill_generation(generation_id);
    return false;
end
$$;

comment on function knowledge.switch_generation(text, bigint) is
    'Has search read another generation, back to an older one for example: true when it does, false when vectors are
missing and are being filled, after which it does by itself.
Errors: QC401-QC403, QC405, QC215 no such workspace or generation, 23505 another one is being filled.';

grant execute on function knowledge.switch_generation(text, bigint) to concierge_app;

create or replace function knowledge.drop_generation(workspace text, generation_id bigint)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
begin
    delete from knowledge.generations as g
    where g.generation_id = drop_generation.generation_id and g.workspace_id = v_workspace.workspace_id;
    if found then
        perform knowledge.note_change(v_workspace.workspace_id);
        return true;
    end if;
    return false;
end
$$;

comment on function knowledge.drop_generation(text, bigint) is
    'Drops the vectors of a generation; of the one that serves, too: words alone are searched then. False when there is
no such one. Errors: QC401-QC403, QC405, QC215.';

grant execute on function knowledge.drop_generation(text, bigint) to concierge_app;
