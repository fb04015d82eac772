// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum kind { TEXT, TEXT_OR_OFF, SWITCH, CHANNEL, NUMBER };

struct option {
  const char *name;
  enum kind kind;
  size_t at; // in struct options
  const char *standard;
  uint32_t most; // of a number
};

// The one table of options; docs/mosquitto.md shows it.
static const struct option table[] = {
    {"config", TEXT, offsetof(struct options, config), NULL, 0},
    {"listener", TEXT, offsetof(struct options, listener), "mqtt", 0},
    {"channel", CHANNEL, offsetof(struct options, secure), "plaintext", 0},
    {"token", SWITCH, offsetof(struct options, token), "on", 0},
    {"certificate", SWITCH, offsetof(struct options, certificate), "off", 0},
    {"enhanced_auth", TEXT_OR_OFF, offsetof(struct options, enhanced_auth), "STANDIN-SIGV4", 0},
    {"connect_action", TEXT_OR_OFF, offsetof(struct options, connect_action), "iot:Connect", 0},
    {"login_wait_ms", NUMBER, offsetof(struct options, login_wait), "50", 1000},
    {"login_delay_ms", NUMBER, offsetof(struct options, login_delay), "1000", 10000},
    {"offline_grace_ms", NUMBER, offsetof(struct options, offline_grace), "60000", 600000},
};
enum { OPTIONS = sizeof table / sizeof table[0] };

static void *field(struct options *options, const struct option *option) { return (char *)options + option->at; }

static bool set_text(struct options *options, const struct option *option, const char *value) {
  if (!*value) {
    log_error("plugin_opt_%s is empty", option->name);
    return false;
  }
  char *text = NULL;
  if (option->kind == TEXT || strcmp(value, "off") != 0) {
    text = strdup(value);
    if (!text) {
      log_error("no memory for plugin_opt_%s", option->name);
      return false;
    }
  }
  *(char **)field(options, option) = text;
  return true;
}

static bool set_either(struct options *options, const struct option *option, const char *value, const char *yes,
                       const char *no) {
  bool is = strcmp(value, yes) == 0;
  if (!is && strcmp(value, no) != 0) {
    log_error("plugin_opt_%s %s: %s or %s is accepted", option->name, value, yes, no);
    return false;
  }
  *(bool *)field(options, option) = is;
  return true;
}

static bool set_number(struct options *options, const struct option *option, const char *value) {
  char *end = NULL;
  errno = 0;
  unsigned long number = strtoul(value, &end, 10);
  // strtoul takes signs and blanks, which are no whole number here.
  if (errno || *value < '0' || *value > '9' || *end || number > option->most) {
    log_error("plugin_opt_%s %s: a whole number from 0 to %u is accepted", option->name, value, option->most);
    return false;
  }
  *(uint32_t *)field(options, option) = (uint32_t)number;
  return true;
}

static bool set(struct options *options, const struct option *option, const char *value) {
  switch (option->kind) {
  case TEXT:
  case TEXT_OR_OFF:
    return set_text(options, option, value);
  case SWITCH:
    return set_either(options, option, value, "on", "off");
  case CHANNEL:
    return set_either(options, option, value, "secure", "plaintext");
  case NUMBER:
    return set_number(options, option, value);
  }
  return false;
}

static const struct option *known(const char *name) {
  for (size_t i = 0; i < OPTIONS; i++) {
    if (strcmp(table[i].name, name) == 0) {
      return &table[i];
    }
  }
  return NULL;
}

static void say_unknown(const char *name) {
  char names[256] = "";
  for (size_t i = 0; i < OPTIONS; i++) {
    if (i) {
      strncat(names, ", ", sizeof names - strlen(names) - 1);
    }
    strncat(names, table[i].name, sizeof names - strlen(names) - 1);
  }
  log_error("plugin_opt_%s is not an option; these are: %s", name, names);
}

static bool complete(const struct options *options) {
  if (!options->config) {
    log_error("plugin_opt_config is missing; it names the file with Standin's settings");
    return false;
  }
  if (!options->token && !options->certificate && !options->enhanced_auth) {
    log_error("plugin_opt_token, plugin_opt_certificate and plugin_opt_enhanced_auth are all off; nobody could log in");
    return false;
  }
  return true;
}

bool options_read(struct options *out, const struct mosquitto_opt *given, int count) {
  *out = (struct options){0};
  bool seen[OPTIONS] = {false};
  bool good = true;
  for (int i = 0; i < count && good; i++) {
    const struct option *option = known(given[i].key);
    if (!option) {
      say_unknown(given[i].key);
      good = false;
    } else if (seen[option - table]) {
      log_error("plugin_opt_%s stands twice", option->name);
      good = false;
    } else {
      seen[option - table] = true;
      good = set(out, option, given[i].value ? given[i].value : "");
    }
  }
  for (size_t i = 0; i < OPTIONS && good; i++) {
    if (!seen[i] && table[i].standard) {
      good = set(out, &table[i], table[i].standard);
    }
  }
  good = good && complete(out);
  if (!good) {
    options_free(out);
  }
  return good;
}

void options_free(struct options *options) {
  for (size_t i = 0; i < OPTIONS; i++) {
    if (table[i].kind == TEXT || table[i].kind == TEXT_OR_OFF) {
      free(*(char **)field(options, &table[i]));
    }
  }
  *options = (struct options){0};
}
