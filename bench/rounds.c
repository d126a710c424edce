// A library to preload, which notes the processor time between two polls of each event loop: what a
// loop did at once, and whoever came then waited for. Unlike a latency it does not depend on what
// else the machine does. bench/hostile_run.py reads the notes.
//
// ROUNDS=PATH: the notes of process PID are in PATH.PID, a count and so many entries.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES (1 << 20)

struct entry {
  uint64_t end_us;  // CLOCK_MONOTONIC
  uint32_t thread;
  uint32_t used_us;
};

struct notes {
  _Atomic uint64_t count;
  struct entry entries[ENTRIES];
};

static struct notes *notes;
static int (*poll_really)(int, struct epoll_event *, int, int);
static __thread uint64_t polled_us;

static uint64_t now_us(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

__attribute__((constructor)) static void find(void) {
  poll_really = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
}

static void open_notes(void) {
  const char *start = getenv("ROUNDS");
  char path[512];
  if (start == NULL || snprintf(path, sizeof path, "%s.%d", start, getpid()) >= (int)sizeof path)
    return;
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (ftruncate(file, sizeof *notes) == 0) {
    void *mapped = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) notes = mapped;
  }
  close(file);
}

int epoll_wait(int poll, struct epoll_event *events, int most, int timeout) {
  static atomic_flag is_open = ATOMIC_FLAG_INIT;
  if (!atomic_flag_test_and_set(&is_open)) open_notes();
  if (notes != NULL && polled_us != 0) {
    uint64_t index = atomic_fetch_add(&notes->count, 1);
    if (index < ENTRIES) {
      notes->entries[index] = (struct entry){
          .end_us = now_us(CLOCK_MONOTONIC),
          .thread = (uint32_t)gettid(),
          .used_us = (uint32_t)(now_us(CLOCK_THREAD_CPUTIME_ID) - polled_us),
      };
    }
  }
  int ready = poll_really(poll, events, most, timeout);
  polled_us = now_us(CLOCK_THREAD_CPUTIME_ID);
  return ready;
}
