// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.util.List;
import java.util.Locale;

/**
 * Something to reach, and where it is read off.
 *
 * @param text what is to be reached
 * @param part part of scripts/bench
 * @param table table of the figure
 * @param row row of the figure
 * @param who whose figure
 * @param how how the figure is made
 * @param other the contestant it is compared with
 * @param bound the goal
 */
record Goal(
    String text,
    String part,
    String table,
    String row,
    String who,
    How how,
    String other,
    double bound) {
  /** How a figure is made, and on which side of the bound it shall be. */
  enum How {
    /** The median itself, at most. */
    AT_MOST,
    /** The median itself, at least. */
    AT_LEAST,
    /** The median less that of the other contestant, at most. */
    BEYOND,
    /** By the other contestant's, round by round, at most. */
    TIMES_AT_MOST,
    /** By the other contestant's, round by round, at least. */
    TIMES_AT_LEAST
  }

  private static final String TIME = "processor time of one call of authorize";
  private static final String BYTES = "bytes one call of authorize allocates";
  private static final String RATE = "records or requests a second";
  private static final String LOGIN = "processor time of the broker for one login";
  private static final String STANDIN = "Standin";
  private static final String NONE = "no authorizer";
  private static final String NOTHING_DONE = "AWS_MSK_IAM, nothing done";

  private static Goal micro(String text, String row, How how, String other, double bound) {
    return new Goal(text, "micro", TIME, row, STANDIN, how, other, bound);
  }

  private static Goal flat(String rules) {
    return new Goal(
        "flat: " + rules + ", times 10: 1.15",
        "micro",
        "processor time of a known decision of Standin by its rules",
        "allowed",
        rules,
        How.TIMES_AT_MOST,
        "10 rules",
        1.15);
  }

  private static Goal broker(String text, String row, double bound) {
    return new Goal(text, "broker", RATE, row, STANDIN, How.TIMES_AT_LEAST, NONE, bound);
  }

  /** All of them. */
  static final List<Goal> ALL =
      List.of(
          micro("a known decision: 100 ns", "allowed, 10,000 rules", How.AT_MOST, "", 100),
          new Goal(
              "bytes allocated beyond the result list: 0",
              "micro",
              BYTES,
              "allowed, 10,000 rules",
              STANDIN,
              How.BEYOND,
              "nothing",
              0),
          flat("10,000 rules"),
          flat("1,000,000 rules"),
          new Goal(
              "faster than StandardAuthorizer at 10,000 x 10, times: 1,500",
              "micro",
              TIME,
              "denied, AuthorizerBenchmark of 10,000 x 10",
              "StandardAuthorizer",
              How.TIMES_AT_LEAST,
              STANDIN,
              1500),
          new Goal(
              "two threads, times one: 1.9",
              "micro",
              "calls a second by two threads, times those by one",
              "allowed, 1,000 rules, one session, by the clock",
              STANDIN,
              How.AT_LEAST,
              "",
              1.9),
          micro(
              "a decision for the first time: 2,000 ns",
              "allowed, first time, 10,000 rules",
              How.AT_MOST,
              "",
              2000),
          micro(
              "Metadata of 500 topics: 40,000 ns",
              "500 topics, 10,000 rules",
              How.AT_MOST,
              "",
              40_000),
          micro(
              "the shape of KAFKA-20667: 40,000 ns",
              "504 topics, KAFKA-20667 (7,000 rules on *)",
              How.AT_MOST,
              "",
              40_000),
          micro("any topic: 60 ns", "any topic, 10,000 rules", How.AT_MOST, "", 60),
          new Goal(
              "a login inside the library: 5,000 ns",
              "rust",
              "one login, processor time",
              "leased key, channel told later, as Kafka does",
              "nobody else",
              How.AT_MOST,
              "",
              5000),
          new Goal(
              "a session of 100,000: 2,000 B",
              "rust",
              "memory, by difference of what the process occupies",
              "a session, of 100,000 of one identity",
              STANDIN,
              How.AT_MOST,
              "",
              2000),
          new Goal(
              "an identity of 10,000: 30,000 B",
              "rust",
              "memory, by difference of what the process occupies",
              "an identity of 10,000 with five rules of its own and a session",
              STANDIN,
              How.AT_MOST,
              "",
              30_000),
          new Goal(
              "10,000 identities are in after: 5,000 ms",
              "rust",
              "identities coming in, each with its own policies",
              "10,000 identities, one after the other",
              STANDIN,
              How.AT_MOST,
              "",
              5000),
          new Goal(
              "broker's work for a login without TLS, times a server that does nothing: 1.05",
              "login",
              LOGIN,
              "without TLS",
              "AWS_MSK_IAM, Standin",
              How.TIMES_AT_MOST,
              NOTHING_DONE,
              1.05),
          new Goal(
              "the same with TLS: 1.05",
              "login",
              LOGIN,
              "with TLS",
              "AWS_MSK_IAM, Standin",
              How.TIMES_AT_MOST,
              NOTHING_DONE,
              1.05),
          new Goal(
              "clients refused of 10,000 that connect at once: 0",
              "crowd",
              "clients that were refused",
              "10,000 clients at once",
              "AWS_MSK_IAM, Standin",
              How.AT_MOST,
              "",
              0),
          new Goal(
              "a broker's start with Standin, beyond one without: 300 ms",
              "start",
              "from the start of the process until it is ready",
              "a broker",
              STANDIN,
              How.BEYOND,
              "no Standin",
              300),
          broker("producing in batches, times no authorizer: 0.99", "producing in batches", 0.99),
          broker(
              "producing singly, times no authorizer: 0.99",
              "producing singly, 100 bytes, acks=1",
              0.99),
          broker("consuming, times no authorizer: 0.99", "consuming", 0.99),
          broker("Metadata requests, times no authorizer: 0.98", "Metadata of 504 topics", 0.98));

  /** Where we stand, or null when it was not measured. */
  Double stand(Figures figures) {
    Results.Table found = figures.table(part, table);
    if (found == null) {
      return null;
    }
    double[] mine = figures.samples(found, row, who);
    double[] base = figures.samples(found, row, other);
    boolean alone = how == How.AT_MOST || how == How.AT_LEAST;
    return mine == null || !alone && base == null ? null : stand(mine, base);
  }

  private double stand(double[] mine, double[] base) {
    double median = Figures.Middle.of(mine).median();
    return switch (how) {
      case AT_MOST, AT_LEAST -> median;
      case BEYOND -> median - Figures.Middle.of(base).median();
      case TIMES_AT_MOST, TIMES_AT_LEAST -> Figures.Middle.of(Figures.ratios(mine, base)).median();
    };
  }

  /** True when the figure is on the right side of the goal. */
  boolean isReached(double stand) {
    return how == How.AT_LEAST || how == How.TIMES_AT_LEAST ? stand >= bound : stand <= bound;
  }

  /** A figure of a goal, for people. */
  static String shown(double figure) {
    return String.format(
        Locale.ROOT, Math.abs(figure) >= 100 ? "%,.0f" : figure % 1 == 0 ? "%.0f" : "%.2f", figure);
  }
}
