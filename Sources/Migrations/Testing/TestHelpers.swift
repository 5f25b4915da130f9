import Postgres

/// What every test database has in the schema `test`, whatever the project: assertions pgTAP lacks. A project
/// that has a function of the same name in its `_setup` keeps its own.
enum TestHelpers {
    static let sources = [usesIndex, avoidsScan, plan, locks]

    /// Adds those that are not there yet.
    static let script = """
        create schema if not exists test;
        grant usage on schema test to public;
        """

    /// The functions there are, by name.
    static let names = ["uses_index", "avoids_scan", "plan", "locks", "strongest_lock"]

    static func add(to connection: Connection) throws {
        try connection.execute(script: script)
        let taken = try connection.query(
            "select proname from pg_catalog.pg_proc where pronamespace = 'test'::regnamespace"
        ).compactMap { $0[0] }
        for (name, source) in sources where !taken.contains(name) { try connection.execute(script: source) }
    }

    /// Small tables are scanned however good their index is, so both ask what the planner does when it would
    /// rather not scan: an index that it cannot use then either is of no use at any size.
    private static let plan = (
        "plan",
        """
        create function test.plan(query text) returns table (node text, relation regclass, index_name text)
        language plpgsql as $test$
        declare
            v_plan json;
        begin
            begin
                perform pg_catalog.set_config('enable_seqscan', 'off', true);
                execute 'explain (format json, verbose) ' || query into v_plan;
                raise exception using errcode = 'TPLAN';
            exception when sqlstate 'TPLAN' then
                null; -- planning takes locks; they and the setting are undone
            end;
            return query
                with recursive nodes (plan) as (
                    select v_plan::jsonb #> '{0,Plan}'
                    union all
                    select p.child
                    from nodes as n, pg_catalog.jsonb_array_elements(n.plan -> 'Plans') as p (child)
                )
                select n.plan ->> 'Node Type',
                    pg_catalog.to_regclass(pg_catalog.quote_ident(n.plan ->> 'Schema') || '.'
                        || pg_catalog.quote_ident(n.plan ->> 'Relation Name')),
                    n.plan ->> 'Index Name'
                from nodes as n;
        end
        $test$;
        comment on function test.plan(text) is
            'The nodes of a query''s plan when the planner would rather not scan tables from end to end.';
        """
    )

    private static let usesIndex = (
        "uses_index",
        """
        create function test.uses_index(query text, index_name text, description text default null)
        returns text language plpgsql as $test$
        declare
            v_used  text[] := array(select distinct p.index_name from test.plan(query) as p
                where p.index_name is not null order by 1);
            v_nodes text   := (
                select pg_catalog.string_agg(pg_catalog.concat_ws(' on ', p.node, p.relation), ', ')
                from test.plan(query) as p);
        begin
            return public.ok(uses_index.index_name = any (v_used),
                    coalesce(description, 'The plan uses the index ' || uses_index.index_name))
                || case when uses_index.index_name = any (v_used) then '' else
                    E'\\n' || public.diag('    uses: '
                        || coalesce(nullif(pg_catalog.array_to_string(v_used, ', '), ''), 'no index')
                        || E'\\n    want: ' || uses_index.index_name
                        || E'\\n    plan: ' || v_nodes) end;
        end
        $test$;
        comment on function test.uses_index(text, text, text) is
            'Asserts that the planner finds a use for an index in a query.';
        """
    )

    private static let avoidsScan = (
        "avoids_scan",
        """
        create function test.avoids_scan(query text, relation regclass, description text default null)
        returns text language plpgsql as $test$
        declare
            v_scans boolean := exists (select from test.plan(query) as p
                where p.relation = avoids_scan.relation and p.node ~ 'Seq Scan');
            v_nodes text    := (
                select pg_catalog.string_agg(pg_catalog.concat_ws(' on ', p.node, p.relation), ', ')
                from test.plan(query) as p);
        begin
            return public.ok(not v_scans,
                    coalesce(description, 'Nothing scans ' || relation || ' from end to end'))
                || case when v_scans then E'\\n' || public.diag('    plan: ' || v_nodes) else '' end;
        end
        $test$;
        comment on function test.avoids_scan(text, regclass, text) is
            'Asserts that an index spares a query the reading of a whole table.';
        """
    )

    /// A lock is held to the end of its transaction, so what the transaction has locked before would hide
    /// what the statement locks: that fails, and says so.
    private static let locks = (
        "locks",
        """
        create function test.locks(
            statement text, relation regclass, mode text, description text default null
        )
        returns text language plpgsql as $test$
        declare
            v_modes  text[] := array['none', 'access share', 'row share', 'row exclusive',
                'share update exclusive', 'share', 'share row exclusive', 'exclusive', 'access exclusive'];
            v_before text := 'none';
            v_after  text := 'none';
            v_same   boolean;
        begin
            if pg_catalog.lower(mode) <> all (v_modes) then
                raise exception '"%" is no mode of a lock', mode using errcode = '22023',
                    hint = 'There are: ' || pg_catalog.array_to_string(v_modes, ', ') || '.';
            end if;
            v_before := test.strongest_lock(relation, v_modes);
            begin
                execute statement;
                v_after := test.strongest_lock(relation, v_modes);
                raise exception using errcode = 'TLOCK';
            exception when sqlstate 'TLOCK' then
                null; -- all that the statement did is undone
            end;
            -- A lock that was stronger before hides this one.
            v_same := v_after = pg_catalog.lower(mode) and (v_before = 'none' or v_before <> v_after);
            return public.ok(v_same,
                    coalesce(description, pg_catalog.format('%s is locked in mode %s', relation, mode)))
                || case when v_same then '' else
                    E'\\n' || public.diag('    have: ' || v_after
                        || E'\\n    want: ' || pg_catalog.lower(mode)
                        || case when v_before = 'none' then '' else
                            E'\\n    The transaction held ' || v_before
                            || ' before: ask in a new one.' end) end;
        end
        $test$;
        comment on function test.locks(text, regclass, text, text) is
            'Asserts the strongest lock that a statement takes on a relation; "none" for none. '
            'Undoes the statement.';

        create function test.strongest_lock(relation regclass, modes text[])
        returns text language sql as $test$
            select coalesce(
                (select m.mode
                 from pg_catalog.pg_locks as l
                 join pg_catalog.unnest(modes) with ordinality as m (mode, rank)
                     on pg_catalog.lower(l.mode) = pg_catalog.replace(m.mode, ' ', '') || 'lock'
                 where l.locktype = 'relation' and l.granted and l.pid = pg_catalog.pg_backend_pid()
                     and l.relation = strongest_lock.relation
                     and l.database = (select d.oid from pg_catalog.pg_database as d
                         where d.datname = pg_catalog.current_database())
                 order by m.rank desc limit 1),
                'none')
        $test$;
        comment on function test.strongest_lock(regclass, text[]) is
            'The strongest lock this session holds on a relation, of modes from weak to strong.';
        """
    )
}
