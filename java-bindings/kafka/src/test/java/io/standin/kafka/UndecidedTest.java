// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.junit.jupiter.api.Test;

/** What clients are told that asked something which could not be decided. */
class UndecidedTest {
  /** Errors on which the clients of each request retry; those missing get REQUEST_TIMED_OUT. */
  private static final Map<ApiKeys, Errors> TABLE = new EnumMap<>(ApiKeys.class);

  private static void table(Errors error, ApiKeys... keys) {
    for (ApiKeys key : keys) {
      TABLE.put(key, error);
    }
  }

  static {
    table(
        Errors.NOT_LEADER_OR_FOLLOWER,
        ApiKeys.PRODUCE,
        ApiKeys.FETCH,
        ApiKeys.LIST_OFFSETS,
        ApiKeys.OFFSET_FOR_LEADER_EPOCH,
        ApiKeys.DELETE_RECORDS,
        ApiKeys.DESCRIBE_PRODUCERS,
        ApiKeys.WRITE_TXN_MARKERS);
    table(
        Errors.COORDINATOR_NOT_AVAILABLE,
        ApiKeys.JOIN_GROUP,
        ApiKeys.SYNC_GROUP,
        ApiKeys.HEARTBEAT,
        ApiKeys.LEAVE_GROUP,
        ApiKeys.CONSUMER_GROUP_HEARTBEAT,
        ApiKeys.SHARE_GROUP_HEARTBEAT,
        ApiKeys.STREAMS_GROUP_HEARTBEAT,
        ApiKeys.OFFSET_COMMIT,
        ApiKeys.OFFSET_FETCH,
        ApiKeys.OFFSET_DELETE,
        ApiKeys.TXN_OFFSET_COMMIT,
        ApiKeys.FIND_COORDINATOR,
        ApiKeys.INIT_PRODUCER_ID,
        ApiKeys.ADD_PARTITIONS_TO_TXN,
        ApiKeys.ADD_OFFSETS_TO_TXN,
        ApiKeys.END_TXN,
        ApiKeys.DESCRIBE_TRANSACTIONS,
        ApiKeys.DESCRIBE_SHARE_GROUP_OFFSETS,
        ApiKeys.ALTER_SHARE_GROUP_OFFSETS,
        ApiKeys.DELETE_SHARE_GROUP_OFFSETS,
        ApiKeys.DESCRIBE_GROUPS,
        ApiKeys.CONSUMER_GROUP_DESCRIBE,
        ApiKeys.SHARE_GROUP_DESCRIBE,
        ApiKeys.STREAMS_GROUP_DESCRIBE,
        ApiKeys.DELETE_GROUPS,
        ApiKeys.LIST_GROUPS);
    table(Errors.COORDINATOR_LOAD_IN_PROGRESS, ApiKeys.LIST_TRANSACTIONS);
    table(Errors.LEADER_NOT_AVAILABLE, ApiKeys.METADATA, ApiKeys.DESCRIBE_TOPIC_PARTITIONS);
  }

  @Test
  void p1_43_every_request_type_has_an_error_that_its_clients_retry() {
    for (ApiKeys key : ApiKeys.values()) {
      ApiException told = Undecided.exception(key.id, false);
      Errors expected = TABLE.getOrDefault(key, Errors.REQUEST_TIMED_OUT);
      assertEquals(expected, Errors.forException(told), key.name);
      assertInstanceOf(RetriableException.class, told, key.name);
      assertEquals(0, told.getStackTrace().length, key.name + ": no stack trace for each attempt");
      assertNotNull(told.getMessage());
      assertFalse(told.getMessage().isEmpty());
    }
  }

  @Test
  void p1_43_an_idempotent_producer_is_not_sent_to_look_for_a_coordinator() {
    ApiException told = Undecided.exception(ApiKeys.INIT_PRODUCER_ID.id, true);
    assertEquals(Errors.REQUEST_TIMED_OUT, Errors.forException(told));
    // Of other types what was asked about makes no difference.
    told = Undecided.exception(ApiKeys.FIND_COORDINATOR.id, true);
    assertEquals(Errors.COORDINATOR_NOT_AVAILABLE, Errors.forException(told));
  }

  @Test
  void p1_43_what_clients_repeat_at_once_is_answered_after_a_pause() {
    for (ApiKeys key : ApiKeys.values()) {
      boolean atOnce =
          Set.of(ApiKeys.FETCH, ApiKeys.SHARE_FETCH, ApiKeys.METADATA, ApiKeys.FIND_COORDINATOR)
              .contains(key);
      assertEquals(atOnce, Pause.isFor(key.id), key.name);
    }
  }

  @Test
  void p1_43_a_request_type_this_version_does_not_know_times_out() {
    for (int type : new int[] {-1, 5000, Integer.MAX_VALUE}) {
      assertEquals(Errors.REQUEST_TIMED_OUT, Errors.forException(Undecided.exception(type, false)));
    }
  }
}
