// What Swift's own view of the C library leaves out: GNU and Linux extensions of glibc 2.36 and later.
// Sources/Daemon/Spawn.swift is the only importer.
#include <spawn.h>
#include <sys/types.h>

extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
extern int pidfd_open(pid_t process, unsigned int flags);
