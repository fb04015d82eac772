// SPDX-License-Identifier: Apache-2.0
#include "acl.h"

#include <string.h>

static standin_request ask(uint32_t action, const char *resource) {
  return (standin_request){.action = action,
                           .flags = STANDIN_LOG_DENY,
                           .resource = {.data = (const uint8_t *)resource, .len = strlen(resource)}};
}

// A call that failed as a whole has decided nothing.
static standin_outcome failed(standin_status status) { return is_undecided(status) ? STANDIN_UNDECIDED : STANDIN_DENY; }

static standin_outcome decide_one(const struct client *client, const standin_request *request) {
  standin_outcome outcome = STANDIN_DENY;
  standin_status status = standin_authorize(client->session, NULL, request, sizeof *request, 1, &outcome);
  return status ? failed(status) : outcome;
}

// All of them, or none: the broker knows one answer per operation.
static standin_outcome decide_all(const struct client *client, const standin_request *requests, size_t count) {
  standin_outcome outcomes[3] = {STANDIN_DENY};
  standin_status status = standin_authorize(client->session, NULL, requests, sizeof requests[0], count, outcomes);
  if (status) {
    return failed(status);
  }
  standin_outcome all = STANDIN_ALLOW;
  for (size_t i = 0; i < count; i++) {
    if (outcomes[i] == STANDIN_UNDECIDED) {
      all = all == STANDIN_ALLOW ? STANDIN_UNDECIDED : all;
    } else if (outcomes[i] != STANDIN_ALLOW) {
      all = STANDIN_DENY;
    }
  }
  return all;
}

// The broker's code for an outcome. Any code but "denied" makes it close the
// connection of a publisher or subscriber, who then tries again: right for what
// could not be decided, and for a session that has ended when no tick will
// disconnect it.
static int answer(const struct host *host, const struct client *client, standin_outcome outcome) {
  if (outcome == STANDIN_ALLOW) {
    return MOSQ_ERR_SUCCESS;
  }
  if (outcome == STANDIN_UNDECIDED) {
    return MOSQ_ERR_UNKNOWN;
  }
  if (!host->ticking) {
    standin_info info = {.size = sizeof info};
    standin_session_info(client->session, &info, NULL);
    if (info.state != STANDIN_SESSION_LIVE) {
      return MOSQ_ERR_AUTH;
    }
  }
  return MOSQ_ERR_ACL_DENIED;
}

static int publish(struct host *host, const struct client *client, const struct mosquitto_evt_acl_check *event) {
  standin_request requests[3] = {ask(host->actions.publish, event->topic)};
  // The broker and its plugins are administered through these topics, so a
  // policy for all topics must not be enough.
  bool control = strncmp(event->topic, "$CONTROL", 8) == 0;
  if (!event->retain && !control) {
    return answer(host, client, decide_one(client, requests));
  }
  size_t count = 1;
  if (event->retain) {
    requests[count++] = ask(host->actions.retain_publish, event->topic);
  }
  if (control) {
    requests[count++] = ask(host->actions.control, event->topic);
  }
  return answer(host, client, decide_all(client, requests, count));
}

// The filter behind $share/GROUP/, or the filter itself; NULL when it is none.
static const char *filter_of(const char *text) {
  if (strncmp(text, "$share/", 7) != 0) {
    return text;
  }
  const char *slash = strchr(text + 7, '/');
  return slash && slash[1] ? slash + 1 : NULL;
}

static int subscribe(struct host *host, const struct client *client, const char *text) {
  if (client == host->kicked) {
    // The broker asks again for each subscription of the durable session it
    // disconnects, and drops those refused. Nothing is delivered by keeping them:
    // each message is decided when the client is back.
    return MOSQ_ERR_SUCCESS;
  }
  const char *filter = filter_of(text);
  if (!filter) {
    return MOSQ_ERR_ACL_DENIED;
  }
  standin_request request = ask(host->actions.subscribe, filter);
  return answer(host, client, decide_one(client, &request));
}

static int receive(struct host *host, const struct client *client, const char *topic) {
  if (client->offline) {
    // Not delivered but queued. What is queued is asked about again when the
    // client is back, for whoever it then proves to be.
    return MOSQ_ERR_SUCCESS;
  }
  standin_request request = ask(host->actions.receive, topic);
  standin_outcome outcome = decide_one(client, &request);
  if (outcome != STANDIN_ALLOW) {
    log_undelivered(&host->undelivered, host_now(), topic, client->id, client->name);
  }
  return answer(host, client, outcome);
}

int acl_check(struct host *host, const struct mosquitto_evt_acl_check *event) {
  if (event->access == MOSQ_ACL_UNSUBSCRIBE) {
    return MOSQ_ERR_SUCCESS; // gives up a right
  }
  const struct client *client = clients_known(&host->clients, event->client);
  if (!client) {
    // A durable session from before the broker's restart has no address yet.
    // What is for it is queued, as above; everybody else has not logged in here.
    bool restored = event->access == MOSQ_ACL_READ && !mosquitto_client_address(event->client);
    return restored ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
  }
  switch (event->access) {
  case MOSQ_ACL_READ:
    return receive(host, client, event->topic);
  case MOSQ_ACL_WRITE:
    return publish(host, client, event);
  case MOSQ_ACL_SUBSCRIBE:
    return subscribe(host, client, event->topic);
  default:
    return MOSQ_ERR_ACL_DENIED;
  }
}
