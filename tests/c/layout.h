/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and offsets are part of the interface: what was compiled against an
   older header goes on with a newer library. Compiled, as C and as C++. */
#include <standin.h>

#ifdef __cplusplus
#define PIN(what) static_assert(what, #what)
#else
#define PIN(what) _Static_assert(what, #what)
#endif
#define AT(type, field, offset) PIN(offsetof(type, field) == (offset))

PIN(sizeof(standin_engine) == 8 && sizeof(standin_session) == 8);
PIN(sizeof(standin_status) == 4 && sizeof(standin_outcome) == 1);

PIN(sizeof(standin_bytes) == 16);
AT(standin_bytes, data, 0);
AT(standin_bytes, len, 8);

PIN(sizeof(standin_buffer) == 24);
AT(standin_buffer, data, 0);
AT(standin_buffer, cap, 8);
AT(standin_buffer, len, 16);

PIN(sizeof(standin_pair) == 32);
AT(standin_pair, key, 0);
AT(standin_pair, value, 16);

PIN(sizeof(standin_options) == 40);
AT(standin_options, size, 0);
AT(standin_options, flags, 4);
AT(standin_options, settings, 8);
AT(standin_options, count, 16);
AT(standin_options, config_file, 24);

PIN(sizeof(standin_login) == 136);
AT(standin_login, size, 0);
AT(standin_login, profile, 4);
AT(standin_login, evidence, 8);
AT(standin_login, flags, 12);
AT(standin_login, payload, 16);
AT(standin_login, peer_address, 32);
AT(standin_login, peer_port, 48);
AT(standin_login, action, 52);
AT(standin_login, resource, 56);
AT(standin_login, listener, 72);
AT(standin_login, protocol, 88);
AT(standin_login, connection, 104);
AT(standin_login, facts, 120);
AT(standin_login, fact_count, 128);

PIN(sizeof(standin_login_result) == 32);
AT(standin_login_result, size, 0);
AT(standin_login_result, status, 4);
AT(standin_login_result, session, 8);
AT(standin_login_result, deadline_unix_ms, 16);
AT(standin_login_result, request, 24);

PIN(sizeof(standin_event) == 48);
AT(standin_event, size, 0);
AT(standin_event, kind, 4);
AT(standin_event, status, 8);
AT(standin_event, reserved, 12);
AT(standin_event, tag, 16);
AT(standin_event, session, 24);
AT(standin_event, deadline_unix_ms, 32);
AT(standin_event, request, 40);

PIN(sizeof(standin_batch) == 40);
AT(standin_batch, size, 0);
AT(standin_batch, wait_ms, 4);
AT(standin_batch, peer_address, 8);
AT(standin_batch, client_id, 24);

PIN(sizeof(standin_request) == 32);
AT(standin_request, action, 0);
AT(standin_request, flags, 4);
AT(standin_request, resource, 8);
AT(standin_request, count, 24);
AT(standin_request, reserved, 28);

PIN(sizeof(standin_info) == 16);
AT(standin_info, size, 0);
AT(standin_info, state, 4);
AT(standin_info, deadline_unix_ms, 8);

PIN(sizeof(standin_metric) == 24);
AT(standin_metric, size, 0);
AT(standin_metric, reserved, 4);
AT(standin_metric, name, 8);
AT(standin_metric, value, 16);

PIN(STANDIN_DENY == 0 && STANDIN_ALLOW == 1 && STANDIN_UNDECIDED == 2);
PIN(STANDIN_OK == 0 && STANDIN_INVALID_ARGUMENT == -100 && STANDIN_INVALID_SETTING == -101);
PIN(STANDIN_SETTINGS_DIFFER == -102 && STANDIN_UNKNOWN_ID == -103 && STANDIN_BUFFER_TOO_SMALL == -104);
PIN(STANDIN_FORKED == -105 && STANDIN_CLOSED == -106 && STANDIN_CONFLICT == -107 && STANDIN_NOT_FOUND == -108);
PIN(STANDIN_INVALID_DOCUMENT == -109 && STANDIN_LIMIT_REACHED == -110 && STANDIN_MALFORMED == -200 &&
    STANDIN_UNKNOWN_KEY == -201);
PIN(STANDIN_SIGNATURE_MISMATCH == -202 && STANDIN_KEY_DISABLED == -203 && STANDIN_IDENTITY_DISABLED == -204);
PIN(STANDIN_EXPIRED == -205 && STANDIN_CLOCK_SKEW == -206 && STANDIN_WRONG_HOST == -207);
PIN(STANDIN_WRONG_REGION == -208 && STANDIN_CONNECT_NOT_ALLOWED == -209 && STANDIN_REPLAYED == -210);
PIN(STANDIN_PLAINTEXT_CHANNEL == -211 && STANDIN_REVOKED == -212 && STANDIN_NOT_ALLOWED == -213);
PIN(STANDIN_BUSY == -300 && STANDIN_UNAVAILABLE == -301 && STANDIN_STALE == -302 && STANDIN_TIMED_OUT == -303);
PIN(STANDIN_HOST_CLOCK == -305 && STANDIN_HOST_NOT_BELIEVED == -306);
PIN(STANDIN_NOT_THE_SERVICE == -307 && STANDIN_CERTIFICATE == -308);
PIN(STANDIN_NEWER_FORMAT == -304 && STANDIN_INTERNAL == -400 && STANDIN_PANIC == -499);
PIN(STANDIN_EVIDENCE_MSK_IAM == 1 && STANDIN_EVIDENCE_TOKEN == 2 && STANDIN_EVIDENCE_CERTIFICATE == 3);
PIN(STANDIN_CHANNEL_SECURE == 1 && STANDIN_NO_ACTION == 0xffffffffu && STANDIN_ACTION_RIDES_OUT == 1);
PIN(STANDIN_EVENT_LOGIN_DONE == 1 && STANDIN_EVENT_SESSION_ENDED == 2 && STANDIN_EVENT_SESSION_EXPIRED == 3);
PIN(STANDIN_LOG_ALLOW == 1 && STANDIN_LOG_DENY == 2 && STANDIN_RECORDS_LOG == 1 && STANDIN_RECORDS_AUDIT == 2);
PIN(STANDIN_SESSION_BINDING == 0 && STANDIN_SESSION_LIVE == 1 && STANDIN_SESSION_EXPIRED == 2);
PIN(STANDIN_SESSION_ENDED == 3 && STANDIN_REPLY_MAX >= 256);
