// The whole of libpq that Swift sees. The Postgres target is its only importer.
#include <libpq-fe.h>
