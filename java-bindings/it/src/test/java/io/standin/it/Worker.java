// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A thread with a client that does one thing over and over, and counts how often it succeeded. All
 * threads the client starts belong to it. It ends when told to, or with the first exception.
 */
final class Worker {
  /** What it does, from making the client to closing it. */
  interface Job {
    void run(Worker turn) throws Exception;
  }

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final String name;
  private final ThreadGroup group;
  private final Thread thread;
  private final AtomicInteger done = new AtomicInteger();
  private volatile int round;
  private volatile boolean stop;
  private volatile Throwable failure;
  private boolean counts;
  private boolean first = true;

  private Worker(String name, Job job) {
    this.name = name;
    group = new ThreadGroup(name);
    thread = new Thread(group, () -> run(job), name);
    thread.setDaemon(true);
  }

  static Worker start(String name, Job job) {
    Worker worker = new Worker(name, job);
    worker.thread.start();
    return worker;
  }

  private void run(Job job) {
    try {
      job.run(this);
    } catch (Throwable e) {
      failure = e;
    }
  }

  /** Counts the turn that was done; false when there is to be no other. For the job alone. */
  boolean next() {
    if (!first && counts) {
      done.incrementAndGet();
    }
    first = false;
    counts = true;
    return !stop;
  }

  /** This turn counts only if something came of it. */
  void ifAny(int count) {
    counts = count > 0;
  }

  /** Which round this is: 0 before {@link #newRound}. */
  int round() {
    return round;
  }

  /** Tells the job to begin anew, if it has something to begin. */
  void newRound() {
    round++;
  }

  String name() {
    return name;
  }

  int done() {
    return done.get();
  }

  /** Processor time of its threads so far, in nanoseconds. */
  long cpu() {
    Thread[] threads = new Thread[group.activeCount() + 16];
    int count = group.enumerate(threads);
    long sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.max(0, THREADS.getThreadCpuTime(threads[i].getId()));
    }
    return sum;
  }

  /** Waits until it has succeeded so often. */
  void await(int seconds, int count) throws Exception {
    Wait.until(
        seconds,
        name + " to get on",
        () -> {
          failIfDead();
          return done() >= count;
        });
  }

  void failIfDead() {
    if (failure != null) {
      throw new AssertionError(name + " died", failure);
    }
    if (!thread.isAlive()) {
      throw new AssertionError(name + " has ended");
    }
  }

  void stop() {
    stop = true;
  }

  /** Waits for its end, which is to be in order. */
  void join() throws InterruptedException {
    thread.join(60_000);
    if (failure != null) {
      throw new AssertionError(name + " died", failure);
    }
    if (thread.isAlive()) {
      throw new AssertionError(name + " does not end");
    }
  }
}
