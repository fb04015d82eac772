/* SPDX-License-Identifier: Apache-2.0 */
/* What a decision costs through the C door. Arguments: quick, normal or full,
   and the file that results are added to. Prints; fails only if a decision is
   wrong. */
#include "harness.h"

#include <time.h>

enum { NAMES = 512, FRESH = 200000, ROUNDS = 21, BATCH = 64 };

static stage on;
static char names[NAMES][40], fresh[FRESH][40];
static standin_request known[NAMES], batches[NAMES];
static size_t next_fresh;
static bool right = true;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void hit(size_t calls) {
  standin_outcome outcome;
  for (size_t i = 0; i < calls; i++) {
    standin_authorize(on.session, NULL, &known[i % NAMES], sizeof known[0], 1, &outcome);
    right &= outcome == STANDIN_ALLOW;
  }
}

static void one(size_t calls) {
  standin_outcome outcome;
  for (size_t i = 0; i < calls; i++) {
    standin_authorize(on.session, NULL, &known[0], sizeof known[0], 1, &outcome);
    right &= outcome == STANDIN_ALLOW;
  }
}

static void miss(size_t calls) {
  standin_outcome outcome;
  standin_request request = {on.read, 0, NONE, 1, 0};
  for (size_t i = 0; i < calls; i++) {
    request.resource = (standin_bytes){(const uint8_t *)fresh[next_fresh], strlen(fresh[next_fresh])};
    next_fresh = (next_fresh + 1) % FRESH;
    standin_authorize(on.session, NULL, &request, sizeof request, 1, &outcome);
    right &= outcome == STANDIN_ALLOW;
  }
}

static void batch(size_t calls) {
  standin_outcome outcomes[BATCH];
  for (size_t i = 0; i < calls; i += BATCH) {
    standin_authorize(on.session, NULL, &batches[i % NAMES], sizeof batches[0], BATCH, outcomes);
    right &= outcomes[BATCH - 1] == STANDIN_ALLOW;
  }
}

static const struct {
  const char *name;
  void (*body)(size_t);
  bool once; /* as many calls as there are names never asked about */
} contestants[] = {{"hit, one name", one, false},
                   {"hit, 512 names", hit, false},
                   {"hit, batches of 64", batch, false},
                   {"miss", miss, true}};
enum { CONTESTANTS = sizeof contestants / sizeof contestants[0] };

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  const char *effort = argc > 1 ? argv[1] : "quick";
  size_t rounds = strcmp(effort, "full") == 0 ? 21 : strcmp(effort, "normal") == 0 ? 11 : 5;
  double samples[CONTESTANTS][ROUNDS];
  on = begin("bench");
  for (size_t i = 0; i < NAMES; i++) {
    snprintf(names[i], sizeof names[i], "arn:aws:shop:::item/blue-%zu", i);
    known[i] = batches[i] = (standin_request){on.read, 0, bytes(names[i]), 1, 0};
  }
  for (size_t i = 0; i < FRESH; i++) snprintf(fresh[i], sizeof fresh[i], "arn:aws:shop:::item/blue-new-%zu", i);
  hit(NAMES * 100);
  for (size_t round = 0; round < rounds; round++) {
    for (size_t turn = 0; turn < CONTESTANTS; turn++) {
      size_t i = (round + turn) % CONTESTANTS;
      /* Fewer than a context keeps, in all: so that each is a miss. */
      size_t calls = contestants[i].once ? 600 : 64 * 4000;
      double before = now();
      contestants[i].body(calls);
      samples[i][round] = (now() - before) / (double)calls;
    }
  }
  FILE *results = argc > 2 ? fopen(argv[2], "a") : NULL;
  for (size_t i = 0; i < CONTESTANTS; i++) {
    double sorted[ROUNDS];
    memcpy(sorted, samples[i], sizeof sorted);
    qsort(sorted, rounds, sizeof sorted[0], compare);
    fprintf(stderr, "c: standin_authorize, %s: %.1f ns\n", contestants[i].name, sorted[rounds / 2]);
    if (results == NULL) continue;
    fprintf(results,
            "{\"part\":\"c\",\"table\":\"one decision by standin_authorize\",\"unit\":\"ns\",\"base\":\"hit, one "
            "name\",\"row\":\"C\",\"who\":\"%s\",\"samples\":[",
            contestants[i].name);
    for (size_t round = 0; round < rounds; round++) fprintf(results, round ? ",%.2f" : "%.2f", samples[i][round]);
    fprintf(results, "]}\n");
  }
  if (results != NULL) fclose(results);
  standin_close(on.engine, 5000);
  return right ? 0 : 1;
}
