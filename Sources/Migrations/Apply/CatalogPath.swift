import Postgres

extension Connection {
    /// Runs the body, in a transaction, where names mean what the system says: nothing on the search path can
    /// take their place, and printed names say their schema.
    func underCatalogPath<Result>(_ body: () throws -> Result) throws -> Result {
        let path = try query(
            """
            select pg_catalog.current_setting('search_path'),
                pg_catalog.set_config('search_path', 'pg_catalog', true)
            """
        )
        let result = try body()
        try query("select pg_catalog.set_config('search_path', $1, true)", [.optional(path.scalar)])
        return result
    }
}
