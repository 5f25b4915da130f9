import Postgres

extension Connection {
    /// Runs the body, in a transaction, where names mean what the system says: nothing on the search path can
    /// take their place, and printed names say their schema. Without JIT, which would compile for a second
    /// what runs for milliseconds.
    func underCatalogPath<Result>(_ body: () throws -> Result) throws -> Result {
        let before = try query(
            """
            select pg_catalog.current_setting('search_path') as path, pg_catalog.current_setting('jit') as jit,
                pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('jit', 'off', true)
            """
        ).first
        let result = try body()
        try query(
            "select pg_catalog.set_config('search_path', $1, true), pg_catalog.set_config('jit', $2, true)",
            [.optional(before?["path"]), .optional(before?["jit"])])
        return result
    }
}
