/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <standin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 64 };
static struct client {
  int fd; /* 0: nobody */
  uint32_t generation;
  int entering;
  standin_session session;
  size_t len;
  char line[16384];
} clients[CLIENTS];

static standin_engine engine;
static standin_login login = {
    .size = sizeof login, .evidence = STANDIN_EVIDENCE_MSK_IAM, .flags = STANDIN_CHANNEL_SECURE};
static standin_request read_item = {.flags = STANDIN_LOG_DENY};

static standin_bytes bytes(const char *text) { return (standin_bytes){(const uint8_t *)text, strlen(text)}; }

static void say(struct client *client, const char *text) {
  send(client->fd, text, strlen(text), MSG_NOSIGNAL); /* a client that is gone: its next read says so */
}

static void disconnect(struct client *client) {
  close(client->fd);
  standin_session_retire(client->session, 0);
  *client = (struct client){.generation = client->generation + 1};
}

/* The tag names the connection and not the place, which somebody else may have
   when the login is done. */
static uint64_t tag_of(struct client *client) {
  return (uint64_t)client->generation << 32 | (uint64_t)(client - clients);
}

static void on_line(struct client *client, char *line) {
  standin_outcome outcome;
  if (client->session == 0) {
    login.payload = bytes(line);
    if (client->entering++ || standin_login_start(engine, &login, 2000, tag_of(client))) disconnect(client);
    return;
  }
  read_item.resource = bytes(line);
  standin_authorize(client->session, NULL, &read_item, sizeof read_item, 1, &outcome);
  say(client, outcome == STANDIN_ALLOW ? "yes\n" : outcome == STANDIN_DENY ? "no\n" : "try again\n");
}

static void on_event(const standin_event *event) {
  struct client *client = &clients[event->tag % CLIENTS];
  if (event->kind == STANDIN_EVENT_LOGIN_DONE && event->tag == tag_of(client) && event->status == STANDIN_OK) {
    client->session = event->session;
    say(client, "welcome\n");
  } else if (event->kind == STANDIN_EVENT_LOGIN_DONE) {
    standin_session_release(event->session); /* of a connection that is gone, or 0 */
    if (event->tag == tag_of(client)) disconnect(client);
  } else {
    for (client = clients; client < clients + CLIENTS; client++) { /* revoked or expired */
      if (client->fd > 0 && client->session == event->session) disconnect(client);
    }
  }
}

static void on_input(struct client *client) {
  size_t room = sizeof client->line - 1 - client->len;
  ssize_t n = read(client->fd, client->line + client->len, room);
  char *end, *begin = client->line;
  if (n <= 0) {
    disconnect(client);
    return;
  }
  client->line[client->len += (size_t)n] = 0;
  for (; client->fd > 0 && (end = strchr(begin, '\n')) != NULL; begin = end + 1) {
    *end = 0;
    on_line(client, begin);
  }
  if (client->fd > 0) {
    client->len -= (size_t)(begin - client->line);
    memmove(client->line, begin, client->len + 1);
  }
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  standin_options options = {.size = sizeof options};
  int port = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7777));
  login.resource = bytes("arn:aws:shop:::server");
  if (standin_open(&options, &engine, NULL) || standin_profile(engine, bytes("main"), NULL, 0, &login.profile, NULL) ||
      standin_action(engine, bytes("shop:Connect"), bytes(""), 0, &login.action) ||
      standin_action(engine, bytes("shop:Read"), bytes(""), 0, &read_item.action) ||
      bind(port, (struct sockaddr *)&at, sizeof at) || listen(port, 16)) {
    return 1;
  }
  for (;;) {
    struct pollfd ready[CLIENTS + 2] = {{port, POLLIN, 0}, {standin_event_fd(engine), POLLIN, 0}};
    standin_event events[16];
    size_t n = 0;
    for (int i = 0; i < CLIENTS; i++) ready[i + 2] = (struct pollfd){clients[i].fd ? clients[i].fd : -1, POLLIN, 0};
    if (poll(ready, CLIENTS + 2, -1) < 0) return 1;
    for (int i = 0; i < CLIENTS; i++) {
      if (clients[i].fd == ready[i + 2].fd && ready[i + 2].revents) on_input(&clients[i]);
    }
    standin_events(engine, events, sizeof events[0], 16, &n);
    for (size_t i = 0; i < n; i++) on_event(&events[i]);
    if (ready[0].revents) {
      int fd = accept(port, NULL, NULL), place = 0;
      while (place < CLIENTS && clients[place].fd != 0) place++;
      if (fd > 0 && place < CLIENTS)
        clients[place].fd = fd;
      else if (fd > 0)
        close(fd);
    }
  }
}
