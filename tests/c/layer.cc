// SPDX-License-Identifier: Apache-2.0
// The C++ layer: what it opens is closed, what it logs in is released. Built
// with and without exceptions.
#include "layout.h"

#include <standin.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <type_traits>

static int passed, failed;

static void check(bool right, const char *what, int line) {
  (right ? passed : failed)++;
  if (!right) std::fprintf(stderr, "layer.cc:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static_assert(!std::is_copy_constructible_v<standin::Engine> && !std::is_copy_assignable_v<standin::Engine>);
static_assert(!std::is_copy_constructible_v<standin::Session> && !std::is_copy_assignable_v<standin::Session>);
static_assert(std::is_nothrow_move_constructible_v<standin::Engine> &&
              std::is_nothrow_move_assignable_v<standin::Session>);

int main() {
  std::ifstream logins(std::getenv("STANDIN_TEST_LOGINS"));
  std::string line, why;
  std::getline(logins, line);

  standin::Engine none;
  CHECK(!none && none.close() == STANDIN_OK && none.metrics().empty() && none.event_fd() == -1);
  CHECK(standin::Session().decide(1, "x") == STANDIN_DENY);
  CHECK(standin::Engine::open({{"standin.sotre", "x"}}, none, &why) == STANDIN_INVALID_SETTING);
  CHECK(why.find("standin.store") != std::string::npos && !none);

  standin::Engine opened;
  CHECK(standin::Engine::open({{"standin.engine", "layer"}}, opened, &why) == STANDIN_OK);
  standin::Engine engine = std::move(opened);
  CHECK(engine && !opened);

  standin::Login login;
  CHECK(engine.profile("main", {}, login.profile, &why) == STANDIN_OK);
  CHECK(engine.profile("main", {{"standin.session.max.ms", "1"}}, login.profile, &why) == STANDIN_INVALID_SETTING);
  CHECK(why.find("standin.session.max.ms") != std::string::npos);
  CHECK(engine.profile("main", {}, login.profile, &why) == STANDIN_OK);
  const auto read = engine.action("shop:Read");
  login.action = engine.action("shop:Connect");
  CHECK(read != 0 && engine.action("nonsense") == 0);
  login.resource = "arn:aws:shop:::server";
  login.payload = line;
  login.listener = "main";
  standin::Session session;
  std::string reply;
  std::int64_t deadline = 0;
  CHECK(engine.login(login, 5000, session, &reply, &deadline) == STANDIN_OK);
  CHECK(session && deadline > 0 && reply.find("request-id") != std::string::npos);
  CHECK(session.allows(read, "arn:aws:shop:::item/blue1") && !session.allows(read, "arn:aws:shop:::item/red1"));
  CHECK(session.decide_any(read) == STANDIN_ALLOW);

  std::string json;
  CHECK(session.explain(read, "arn:aws:shop:::item/red1", json) == STANDIN_OK);
  CHECK(json.find("\"outcome\":\"denied\"") != std::string::npos);
  standin_info info{};
  std::array<std::string, 4> names;
  CHECK(session.info(info, &names) == STANDIN_OK && info.state == STANDIN_SESSION_LIVE);
  CHECK(names[0].find(":user/") != std::string::npos && names[2].rfind("AKIA", 0) == 0 && names[3] == "main");

  const standin_session id = session.id();
  standin::Session moved = std::move(session);
  CHECK(!session && moved.id() == id && moved.allows(read, "arn:aws:shop:::item/blue1"));
  CHECK(session.decide(read, "arn:aws:shop:::item/blue1") == STANDIN_DENY);
  std::string sealed;
  CHECK(moved.seal(sealed) == STANDIN_OK && sealed.size() > 100);
  standin::Session imported;
  CHECK(engine.import(sealed, 1000, imported) == STANDIN_OK && imported.allows(read, "arn:aws:shop:::item/blue1"));
  moved = standin::Session();
  standin_outcome outcome = STANDIN_ALLOW;
  CHECK(standin_authorize_any(id, nullptr, read, &outcome) == STANDIN_UNKNOWN_ID && outcome == STANDIN_DENY);

  login.payload = "{}";
  CHECK(engine.login(login, 10, session, &reply) == STANDIN_MALFORMED && !session);
  CHECK(reply.find("Access denied") != std::string::npos);
  CHECK(engine.metrics().size() > 20);
  CHECK(engine.records(STANDIN_RECORDS_LOG).find("info engine \"layer\"") != std::string::npos);
  CHECK(engine.close() == STANDIN_OK && !engine);
  CHECK(imported.decide(read, "arn:aws:shop:::item/blue1") == STANDIN_DENY);
  std::printf("layer: %d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
