/* What Swift cannot call of SQLite: its own settings are those of a variadic function. */
#include <sqlite3.h>

/* Stops counting SQLite's memory, which takes one lock of the process at each allocation. Has no
   effect once SQLite is initialized. Safe on one thread at a time. */
static inline void yijia_sqlite_count_no_memory(void) {
  (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
