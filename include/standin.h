/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standin.h - request-based security for servers with connections.
 *
 * A client proves once who it is, when it connects; from then on every
 * operation on the connection is decided under IAM policies, as if the client
 * had signed it. Written from the library's source: do not edit.
 *
 *
 * THE ORDER OF THINGS
 *
 *   once           standin_open, standin_profile for each listener,
 *                  standin_action for each action
 *   a connection   standin_login_now, or standin_login_start and
 *                  standin_events: gives a session
 *   an operation   standin_authorize
 *   at its end     standin_session_retire or standin_session_release
 *   at the end     standin_close
 *
 * docs/c.md has a whole server in forty lines, and one with an event loop.
 * The shortest thing that decides:
 *
 *   standin_bytes name = {(const uint8_t *)"main", 4}, none = {0, 0};
 *   standin_bytes read = {(const uint8_t *)"shop:Read", 9};
 *   standin_options options = {sizeof options, 0, 0, 0, none};
 *   standin_login login = {sizeof login};
 *   standin_login_result in = {sizeof in};
 *   standin_request request = {0};
 *   standin_outcome outcome;
 *   standin_engine engine;
 *
 *   standin_open(&options, &engine, 0);      // settings: $STANDIN_CONFIG
 *   standin_profile(engine, name, 0, 0, &login.profile, 0);
 *   standin_action(engine, read, none, 0, &request.action);
 *   login.evidence = STANDIN_EVIDENCE_MSK_IAM;
 *   login.flags = STANDIN_CHANNEL_SECURE;
 *   login.action = STANDIN_NO_ACTION;
 *   login.payload = what_the_client_sent;
 *   standin_login_now(engine, &login, 1000, &in, 0);
 *   request.resource = what_it_wants_to_read;
 *   standin_authorize(in.session, 0, &request, sizeof request, 1, &outcome);
 *   if (outcome == STANDIN_ALLOW) serve();
 *   standin_session_release(in.session);
 *   standin_close(engine, 5000);
 *
 *
 * CONVENTIONS
 *
 * Only STANDIN_ALLOW allows. A status never does: whatever a function returns,
 * the outcomes it was given room for are STANDIN_DENY (0) unless it has decided
 * otherwise. They are written first, so a mistake denies. STANDIN_UNDECIDED
 * is no denial: it is for the client to try again, as is every status -3xx.
 *
 * Statuses are 0, or below it: -1xx the host or its configuration is wrong,
 * -2xx a client is refused, -3xx it could not be decided and may be later, -4xx
 * the library has failed, as any function may. Numbers keep their meaning for good; new ones are
 * added within their hundred. There is no last error: what an administrator
 * needs to know goes into the caller's `why`, the log, or the audit; what a
 * client may know goes into `reply`.
 *
 * Ownership: the library keeps no pointer of the caller's after a call, and
 * gives out none that is to be freed. It writes into the caller's structs and
 * buffers. Texts it returns are static. Engines and sessions are numbers;
 * stale, forged or closed ones answer STANDIN_UNKNOWN_ID and do no harm.
 *
 * Pointers: null is STANDIN_INVALID_ARGUMENT, except where it is said to be
 * possible, and for arrays and bytes of length 0. So are misaligned pointers,
 * lengths that cannot exist, numbers and flags that are not known, and text
 * that is not UTF-8. Values that a function hands out are 0 unless it succeeds.
 *
 * Growth: structs with a `size` begin with it. Set it to `sizeof` of the
 * struct, and the rest to zero before filling it in. A library that is newer
 * takes what is missing as zero; an older one does not look at what it does not
 * know, and does not write it. Arrays have a stride for the same reason:
 * `sizeof` of one element. Functions and constants are only added while the
 * major number, which is in the library's soname, stays.
 *
 * Threads: every function may be called from every thread at any time, also
 * while another closes the engine. None calls back. Only standin_open,
 * standin_close, standin_reload, standin_login_now and
 * standin_session_import wait, each within its bound; standin_authorize does
 * when it is told to (`wait_ms`). None may be called from a signal handler.
 *
 * Fork: in a child of a process that had opened an engine every function
 * answers STANDIN_FORKED, with all outcomes denied, and standin_close returns
 * at once. Threads do not survive a fork, and a store must not be used across
 * one: fork first and open then, or exec.
 *
 * The process: the library sets no signal handler, locale or environment
 * variable, raises no SIGPIPE, and prints nothing. (A defect in it that is
 * caught at the boundary, STANDIN_PANIC, prints one line on standard error.)
 * Its threads take no signals of the host's. It cannot be unloaded: dlclose
 * leaves it where it is.
 */


#ifndef STANDIN_H
#define STANDIN_H

#include <stddef.h>
#include <stdint.h>

/**
 * Major and minor number of this interface, as standin_abi gives it. Within a
 * major number things are added and nothing is changed or taken away.
 */
#define STANDIN_ABI 2

/**
 * No.
 */
#define STANDIN_DENY 0

/**
 * Yes, by an explicit allow.
 */
#define STANDIN_ALLOW 1

/**
 * Could not be decided. Not a denial: tell the client to try again.
 */
#define STANDIN_UNDECIDED 2

/**
 * The first message of the SASL mechanism AWS_MSK_IAM: JSON.
 */
#define STANDIN_EVIDENCE_MSK_IAM 1

/**
 * A presigned URL, as it is or in base64url: the token of the MSK signers.
 */
#define STANDIN_EVIDENCE_TOKEN 2

/**
 * The certificate, in DER, that the TLS layer has verified.
 */
#define STANDIN_EVIDENCE_CERTIFICATE 3

/**
 * The library's threads have a table of open files of their own, and share the
 * host's no longer: system calls of a host with one thread are then as quick as
 * without this library. For the whole process, from the first standin_open on;
 * where the kernel does not allow it, the table is shared. Calls that need
 * files of the library's are then made by a thread of its own while the caller
 * waits.
 */
#define STANDIN_OWN_FILES 1

/**
 * The connection is encrypted.
 */
#define STANDIN_CHANNEL_SECURE 1

/**
 * The number that names no action.
 */
#define STANDIN_NO_ACTION 4294967295

/**
 * The action may be decided from what is known while the service does not
 * answer, up to `standin.stale.grace.ms`.
 */
#define STANDIN_ACTION_RIDES_OUT 1

/**
 * A buffer of this size is large enough for the reply to any login.
 */
#define STANDIN_REPLY_MAX 256

/**
 * A login that was started is over.
 */
#define STANDIN_EVENT_LOGIN_DONE 1

/**
 * A session was revoked, or its key or identity was: disconnect the client.
 */
#define STANDIN_EVENT_SESSION_ENDED 2

/**
 * The deadline of a session has passed: disconnect the client.
 */
#define STANDIN_EVENT_SESSION_EXPIRED 3

/**
 * Record an allowed operation in the audit.
 */
#define STANDIN_LOG_ALLOW 1

/**
 * Record a denied operation in the audit.
 */
#define STANDIN_LOG_DENY 2

/**
 * Logged in; the channel is not known yet.
 */
#define STANDIN_SESSION_BINDING 0

/**
 * Operations are decided.
 */
#define STANDIN_SESSION_LIVE 1

/**
 * Its deadline has passed; everything is denied.
 */
#define STANDIN_SESSION_EXPIRED 2

/**
 * It was ended; everything is denied.
 */
#define STANDIN_SESSION_ENDED 3

/**
 * The log of the library.
 */
#define STANDIN_RECORDS_LOG 1

/**
 * The audit, as it is written to its files.
 */
#define STANDIN_RECORDS_AUDIT 2

/**
 * How a call went; see STANDIN_OK and below.
 */
typedef int32_t standin_status;

/**
 * Bytes of the caller's, read during the call only. `len` 0 allows a null
 * `data`. At most 1 MiB, if nothing smaller is said.
 */
typedef struct standin_bytes {
    const uint8_t *data;
    size_t len;
} standin_bytes;

/**
 * A setting, or a condition key of the host's own with its value; UTF-8.
 */
typedef struct standin_pair {
    struct standin_bytes key;
    struct standin_bytes value;
} standin_pair;

/**
 * What standin_open is given.
 */
typedef struct standin_options {
    /**
     * `sizeof(standin_options)`.
     */
    uint32_t size;
    /**
     * STANDIN_OWN_FILES, or 0.
     */
    uint32_t flags;
    /**
     * Settings, as docs/settings.md names them; those of listeners hold for
     * every profile that does not say otherwise. At most 1024.
     */
    const struct standin_pair *settings;
    /**
     * How many.
     */
    size_t count;
    /**
     * Path of a TOML file with more of them, or empty: then the environment
     * variable STANDIN_CONFIG names it, if it is set. What is given above wins.
     */
    struct standin_bytes config_file;
} standin_options;

/**
 * An open engine: a number with a generation, never a pointer. 0 is none. One
 * that was closed answers STANDIN_UNKNOWN_ID.
 */
typedef uint64_t standin_engine;

/**
 * Room of the caller's that the library writes into. `len` becomes the number
 * of bytes written; with STANDIN_BUFFER_TOO_SMALL, the number needed, and
 * nothing is written. `data` null with `cap` 0 asks how much is needed.
 */
typedef struct standin_buffer {
    uint8_t *data;
    size_t cap;
    size_t len;
} standin_buffer;

/**
 * What a client sent while connecting, and over which connection.
 */
typedef struct standin_login {
    /**
     * `sizeof(standin_login)`.
     */
    uint32_t size;
    /**
     * Number of the listener's profile; see standin_profile.
     */
    uint32_t profile;
    /**
     * What the payload is: STANDIN_EVIDENCE_...
     */
    uint32_t evidence;
    /**
     * STANDIN_CHANNEL_SECURE, or 0.
     */
    uint32_t flags;
    /**
     * The evidence. The library works on a copy that it wipes.
     */
    struct standin_bytes payload;
    /**
     * The client's address, 4 or 16 bytes in network order, or empty.
     */
    struct standin_bytes peer_address;
    /**
     * The client's port, or 0; for the audit.
     */
    uint32_t peer_port;
    /**
     * The action that connecting is, which policies must allow; or
     * STANDIN_NO_ACTION: then whoever is who it claims to be may connect.
     */
    uint32_t action;
    /**
     * Name of the resource of that action, such as a client id; or empty.
     */
    struct standin_bytes resource;
    /**
     * Name of the listener (condition key `standin:Listener`).
     */
    struct standin_bytes listener;
    /**
     * The protocol in the host's words (condition key `standin:Protocol`).
     */
    struct standin_bytes protocol;
    /**
     * The host's id of the connection; for the audit.
     */
    struct standin_bytes connection;
    /**
     * Condition keys of the host's own with their values, such as
     * `iot:ClientId`, fixed for the session. None that begin with `aws:` or
     * `standin:`. At most 64.
     */
    const struct standin_pair *facts;
    /**
     * How many.
     */
    size_t fact_count;
} standin_login;

/**
 * A session: a number with a generation that knows its engine. 0 is none. One
 * that is gone answers STANDIN_UNKNOWN_ID.
 */
typedef uint64_t standin_session;

/**
 * What came out of a login.
 */
typedef struct standin_login_result {
    /**
     * `sizeof(standin_login_result)`, set by the caller.
     */
    uint32_t size;
    /**
     * The status that the function returned.
     */
    standin_status status;
    /**
     * The session, or 0.
     */
    standin_session session;
    /**
     * When it ends, milliseconds since 1970.
     */
    int64_t deadline_unix_ms;
    /**
     * Names the login for standin_request_id, whatever came out of it.
     */
    uint64_t request;
} standin_login_result;

/**
 * Something that happened; see standin_events.
 */
typedef struct standin_event {
    /**
     * How much of the struct was written, set by the library.
     */
    uint32_t size;
    /**
     * STANDIN_EVENT_...
     */
    uint32_t kind;
    /**
     * Of LOGIN_DONE and SESSION_ENDED.
     */
    standin_status status;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Of LOGIN_DONE: the tag that the login was started with.
     */
    uint64_t tag;
    /**
     * The session, or 0 after a login that failed.
     */
    standin_session session;
    /**
     * Of LOGIN_DONE: when the session ends, milliseconds since 1970.
     */
    int64_t deadline_unix_ms;
    /**
     * Of LOGIN_DONE: names the login for standin_request_id.
     */
    uint64_t request;
} standin_event;

/**
 * What holds for all questions of one call. A null one says: nothing but what
 * the session knows, and no wait.
 */
typedef struct standin_batch {
    /**
     * `sizeof(standin_batch)`.
     */
    uint32_t size;
    /**
     * Longest wait for decisions that are not local, milliseconds; 0 on
     * threads that must not wait. Never looked at with `standin.decide=local`.
     */
    uint32_t wait_ms;
    /**
     * The address of this request, 4 or 16 bytes; empty: the session's.
     */
    struct standin_bytes peer_address;
    /**
     * The client id that this request carries (`standin:ClientId`), or empty.
     */
    struct standin_bytes client_id;
} standin_batch;

/**
 * One question: may the session's client do this on that?
 */
typedef struct standin_request {
    /**
     * The action's number; see standin_action. One that has no action denies.
     */
    uint32_t action;
    /**
     * STANDIN_LOG_ALLOW, STANDIN_LOG_DENY.
     */
    uint32_t flags;
    /**
     * The resource's name, UTF-8, at most 65,535 bytes. For actions without a
     * type of resource, its whole ARN.
     */
    struct standin_bytes resource;
    /**
     * How many operations it stands for in the audit; 0 is 1.
     */
    uint32_t count;
    /**
     * 0.
     */
    uint32_t reserved;
} standin_request;

/**
 * What a decision came out as: STANDIN_DENY, STANDIN_ALLOW, STANDIN_UNDECIDED.
 */
typedef uint8_t standin_outcome;

/**
 * How a session stands.
 */
typedef struct standin_info {
    /**
     * `sizeof(standin_info)`, set by the caller.
     */
    uint32_t size;
    /**
     * STANDIN_SESSION_...
     */
    uint32_t state;
    /**
     * When it ends, milliseconds since 1970.
     */
    int64_t deadline_unix_ms;
} standin_info;

/**
 * A counter or gauge.
 */
typedef struct standin_metric {
    /**
     * How much of the struct was written, set by the library.
     */
    uint32_t size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Its name, NUL-terminated; never freed. docs/operations.md explains it.
     */
    const char *name;
    /**
     * Its value.
     */
    uint64_t value;
} standin_metric;

/**
 * Done.
 */
#define STANDIN_OK 0

/**
 * An argument is outside what the function accepts.
 */
#define STANDIN_INVALID_ARGUMENT -100

/**
 * A setting is unknown, missing or malformed.
 */
#define STANDIN_INVALID_SETTING -101

/**
 * The engine of that name is open with other settings.
 */
#define STANDIN_SETTINGS_DIFFER -102

/**
 * The engine or session id was never given out, or is gone.
 */
#define STANDIN_UNKNOWN_ID -103

/**
 * The caller's buffer is too small; the needed size was written.
 */
#define STANDIN_BUFFER_TOO_SMALL -104

/**
 * Called in a child process after a fork.
 */
#define STANDIN_FORKED -105

/**
 * The engine is closed or closing.
 */
#define STANDIN_CLOSED -106

/**
 * The thing to create exists already, or another change came between.
 */
#define STANDIN_CONFLICT -107

/**
 * The named thing does not exist.
 */
#define STANDIN_NOT_FOUND -108

/**
 * A document or file is not valid.
 */
#define STANDIN_INVALID_DOCUMENT -109

/**
 * There are as many of its kind as there may be.
 */
#define STANDIN_LIMIT_REACHED -110

/**
 * The credential has not the documented shape.
 */
#define STANDIN_MALFORMED -200

/**
 * The access key id is not known.
 */
#define STANDIN_UNKNOWN_KEY -201

/**
 * The signature does not match.
 */
#define STANDIN_SIGNATURE_MISMATCH -202

/**
 * The access key is disabled.
 */
#define STANDIN_KEY_DISABLED -203

/**
 * The identity is disabled or deleted.
 */
#define STANDIN_IDENTITY_DISABLED -204

/**
 * The credential has expired.
 */
#define STANDIN_EXPIRED -205

/**
 * The request's date is too far from this server's clock.
 */
#define STANDIN_CLOCK_SKEW -206

/**
 * The signed host is none of this listener's names.
 */
#define STANDIN_WRONG_HOST -207

/**
 * The region is none of the accepted ones.
 */
#define STANDIN_WRONG_REGION -208

/**
 * Policies do not allow to connect.
 */
#define STANDIN_CONNECT_NOT_ALLOWED -209

/**
 * The same signature was seen before and repeats are refused.
 */
#define STANDIN_REPLAYED -210

/**
 * The channel is not encrypted.
 */
#define STANDIN_PLAINTEXT_CHANNEL -211

/**
 * Revoked by an administrator.
 */
#define STANDIN_REVOKED -212

/**
 * Not allowed by policy.
 */
#define STANDIN_NOT_ALLOWED -213

/**
 * The listener does not take this kind of credential.
 */
#define STANDIN_KIND_NOT_ACCEPTED -214

/**
 * Too many callers are waiting already, or a budget is used up.
 */
#define STANDIN_BUSY -300

/**
 * The security service or store did not answer.
 */
#define STANDIN_UNAVAILABLE -301

/**
 * What is known is older than the published bound.
 */
#define STANDIN_STALE -302

/**
 * No answer within the deadline.
 */
#define STANDIN_TIMED_OUT -303

/**
 * The answer belongs to a newer format than this version reads.
 */
#define STANDIN_NEWER_FORMAT -304

/**
 * This host's clock is too far from the service's.
 */
#define STANDIN_HOST_CLOCK -305

/**
 * The service does not believe this host.
 */
#define STANDIN_HOST_NOT_BELIEVED -306

/**
 * Something answered that is not the service.
 */
#define STANDIN_NOT_THE_SERVICE -307

/**
 * The service's certificate is not one to believe.
 */
#define STANDIN_CERTIFICATE -308

/**
 * A defect; see the log.
 */
#define STANDIN_INTERNAL -400

/**
 * A panic was caught at the boundary.
 */
#define STANDIN_PANIC -499

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the interface that the library has: major number in the upper
 * 16 bits, minor in the lower. A host may compare it with STANDIN_ABI, which
 * is the header's: it fits when the major number is the same and the minor one
 * is not smaller. May be called at any time, from any thread, also in a forked
 * child.
 */
uint32_t standin_abi(void);

/**
 * The version of the library, such as "0.1.0". NUL-terminated; never freed. May
 * be called at any time, from any thread, also in a forked child.
 */
const char *standin_version(void);

/**
 * A short text for a status, in English, the same for every failure of that
 * number. NUL-terminated; never freed; "unknown status" for other numbers. May
 * be called at any time, from any thread, also in a forked child.
 */
const char *standin_status_text(standin_status status);

/**
 * Opens an engine, or takes another reference to the open one of the same
 * name (`standin.engine`). Reads settings and files, opens the store, and
 * starts threads, so it may take a moment: call it while starting, after the
 * last fork.
 *
 * `options` says with which settings. `out` becomes the engine. `why` may be
 * null; else it gets a text for whoever configures the host, as far as it
 * fits, when STANDIN_INVALID_SETTING or another status below 0 comes back.
 *
 * Called twice with one name, it gives two numbers for one engine; each is
 * closed by itself. Events, log and audit are the engine's: what is taken by
 * one number does not come by the other. Engine settings that differ are
 * STANDIN_SETTINGS_DIFFER.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_INVALID_SETTING (what
 * is wrong is in `why`); STANDIN_SETTINGS_DIFFER (`why` names those that
 * differ); STANDIN_NOT_FOUND, STANDIN_INVALID_DOCUMENT or a -3xx such as
 * STANDIN_UNAVAILABLE or STANDIN_NEWER_FORMAT (the store); STANDIN_BUSY (255
 * engines are open); STANDIN_FORKED.
 */
standin_status standin_open(const struct standin_options *options,
                            standin_engine *out,
                            struct standin_buffer *why);

/**
 * Reads settings again: `count` of them in the place of what has their names,
 * and the file anew. Every profile that was made with this number is made
 * again, of the new settings and of its own. All or nothing: if something is
 * wrong, all stays as it was.
 *
 * Sessions go on. Only some settings of the engine can change while it is open
 * (docs/settings.md says which). `why` as with standin_open.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_INVALID_SETTING (`why`
 * says what is wrong, or needs a restart); STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_reload(standin_engine engine,
                              const struct standin_pair *settings,
                              size_t count,
                              struct standin_buffer *why);

/**
 * Gives an engine back. The last one of its name stops the threads, writes
 * what the audit still holds, and takes about `wait_ms` at most. Sessions of
 * it are gone then; calls that other threads are in finish, later ones answer
 * STANDIN_UNKNOWN_ID and STANDIN_DENY. The descriptor of standin_event_fd is
 * closed.
 *
 * In a forked child it returns at once and leaves everything as it is: the
 * copy of the parent's memory ends with the process.
 *
 * Returns STANDIN_OK; STANDIN_UNKNOWN_ID, also when called twice.
 */
standin_status standin_close(standin_engine engine, uint32_t wait_ms);

/**
 * Makes a profile, the settings of one listener, or changes the one of that
 * name. Sessions that are there go on; logins from now on follow the new
 * settings.
 *
 * `name` is 1 to 255 bytes of UTF-8. `settings` are `count` pairs, over those
 * that the engine was opened with. `out` becomes its number, the same each
 * time for one name. `why` as with standin_open. Nothing changes unless all is
 * right.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_INVALID_SETTING (what
 * is wrong is in `why`); STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_profile(standin_engine engine,
                               struct standin_bytes name,
                               const struct standin_pair *settings,
                               size_t count,
                               uint32_t *out,
                               struct standin_buffer *why);

/**
 * Gives an action its number, once, while starting. It stays the same while
 * the engine is open.
 *
 * `name` is `service:Action`, 3 to 255 bytes, such as "iot:Publish".
 * `resource_type` is the type of resource whose names will be asked about,
 * such as "topic"; empty when resources are asked about by their whole ARN.
 * `flags` is STANDIN_ACTION_RIDES_OUT or 0. `out` becomes the number.
 *
 * Called twice with the same name and type, it gives the same number; a flag
 * that was set once stays.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUSY when as many are
 * known as there may be (4,096); STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_action(standin_engine engine,
                              struct standin_bytes name,
                              struct standin_bytes resource_type,
                              uint32_t flags,
                              uint32_t *out);

/**
 * Authenticates a connection and makes its session. Waits for the service up
 * to `wait_ms`, or `standin.login.wait.ms` if that is less: not for threads
 * that must not wait; see standin_login_start.
 *
 * `login` is what the client sent, and over which connection; everything in
 * it is copied. `out` says what came of it, also when it failed. `reply` may
 * be null; else it gets what the client is to be sent: after success what
 * completes the exchange (nothing, for tokens and certificates), else a text
 * that is safe to show. It must have room for STANDIN_REPLY_MAX bytes, and is
 * looked at before anything is done.
 *
 * The session is the caller's until standin_session_retire or _release.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT, STANDIN_BUFFER_TOO_SMALL and
 * STANDIN_UNKNOWN_ID before anything was done (the last also for a profile
 * that there is not); STANDIN_CLOSED when the engine is being closed; a -2xx
 * when the client is refused (the number is for the host's log, not for the
 * client); a -3xx when it could not be decided and the client should try again;
 * STANDIN_FORKED.
 */
standin_status standin_login_now(standin_engine engine,
                                 const struct standin_login *login,
                                 uint32_t wait_ms,
                                 struct standin_login_result *out,
                                 struct standin_buffer *reply);

/**
 * Starts a login and returns at once: for hosts with an event loop, whose one
 * thread must never wait. As standin_login_now, except that what comes of it
 * is one STANDIN_EVENT_LOGIN_DONE, taken by standin_events, with this `tag`: a
 * number of the host's that names its connection. The event may be there
 * already when the function returns.
 *
 * A login that is not wanted any more, because its connection is closed, is not
 * called off: release the session that comes of it.
 *
 * Returns STANDIN_OK: one event follows, within `wait_ms` and a little, or
 * when the engine is closed never. Anything else, and no event follows:
 * STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID; STANDIN_BUSY when 4,096 logins
 * are under way or done and not taken; STANDIN_FORKED.
 */
standin_status standin_login_start(standin_engine engine,
                                   const struct standin_login *login,
                                   uint32_t wait_ms,
                                   uint64_t tag);

/**
 * A descriptor that is readable as long as standin_events has something, for
 * poll, epoll or the like. It is the engine's: do not read, write or close it.
 * It stays the same, and standin_close closes it.
 *
 * The first call also turns the events about sessions on
 * (STANDIN_EVENT_SESSION_ENDED and _EXPIRED): without it only logins are told.
 *
 * Returns the descriptor; -1 when the engine is not open, the process has no
 * descriptor left, or this is a forked child.
 */
int standin_event_fd(standin_engine engine);

/**
 * Takes what has happened, oldest first, at most `cap` events, each `stride`
 * bytes (`sizeof(standin_event)`) from the next. `n` becomes how many; 0 when
 * there are none. Never waits.
 *
 * Sessions deny from the moment they ended or expired, whether the event was
 * taken or not; it is there so that the host can disconnect the client. The
 * host still releases them. Ends of 65,536 sessions are kept; logins never get
 * lost.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID;
 * STANDIN_FORKED.
 */
standin_status standin_events(standin_engine engine,
                              struct standin_event *out,
                              size_t stride,
                              size_t cap,
                              size_t *n);

/**
 * The id of a login as it stands in log and audit (`standin audit --request`),
 * and in the text that its client was sent.
 *
 * `request` is the number of a result or an event. `text` gets the id.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL;
 * STANDIN_NOT_FOUND when there was no such login; STANDIN_UNKNOWN_ID;
 * STANDIN_FORKED.
 */
standin_status standin_request_id(standin_engine engine,
                                  uint64_t request,
                                  struct standin_buffer *text);

/**
 * Decides questions about what a session's client may do: from local data,
 * without a lock, a system call or a wait, as long as `standin.decide` is
 * `local`. May be called from any thread.
 *
 * `batch` may be null. `requests` are `n` structs, each `stride` bytes
 * (`sizeof(standin_request)`) from the next, at most 65,536. `out` has room
 * for `n` outcomes. It is filled with STANDIN_DENY before anything is looked
 * at; if one request is malformed, nothing is decided and all stay denied. More
 * requests than that are taken for a mistake: nothing is written then.
 *
 * STANDIN_UNDECIDED is an outcome, not a status: the call has succeeded, and
 * the client should be told to try again. A session that has ended or expired
 * gets denials.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID when the
 * session is gone; STANDIN_FORKED. Whatever it is but STANDIN_OK, everything
 * is denied.
 */
standin_status standin_authorize(standin_session session,
                                 const struct standin_batch *batch,
                                 const struct standin_request *requests,
                                 size_t stride,
                                 size_t n,
                                 standin_outcome *out);

/**
 * Decides whether a session's client may do an action on at least one resource
 * of the action's type.
 *
 * `batch` may be null. `out` is STANDIN_DENY before anything is looked at.
 *
 * Returns as standin_authorize.
 */
standin_status standin_authorize_any(standin_session session,
                                     const struct standin_batch *batch,
                                     uint32_t action,
                                     standin_outcome *out);

/**
 * Explains how a question is decided at this moment: outcome, reason, the
 * statement it comes from, principal, state of the session. One JSON object,
 * for the operator; it names policies, so it is not for clients. Nothing is
 * counted or recorded. Takes some microseconds.
 *
 * `batch` may be null. `out` gets the text.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL;
 * STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_explain(standin_session session,
                               const struct standin_batch *batch,
                               const struct standin_request *request,
                               struct standin_buffer *out);

/**
 * How a session stands.
 *
 * `out` gets state and deadline. `names` may be null; else it gets principal
 * (an ARN), session name, access key id and listener, each followed by a NUL.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL
 * (`out` is written, `names` says how much is needed); STANDIN_UNKNOWN_ID;
 * STANDIN_FORKED.
 */
standin_status standin_session_info(standin_session session,
                                    struct standin_info *out,
                                    struct standin_buffer *names);

/**
 * The connection is closed: the session serves what is still going on, for
 * `grace_ms` at most, and is gone then. Called twice, the earlier end counts.
 *
 * Returns STANDIN_OK; STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_session_retire(standin_session session, uint32_t grace_ms);

/**
 * The session is gone at once. Calls that other threads are in finish. One that
 * was brought in by standin_session_import stays, for when the same bytes come
 * again, until its deadline.
 *
 * Returns STANDIN_OK; STANDIN_UNKNOWN_ID, also when called twice;
 * STANDIN_FORKED.
 */
standin_status standin_session_release(standin_session session);

/**
 * Seals a session for another host of the same service, which brings it in
 * with standin_session_import: for requests that one server passes to another.
 * The same bytes come out until something about it changes; they hold no
 * secret and cannot be altered. About 1 KiB, at most 16 KiB.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL;
 * STANDIN_UNKNOWN_ID; STANDIN_REVOKED when it was ended; a -3xx when it cannot
 * be sealed now; STANDIN_FORKED.
 */
standin_status standin_session_export(standin_session session, struct standin_buffer *out);

/**
 * Brings in a session that another host has sealed. The same bytes give the
 * same session as long as it is there. Waits for the service up to `wait_ms`.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_UNKNOWN_ID;
 * STANDIN_CLOSED when the engine is being closed; a -2xx when it was altered,
 * has ended, or its client has no rights any more; a -3xx when it could not be
 * decided; STANDIN_FORKED.
 */
standin_status standin_session_import(standin_engine engine,
                                      struct standin_bytes sealed,
                                      uint32_t wait_ms,
                                      standin_session *out);

/**
 * Every counter and gauge of an engine; docs/operations.md explains them.
 *
 * `out` has room for `cap` structs, each `stride` bytes
 * (`sizeof(standin_metric)`) from the next. `n` becomes how many were written.
 * There are the same ones at each call, in the same order; newer versions add
 * some at the end.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL when
 * there are more than `cap`: nothing is written, and `n` becomes how many
 * there are; STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_metrics(standin_engine engine,
                               struct standin_metric *out,
                               size_t stride,
                               size_t cap,
                               size_t *n);

/**
 * Takes lines that the library has for the host, each ended by a newline:
 * whole lines, oldest first, as many as fit.
 *
 * `kind` is STANDIN_RECORDS_LOG: lines that begin with their level (`error`,
 * `warn`, `info`). The library writes no log of its own, so take them about
 * once a second; 1,024 lines are kept, then the oldest are dropped. Or
 * STANDIN_RECORDS_AUDIT: the audit as JSON, as it is written to its files; kept
 * for the host from the first call on, 16,384 records at most. `out` has `len`
 * 0 when there is nothing more.
 *
 * Returns STANDIN_OK; STANDIN_INVALID_ARGUMENT; STANDIN_BUFFER_TOO_SMALL when
 * the next line alone does not fit; STANDIN_UNKNOWN_ID; STANDIN_FORKED.
 */
standin_status standin_records(standin_engine engine, uint32_t kind, struct standin_buffer *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* STANDIN_H */
