// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Shows what was measured: machine, tables, goals; and writes it as JSON. */
final class Report {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Figures figures;
  private final Map<String, String> machine = new LinkedHashMap<>();
  private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  private Report(Figures figures) {
    this.figures = figures;
  }

  /**
   * Reports.
   *
   * @param json file for the figures, or empty
   * @param facts more about the machine, {@code name=value}
   */
  static void run(Path results, String json, List<String> facts) throws IOException {
    Report report = new Report(Figures.read(results));
    report.describe(facts);
    report.print();
    if (!json.isEmpty()) {
      Files.writeString(
          Path.of(json),
          JSON.writerWithDefaultPrettyPrinter().writeValueAsString(report.json()) + "\n");
    }
  }

  private void describe(List<String> facts) throws IOException {
    machine.put("date", Instant.now().truncatedTo(ChronoUnit.MINUTES).toString());
    machine.put("processor", fact("/proc/cpuinfo", "model name"));
    machine.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
    machine.put("memory", fact("/proc/meminfo", "MemTotal"));
    machine.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    machine.put(
        "JVM",
        System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
    for (String each : facts) {
      int at = each.indexOf('=');
      machine.put(each.substring(0, at), each.substring(at + 1));
    }
  }

  private static String fact(String file, String name) throws IOException {
    return Files.readAllLines(Path.of(file)).stream()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(line.indexOf(':') + 1).trim())
        .findFirst()
        .orElse("unknown");
  }

  private void print() {
    machine.forEach((name, value) -> out.printf("%-12s %s%n", name, value));
    for (Results.Table table : figures.tables()) {
      out.printf("%n== %s: %s (%s)%n", table.part(), table.name(), table.unit());
      if (!table.base().isEmpty()) {
        out.printf("   x: times %s, round by round%n", table.base());
      }
      List<List<String>> lines = new ArrayList<>();
      List<String> head = new ArrayList<>(List.of(""));
      head.addAll(figures.contestants(table));
      lines.add(head);
      for (String row : figures.rows(table)) {
        List<String> line = new ArrayList<>(List.of(row));
        for (String who : figures.contestants(table)) {
          line.add(cell(table, row, who));
        }
        lines.add(line);
      }
      align(lines);
    }
    goals();
    out.flush();
  }

  private String cell(Results.Table table, String row, String who) {
    double[] samples = figures.samples(table, row, who);
    if (samples == null) {
      return "";
    }
    Figures.Middle middle = Figures.Middle.of(samples);
    String text = number(middle.median());
    if (samples.length > 1) {
      text += String.format(Locale.ROOT, " ±%.0f%%", middle.spread() * 100);
    }
    double[] base = figures.samples(table, row, table.base());
    if (base != null && !who.equals(table.base())) {
      Figures.Middle times = Figures.Middle.of(Figures.ratios(samples, base));
      text +=
          String.format(
              Locale.ROOT,
              times.median() >= 100 ? " x%,.0f" : times.median() >= 10 ? " x%.1f" : " x%.2f",
              times.median());
      text += String.format(Locale.ROOT, " ±%.0f%%", times.spread() * 100);
    }
    return text;
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, value >= 100 ? "%,.0f" : "%.1f", value);
  }

  private void goals() {
    out.printf("%n== goals%n");
    List<List<String>> lines = new ArrayList<>();
    lines.add(List.of("to reach", "measured", ""));
    for (Goal goal : Goal.ALL) {
      Double stand = goal.stand(figures);
      if (stand != null) {
        String verdict = goal.isReached(stand) ? "reached" : "missed";
        lines.add(List.of(goal.text(), Goal.shown(stand), verdict));
      }
    }
    align(lines);
  }

  private void align(List<List<String>> lines) {
    int[] widths = new int[lines.get(0).size()];
    for (List<String> line : lines) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], line.get(i).length());
      }
    }
    for (List<String> line : lines) {
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        text.append(i == 0 ? "" : "  ").append(i == 0 ? line.get(i) : pad(line.get(i), widths[i]));
        text.append(i == 0 ? pad("", widths[0] - line.get(0).length()) : "");
      }
      out.println(text.toString().stripTrailing());
    }
  }

  private static String pad(String text, int width) {
    return " ".repeat(Math.max(0, width - text.length())) + text;
  }

  private ObjectNode json() {
    ObjectNode root = JSON.createObjectNode();
    ObjectNode about = root.putObject("machine");
    machine.forEach(about::put);
    ArrayNode list = root.putArray("figures");
    for (Results.Table table : figures.tables()) {
      for (String row : figures.rows(table)) {
        for (String who : figures.contestants(table)) {
          double[] samples = figures.samples(table, row, who);
          if (samples != null) {
            ObjectNode one = list.addObject();
            one.put("part", table.part()).put("table", table.name()).put("unit", table.unit());
            one.put("row", row).put("who", who);
            middle(one, samples);
            double[] base = figures.samples(table, row, table.base());
            if (base != null && !who.equals(table.base())) {
              one.put("base", table.base());
              middle(one.putObject("times_base"), Figures.ratios(samples, base));
            }
          }
        }
      }
    }
    ArrayNode goals = root.putArray("goals");
    for (Goal goal : Goal.ALL) {
      Double stand = goal.stand(figures);
      if (stand != null) {
        goals
            .addObject()
            .put("goal", goal.text())
            .put("measured", stand)
            .put("reached", goal.isReached(stand));
      }
    }
    return root;
  }

  private static void middle(ObjectNode node, double[] samples) {
    Figures.Middle middle = Figures.Middle.of(samples);
    node.put("median", middle.median()).put("low", middle.low()).put("high", middle.high());
    ArrayNode list = node.putArray("samples");
    for (double sample : samples) {
      list.add(sample);
    }
  }
}
