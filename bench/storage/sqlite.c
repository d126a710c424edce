/* The bare measure of SQLite: one writer, groups of rows a durable commit, nothing around it.
   usage: sqlite FILE ROWS GROUP WRITERS   prints rows/s of so many writers that share commits,
   rows/s of a loop without writers and always a full group, and the median of a lone row in µs */
#include <sqlite3.h>
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

static sqlite3 *database;
static sqlite3_stmt *begin, *insert, *commit;
static long next_id;

static void check(int code, int expected) {
  if (code == expected) return;
  fprintf(stderr, "%s\n", sqlite3_errmsg(database));
  exit(1);
}

static void step(sqlite3_stmt *statement) {
  check(sqlite3_step(statement), SQLITE_DONE);
  sqlite3_reset(statement);
}

static void store(long rows) {
  char body[101];
  memset(body, 'x', 100);
  step(begin);
  for (long i = 0; i < rows; i++) {
    sqlite3_bind_int64(insert, 1, ++next_id);
    sqlite3_bind_text(insert, 2, body, 100, SQLITE_TRANSIENT);
    step(insert);
  }
  step(commit);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  long rows = atol(arguments[2]), group = atol(arguments[3]), lone = 1001;
  check(sqlite3_open(arguments[1], &database), SQLITE_OK);
  check(sqlite3_exec(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT", 0, 0, 0), SQLITE_OK);
  sqlite3_prepare_v2(database, "BEGIN IMMEDIATE", -1, &begin, 0);
  sqlite3_prepare_v2(database, "INSERT INTO note (id, body) VALUES (?1, ?2)", -1, &insert, 0);
  sqlite3_prepare_v2(database, "COMMIT", -1, &commit, 0);
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
  return 0;
}
