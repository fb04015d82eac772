// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** A broker that scripts/broker started in a folder. */
final class Broker {
  private final Path folder;
  private final long pid;

  Broker(Path folder) throws IOException {
    this.folder = folder;
    pid = Long.parseLong(Files.readString(folder.resolve("broker.pid")).trim());
  }

  /** Address for administration, where everything is allowed. */
  String internal() throws IOException {
    return Files.readString(folder.resolve("internal")).trim();
  }

  /** Address for clients. */
  String bootstrap() throws IOException {
    return Files.readString(folder.resolve("bootstrap")).trim();
  }

  /** Folder of the store and the certificates. */
  Path standin() {
    return folder.resolve("standin");
  }

  /** Port of a listener. */
  int port(String listener) throws IOException {
    Properties properties = new Properties();
    try (var file = Files.newBufferedReader(folder.resolve("broker.properties"))) {
      properties.load(file);
    }
    for (String each : List.of(properties.getProperty("listeners").split(","))) {
      if (each.startsWith(listener + "://")) {
        return Integer.parseInt(each.substring(each.lastIndexOf(':') + 1));
      }
    }
    throw new IOException("no listener " + listener + " in " + folder);
  }

  /** ARN of the cluster policies are about. */
  String cluster() throws IOException {
    Properties properties = new Properties();
    try (var file = Files.newBufferedReader(standin().resolve("standin.properties"))) {
      properties.load(file);
    }
    return properties.getProperty("standin.cluster.arn");
  }

  /**
   * Processor time of the broker so far, by its threads, in nanoseconds: exact, where
   * /proc/PID/stat counts in hundredths of a second. Without the compiler's threads: what they do
   * is no request's.
   */
  Map<String, Long> work() throws IOException {
    Map<String, Long> work = new HashMap<>();
    try (DirectoryStream<Path> threads =
        Files.newDirectoryStream(Path.of("/proc", Long.toString(pid), "task"))) {
      for (Path thread : threads) {
        try {
          String name = Files.readString(thread.resolve("comm"));
          if (!name.startsWith("C1 Compiler") && !name.startsWith("C2 Compiler")) {
            String text = Files.readString(thread.resolve("schedstat"));
            work.put(
                thread.getFileName().toString(),
                Long.parseLong(text.substring(0, text.indexOf(' '))));
          }
        } catch (NoSuchFileException e) {
          // The thread ended since the folder was listed.
          continue;
        }
      }
    }
    return work;
  }

  /** Nanoseconds the broker worked since {@link #work} was read. */
  long since(Map<String, Long> before) throws IOException {
    long sum = 0;
    for (Map.Entry<String, Long> thread : work().entrySet()) {
      sum += thread.getValue() - before.getOrDefault(thread.getKey(), 0L);
    }
    return sum;
  }
}
