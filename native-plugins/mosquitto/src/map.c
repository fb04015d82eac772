// SPDX-License-Identifier: Apache-2.0
#include "map.h"

#include <stdlib.h>
#include <sys/random.h>

static bool grow(struct map *map) {
  struct map bigger = {.capacity = map->capacity ? map->capacity * 2 : 64, .count = map->count};
  bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
  if (!bigger.slots) {
    return false;
  }
  for (size_t i = 0; i < map->capacity; i++) {
    if (map->slots[i].value) {
      bigger.slots[map_find(&bigger, map->slots[i].key)] = map->slots[i];
    }
  }
  free(map->slots);
  *map = bigger;
  return true;
}

bool map_put(struct map *map, uint64_t key, void *value) {
  // At most half full, so that a search is short and always ends.
  if ((map->count + 1) * 2 > map->capacity && !grow(map)) {
    return false;
  }
  size_t at = map_find(map, key);
  map->count += !map->slots[at].value;
  map->slots[at] = (struct map_slot){.key = key, .value = value};
  return true;
}

void *map_remove(struct map *map, uint64_t key) {
  if (!map->capacity) {
    return NULL;
  }
  size_t mask = map->capacity - 1;
  size_t hole = map_find(map, key);
  void *value = map->slots[hole].value;
  if (!value) {
    return NULL;
  }
  map->count--;
  // Those behind the hole move up, unless they would leave their search path.
  for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
    size_t home = (size_t)map_spread(map->slots[at].key) & mask;
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      map->slots[hole] = map->slots[at];
      hole = at;
    }
  }
  map->slots[hole].value = NULL;
  return value;
}

void map_free(struct map *map) {
  free(map->slots);
  *map = (struct map){0};
}

uint64_t map_hash(const char *text) {
  static uint64_t seed;
  if (!seed && getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
    seed = (uint64_t)(uintptr_t)&seed;
  }
  uint64_t hash = seed | 1;
  for (; *text; text++) {
    hash = map_spread(hash ^ (unsigned char)*text);
  }
  return hash;
}
