/* SPDX-License-Identifier: Apache-2.0 */
/* one library, several doors, the same answers. Here the table is asked
   in C; tests/doors.rs and DoorsTest.java ask the same one. */
#include "harness.h"

#include <arpa/inet.h>

enum { FIELDS = 9, SESSIONS = 64 };

static struct {
  char key[256];
  standin_session id;
} sessions[SESSIONS];

/* 4 or 16 bytes of an address, or none. */
static standin_bytes address(const char *text, uint8_t room[16]) {
  if (inet_pton(AF_INET, text, room) == 1) return (standin_bytes){room, 4};
  if (inet_pton(AF_INET6, text, room) == 1) return (standin_bytes){room, 16};
  return NONE;
}

static standin_session session(const stage *on, char *const field[FIELDS]) {
  char key[256], path[512], line[16384] = "";
  size_t n = 0;
  snprintf(key, sizeof key, "%s|%s|%s|%s", field[0], field[1], field[2], field[3]);
  while (n < SESSIONS && sessions[n].id != 0 && strcmp(sessions[n].key, key) != 0) n++;
  if (n == SESSIONS || sessions[n].id != 0) return n == SESSIONS ? 0 : sessions[n].id;
  snprintf(path, sizeof path, "%s/%s.login", getenv("STANDIN_TEST_DOORS"), field[0]);
  FILE *file = fopen(path, "r");
  CHECK(file != NULL && fgets(line, sizeof line, file) != NULL);
  if (file != NULL) fclose(file);
  line[strcspn(line, "\n")] = 0;

  uint8_t room[16];
  standin_login login = login_of(on, bytes(line));
  standin_login_result result = {.size = sizeof result};
  login.peer_address = address(field[1], room);
  login.listener = bytes(field[2]);
  login.flags = strcmp(field[3], "1") == 0 ? STANDIN_CHANNEL_SECURE : 0;
  login.resource = NONE;
  EXPECT(STANDIN_OK, standin_login_now(on->engine, &login, 30000, &result, NULL));
  snprintf(sessions[n].key, sizeof sessions[n].key, "%s", key);
  return sessions[n].id = result.session;
}

static bool ask(const stage *on, char *line) {
  char *field[FIELDS], *expected = strstr(line, " => ");
  uint8_t room[16];
  uint32_t action = 0;
  standin_outcome outcome = STANDIN_UNDECIDED;
  if (expected == NULL) return false;
  *expected = 0;
  expected += 4;
  for (int n = 0; n < FIELDS; n++) {
    field[n] = line;
    line = n == FIELDS - 1 ? line : strstr(line, " | ");
    if (line == NULL) return false;
    if (n < FIELDS - 1) {
      *line = 0;
      line += 3;
    }
  }
  if (standin_action(on->engine, bytes(field[6]), bytes(field[7]), 0, &action) != STANDIN_OK) return false;
  standin_batch batch = {sizeof batch, 0, address(field[4], room), bytes(field[5])};
  standin_request request = {action, 0, bytes(field[8]), 1, 0};
  if (standin_authorize(session(on, field), &batch, &request, sizeof request, 1, &outcome) != STANDIN_OK) return false;
  return strcmp(expected, outcome == STANDIN_ALLOW ? "allow" : outcome == STANDIN_DENY ? "deny" : "undecided") == 0;
}

int main(int argc, char **argv) {
  stage on = {0};
  char line[4096], copy[4096];
  int asked = 0;
  on.engine = open_named("doors");
  EXPECT(STANDIN_OK, standin_profile(on.engine, bytes("main"), NULL, 0, &on.profile, NULL));
  EXPECT(STANDIN_OK, standin_action(on.engine, bytes("kafka-cluster:Connect"), bytes("cluster"), 0, &on.connect));
  FILE *table = argc > 1 ? fopen(argv[1], "r") : NULL;
  while (table != NULL && fgets(line, sizeof line, table) != NULL) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '#' || strncmp(line, "user ", 5) == 0) continue;
    snprintf(copy, sizeof copy, "%s", line);
    asked++;
    if (ask(&on, line)) {
      passed++;
    } else {
      failed++;
      fprintf(stderr, "otherwise in C: %s\n", copy);
    }
  }
  CHECK(asked == 200);
  if (table != NULL) fclose(table);
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
  return done("doors");
}
