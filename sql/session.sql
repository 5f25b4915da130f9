-- Runs first in every transaction that applies sql/: objects belong to the owner, and names resolve to
-- nothing by chance.
set local role concierge_owner;
set local search_path = pg_catalog, pg_temp;
set local check_function_bodies = on;
set local client_min_messages = warning;
