// libpq, and what the Glibc module lacks of a thread that waits for sockets.
#pragma once
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <sys/eventfd.h>

// Loads libpq; must have succeeded before any function of libpq is called. From any thread.
// Returns NULL, or what is wrong, which stays so for the life of the process.
const char *_Nullable yijia_load_libpq(void);
