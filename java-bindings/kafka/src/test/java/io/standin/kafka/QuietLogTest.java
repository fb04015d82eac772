// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.CompletionException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.Filter.Result;
import org.apache.logging.log4j.core.LoggerContext;
import org.junit.jupiter.api.Test;

/** What of Kafka's lines about requests that could not be decided is left. */
class QuietLogTest {
  private final LoggerContext context = (LoggerContext) LogManager.getContext(false);

  private Result judged(Throwable thrown) {
    return context
        .getConfiguration()
        .getFilter()
        .filter(null, Level.ERROR, null, (Object) "Unexpected error", thrown);
  }

  @Test
  void x_06_of_many_lines_about_undecided_requests_one_is_left_and_all_others_stay() {
    QuietLog.install();
    QuietLog.install();
    Throwable told = Undecided.exception(ApiKeys.FETCH.id, false);
    assertEquals(Result.NEUTRAL, judged(told), "the first one");
    for (ApiKeys key : ApiKeys.values()) {
      assertEquals(Result.DENY, judged(Undecided.exception(key.id, false)), key.name);
    }
    assertEquals(Result.DENY, judged(new CompletionException(told)));
    assertEquals(Result.NEUTRAL, judged(new TimeoutException("Kafka's own")));
    assertEquals(Result.NEUTRAL, judged(new IllegalStateException("a bug")));
    assertEquals(Result.NEUTRAL, judged(null));
    // A configuration that is read anew while the broker runs is as quiet.
    context.reconfigure();
    assertEquals(Result.DENY, judged(told));
  }
}
