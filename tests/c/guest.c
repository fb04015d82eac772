/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* environ */
/* A guest in the host's process: it changes nothing that is the host's, and says
   nothing but what it is asked. */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { SIGNALS = 65, WORDS = 1024 };

/* What belongs to the host. */
typedef struct {
  struct sigaction actions[SIGNALS];
  sigset_t mask;
  char place[4096], locale[256], words[WORDS][4096];
  size_t word_count;
  mode_t umask;
} house;

static house before, after;

static void look(house *at) {
  for (int n = 1; n < SIGNALS; n++) {
    if (sigaction(n, NULL, &at->actions[n]) != 0) memset(&at->actions[n], 0, sizeof at->actions[n]);
  }
  pthread_sigmask(SIG_SETMASK, NULL, &at->mask);
  CHECK(getcwd(at->place, sizeof at->place) != NULL);
  snprintf(at->locale, sizeof at->locale, "%s", setlocale(LC_ALL, NULL));
  for (at->word_count = 0; environ[at->word_count] && at->word_count < WORDS; at->word_count++) {
    snprintf(at->words[at->word_count], sizeof at->words[0], "%s", environ[at->word_count]);
  }
  at->umask = umask(0);
  umask(at->umask);
}

/* Sets have bytes that nobody fills. */
static bool same_set(const sigset_t *one, const sigset_t *other) {
  for (int n = 1; n < SIGNALS; n++) {
    if (sigismember(one, n) != sigismember(other, n)) return false;
  }
  return true;
}

static bool same_action(const struct sigaction *one, const struct sigaction *other) {
  return one->sa_handler == other->sa_handler && one->sa_flags == other->sa_flags &&
         same_set(&one->sa_mask, &other->sa_mask);
}

static void on_signal(int number) { (void)number; }

/* The line of a thread's status that begins so, as a number. */
static unsigned long long status_of(const char *thread, const char *line) {
  char path[300], text[256];
  unsigned long long value = 0;
  snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
  FILE *file = fopen(path, "r");
  while (file != NULL && fgets(text, sizeof text, file) != NULL) {
    if (strncmp(text, line, strlen(line)) == 0) value = strtoull(text + strlen(line), NULL, 16);
  }
  if (file != NULL) fclose(file);
  return value;
}

/* Whoever starts them, and whenever: a handler of the host's on such a thread
   would not wake the host's own. */
static void its_threads_take_no_signals(void) {
  stage on = {.engine = open_named("signals")};
  EXPECT(STANDIN_OK, standin_profile(on.engine, bytes("main"), NULL, 0, &on.profile, NULL));
  EXPECT(STANDIN_OK, standin_action(on.engine, bytes("shop:Connect"), NONE, 0, &on.connect));
  /* Nothing is known of this key yet, so that a thread has to ask for it. */
  standin_login login = login_of(&on, evidence("STANDIN_TEST_LOGINS"));
  struct pollfd ready = {standin_event_fd(on.engine), POLLIN, 0};
  standin_event event = {0};
  size_t n = 0, asking = 0;
  EXPECT(STANDIN_OK, standin_login_start(on.engine, &login, 30000, 1));
  CHECK(poll(&ready, 1, 30000) == 1);
  EXPECT(STANDIN_OK, standin_events(on.engine, &event, sizeof event, 1, &n));
  CHECK(n == 1 && event.status == STANDIN_OK);
  EXPECT(STANDIN_OK, standin_session_release(event.session));

  DIR *threads = opendir("/proc/self/task");
  CHECK(threads != NULL);
  for (struct dirent *one; threads != NULL && (one = readdir(threads)) != NULL;) {
    char path[300], name[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", one->d_name);
    FILE *file = one->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (file == NULL) continue;
    CHECK(fgets(name, sizeof name, file) != NULL);
    fclose(file);
    if (strncmp(name, "standin-", 8) != 0) continue;
    asking += strncmp(name, "standin-login", 13) == 0;
    unsigned long long blocked = status_of(one->d_name, "SigBlk:");
    for (size_t i = 0; i < 5; i++) {
      CHECK((blocked >> ((const int[]){SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGCHLD}[i] - 1) & 1) == 1);
    }
  }
  if (threads != NULL) closedir(threads);
  CHECK(asking > 0);
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
}

/* Everything that is done with a library, and what fails while it is done. */
static void live(void) {
  char text[1024], big[4096];
  standin_buffer why = {(uint8_t *)text, sizeof text, 0}, records = {(uint8_t *)big, sizeof big, 0};
  standin_pair wrong[] = {{bytes("standin.stor"), bytes("x")}};
  standin_options options = {sizeof options, 0, wrong, 1, {NULL, 0}};
  standin_engine none = 0;
  CHECK(standin_open(&options, &none, &why) != STANDIN_OK);
  stage on = begin("guest");
  CHECK(decide(on.session, on.read, ALLOWED) == STANDIN_ALLOW);
  CHECK(decide(on.session, on.read, DENIED) == STANDIN_DENY);
  standin_login login = login_of(&on, bytes("{}"));
  standin_login_result result = {.size = sizeof result};
  CHECK(standin_login_now(on.engine, &login, 5000, &result, &why) != STANDIN_OK);
  CHECK(standin_reload(on.engine, wrong, 1, &why) != STANDIN_OK);
  CHECK(standin_reload(on.engine, NULL, 0, &why) == STANDIN_OK);
  standin_request request = {on.read, 0, bytes(ALLOWED), 1, 0};
  EXPECT(STANDIN_OK, standin_explain(on.session, NULL, &request, &records));
  EXPECT(STANDIN_OK, standin_records(on.engine, STANDIN_RECORDS_LOG, &records));
  EXPECT(STANDIN_OK, standin_session_release(on.session));
  EXPECT(STANDIN_OK, standin_close(on.engine, 5000));
  CHECK(standin_close(on.engine, 0) != STANDIN_OK);
}

int main(int count, char **arguments) {
  /* What the host has set is not what processes begin with. */
  struct sigaction own = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &own, NULL);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  setlocale(LC_ALL, "C");
  umask(027);
  look(&before);

  fflush(stdout);
  FILE *file = tmpfile();
  int said = file == NULL ? -1 : fileno(file), out = dup(1), err = dup(2);
  CHECK(said >= 0 && dup2(said, 1) == 1 && dup2(said, 2) == 2);
  if (count > 1 && strcmp(arguments[1], "breaks") == 0) {
    signal(SIGPIPE, SIG_IGN);
    setenv("BROKEN", "1", 1);
    fprintf(stderr, "said");
  }
  live();
  its_threads_take_no_signals();
  fflush(stdout);
  fflush(stderr);
  dup2(out, 1);
  dup2(err, 2);

  CHECK(lseek(said, 0, SEEK_END) == 0);
  look(&after);
  for (int n = 1; n < SIGNALS; n++) CHECK(same_action(&before.actions[n], &after.actions[n]));
  CHECK(same_set(&before.mask, &after.mask));
  CHECK(strcmp(before.place, after.place) == 0 && strcmp(before.locale, after.locale) == 0);
  CHECK(before.umask == after.umask && before.word_count == after.word_count);
  for (size_t n = 0; n < before.word_count; n++) CHECK(strcmp(before.words[n], after.words[n]) == 0);
  return done("guest");
}
