/* SPDX-License-Identifier: Apache-2.0 */
/* a panic in each entry, in a process of its own: STANDIN_PANIC, denied,
   and the host goes on. The library is built with `panic-injection`. */
#include "harness.h"

#include <sys/wait.h>
#include <unistd.h>

static void in_child(int entry) {
  stage on = begin("panics");
  standin_outcome outcome = STANDIN_DENY;
  setenv("STANDIN_PANIC", "1", 1);
  EXPECT(STANDIN_PANIC, call(entry, &on, &outcome));
  CHECK(outcome == STANDIN_DENY);
  CHECK(standin_abi() == 0);
  CHECK(strcmp(standin_version(), "") == 0);
  CHECK(strcmp(standin_status_text(0), "unknown status") == 0);
  CHECK(standin_event_fd(on.engine) == -1);
  unsetenv("STANDIN_PANIC");
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);
  CHECK(decide(on.session, on.read, DENIED) == STANDIN_DENY);
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
}

int main(void) {
  for (int entry = 0; entry < ENTRIES; entry++) {
    /* Before anything is opened; the child opens for itself. */
    pid_t child = fork();
    if (child == 0) {
      passed = failed = 0;
      in_child(entry);
      exit(failed == 0 ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (status != 0) {
      fprintf(stderr, "standin_%s: the child ended with %#x\n", entries[entry], (unsigned)status);
    }
  }
  return done("panics");
}
