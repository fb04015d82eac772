// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.CoordinatorNotAvailableException;
import org.apache.kafka.common.errors.LeaderNotAvailableException;
import org.apache.kafka.common.errors.NotLeaderOrFollowerException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.ApiKeys;

/**
 * What a client is told when an operation could not be decided: an error of its request type that
 * clients retry by themselves. The wrong one kills Java clients, so each request type has its own.
 * Without stack traces: there may be thousands a second.
 */
final class Undecided {
  private static final String TEXT = "The operation could not be decided; try again";

  private Undecided() {}

  private static final class NotLeader extends NotLeaderOrFollowerException {
    private static final long serialVersionUID = 1L;

    NotLeader() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class NoCoordinator extends CoordinatorNotAvailableException {
    private static final long serialVersionUID = 1L;

    NoCoordinator() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class NoLeader extends LeaderNotAvailableException {
    private static final long serialVersionUID = 1L;

    NoLeader() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class Timeout extends TimeoutException {
    private static final long serialVersionUID = 1L;

    Timeout() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  /** The exception for requests that are forwarded to the controller. */
  static ApiException exception() {
    return new Timeout();
  }

  /**
   * The exception for a request type.
   *
   * @param requestType the request's API key
   * @param onCluster true when the question was about the cluster, or about any resource of a type
   */
  static ApiException exception(int requestType, boolean onCluster) {
    if (!ApiKeys.hasId(requestType)) {
      return new Timeout();
    }
    return switch (ApiKeys.forId(requestType)) {
      case PRODUCE, FETCH, LIST_OFFSETS, OFFSET_FOR_LEADER_EPOCH, DELETE_RECORDS -> new NotLeader();
      case JOIN_GROUP,
          SYNC_GROUP,
          HEARTBEAT,
          LEAVE_GROUP,
          CONSUMER_GROUP_HEARTBEAT,
          SHARE_GROUP_HEARTBEAT,
          STREAMS_GROUP_HEARTBEAT,
          OFFSET_COMMIT,
          OFFSET_FETCH,
          OFFSET_DELETE,
          TXN_OFFSET_COMMIT,
          FIND_COORDINATOR,
          ADD_PARTITIONS_TO_TXN,
          ADD_OFFSETS_TO_TXN,
          END_TXN,
          DESCRIBE_GROUPS,
          CONSUMER_GROUP_DESCRIBE,
          SHARE_GROUP_DESCRIBE,
          STREAMS_GROUP_DESCRIBE,
          DELETE_GROUPS,
          LIST_GROUPS ->
          new NoCoordinator();
      // A producer without transactional id would look a coordinator up with a null key.
      case INIT_PRODUCER_ID -> onCluster ? new Timeout() : new NoCoordinator();
      case METADATA, DESCRIBE_TOPIC_PARTITIONS -> new NoLeader();
      default -> new Timeout();
    };
  }
}
