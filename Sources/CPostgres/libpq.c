// The functions of libpq that StoragePostgres calls, each passed on to the shared library, which is
// loaded when a store needs it. A process whose store is a SQLite file is spared libpq and the
// twenty libraries that it needs: 6 MB, and their installation.
#include "CPostgres.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;
static char *problem;

static void load(void) {
  library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (library) return;
  // A copy: the next call of the loader on this thread frees the text.
  const char *text = dlerror();
  problem = strdup(text ? text : "libpq.so.5 cannot be loaded");
}

const char *yijia_load_libpq(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return problem;
}

// A missing function means a libpq that is too old for the header it was built with.
static void *look_up(const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "libpq.so.5 has no %s: 14 or later is needed\n", name);
    abort();
  }
  return found;
}

// Threads may look up the same function at once, and store the same address.
#define PASS_ON(result, name, parameters, arguments)                          \
  result name parameters {                                                    \
    static void *address;                                                     \
    void *found = __atomic_load_n(&address, __ATOMIC_RELAXED);                \
    if (!found) {                                                             \
      found = look_up(#name);                                                 \
      __atomic_store_n(&address, found, __ATOMIC_RELAXED);                    \
    }                                                                         \
    return ((result(*) parameters)found)arguments;                            \
  }

// Connections.
PASS_ON(PQconninfoOption *, PQconninfoParse, (const char *text, char **error), (text, error))
PASS_ON(void, PQconninfoFree, (PQconninfoOption * options), (options))
PASS_ON(PGconn *, PQconnectdbParams,
        (const char *const *keys, const char *const *values, int expands), (keys, values, expands))
PASS_ON(void, PQfinish, (PGconn * c), (c))
PASS_ON(ConnStatusType, PQstatus, (const PGconn *c), (c))
PASS_ON(char *, PQerrorMessage, (const PGconn *c), (c))
PASS_ON(char *, PQhost, (const PGconn *c), (c))
PASS_ON(char *, PQhostaddr, (const PGconn *c), (c))
PASS_ON(char *, PQport, (const PGconn *c), (c))
PASS_ON(int, PQsocket, (const PGconn *c), (c))
PASS_ON(int, PQbackendPID, (const PGconn *c), (c))
PASS_ON(PQnoticeReceiver, PQsetNoticeReceiver,
        (PGconn * c, PQnoticeReceiver receiver, void *argument), (c, receiver, argument))
PASS_ON(PGnotify *, PQnotifies, (PGconn * c), (c))
PASS_ON(void, PQfreemem, (void *p), (p))

// Commands.
PASS_ON(int, PQsetnonblocking, (PGconn * c, int is), (c, is))
PASS_ON(int, PQenterPipelineMode, (PGconn * c), (c))
PASS_ON(int, PQpipelineSync, (PGconn * c), (c))
PASS_ON(int, PQsendQuery, (PGconn * c, const char *sql), (c, sql))
PASS_ON(int, PQsendPrepare,
        (PGconn * c, const char *name, const char *sql, int count, const Oid *types),
        (c, name, sql, count, types))
PASS_ON(int, PQsendQueryPrepared,
        (PGconn * c, const char *name, int count, const char *const *values, const int *lengths,
         const int *formats, int format),
        (c, name, count, values, lengths, formats, format))
PASS_ON(int, PQsendQueryParams,
        (PGconn * c, const char *sql, int count, const Oid *types, const char *const *values,
         const int *lengths, const int *formats, int format),
        (c, sql, count, types, values, lengths, formats, format))
PASS_ON(int, PQflush, (PGconn * c), (c))
PASS_ON(int, PQconsumeInput, (PGconn * c), (c))
PASS_ON(int, PQisBusy, (PGconn * c), (c))
PASS_ON(PGcancel *, PQgetCancel, (PGconn * c), (c))
PASS_ON(int, PQcancel, (PGcancel * cancel, char *text, int count), (cancel, text, count))
PASS_ON(void, PQfreeCancel, (PGcancel * cancel), (cancel))

// Results.
PASS_ON(PGresult *, PQgetResult, (PGconn * c), (c))
PASS_ON(void, PQclear, (PGresult * r), (r))
PASS_ON(ExecStatusType, PQresultStatus, (const PGresult *r), (r))
PASS_ON(char *, PQresultErrorMessage, (const PGresult *r), (r))
PASS_ON(char *, PQresultErrorField, (const PGresult *r, int field), (r, field))
PASS_ON(char *, PQcmdStatus, (PGresult * r), (r))
PASS_ON(char *, PQcmdTuples, (PGresult * r), (r))
PASS_ON(int, PQntuples, (const PGresult *r), (r))
PASS_ON(int, PQnfields, (const PGresult *r), (r))
PASS_ON(char *, PQfname, (const PGresult *r, int column), (r, column))
PASS_ON(Oid, PQftype, (const PGresult *r, int column), (r, column))
PASS_ON(int, PQgetisnull, (const PGresult *r, int row, int column), (r, row, column))
PASS_ON(char *, PQgetvalue, (const PGresult *r, int row, int column), (r, row, column))
PASS_ON(int, PQgetlength, (const PGresult *r, int row, int column), (r, row, column))
