// The whole of libmicrohttpd that Swift sees. Sources/Daemon/MetricsServer.swift is its only importer.
#include <microhttpd.h>

// Swift cannot call functions of variable arguments: these two give them names.

// Starts a server on a listening socket, which it owns from then on. It has no thread of its own: whoever
// calls MHD_run does its work.
static inline struct MHD_Daemon *
mhd_start(int listening, MHD_AccessHandlerCallback handler, void *context, unsigned int connections,
          unsigned int idle_seconds)
{
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handler, context,
                            MHD_OPTION_LISTEN_SOCKET, listening,
                            MHD_OPTION_CONNECTION_LIMIT, connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,
                            MHD_OPTION_END);
}

// What to wait for: readable when MHD_run has something to do; -1 if there is no such descriptor.
static inline int
mhd_epoll_descriptor(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return info == NULL ? -1 : info->epoll_fd;
}
