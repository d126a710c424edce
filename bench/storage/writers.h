/* Group commit for writers that wait, as plainly as C has it: each writer is a thread that hands a
   row over and sleeps until it is stored; one thread takes what waits, stores it in one commit, and
   wakes them. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct writer {
  sem_t stored;
  long rows;
  double *times; /* of each row in µs, where they are wanted */
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b) {
  return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

static double median(double *times, long count) {
  qsort(times, (size_t)count, sizeof *times, by_size);
  return times[count / 2];
}

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static struct writer **queue;
static long queued;

static void *write_rows(void *argument) {
  struct writer *writer = argument;
  for (long row = 0; row < writer->rows; row++) {
    double start = now();
    pthread_mutex_lock(&queue_lock);
    queue[queued++] = writer;
    if (queued == 1) pthread_cond_signal(&queue_filled);
    pthread_mutex_unlock(&queue_lock);
    sem_wait(&writer->stored);
    if (writer->times) writer->times[row] = (now() - start) * 1e6;
  }
  return 0;
}

/* Stores `rows` rows of so many writers, in groups of at most `group`, by `store`; `times` takes
   what each row of the first writer took. */
static void store_together(
  long rows, long writers, long group, void (*store)(long), double *times) {
  struct writer *all = calloc((size_t)writers, sizeof *all);
  struct writer **taken = calloc((size_t)writers, sizeof *taken);
  pthread_t *threads = calloc((size_t)writers, sizeof *threads);
  queue = calloc((size_t)writers, sizeof *queue);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 16);
  for (long i = 0; i < writers; i++) {
    sem_init(&all[i].stored, 0, 0);
    all[i].rows = rows / writers;
    all[i].times = i ? 0 : times;
    pthread_create(&threads[i], &small, write_rows, &all[i]);
  }
  for (long left = rows / writers * writers; left > 0;) {
    pthread_mutex_lock(&queue_lock);
    while (queued == 0) pthread_cond_wait(&queue_filled, &queue_lock);
    long count = queued < group ? queued : group;
    queued -= count;
    for (long i = 0; i < count; i++) taken[i] = queue[i];
    for (long i = 0; i < queued; i++) queue[i] = queue[i + count];
    pthread_mutex_unlock(&queue_lock);
    store(count);
    for (long i = 0; i < count; i++) sem_post(&taken[i]->stored);
    left -= count;
  }
  for (long i = 0; i < writers; i++) pthread_join(threads[i], 0);
}

/* Prints rows/s of writers that share commits and of a loop without writers and always a full
   group; then the median of a lone row in µs, stored by the thread that has it, and handed over as
   above. */
static void measure(long rows, long writers, long group, void (*store)(long)) {
  enum { LONE = 1001 };
  double times[LONE], start = now();
  store_together(rows, writers, group, store, 0);
  printf("writes %.0f\n", (double)(rows / writers * writers) / (now() - start));
  start = now();
  for (long done = 0; done < rows; done += group) store(group);
  printf("loop %.0f\n", (double)rows / (now() - start));
  for (long i = 0; i < LONE; i++) {
    start = now();
    store(1);
    times[i] = (now() - start) * 1e6;
  }
  printf("single %.0f\n", median(times, LONE));
  store_together(LONE, 1, group, store, times);
  printf("handed %.0f\n", median(times, LONE));
}
