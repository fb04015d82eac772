/* SPDX-License-Identifier: Apache-2.0 */
#include <standin.h>
#include <stdio.h>
#include <string.h>

static standin_bytes bytes(const char *text) { return (standin_bytes){(const uint8_t *)text, strcspn(text, "\n")}; }

/* Serves one connection on standard input and output, as inetd starts it: the
   first line is the login, every further one the name of an item to read. */
int main(int argc, char **argv) {
  static char line[16384], text[1024];
  standin_buffer why = {(uint8_t *)text, sizeof text, 0};
  standin_options options = {.size = sizeof options};
  standin_login login = {.size = sizeof login, .evidence = STANDIN_EVIDENCE_MSK_IAM};
  standin_login_result in = {.size = sizeof in};
  standin_request request = {.flags = STANDIN_LOG_DENY};
  standin_outcome outcome;
  standin_engine engine;

  if (argc > 1) options.config_file = bytes(argv[1]);
  if (standin_open(&options, &engine, &why) || standin_profile(engine, bytes("main"), NULL, 0, &login.profile, &why) ||
      standin_action(engine, bytes("shop:Connect"), bytes(""), 0, &login.action) ||
      standin_action(engine, bytes("shop:Read"), bytes(""), 0, &request.action)) {
    fprintf(stderr, "%.*s\n", (int)why.len, text);
    return 1;
  }
  login.flags = STANDIN_CHANNEL_SECURE; /* TLS ends in front of this program */
  login.resource = bytes("arn:aws:shop:::server");
  if (fgets(line, sizeof line, stdin)) login.payload = bytes(line);
  standin_login_now(engine, &login, 5000, &in, &why);
  printf("%.*s\n", (int)why.len, text);
  while (in.session && fgets(line, sizeof line, stdin)) {
    request.resource = bytes(line);
    standin_authorize(in.session, NULL, &request, sizeof request, 1, &outcome);
    puts(outcome == STANDIN_ALLOW ? "yes" : outcome == STANDIN_DENY ? "no" : "try again");
  }
  standin_session_release(in.session);
  return standin_close(engine, 5000) ? 1 : 0;
}
