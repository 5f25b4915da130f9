// PostgreSQL's own parser as a library. Sources/Migrations/Lint/SyntaxTree.swift is its only importer.
#include <pg_query.h>
