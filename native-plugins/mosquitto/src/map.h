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

void *map_get(const struct map *map, uint64_t key);

// False when there is no memory; the table is as before then.
bool map_put(struct map *map, uint64_t key, void *value);

// The value that was there, or NULL.
void *map_remove(struct map *map, uint64_t key);

void map_free(struct map *map);

// Well spread, seeded so that clients cannot choose names that collide.
uint64_t map_hash(const char *text);

#endif
