// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.nio.file.Path;
import java.util.stream.Stream;

/** Runs one part; see scripts/bench, which gives the arguments. */
public final class Bench {
  private Bench() {}

  /**
   * Arguments: part, effort, file for the results, and what the part needs; or report, that file,
   * file for the figures or empty, and facts about the machine.
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("report")) {
      Report.run(Path.of(arguments[1]), arguments[2], Stream.of(arguments).skip(3).toList());
      return;
    }
    Effort effort = Effort.named(arguments[1]);
    Results results = new Results(Path.of(arguments[2]));
    switch (arguments[0]) {
      case "micro" -> {
        Thread.currentThread().setName(Micro.HANDLER + "0");
        Micro.run(effort, Path.of(arguments[3]), Path.of(arguments[4]), results);
      }
      case "login" -> Login.run(effort, Path.of(arguments[3]), Path.of(arguments[4]), results);
      case "crowd" -> Crowd.run(effort, Path.of(arguments[3]), Path.of(arguments[4]), results);
      case "broker" ->
          Traffic.run(
              effort,
              Path.of(arguments[3]),
              Stream.of(arguments).skip(4).map(Path::of).toList(),
              results);
      default -> throw new IllegalArgumentException("unknown part " + arguments[0]);
    }
    System.exit(0);
  }
}
