/* Faults of the disk, for a process that this library is preloaded into (LD_PRELOAD).

   YIJIA_FAULTS names a file of one `struct faults`, shared with the test, which sets it while the
   process runs: a kind of fault, and how many calls on files of the store go well before.
   YIJIA_RECORD names a file that gets every change of the store's files, in order: what it was and
   when. Several processes may share it. What stdio writes is not recorded: a database server writes
   only statistics and caches that way, which it makes anew after a crash.
   Files of the store are those whose path holds ".sqlite", or lies below "/data/". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { NONE, SYNC_FAILS, WRITE_FAILS, DISK_FULL, HALF_WRITE_AND_DEATH, DEATH };

struct faults {
  volatile int32_t kind;
  volatile int32_t lasts;  /* 1: until the test takes it back; 0: once */
  volatile int64_t before; /* calls that still go well */
  volatile int64_t met;    /* faults that were met */
};

enum change { WRITE = 1, SYNC, TRUNCATE, RENAME, LINK, REMOVE };

struct record {
  uint32_t change, path_bytes;
  int64_t time_ns;
  int64_t offset; /* of SYNC: when it began, since it may miss what others wrote meanwhile */
  int64_t bytes;  /* that follow the path: what was written, or a file's new path */
};

static struct faults *faults;
static int recorder = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("YIJIA_FAULTS");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file >= 0) {
    void *shared = mmap(0, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) faults = shared;
    close(file);
  }
  path = getenv("YIJIA_RECORD");
  if (path) recorder = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_of_store(const char *path) {
  if (strstr(path, " (deleted)")) return 0;
  return strstr(path, ".sqlite") || strstr(path, "/data/");
}

/* The path of a file of the store, or nothing. */
static const char *store_path(int file, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t count = readlink(link, path, size - 1);
  if (count <= 0) return 0;
  path[count] = 0;
  return is_of_store(path) ? path : 0;
}

static const char *absolute(const char *name, char *path, size_t size) {
  char folder[2048] = "";
  if (name[0] != '/' && !getcwd(folder, sizeof folder)) return 0;
  int count = snprintf(path, size, "%s%s%s", folder, name[0] == '/' ? "" : "/", name);
  return count < (int)size ? path : 0;
}

/* The fault of this call, if it is its turn. */
static enum kind turn(int file, int is_sync) {
  char path[4096];
  if (!faults || faults->kind == NONE) return NONE;
  enum kind kind = faults->kind;
  if (kind == SYNC_FAILS ? !is_sync : kind != DEATH && is_sync) return NONE;
  if (!store_path(file, path, sizeof path)) return NONE;
  if (__atomic_fetch_sub(&faults->before, 1, __ATOMIC_SEQ_CST) > 0) return NONE;
  if (!faults->lasts) faults->kind = NONE;
  __atomic_fetch_add(&faults->met, 1, __ATOMIC_SEQ_CST);
  if (kind == DEATH) raise(SIGKILL);
  return kind;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void append(
  const char *path, enum change change, int64_t offset, const void *bytes, size_t count) {
  struct record record = {change, (uint32_t)strlen(path), now_ns(), offset, (int64_t)count};
  struct iovec parts[] = {
    {&record, sizeof record}, {(void *)path, record.path_bytes}, {(void *)bytes, count}};
  if (writev(recorder, parts, 3) < 0) abort();
}

static void note(int file, enum change change, int64_t offset, const void *bytes, size_t count) {
  char path[4096];
  if (recorder < 0 || !store_path(file, path, sizeof path)) return;
  append(path, change, offset, bytes, count);
}

/* The same for a file that is named, perhaps relative to the working folder. */
static void note_name(const char *name, enum change change, int64_t offset, const char *to) {
  char path[4096], new_path[4096] = "";
  if (recorder < 0) return;
  if (!absolute(name, path, sizeof path) || !is_of_store(path)) return;
  if (to && !absolute(to, new_path, sizeof new_path)) return;
  append(path, change, offset, new_path, strlen(new_path));
}

static ssize_t real_pwrite(int file, const void *bytes, size_t count, off_t offset) {
  static ssize_t (*next)(int, const void *, size_t, off_t);
  if (!next) next = dlsym(RTLD_NEXT, "pwrite64");
  return next(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
  switch (turn(file, 0)) {
  case WRITE_FAILS: errno = EIO; return -1;
  case DISK_FULL: errno = ENOSPC; return -1;
  case HALF_WRITE_AND_DEATH:
    real_pwrite(file, bytes, count / 2, offset);
    raise(SIGKILL);
    return -1;
  default: break;
  }
  if (recorder < 0) return real_pwrite(file, bytes, count, offset);
  pthread_mutex_lock(&order);
  ssize_t written = real_pwrite(file, bytes, count, offset);
  if (written > 0) note(file, WRITE, offset, bytes, (size_t)written);
  pthread_mutex_unlock(&order);
  return written;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return pwrite64(file, bytes, count, offset);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  static ssize_t (*next)(int, const struct iovec *, int, off_t);
  if (!next) next = dlsym(RTLD_NEXT, "pwritev");
  switch (turn(file, 0)) {
  case WRITE_FAILS: errno = EIO; return -1;
  case DISK_FULL: errno = ENOSPC; return -1;
  case HALF_WRITE_AND_DEATH:
    real_pwrite(file, parts[0].iov_base, parts[0].iov_len / 2, offset);
    raise(SIGKILL);
    return -1;
  default: break;
  }
  ssize_t written = next(file, parts, count, offset);
  ssize_t left = written;
  for (int i = 0; i < count && left > 0; i++) {
    size_t bytes = (size_t)left < parts[i].iov_len ? (size_t)left : parts[i].iov_len;
    note(file, WRITE, offset, parts[i].iov_base, bytes);
    offset += (off_t)bytes;
    left -= (ssize_t)bytes;
  }
  return written;
}

ssize_t write(int file, const void *bytes, size_t count) {
  static ssize_t (*next)(int, const void *, size_t);
  if (!next) next = dlsym(RTLD_NEXT, "write");
  ssize_t written = next(file, bytes, count);
  if (recorder >= 0 && written > 0) {
    note(file, WRITE, lseek(file, 0, SEEK_CUR) - written, bytes, (size_t)written);
  }
  return written;
}

int ftruncate64(int file, off_t size) {
  static int (*next)(int, off_t);
  if (!next) next = dlsym(RTLD_NEXT, "ftruncate64");
  pthread_mutex_lock(&order);
  int status = next(file, size);
  if (status == 0) note(file, TRUNCATE, size, 0, 0);
  pthread_mutex_unlock(&order);
  return status;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int truncate(const char *name, off_t size) {
  int (*next)(const char *, off_t) = dlsym(RTLD_NEXT, "truncate");
  int status = next(name, size);
  if (status == 0) note_name(name, TRUNCATE, size, 0);
  return status;
}

int rename(const char *old, const char *new) {
  int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
  int status = next(old, new);
  if (status == 0) note_name(old, RENAME, 0, new);
  return status;
}

int link(const char *old, const char *new) {
  int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "link");
  int status = next(old, new);
  if (status == 0) note_name(old, LINK, 0, new);
  return status;
}

int unlink(const char *name) {
  int (*next)(const char *) = dlsym(RTLD_NEXT, "unlink");
  int status = next(name);
  if (status == 0) note_name(name, REMOVE, 0, 0);
  return status;
}

static int synced(int file, const char *name) {
  int (*next)(int) = dlsym(RTLD_NEXT, name);
  if (turn(file, 1) == SYNC_FAILS) {
    errno = EIO;
    return -1;
  }
  int64_t begin = now_ns();
  int status = next(file);
  if (status == 0) note(file, SYNC, begin, 0, 0);
  return status;
}

int fsync(int file) { return synced(file, "fsync"); }
int fdatasync(int file) { return synced(file, "fdatasync"); }
