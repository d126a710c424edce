/* The bare measure of PostgreSQL: one connection in pipeline mode, groups of rows a durable commit,
   nothing around it.
   usage: postgres URL ROWS GROUP WRITERS   prints rows/s of so many writers that share commits,
   rows/s of a loop without writers and always a full group, and the median of a lone row in µs */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "writers.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b) {
  return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

static PGconn *connection;
static int64_t next_id;

static void check(int is_right) {
  if (is_right) return;
  fprintf(stderr, "%s\n", PQerrorMessage(connection));
  exit(1);
}

static void run(const char *sql) {
  PGresult *result = PQexec(connection, sql);
  check(PQresultStatus(result) == PGRES_COMMAND_OK);
  PQclear(result);
}

static void prepare(const char *name, const char *sql) {
  PGresult *result = PQprepare(connection, name, sql, 0, NULL);
  check(PQresultStatus(result) == PGRES_COMMAND_OK);
  PQclear(result);
}

static void send_plain(const char *name) {
  check(PQsendQueryPrepared(connection, name, 0, NULL, NULL, NULL, 1));
}

static void store(long rows) {
  char body[100], id[8];
  memset(body, 'x', 100);
  const char *values[] = {id, body};
  const int lengths[] = {8, 100}, formats[] = {1, 1};
  send_plain("begin");
  for (long i = 0; i < rows; i++) {
    uint64_t big = __builtin_bswap64((uint64_t)++next_id);
    memcpy(id, &big, 8);
    check(PQsendQueryPrepared(connection, "insert", 2, values, lengths, formats, 1));
  }
  send_plain("commit");
  check(PQpipelineSync(connection));
  for (long left = rows + 2; left > 0; left--) {
    PGresult *result = PQgetResult(connection);
    check(PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
    check(PQgetResult(connection) == NULL);
  }
  PGresult *end = PQgetResult(connection);
  check(PQresultStatus(end) == PGRES_PIPELINE_SYNC);
  PQclear(end);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  long rows = atol(arguments[2]), group = atol(arguments[3]), lone = 1001;
  connection = PQconnectdb(arguments[1]);
  check(PQstatus(connection) == CONNECTION_OK);
  run("CREATE TABLE bare_note (id bigint PRIMARY KEY, body text NOT NULL)");
  prepare("begin", "BEGIN");
  prepare("insert", "INSERT INTO bare_note (id, body) VALUES ($1, $2)");
  prepare("commit", "COMMIT");
  check(PQenterPipelineMode(connection));
  long writers = atol(arguments[4]);
  double start = now();
  store_together(rows, writers, group, store);
  printf("writes %.0f\n", (rows / writers * writers) / (now() - start));
  start = now();
  for (long done = 0; done < rows; done += group) store(group);
  printf("loop %.0f\n", rows / (now() - start));
  double times[1001];
  for (long i = 0; i < lone; i++) {
    start = now();
    store(1);
    times[i] = (now() - start) * 1e6;
  }
  qsort(times, lone, sizeof *times, by_size);
  printf("single %.0f\n", times[lone / 2]);
  check(PQexitPipelineMode(connection));
  run("DROP TABLE bare_note");
  PQfinish(connection);
  return 0;
}
