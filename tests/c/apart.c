/* SPDX-License-Identifier: Apache-2.0 */
/* A host whose open files the library does not share. */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static standin_engine open_apart(const char *name, uint32_t flags, standin_status expected) {
  char text[1024];
  standin_buffer why = {(uint8_t *)text, sizeof text, 0};
  standin_pair settings[] = {{bytes("standin.engine"), bytes(name)}};
  standin_options options = {sizeof options, flags, settings, 1, {NULL, 0}};
  standin_engine engine = 0;
  EXPECT(expected, standin_open(&options, &engine, &why));
  return engine;
}

/* How many of this thread's open files have such a name. */
static int open_here(const char *part) {
  DIR *list = opendir("/proc/thread-self/fd");
  int found = 0;
  for (struct dirent *one; list != NULL && (one = readdir(list)) != NULL;) {
    char path[300], to[1024];
    snprintf(path, sizeof path, "/proc/thread-self/fd/%s", one->d_name);
    ssize_t length = readlink(path, to, sizeof to - 1);
    to[length > 0 ? length : 0] = 0;
    found += strstr(to, part) != NULL;
  }
  if (list != NULL) closedir(list);
  return found;
}

static uint64_t metric(standin_engine engine, const char *name) {
  standin_metric metrics[128];
  size_t n = 0;
  EXPECT(STANDIN_OK, standin_metrics(engine, metrics, sizeof metrics[0], 128, &n));
  for (size_t i = 0; i < n && i < 128; i++) {
    if (strcmp(metrics[i].name, name) == 0) return metrics[i].value;
  }
  return ~0ull;
}

/* Nobody keeps a copy of a connection: its end is seen at once. */
static void ends(const int pair[2]) {
  struct pollfd ready = {pair[0], POLLIN, 0};
  char byte;
  CHECK(close(pair[1]) == 0);
  CHECK(poll(&ready, 1, 10000) == 1 && read(pair[0], &byte, 1) == 0);
  CHECK(close(pair[0]) == 0);
}

static standin_session start(const stage *on, uint64_t tag) {
  standin_login login = login_of(on, evidence("STANDIN_TEST_LOGINS"));
  struct pollfd ready = {standin_event_fd(on->engine), POLLIN, 0};
  standin_event event = {0};
  size_t n = 0;
  EXPECT(STANDIN_OK, standin_login_start(on->engine, &login, 30000, tag));
  CHECK(poll(&ready, 1, 30000) == 1);
  EXPECT(STANDIN_OK, standin_events(on->engine, &event, sizeof event, 1, &n));
  CHECK(n == 1 && event.tag == tag && event.status == STANDIN_OK);
  CHECK(poll(&ready, 1, 0) == 0);
  return event.session;
}

static void *many(void *given) {
  const stage *on = given;
  for (int i = 0; i < 20; i++) {
    uint32_t profile = 0;
    standin_bytes name = bytes("main");
    if (standin_profile(on->engine, name, NULL, 0, &profile, NULL) != STANDIN_OK || profile != on->profile ||
        decide(on->session, on->read, ALLOWED) != STANDIN_ALLOW) {
      return given;
    }
  }
  return NULL;
}

/* A number of the library's that is free is the next one it opens, and a panic
   would be written there. */
static int without_standard_error(void) {
  char path[300], to[64] = "";
  open_apart("closed", STANDIN_OWN_FILES, STANDIN_OK);
  DIR *threads = opendir("/proc/self/task");
  for (struct dirent *one; threads != NULL && (one = readdir(threads)) != NULL;) {
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", one->d_name);
    FILE *file = one->d_name[0] == '.' ? NULL : fopen(path, "r");
    bool found = file != NULL && fgets(to, sizeof to, file) != NULL && strcmp(to, "standin-files\n") == 0;
    if (file != NULL) fclose(file);
    if (!found) continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/fd/2", one->d_name);
    memset(to, 0, sizeof to);
    return readlink(path, to, sizeof to - 1) == 1 && to[0] == '/' && failed == 0 ? 0 : 1;
  }
  return 2;
}

int main(int count, char **arguments) {
  int before[2], after[2], status = 1;
  if (count > 1 && strcmp(arguments[1], "closed") == 0) return without_standard_error();
  pid_t closed = fork();
  if (closed == 0) {
    close(0);
    close(2);
    execl(arguments[0], arguments[0], "closed", (char *)NULL);
    _exit(3);
  }
  CHECK(waitpid(closed, &status, 0) == closed && status == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, before) == 0);
  open_apart("apart", 2, STANDIN_INVALID_ARGUMENT);
  stage on = {.engine = open_apart("apart", STANDIN_OWN_FILES, STANDIN_OK)};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, after) == 0);
  EXPECT(STANDIN_OK, standin_profile(on.engine, bytes("main"), NULL, 0, &on.profile, NULL));
  EXPECT(STANDIN_OK, standin_action(on.engine, bytes("shop:Connect"), NONE, 0, &on.connect));
  EXPECT(STANDIN_OK, standin_action(on.engine, bytes("shop:Read"), NONE, 0, &on.read));
  int events = standin_event_fd(on.engine);
  on.session = enter(&on);
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW && decide(on.session, on.read, DENIED) == STANDIN_DENY);

  /* What it has open is not open here. */
  CHECK(open_here("store.db") == 0 && open_here(".jsonl") == 0 && open_here("eventfd") == 1);
  ends(before);
  ends(after);

  standin_session second = start(&on, 7);
  CHECK(decide(second, on.read, ALLOWED) == STANDIN_ALLOW);
  uint8_t sealed[16384];
  standin_buffer out = {sealed, sizeof sealed, 0};
  standin_session same = 0;
  EXPECT(STANDIN_OK, standin_session_export(second, &out));
  EXPECT(STANDIN_OK, standin_session_import(on.engine, (standin_bytes){sealed, out.len}, 30000, &same));
  EXPECT(STANDIN_OK, standin_reload(on.engine, NULL, 0, NULL));
  CHECK(decide(same, on.read, ALLOWED) == STANDIN_ALLOW);

  pthread_t threads[8];
  for (int i = 0; i < 8; i++) CHECK(pthread_create(&threads[i], NULL, many, &on) == 0);
  for (int i = 0; i < 8; i++) {
    void *failed_at = NULL;
    CHECK(pthread_join(threads[i], &failed_at) == 0 && failed_at == NULL);
  }

  /* Another one, asking for nothing: the process has made its choice. */
  standin_engine other = open_apart("other", 0, STANDIN_OK);
  CHECK(standin_event_fd(other) >= 0 && open_here("eventfd") == 2 && open_here("store.db") == 0);

  pid_t child = fork();
  if (child == 0) {
    standin_info info = {.size = sizeof info};
    _exit(standin_session_info(on.session, &info, NULL) == STANDIN_FORKED ? 0 : 1);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);

  CHECK(metric(on.engine, "files-refused-total") == 0);
  EXPECT(STANDIN_OK, standin_close(other, 3000));
  EXPECT(STANDIN_OK, standin_close(on.engine, 3000));
  EXPECT(STANDIN_UNKNOWN_ID, standin_close(on.engine, 3000));
  CHECK(fcntl(events, F_GETFD) == -1 && open_here("eventfd") == 0);

  /* Opened again, all is there again. */
  on.engine = open_apart("again", STANDIN_OWN_FILES, STANDIN_OK);
  CHECK(metric(on.engine, "files-refused-total") == 0 && open_here("store.db") == 0);
  EXPECT(STANDIN_OK, standin_close(on.engine, 3000));
  return done("apart");
}
