/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong on purpose, so that it is seen whether the sanitizers look: the first
   argument says how. Against the library, as everything else here. */
#include "harness.h"

#include <limits.h>
#include <pthread.h>

static int shared;

static void *race(void *argument) {
  for (int i = 0; i < 100000; i++) shared++;
  return argument;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  /* volatile, so that the compiler does not see through it */
  volatile size_t size = 4;
  if (strcmp(how, "address") == 0) {
    /* The library writes behind the end of what it was given. */
    standin_outcome *outcomes = malloc(size);
    standin_authorize(0, NULL, NULL, sizeof(standin_request), size, outcomes);
    printf("%d\n", outcomes[size]);
    free(outcomes);
  } else if (strcmp(how, "leak") == 0) {
    char *volatile lost = malloc(size * 100);
    lost = NULL;
    (void)lost;
  } else if (strcmp(how, "undefined") == 0) {
    volatile int most = INT_MAX;
    printf("%d\n", most + 1);
  } else if (strcmp(how, "thread") == 0) {
    pthread_t other;
    if (pthread_create(&other, NULL, race, NULL) != 0) return 1;
    race(NULL);
    pthread_join(other, NULL);
    printf("%d\n", shared);
  }
  return 0;
}
