// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Everything that was measured in a run, by table, row and contestant. */
final class Figures {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A middle value, and the quarter of the samples below and above. */
  record Middle(double low, double median, double high) {
    static Middle of(double[] samples) {
      double[] sorted = samples.clone();
      Arrays.sort(sorted);
      return new Middle(at(sorted, 0.25), at(sorted, 0.5), at(sorted, 0.75));
    }

    private static double at(double[] sorted, double part) {
      double place = part * (sorted.length - 1);
      int below = (int) Math.floor(place);
      int above = Math.min(below + 1, sorted.length - 1);
      return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }

    /** Half of what the middle half of the samples spans, in parts of the median. */
    double spread() {
      return median == 0 ? 0 : (high - low) / 2 / median;
    }
  }

  private final Map<Results.Table, Map<String, Map<String, double[]>>> tables =
      new LinkedHashMap<>();

  private Figures() {}

  /** Reads what {@link Results} and the library's benches wrote. */
  static Figures read(Path file) throws IOException {
    Figures figures = new Figures();
    for (String line : Files.readAllLines(file)) {
      JsonNode node = JSON.readTree(line);
      Results.Table table =
          new Results.Table(
              node.get("part").asText(),
              node.get("table").asText(),
              node.get("unit").asText(),
              node.get("base").asText());
      List<Double> samples = new ArrayList<>();
      node.get("samples").forEach(sample -> samples.add(sample.asDouble()));
      figures
          .tables
          .computeIfAbsent(table, t -> new LinkedHashMap<>())
          .computeIfAbsent(node.get("row").asText(), r -> new LinkedHashMap<>())
          .put(
              node.get("who").asText(),
              samples.stream().mapToDouble(Double::doubleValue).toArray());
    }
    return figures;
  }

  Set<Results.Table> tables() {
    return tables.keySet();
  }

  Set<String> rows(Results.Table table) {
    return tables.get(table).keySet();
  }

  /** Everybody who has a figure in some row of the table. */
  Set<String> contestants(Results.Table table) {
    Set<String> all = new LinkedHashSet<>();
    tables.get(table).values().forEach(row -> all.addAll(row.keySet()));
    return all;
  }

  /** Samples, or null when there are none. */
  double[] samples(Results.Table table, String row, String who) {
    return tables.getOrDefault(table, Map.of()).getOrDefault(row, Map.of()).get(who);
  }

  /** The table of this name, or null. */
  Results.Table table(String part, String name) {
    return tables.keySet().stream()
        .filter(table -> table.part().equals(part) && table.name().equals(name))
        .findFirst()
        .orElse(null);
  }

  /** One by the other, round by round: what disturbed a round disturbed both. */
  static double[] ratios(double[] samples, double[] by) {
    double[] ratios = new double[Math.min(samples.length, by.length)];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = samples[i] / by[i];
    }
    return ratios;
  }
}
