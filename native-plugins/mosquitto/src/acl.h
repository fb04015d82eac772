// SPDX-License-Identifier: Apache-2.0
// Every publish, subscription and delivery.
#ifndef STANDIN_MOSQUITTO_ACL_H
#define STANDIN_MOSQUITTO_ACL_H

#include "host.h"

// MOSQ_EVT_ACL_CHECK.
int acl_check(struct host *host, const struct mosquitto_evt_acl_check *event);

#endif
