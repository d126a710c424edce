/* The bare measure of SQLite: one writer, groups of rows a durable commit, nothing around it.
   usage: sqlite FILE ROWS GROUP WRITERS   prints what `measure` measures: see writers.h */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writers.h"

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
  long rows = atol(arguments[2]), group = atol(arguments[3]);
  check(sqlite3_open(arguments[1], &database), SQLITE_OK);
  check(sqlite3_exec(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT", 0, 0, 0), SQLITE_OK);
  sqlite3_prepare_v2(database, "BEGIN IMMEDIATE", -1, &begin, 0);
  sqlite3_prepare_v2(database, "INSERT INTO note (id, body) VALUES (?1, ?2)", -1, &insert, 0);
  sqlite3_prepare_v2(database, "COMMIT", -1, &commit, 0);
  measure(rows, atol(arguments[4]), group, store);
  return 0;
}
