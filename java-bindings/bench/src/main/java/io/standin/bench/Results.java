// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * What was measured, one JSON object a line: table, row, contestant, and one sample per round. The
 * benches of the library write the same lines.
 */
final class Results {
  /**
   * A table of the report.
   *
   * @param part part of scripts/bench
   * @param name what the table shows
   * @param unit unit of the samples
   * @param base the contestant the others are compared with
   */
  record Table(String part, String name, String unit, String base) {}

  private static final ObjectMapper JSON = new ObjectMapper();
  private final Path file;

  Results(Path file) {
    this.file = file;
  }

  /** Adds the samples of one contestant, in the order of the rounds. */
  void add(Table table, String row, String who, double[] samples) {
    ObjectNode line = JSON.createObjectNode();
    line.put("part", table.part()).put("table", table.name()).put("unit", table.unit());
    line.put("base", table.base()).put("row", row).put("who", who);
    ArrayNode list = line.putArray("samples");
    for (double sample : samples) {
      list.add(sample);
    }
    try {
      Files.writeString(
          file,
          JSON.writeValueAsString(line) + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
