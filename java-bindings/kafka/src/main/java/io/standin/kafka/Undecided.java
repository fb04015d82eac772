// SPDX-License-Identifier: Apache-2.0
package io.standin.kafka;

import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.CoordinatorLoadInProgressException;
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

  /** What all of them are, for whoever sees one pass by. */
  interface Told {}

  private static final class NotLeader extends NotLeaderOrFollowerException implements Told {
    private static final long serialVersionUID = 1L;

    NotLeader() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class NoCoordinator extends CoordinatorNotAvailableException
      implements Told {
    private static final long serialVersionUID = 1L;

    NoCoordinator() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class Loading extends CoordinatorLoadInProgressException implements Told {
    private static final long serialVersionUID = 1L;

    Loading() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class NoLeader extends LeaderNotAvailableException implements Told {
    private static final long serialVersionUID = 1L;

    NoLeader() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  private static final class Timeout extends TimeoutException implements Told {
    private static final long serialVersionUID = 1L;

    Timeout() {
      super(TEXT);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }

  /**
   * The exception for requests that are forwarded to the controller. Not the one of a controller
   * that is not active: the broker would hold up everybody's requests and repeat this one first.
   */
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
      case PRODUCE,
          FETCH,
          LIST_OFFSETS,
          OFFSET_FOR_LEADER_EPOCH,
          DELETE_RECORDS,
          DESCRIBE_PRODUCERS,
          WRITE_TXN_MARKERS ->
          new NotLeader();
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
          DESCRIBE_TRANSACTIONS,
          DESCRIBE_SHARE_GROUP_OFFSETS,
          ALTER_SHARE_GROUP_OFFSETS,
          DELETE_SHARE_GROUP_OFFSETS,
          DESCRIBE_GROUPS,
          CONSUMER_GROUP_DESCRIBE,
          SHARE_GROUP_DESCRIBE,
          STREAMS_GROUP_DESCRIBE,
          DELETE_GROUPS,
          LIST_GROUPS ->
          new NoCoordinator();
      // Of a coordinator that is not available an administrator's client concludes that the broker
      // goes away, and gives up.
      case LIST_TRANSACTIONS -> new Loading();
      // A producer without transactional id would look a coordinator up with a null key.
      case INIT_PRODUCER_ID -> onCluster ? new Timeout() : new NoCoordinator();
      case METADATA, DESCRIBE_TOPIC_PARTITIONS -> new NoLeader();
      default -> new Timeout();
    };
  }
}
