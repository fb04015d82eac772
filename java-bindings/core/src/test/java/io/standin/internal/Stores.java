// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** Stores for tests, made by the program. */
final class Stores {
  private static final String CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/c/u-1";

  private Stores() {}

  /** Makes a store in a new directory below; the settings of an engine on it. */
  static Map<String, String> make(Path parent, String engine)
      throws IOException, InterruptedException {
    Path dir = Files.createTempDirectory(parent, "store");
    Process process =
        new ProcessBuilder(System.getProperty("standin.program"), "init", "--dir", dir.toString())
            .redirectErrorStream(true)
            .redirectOutput(dir.resolve("init.out").toFile())
            .start();
    if (process.waitFor() != 0) {
      throw new IOException(Files.readString(dir.resolve("init.out")));
    }
    Map<String, String> settings = new TreeMap<>();
    settings.put("standin.engine", engine);
    settings.put("standin.store", dir.resolve("store.db").toString());
    settings.put("standin.cluster.arn", CLUSTER);
    settings.put("standin.hosts", "localhost");
    return settings;
  }
}
