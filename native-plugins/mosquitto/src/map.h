// SPDX-License-Identifier: Apache-2.0
// A table from numbers to pointers.
#ifndef STANDIN_MOSQUITTO_MAP_H
#define STANDIN_MOSQUITTO_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
  uint64_t key;
  void *value; // NULL: the slot is free
};

// All zero is an empty table.
struct map {
  struct map_slot *slots;
  size_t capacity; // a power of two, or 0
  size_t count;
};

// Addresses and ids differ in few bits; this spreads them.
static inline uint64_t map_spread(uint64_t key) {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdU;
  key ^= key >> 33;
  key *= 0xc4ceb9fe1a85ec53U;
  return key ^ (key >> 33);
}

// The slot of the key, or the free one where it would stand. For a table with
// slots.
static inline size_t map_find(const struct map *map, uint64_t key) {
  size_t mask = map->capacity - 1;
  size_t at = (size_t)map_spread(key) & mask;
  while (map->slots[at].value && map->slots[at].key != key) {
    at = (at + 1) & mask;
  }
  return at;
}

// Here with what it calls, for the check of each message.
static inline void *map_get(const struct map *map, uint64_t key) {
  return map->capacity ? map->slots[map_find(map, key)].value : NULL;
}

// False when there is no memory; the table is as before then.
bool map_put(struct map *map, uint64_t key, void *value);

// The value that was there, or NULL.
void *map_remove(struct map *map, uint64_t key);

void map_free(struct map *map);

// Well spread, seeded so that clients cannot choose names that collide.
uint64_t map_hash(const char *text);

#endif
