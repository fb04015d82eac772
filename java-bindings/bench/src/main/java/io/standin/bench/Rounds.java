// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;

/** Measures contestants in turns, A B C, B C A, …, so that what disturbs one disturbs all. */
final class Rounds {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Does so many calls. */
  @FunctionalInterface
  interface Body {
    void run(long calls);
  }

  /** Somebody who is measured. */
  record Contestant(String who, Body body) {}

  private final Effort effort;
  private final Results results;
  private int disturbed;
  private int turns;

  Rounds(Effort effort, Results results) {
    this.effort = effort;
    this.results = results;
  }

  /**
   * Measures a row: processor time of this thread a call, and the bytes it allocated.
   *
   * @param time table of the times, in nanoseconds
   * @param bytes table of the bytes, or null
   */
  void measure(Results.Table time, Results.Table bytes, String row, List<Contestant> contestants) {
    int many = contestants.size();
    long[] calls = new long[many];
    for (int i = 0; i < many; i++) {
      calls[i] = warm(contestants.get(i).body());
    }
    double[][] nanos = new double[many][effort.rounds];
    double[][] allocated = new double[many][effort.rounds];
    for (int round = 0; round < effort.rounds; round++) {
      for (int turn = 0; turn < many; turn++) {
        int i = (round + turn) % many;
        Turn one = turn(contestants.get(i).body(), calls[i]);
        nanos[i][round] = one.nanos();
        allocated[i][round] = one.bytes();
      }
    }
    for (int i = 0; i < many; i++) {
      results.add(time, row, contestants.get(i).who(), nanos[i]);
      if (bytes != null) {
        results.add(bytes, row, contestants.get(i).who(), allocated[i]);
      }
    }
  }

  /** Runs until it is compiled; how many calls fill a turn. */
  private long warm(Body body) {
    long calls = 1;
    long spent = 0;
    while (true) {
      long before = System.nanoTime();
      body.run(calls);
      long took = System.nanoTime() - before;
      spent += took;
      if (spent >= effort.warmMs * 1_000_000L) {
        double call = Math.max(1.0, (double) took / calls);
        return Math.max(1, (long) (effort.turnMs * 1_000_000.0 / call));
      }
      if (took < effort.turnMs * 1_000_000L / 2) {
        calls *= 2;
      }
    }
  }

  /** One turn, by the call. */
  record Turn(double nanos, double bytes) {}

  /** Takes one turn of so many calls. */
  Turn turn(Body body, long calls) {
    long wall = System.nanoTime();
    long bytes = THREADS.getCurrentThreadAllocatedBytes();
    long cpu = THREADS.getCurrentThreadCpuTime();
    body.run(calls);
    cpu = THREADS.getCurrentThreadCpuTime() - cpu;
    bytes = THREADS.getCurrentThreadAllocatedBytes() - bytes;
    wall = System.nanoTime() - wall;
    turns++;
    if (wall > cpu * 1.1) {
      disturbed++;
    }
    return new Turn((double) cpu / calls, (double) bytes / calls);
  }

  /** How many of the turns took a tenth longer than the processor worked on them. */
  String disturbed() {
    return disturbed + " of " + turns;
  }
}
