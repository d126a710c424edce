/* The bare measure of PostgreSQL: one connection in pipeline mode, groups of rows a durable commit,
   nothing around it.
   usage: postgres URL ROWS GROUP WRITERS   prints what `measure` measures: see writers.h */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writers.h"

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
  long rows = atol(arguments[2]), group = atol(arguments[3]);
  connection = PQconnectdb(arguments[1]);
  check(PQstatus(connection) == CONNECTION_OK);
  run("CREATE TABLE bare_note (id bigint PRIMARY KEY, body text NOT NULL)");
  prepare("begin", "BEGIN");
  prepare("insert", "INSERT INTO bare_note (id, body) VALUES ($1, $2)");
  prepare("commit", "COMMIT");
  check(PQenterPipelineMode(connection));
  measure(rows, atol(arguments[4]), group, store);
  check(PQexitPipelineMode(connection));
  run("DROP TABLE bare_note");
  PQfinish(connection);
  return 0;
}
