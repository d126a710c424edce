/* Group commit for writers that wait, as plainly as C has it: each writer is a thread that hands a
   row over and sleeps until it is stored; one thread takes what waits, stores it in one commit, and
   wakes them. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct writer {
  sem_t stored;
  long rows;
};

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static struct writer **queue;
static long queued;

static void *write_rows(void *argument) {
  struct writer *writer = argument;
  for (long row = 0; row < writer->rows; row++) {
    pthread_mutex_lock(&queue_lock);
    queue[queued++] = writer;
    if (queued == 1) pthread_cond_signal(&queue_filled);
    pthread_mutex_unlock(&queue_lock);
    sem_wait(&writer->stored);
  }
  return 0;
}

/* Stores `rows` rows of so many writers, in groups of at most `group`, by `store`. */
static void store_together(long rows, long writers, long group, void (*store)(long)) {
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
