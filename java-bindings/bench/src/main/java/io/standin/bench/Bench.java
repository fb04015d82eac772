// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.nio.file.Path;

/** Runs one part; see scripts/bench, which gives the arguments. */
public final class Bench {
  private Bench() {}

  /** Arguments: part, effort, file for the results, and what the part needs. */
  public static void main(String[] arguments) throws Exception {
    Effort effort = Effort.named(arguments[1]);
    Results results = new Results(Path.of(arguments[2]));
    switch (arguments[0]) {
      case "micro" -> {
        Thread.currentThread().setName(Micro.HANDLER + "0");
        Micro.run(effort, Path.of(arguments[3]), Path.of(arguments[4]), results);
      }
      case "login" -> Login.run(effort, Path.of(arguments[3]), Path.of(arguments[4]), results);
      default -> throw new IllegalArgumentException("unknown part " + arguments[0]);
    }
    System.exit(0);
  }
}
