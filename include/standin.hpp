// SPDX-License-Identifier: Apache-2.0
//
// standin.hpp - the C++17 layer over standin.h, in a header alone. What is
// opened is closed, what is logged in is released: both move, neither copies.
//
// Nothing in here throws or needs exceptions. What can fail returns a status,
// and what it makes comes out of a reference; a default Engine or Session is
// none, and denies. What functions do, and what they return, stands in
// standin.h.
//
//   standin::Engine engine;
//   std::string why;
//   if (standin::Engine::open({{"standin.store", path}}, engine, &why)) ...
//   standin::Session session;
//   standin::Login login;
//   login.profile = profile;
//   login.payload = message;
//   if (engine.login(login, 1000, session) == STANDIN_OK &&
//       session.allows(read, "arn:aws:shop:::item/blue")) ...
#ifndef STANDIN_HPP
#define STANDIN_HPP

#include "standin.h"

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace standin {

// Bytes of a text, for the time of a call.
inline standin_bytes bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

using Pair = std::pair<std::string_view, std::string_view>;
using Pairs = std::vector<Pair>;

namespace detail {

inline std::vector<standin_pair> pairs(const Pairs &from) {
  std::vector<standin_pair> to;
  to.reserve(from.size());
  for (const auto &[key, value] : from) to.push_back({bytes(key), bytes(value)});
  return to;
}

// Room on the stack for a text that is cut off if it is longer.
class Text {
public:
  standin_buffer *to() noexcept { return &buffer_; }
  void into(std::string *text) const {
    if (text != nullptr) text->assign(reinterpret_cast<const char *>(room_.data()), buffer_.len);
  }

private:
  std::array<std::uint8_t, 1024> room_{};
  standin_buffer buffer_{room_.data(), room_.size(), 0};
};

// A text of any length: asks again with as much room as is needed.
template <typename Call> standin_status text(std::string &out, Call call) {
  out.resize(out.size() < 512 ? 512 : out.size());
  for (;;) {
    standin_buffer buffer{reinterpret_cast<std::uint8_t *>(out.data()), out.size(), 0};
    const standin_status status = call(&buffer);
    if (status != STANDIN_BUFFER_TOO_SMALL || buffer.len <= out.size()) {
      out.resize(status == STANDIN_OK ? buffer.len : 0);
      return status;
    }
    out.resize(buffer.len);
  }
}

} // namespace detail

// What a client sent while connecting, and over which connection.
struct Login {
  std::uint32_t profile = 0;
  std::uint32_t evidence = STANDIN_EVIDENCE_MSK_IAM;
  bool secure = true;
  std::string_view payload;
  std::string_view peer_address; // 4 or 16 bytes, or empty
  std::uint16_t peer_port = 0;
  std::uint32_t action = STANDIN_NO_ACTION;
  std::string_view resource;
  std::string_view listener;
  std::string_view protocol;
  std::string_view connection;
  Pairs facts;
};

// A session; released at the end of its life.
class Session {
public:
  Session() noexcept = default;
  // Takes over a session, such as one from an event.
  explicit Session(standin_session id) noexcept : id_(id) {}
  Session(Session &&other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Session &operator=(Session &&other) noexcept {
    if (this != &other) {
      release();
      id_ = std::exchange(other.id_, 0);
    }
    return *this;
  }
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;
  ~Session() { release(); }

  standin_session id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ != 0; }

  // Hands the session over to the caller, who releases it.
  standin_session leave() noexcept { return std::exchange(id_, 0); }

  void release() noexcept {
    if (id_ != 0) standin_session_release(std::exchange(id_, 0));
  }

  // The connection is closed: what is going on may take so long.
  standin_status retire(std::uint32_t grace_ms) noexcept {
    return standin_session_retire(std::exchange(id_, 0), grace_ms);
  }

  // One question. Whatever goes wrong is STANDIN_DENY.
  standin_outcome decide(std::uint32_t action, std::string_view resource, std::uint32_t flags = STANDIN_LOG_DENY,
                         const standin_batch *batch = nullptr) const noexcept {
    const standin_request request{action, flags, bytes(resource), 1, 0};
    standin_outcome outcome = STANDIN_DENY;
    standin_authorize(id_, batch, &request, sizeof request, 1, &outcome);
    return outcome;
  }

  bool allows(std::uint32_t action, std::string_view resource) const noexcept {
    return decide(action, resource) == STANDIN_ALLOW;
  }

  // Many questions; `outcomes` has as many places.
  standin_status decide(const standin_request *requests, std::size_t n, standin_outcome *outcomes,
                        const standin_batch *batch = nullptr) const noexcept {
    return standin_authorize(id_, batch, requests, sizeof *requests, n, outcomes);
  }

  standin_outcome decide_any(std::uint32_t action, const standin_batch *batch = nullptr) const noexcept {
    standin_outcome outcome = STANDIN_DENY;
    standin_authorize_any(id_, batch, action, &outcome);
    return outcome;
  }

  standin_status explain(std::uint32_t action, std::string_view resource, std::string &json) const {
    const standin_request request{action, 0, bytes(resource), 1, 0};
    return detail::text(json, [&](standin_buffer *b) { return standin_explain(id_, nullptr, &request, b); });
  }

  // State and deadline; `names` gets principal, session name, access key id
  // and listener.
  standin_status info(standin_info &out, std::array<std::string, 4> *names = nullptr) const {
    out.size = sizeof out;
    std::string text;
    const standin_status status =
        detail::text(text, [&](standin_buffer *b) { return standin_session_info(id_, &out, b); });
    for (std::size_t n = 0, at = 0; status == STANDIN_OK && names != nullptr && n < 4; n++) {
      const std::size_t end = text.find('\0', at);
      if (end == std::string::npos) break;
      (*names)[n] = text.substr(at, end - at);
      at = end + 1;
    }
    return status;
  }

  standin_status seal(std::string &sealed) const {
    return detail::text(sealed, [&](standin_buffer *b) { return standin_session_export(id_, b); });
  }

private:
  standin_session id_ = 0;
};

// A reference to an engine; closed at the end of its life, which waits five
// seconds at most.
class Engine {
public:
  Engine() noexcept = default;
  Engine(Engine &&other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Engine &operator=(Engine &&other) noexcept {
    if (this != &other) {
      close();
      id_ = std::exchange(other.id_, 0);
    }
    return *this;
  }
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;
  ~Engine() { close(); }

  static standin_status open(const Pairs &settings, Engine &out, std::string *why = nullptr,
                             std::string_view config_file = {}) {
    const auto given = detail::pairs(settings);
    const standin_options options{sizeof options, 0, given.data(), given.size(), bytes(config_file)};
    detail::Text text;
    standin_engine id = 0;
    const standin_status status = standin_open(&options, &id, text.to());
    if (status != STANDIN_OK) {
      text.into(why);
    } else {
      out.close();
      out.id_ = id;
    }
    return status;
  }

  standin_engine id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ != 0; }

  standin_status close(std::uint32_t wait_ms = 5000) noexcept {
    return id_ == 0 ? STANDIN_OK : standin_close(std::exchange(id_, 0), wait_ms);
  }

  standin_status reload(const Pairs &settings, std::string *why = nullptr) {
    const auto given = detail::pairs(settings);
    detail::Text text;
    const standin_status status = standin_reload(id_, given.data(), given.size(), text.to());
    if (status != STANDIN_OK) text.into(why);
    return status;
  }

  standin_status profile(std::string_view name, const Pairs &settings, std::uint32_t &out, std::string *why = nullptr) {
    const auto given = detail::pairs(settings);
    detail::Text text;
    const standin_status status = standin_profile(id_, bytes(name), given.data(), given.size(), &out, text.to());
    if (status != STANDIN_OK) text.into(why);
    return status;
  }

  // 0, which is always denied, when it cannot be made.
  std::uint32_t action(std::string_view name, std::string_view resource_type = {}, std::uint32_t flags = 0) noexcept {
    std::uint32_t out = 0;
    standin_action(id_, bytes(name), bytes(resource_type), flags, &out);
    return out;
  }

  // Waits. `reply` is what the client is to be sent.
  standin_status login(const Login &login, std::uint32_t wait_ms, Session &out, std::string *reply = nullptr,
                       std::int64_t *deadline_unix_ms = nullptr) {
    std::vector<standin_pair> facts;
    const standin_login raw = to_c(login, facts);
    standin_login_result result{};
    result.size = sizeof result;
    detail::Text text;
    const standin_status status = standin_login_now(id_, &raw, wait_ms, &result, text.to());
    out = Session(result.session);
    text.into(reply);
    if (deadline_unix_ms != nullptr) *deadline_unix_ms = result.deadline_unix_ms;
    return status;
  }

  // Never waits; one STANDIN_EVENT_LOGIN_DONE with this tag follows.
  standin_status login_start(const Login &login, std::uint32_t wait_ms, std::uint64_t tag) {
    std::vector<standin_pair> facts;
    const standin_login raw = to_c(login, facts);
    return standin_login_start(id_, &raw, wait_ms, tag);
  }

  int event_fd() const noexcept { return standin_event_fd(id_); }

  // How many events were taken.
  std::size_t events(standin_event *out, std::size_t cap) const noexcept {
    std::size_t n = 0;
    standin_events(id_, out, sizeof *out, cap, &n);
    return n;
  }

  standin_status request_id(std::uint64_t request, std::string &text) const {
    return detail::text(text, [&](standin_buffer *b) { return standin_request_id(id_, request, b); });
  }

  standin_status import(std::string_view sealed, std::uint32_t wait_ms, Session &out) {
    standin_session id = 0;
    const standin_status status = standin_session_import(id_, bytes(sealed), wait_ms, &id);
    out = Session(id);
    return status;
  }

  std::vector<standin_metric> metrics() const {
    std::vector<standin_metric> all(64);
    std::size_t n = 0;
    while (standin_metrics(id_, all.data(), sizeof all[0], all.size(), &n) == STANDIN_BUFFER_TOO_SMALL) all.resize(n);
    all.resize(n);
    return all;
  }

  // Whole lines, none when there are no more.
  std::string records(std::uint32_t kind) const {
    std::string lines;
    detail::text(lines, [&](standin_buffer *b) { return standin_records(id_, kind, b); });
    return lines;
  }

private:
  static standin_login to_c(const Login &from, std::vector<standin_pair> &facts) {
    facts = detail::pairs(from.facts);
    standin_login to{};
    to.size = sizeof to;
    to.profile = from.profile;
    to.evidence = from.evidence;
    to.flags = from.secure ? STANDIN_CHANNEL_SECURE : 0;
    to.payload = bytes(from.payload);
    to.peer_address = bytes(from.peer_address);
    to.peer_port = from.peer_port;
    to.action = from.action;
    to.resource = bytes(from.resource);
    to.listener = bytes(from.listener);
    to.protocol = bytes(from.protocol);
    to.connection = bytes(from.connection);
    to.facts = facts.data();
    to.fact_count = facts.size();
    return to;
  }

  standin_engine id_ = 0;
};

} // namespace standin

#endif
