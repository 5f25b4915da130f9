-- What a person types: words, any of which may do; "phrases" that must be there, -words that must not, and beginnings*.
-- In each language of the workspace, for nobody says in which one they ask.
create or replace function knowledge.read_query(
    query text, languages text[], out lexemes text[], out counts real[], out beginnings text[], out must tsquery,
    out required text[]
)
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_language text;
    v_phrase   text;
    v_any      tsquery;
    v_one      tsquery;
    v_not      boolean;
    v_words    text := translate(query, '“”„«»', '"""""');
    v_common   text[];
begin
    required := array[]::text[];
    -- A million words would be read, and most of them not counted.
    v_words := left(v_words, 100000);
    for v_not, v_phrase in
        select p.part[1] is not null, coalesce(p.part[1], p.part[2])
        from regexp_matches(v_words, '(?:^|\s)-([[:alpha:]][^\s"]*)|"([^"]+)"', 'g') as p (part)
        limit 64
    loop
        v_any := null;
        v_common := null;
        foreach v_language in array languages loop
            -- Pairs of characters do not stand one after the other.
            v_one := case when knowledge.pairs(v_phrase) = v_phrase
                then phraseto_tsquery(v_language::regconfig, v_phrase)
                else plainto_tsquery(v_language::regconfig, knowledge.pairs(v_phrase)) end;
            if numnode(v_one) > 0 then
                v_any := coalesce(v_any || v_one, v_one);
                -- Where the language has several readings of a word, any of them will do.
                v_common := case when strpos(v_one::text, '|') > 0 then '{}' else array(
                    select w.lexeme from unnest(to_tsvector(v_language::regconfig, knowledge.pairs(v_phrase))) as w
                    where v_common is null or w.lexeme = any (v_common)) end;
            end if;
        end loop;
        if v_any is not null then
            v_any := case when v_not then !! v_any else v_any end;
            must := coalesce(must && v_any, v_any);
            required := required || case when v_not then '{}' else v_common end;
        end if;
    end loop;
    v_words := regexp_replace(v_words, '(^|\s)-[[:alpha:]][^\s"]*', '\1', 'g');

    select coalesce(array_agg(distinct lower(b.beginning[1])), '{}') into beginnings
    from regexp_matches(v_words, '([[:alnum:]]+)\*', 'g') as b (beginning);
    v_words := regexp_replace(v_words, '[[:alnum:]]+\*', ' ', 'g');

    -- A word counts as often as it is asked for. The first 400 do: nobody asks with more.
    select coalesce(array_agg(w.lexeme order by w.place), '{}'),
        coalesce(array_agg(w.count order by w.place), '{}')
    into lexemes, counts
    from (
        select u.lexeme, max(greatest(coalesce(cardinality(u.positions), 1), 1))::real as count,
            min(coalesce(u.positions[1], 0)) as place
        from unnest(languages) as g (language)
        cross join lateral unnest(knowledge.words(v_words, g.language)) as u
        group by u.lexeme
        order by 3, 1
        limit 400
    ) as w;
end
$$;

comment on function knowledge.read_query(text, text[]) is
    'A query as lexemes with how often each is asked for, beginnings of words, and what must match: phrases in
quotation marks, and words after a minus, which must not; required has the lexemes no match can do without.';
-- Granted to nobody: search calls it.
