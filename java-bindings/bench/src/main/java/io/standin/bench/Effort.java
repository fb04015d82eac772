// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.util.Locale;

/** How long a measurement takes and how sure it is. */
enum Effort {
  /** For a look. */
  QUICK(5, 30, 300),
  /** What scripts/bench does when nothing is said. */
  NORMAL(11, 60, 600),
  /** For the figures that are kept. */
  FULL(21, 100, 1000);

  /** Turns each contestant gets. */
  final int rounds;

  /** Length of one turn of a micro-benchmark. */
  final int turnMs;

  /** How long each contestant runs before its first turn. */
  final int warmMs;

  Effort(int rounds, int turnMs, int warmMs) {
    this.rounds = rounds;
    this.turnMs = turnMs;
    this.warmMs = warmMs;
  }

  static Effort named(String name) {
    return valueOf(name.toUpperCase(Locale.ROOT));
  }

  /** One of three values. */
  int pick(int quick, int normal, int full) {
    return switch (this) {
      case QUICK -> quick;
      case NORMAL -> normal;
      case FULL -> full;
    };
  }
}
