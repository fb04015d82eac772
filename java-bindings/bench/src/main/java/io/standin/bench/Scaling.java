// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;

/** How much more two threads do than one. */
final class Scaling {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** What a turn of some threads took, in nanoseconds. */
  private record Took(long wall, long cpu) {}

  private Scaling() {}

  /**
   * Measures, one and two threads in turns.
   *
   * @param bodies what the first thread does, and what the second does beside it
   * @param calls calls of each thread in a turn
   * @return for each round: by the clock, and by processor time, which tells waiting from work
   */
  static double[][] measure(List<Rounds.Body> bodies, long calls, int rounds)
      throws InterruptedException {
    double[][] times = new double[2][rounds];
    for (int round = -1; round < rounds; round++) {
      Took one = turn(bodies.subList(0, 1), calls);
      Took two = turn(bodies, calls);
      if (round >= 0) {
        times[0][round] = 2.0 * one.wall() / two.wall();
        times[1][round] = 4.0 * one.cpu() / two.cpu();
      }
    }
    return times;
  }

  private static Took turn(List<Rounds.Body> bodies, long calls) throws InterruptedException {
    CyclicBarrier start = new CyclicBarrier(bodies.size() + 1);
    long[] cpu = new long[bodies.size()];
    Thread[] threads = new Thread[bodies.size()];
    for (int i = 0; i < threads.length; i++) {
      int mine = i;
      threads[i] =
          new Thread(
              () -> {
                await(start);
                long before = THREADS.getCurrentThreadCpuTime();
                bodies.get(mine).run(calls);
                cpu[mine] = THREADS.getCurrentThreadCpuTime() - before;
              },
              Micro.HANDLER + i);
      threads[i].start();
    }
    await(start);
    long wall = System.nanoTime();
    for (Thread thread : threads) {
      thread.join();
    }
    wall = System.nanoTime() - wall;
    long sum = 0;
    for (long one : cpu) {
      sum += one;
    }
    return new Took(wall, sum);
  }

  private static void await(CyclicBarrier barrier) {
    try {
      barrier.await();
    } catch (InterruptedException | BrokenBarrierException e) {
      throw new IllegalStateException(e);
    }
  }
}
