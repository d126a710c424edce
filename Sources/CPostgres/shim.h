// libpq, and what the Glibc module lacks of a thread that waits for sockets.
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
