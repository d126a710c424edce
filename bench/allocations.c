/* Counts a process's heap allocations; on SIGUSR1 writes the number so far to standard error.

     cc -O2 -shared -fPIC -o allocations.so allocations.c
     LD_PRELOAD=./allocations.so server …

   glibc's own functions are called directly, so nothing has to be looked up. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static long count;

static void *counted(void *memory) {
  __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
  return memory;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t items, size_t size) { return counted(__libc_calloc(items, size)); }
void *realloc(void *old, size_t size) { return counted(__libc_realloc(old, size)); }
void *aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  *out = counted(__libc_memalign(alignment, size));
  return *out ? 0 : ENOMEM;
}

static void report(int signal) {
  (void)signal;
  char line[32];
  int length = snprintf(line, sizeof line, "allocations %ld\n",
                        __atomic_load_n(&count, __ATOMIC_RELAXED));
  if (write(2, line, (size_t)length) < 0) _exit(1);
}

__attribute__((constructor)) static void begin(void) { signal(SIGUSR1, report); }
