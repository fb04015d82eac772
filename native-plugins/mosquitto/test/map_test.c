// SPDX-License-Identifier: Apache-2.0
// Puts, gets and removes at random, beside a table that is too simple to be
// wrong. The seed is an argument.
#include <stdio.h>
#include <stdlib.h>

#include "../src/map.h"

enum { KEYS = 300, STEPS = 200000 };

int main(int count, char **arguments) {
  unsigned seed = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 1;
  srand(seed);
  static char things[KEYS];
  void *expected[KEYS] = {NULL};
  struct map map = {0};
  size_t held = 0;
  for (int step = 0; step < STEPS; step++) {
    size_t key = (size_t)rand() % KEYS;
    // Far apart, near together, and such as addresses are.
    uint64_t shown = key % 3 ? (uint64_t)key << 4 : UINT64_MAX - key;
    switch (rand() % 3) {
    case 0: {
      void *value = &things[rand() % KEYS];
      if (!map_put(&map, shown, value)) {
        return 2;
      }
      held += !expected[key];
      expected[key] = value;
      break;
    }
    case 1:
      if (map_remove(&map, shown) != expected[key]) {
        printf("step %d: removed something else\n", step);
        return 1;
      }
      held -= expected[key] != NULL;
      expected[key] = NULL;
      break;
    default:
      if (map_get(&map, shown) != expected[key]) {
        printf("step %d: found something else\n", step);
        return 1;
      }
    }
    if (map.count != held) {
      printf("step %d: %zu are held, %zu are counted\n", step, held, map.count);
      return 1;
    }
  }
  map_free(&map);
  return map_get(&map, 1) || map_remove(&map, 1);
}
