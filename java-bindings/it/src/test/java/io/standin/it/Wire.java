// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.CreateTopicsRequestData;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopic;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopicCollection;
import org.apache.kafka.common.message.DeleteTopicsRequestData;
import org.apache.kafka.common.message.DeleteTopicsRequestData.DeleteTopicState;
import org.apache.kafka.common.message.FindCoordinatorRequestData;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ListOffsetsRequestData.ListOffsetsPartition;
import org.apache.kafka.common.message.ListOffsetsRequestData.ListOffsetsTopic;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceRequestData.PartitionProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceDataCollection;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.CreateTopicsRequest;
import org.apache.kafka.common.requests.CreateTopicsResponse;
import org.apache.kafka.common.requests.DeleteTopicsRequest;
import org.apache.kafka.common.requests.DeleteTopicsResponse;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.FetchResponse;
import org.apache.kafka.common.requests.FindCoordinatorRequest;
import org.apache.kafka.common.requests.FindCoordinatorResponse;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;
import org.apache.kafka.common.requests.ListOffsetsRequest;
import org.apache.kafka.common.requests.ListOffsetsResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;

/** Single requests, and the error each was answered with. */
final class Wire {
  private static final byte[] VALUE = "value".getBytes(StandardCharsets.UTF_8);

  private Wire() {}

  /** Produces one record; needs WriteData. */
  static Errors produce(RawClient client, String topic) throws IOException {
    return error(client.call(produceRequest(topic), ProduceResponse.class));
  }

  /** A request to produce one record. */
  static ProduceRequest produceRequest(String topic) {
    PartitionProduceData partition =
        new PartitionProduceData()
            .setRecords(MemoryRecords.withRecords(Compression.NONE, new SimpleRecord(VALUE)));
    TopicProduceData data =
        new TopicProduceData().setName(topic).setPartitionData(List.of(partition));
    TopicProduceDataCollection topics = new TopicProduceDataCollection(List.of(data).iterator());
    ProduceRequestData request =
        new ProduceRequestData()
            .setAcks((short) 1)
            .setTimeoutMs(10_000)
            .setTransactionalId(null)
            .setTopicData(topics);
    return new ProduceRequest(request, (short) 12);
  }

  static Errors error(ProduceResponse answer) {
    return Errors.forCode(
        answer.data().responses().iterator().next().partitionResponses().get(0).errorCode());
  }

  /** Fetches from the beginning, without waiting; needs ReadData. */
  static Errors fetch(RawClient client, String topic) throws IOException {
    TopicPartition partition = new TopicPartition(topic, 0);
    FetchRequest.PartitionData from =
        new FetchRequest.PartitionData(Uuid.ZERO_UUID, 0, 0, 1024, Optional.empty());
    FetchRequest request =
        FetchRequest.Builder.forConsumer((short) 12, 0, 0, Map.of(partition, from))
            .build((short) 12);
    FetchResponse answer = client.call(request, FetchResponse.class);
    if (answer.error() != Errors.NONE) {
      return answer.error();
    }
    return Errors.forCode(answer.data().responses().get(0).partitions().get(0).errorCode());
  }

  /** Asks for the end of a topic; needs DescribeTopic. */
  static Errors offsets(RawClient client, String topic) throws IOException {
    ListOffsetsPartition partition =
        new ListOffsetsPartition().setPartitionIndex(0).setTimestamp(-1).setCurrentLeaderEpoch(-1);
    ListOffsetsTopic asked =
        new ListOffsetsTopic().setName(topic).setPartitions(List.of(partition));
    ListOffsetsRequest request =
        ListOffsetsRequest.Builder.forConsumer(false, IsolationLevel.READ_UNCOMMITTED)
            .setTargetTimes(List.of(asked))
            .build((short) 7);
    ListOffsetsResponse answer = client.call(request, ListOffsetsResponse.class);
    return Errors.forCode(answer.topics().get(0).partitions().get(0).errorCode());
  }

  /** Asks about a topic; needs DescribeTopic. */
  static Errors describe(RawClient client, String topic) throws IOException {
    MetadataRequest request =
        new MetadataRequest.Builder(List.of(topic), false, (short) 12).build((short) 12);
    MetadataResponse answer = client.call(request, MetadataResponse.class);
    return Errors.forCode(answer.data().topics().iterator().next().errorCode());
  }

  /** Asks for the coordinator of a group; needs DescribeGroup. */
  static Errors group(RawClient client, String group) throws IOException {
    return coordinator(client, (byte) 0, group);
  }

  /** Asks for the coordinator of a transactional id; needs DescribeTransactionalId. */
  static Errors transaction(RawClient client, String id) throws IOException {
    return coordinator(client, (byte) 1, id);
  }

  private static Errors coordinator(RawClient client, byte type, String key) throws IOException {
    FindCoordinatorRequestData data =
        new FindCoordinatorRequestData().setKeyType(type).setCoordinatorKeys(List.of(key));
    FindCoordinatorResponse answer =
        client.call(
            new FindCoordinatorRequest.Builder(data).build((short) 4),
            FindCoordinatorResponse.class);
    return Errors.forCode(answer.data().coordinators().get(0).errorCode());
  }

  /** Asks for a producer id; needs AlterTransactionalId, or WriteDataIdempotently without an id. */
  static Errors producerId(RawClient client, String transactionalId) throws IOException {
    InitProducerIdRequestData data =
        new InitProducerIdRequestData()
            .setTransactionalId(transactionalId)
            .setTransactionTimeoutMs(10_000);
    return client
        .call(
            new InitProducerIdRequest.Builder(data).build((short) 4), InitProducerIdResponse.class)
        .error();
  }

  /** Makes a topic; needs CreateTopic. Decided by the controller. */
  static Errors create(RawClient client, String topic) throws IOException {
    CreatableTopic asked =
        new CreatableTopic().setName(topic).setNumPartitions(1).setReplicationFactor((short) 1);
    CreateTopicsRequestData data =
        new CreateTopicsRequestData()
            .setTimeoutMs(20_000)
            .setTopics(new CreatableTopicCollection(List.of(asked).iterator()));
    CreateTopicsResponse answer =
        client.call(
            new CreateTopicsRequest.Builder(data).build((short) 7), CreateTopicsResponse.class);
    return Errors.forCode(answer.data().topics().iterator().next().errorCode());
  }

  /** Deletes a topic by its id; needs DescribeTopic and DeleteTopic. Decided by the controller. */
  static Errors delete(RawClient client, Uuid topic) throws IOException {
    DeleteTopicsRequestData data =
        new DeleteTopicsRequestData()
            .setTimeoutMs(20_000)
            .setTopics(List.of(new DeleteTopicState().setName(null).setTopicId(topic)));
    DeleteTopicsResponse answer =
        client.call(
            new DeleteTopicsRequest.Builder(data).build((short) 6), DeleteTopicsResponse.class);
    return Errors.forCode(answer.data().responses().iterator().next().errorCode());
  }
}
