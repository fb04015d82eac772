// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The dashboard and the alert rules, against the metrics that a running broker and controller have,
 * named as the rules for the JMX exporter name them.
 */
class MonitoringTest {
  private static final Pattern NAME = Pattern.compile("\\bstandin_[a-z0-9_]+");
  private static final Pattern LABELLED = Pattern.compile("\\b(standin_[a-z0-9_]+)\\{([^}]*)\\}");
  private static final Pattern LABEL = Pattern.compile("(\\w+)=\"([^\"]*)\"");

  private final Broker broker = Brokers.separate();

  /** One rule of the exporter. */
  private record Rule(Pattern pattern, String name, Map<String, String> labels) {}

  /** The rules, of which each has its parts on lines of their own. */
  private static List<Rule> rules() throws Exception {
    List<Rule> rules = new ArrayList<>();
    for (String line : Files.readAllLines(Broker.ROOT.resolve("monitoring/jmx-exporter.yml"))) {
      String text = line.trim();
      if (text.startsWith("- pattern: '")) {
        String pattern = text.substring(text.indexOf('\'') + 1, text.length() - 1);
        rules.add(new Rule(Pattern.compile(pattern), null, new HashMap<>()));
      } else if (text.startsWith("name: ")) {
        Rule last = rules.remove(rules.size() - 1);
        rules.add(new Rule(last.pattern(), text.substring(6), last.labels()));
      } else if (text.matches("\\w+: \"\\$\\d\"")) {
        String[] words = text.split(": ");
        rules.get(rules.size() - 1).labels().put(words[0], words[1].replace("\"", ""));
      }
    }
    assertEquals(5, rules.size());
    return rules;
  }

  /** Names with their labels, as Prometheus sees them. */
  private static Set<String> exported(String role, Set<String> attributes, List<Rule> rules) {
    Set<String> names = new TreeSet<>();
    for (String attribute : attributes) {
      String whole =
          "kafka.server<type=plugins, config=authorizer.class.name, class=StandinAuthorizer, role="
              + role
              + "><>"
              + attribute;
      for (Rule rule : rules) {
        Matcher found = rule.pattern().matcher(whole);
        if (found.matches()) {
          // The exporter turns what Prometheus has no room for into underscores.
          String name = found.replaceFirst(rule.name()).replaceAll("[^a-zA-Z0-9_]", "_");
          names.add(name.toLowerCase());
          rule.labels()
              .forEach(
                  (label, value) ->
                      names.add(
                          name.toLowerCase() + " " + label + " " + found.replaceFirst(value)));
          break;
        }
      }
    }
    return names;
  }

  private static List<String> expressions() throws Exception {
    List<String> expressions = new ArrayList<>();
    for (String line : Files.readAllLines(Broker.ROOT.resolve("monitoring/alerts.yml"))) {
      if (line.trim().startsWith("expr: '")) {
        expressions.add(line.trim().substring(7, line.trim().length() - 1));
      }
    }
    int alerts = expressions.size();
    JsonNode dashboard =
        Broker.json(Files.readString(Broker.ROOT.resolve("monitoring/dashboard.json")));
    for (JsonNode panel : dashboard.get("panels")) {
      panel.get("targets").forEach(target -> expressions.add(target.get("expr").asText()));
    }
    assertTrue(alerts >= 10 && expressions.size() >= alerts + 30);
    return expressions;
  }

  @ParameterizedTest
  @ValueSource(strings = {"broker", "controller"})
  void every_name_in_dashboard_and_alerts_is_one_the_process_exports(String role) throws Exception {
    Set<String> attributes;
    try (Gauges gauges = Gauges.of(broker, role)) {
      attributes = gauges.names(role);
    }
    assertTrue(attributes.contains("standin-operations-allowed-total"), attributes.toString());
    Set<String> exported = exported(role, attributes, rules());
    Set<String> used = new HashSet<>();
    for (String expression : expressions()) {
      Matcher names = NAME.matcher(expression);
      while (names.find()) {
        used.add(names.group());
        assertTrue(exported.contains(names.group()), names.group() + " in " + expression);
      }
      Matcher labelled = LABELLED.matcher(expression);
      while (labelled.find()) {
        Matcher labels = LABEL.matcher(labelled.group(2));
        while (labels.find()) {
          String one = labelled.group(1) + " " + labels.group(1) + " " + labels.group(2);
          assertTrue(exported.contains(one), one + " in " + expression);
        }
      }
    }
    // What nobody looks at is not worth counting; these are for looking closer, or of hosts in C.
    Set<String> unused = new TreeSet<>(exported);
    unused.removeIf(name -> name.contains(" ") || used.contains(name));
    unused.removeAll(
        Set.of(
            "standin_decision_requests_total",
            "standin_events_lost_total",
            "standin_audit_records_lost",
            "standin_files_refused_total",
            "standin_forwarded_undecided_total"));
    assertEquals(Set.of(), unused);
    assertFalse(exported.contains("standin_no_such_total"));
  }
}
