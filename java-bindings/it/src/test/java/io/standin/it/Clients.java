// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.SaslConfigs;
import org.apache.kafka.common.config.SslConfigs;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own clients, made secure by the unmodified library of AWS. */
final class Clients {
  private Clients() {}

  /** Settings of a client of a listener that takes its keys from their profile. */
  static Map<String, Object> config(Broker broker, String listener, Keys keys) {
    return config(broker, listener, keys.profile());
  }

  /** As above, for a profile that may not exist. */
  static Map<String, Object> config(Broker broker, String listener, String profile) {
    Map<String, Object> config = secure(broker, listener);
    config.put(SaslConfigs.SASL_MECHANISM, "AWS_MSK_IAM");
    config.put(
        SaslConfigs.SASL_JAAS_CONFIG,
        "software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName=\"" + profile + "\";");
    config.put(
        SaslConfigs.SASL_CLIENT_CALLBACK_HANDLER_CLASS,
        "software.amazon.msk.auth.iam.IAMClientCallbackHandler");
    return config;
  }

  /** Settings of a client that logs in by the bearer token of AWS's library. */
  static Map<String, Object> bearer(Broker broker, String listener, Keys keys) {
    Map<String, Object> config = secure(broker, listener);
    String handler = "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler";
    config.put(SaslConfigs.SASL_MECHANISM, "OAUTHBEARER");
    config.put(
        SaslConfigs.SASL_JAAS_CONFIG,
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
            + " awsProfileName=\""
            + keys.profile()
            + "\";");
    config.put(SaslConfigs.SASL_LOGIN_CALLBACK_HANDLER_CLASS, handler);
    config.put(SaslConfigs.SASL_CLIENT_CALLBACK_HANDLER_CLASS, handler);
    return config;
  }

  /** Settings of a client that logs in by a token of Kafka's own, which says who it is. */
  static Map<String, Object> unsecured(Broker broker, String listener, String name) {
    Map<String, Object> config = secure(broker, listener);
    config.put(SaslConfigs.SASL_MECHANISM, "OAUTHBEARER");
    config.put(
        SaslConfigs.SASL_JAAS_CONFIG,
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
            + " unsecuredLoginStringClaim_sub=\""
            + name
            + "\";");
    return config;
  }

  /** Settings of a client that logs in by SCRAM. */
  static Map<String, Object> scram(Broker broker, String listener, String user, String password) {
    Map<String, Object> config = secure(broker, listener);
    config.put(SaslConfigs.SASL_MECHANISM, "SCRAM-SHA-256");
    config.put(
        SaslConfigs.SASL_JAAS_CONFIG,
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\""
            + user
            + "\" password=\""
            + password
            + "\";");
    return config;
  }

  private static Map<String, Object> secure(Broker broker, String listener) {
    Map<String, Object> config = common(broker.address(listener));
    boolean plain =
        broker.property("listener.security.protocol.map").contains(listener + ":SASL_P");
    config.put(CommonClientConfigs.SECURITY_PROTOCOL_CONFIG, plain ? "SASL_PLAINTEXT" : "SASL_SSL");
    config.put(SslConfigs.SSL_TRUSTSTORE_TYPE_CONFIG, "PEM");
    config.put(SslConfigs.SSL_TRUSTSTORE_LOCATION_CONFIG, broker.ca().toString());
    return config;
  }

  /** Settings of a client of the listener on which nobody logs in. */
  static Map<String, Object> internal(Broker broker) {
    return common(broker.internal());
  }

  private static Map<String, Object> common(String bootstrap) {
    Map<String, Object> config = new HashMap<>();
    config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    config.put(CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, 20_000);
    config.put(CommonClientConfigs.DEFAULT_API_TIMEOUT_MS_CONFIG, 30_000);
    return config;
  }

  static Admin admin(Broker broker, Keys keys) {
    return Admin.create(config(broker, "CLIENT", keys));
  }

  /** Kafka's own super user. */
  static Admin superUser(Broker broker) {
    return Admin.create(internal(broker));
  }

  static KafkaProducer<byte[], byte[]> producer(Broker broker, Keys keys) {
    return producer(config(broker, "CLIENT", keys));
  }

  static KafkaProducer<byte[], byte[]> producer(Map<String, Object> config) {
    config.putIfAbsent(ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000);
    config.putIfAbsent(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 40_000);
    config.putIfAbsent(ProducerConfig.LINGER_MS_CONFIG, 0);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  static KafkaConsumer<byte[], byte[]> consumer(Broker broker, Keys keys, String group) {
    Map<String, Object> config = config(broker, "CLIENT", keys);
    config.put(ConsumerConfig.GROUP_ID_CONFIG, group);
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }
}
