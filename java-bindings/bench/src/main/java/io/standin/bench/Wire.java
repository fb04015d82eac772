// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Supplier;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.message.SaslAuthenticateResponseData;
import org.apache.kafka.common.message.SaslHandshakeRequestData;
import org.apache.kafka.common.message.SaslHandshakeResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.ApiVersionsRequest;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.SaslAuthenticateRequest;
import org.apache.kafka.common.requests.SaslHandshakeRequest;

/**
 * One connection to a broker, as cheap as can be: a login here costs the client next to nothing.
 */
final class Wire implements AutoCloseable {
  /** How to reach a broker: its port on this machine, and how to encrypt, or null. */
  record Door(int port, SSLSocketFactory tls) {}

  /** A client's side of an authentication. */
  interface Conversation {
    /** The first message. */
    byte[] begin();

    /** The message after this answer, or null when there is none. */
    byte[] next(byte[] answer);

    /** A conversation of one message. */
    static Conversation of(byte[] message) {
      return new Conversation() {
        @Override
        public byte[] begin() {
          return message;
        }

        @Override
        public byte[] next(byte[] answer) {
          return null;
        }
      };
    }
  }

  private static final int TRIES = 20;
  private static final short HANDSHAKE = 1;
  private static final short AUTHENTICATE = 1;
  private static final short METADATA = 12;
  static final byte[] VERSIONS =
      bytes(ApiKeys.API_VERSIONS, (short) 3, new ApiVersionsRequest.Builder().build((short) 3));

  private final Socket socket;
  private final DataInputStream in;
  private final OutputStream out;

  /** Connects. */
  Wire(Door door) throws IOException {
    Socket plain = new Socket();
    plain.setTcpNoDelay(true);
    plain.connect(new InetSocketAddress("localhost", door.port()), 10_000);
    plain.setSoTimeout(30_000);
    if (door.tls() == null) {
      socket = plain;
    } else {
      SSLSocket encrypted =
          (SSLSocket) door.tls().createSocket(plain, "localhost", door.port(), true);
      encrypted.startHandshake();
      // Clients are many processes: none takes up another's encryption.
      encrypted.getSession().invalidate();
      socket = encrypted;
    }
    in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 65536));
    out = socket.getOutputStream();
  }

  private static byte[] bytes(ApiKeys key, short version, AbstractRequest request) {
    ByteBuffer body = request.serializeWithHeader(new RequestHeader(key, version, "bench", 1));
    ByteBuffer framed = ByteBuffer.allocate(4 + body.remaining());
    framed.putInt(body.remaining()).put(body);
    return framed.array();
  }

  /** Sends a request; the answer behind its correlation id. */
  private ByteBuffer ask(byte[] request) throws IOException {
    out.write(request);
    out.flush();
    byte[] answer = new byte[in.readInt()];
    in.readFully(answer);
    ByteBuffer buffer = ByteBuffer.wrap(answer);
    buffer.getInt();
    return buffer;
  }

  /** Connects and logs in; tries again when the broker could not decide, as clients do. */
  static Wire patient(Door door, String mechanism, Supplier<Conversation> conversations)
      throws IOException {
    for (int tries = 1; ; tries++) {
      Wire wire = new Wire(door);
      try {
        wire.login(mechanism, conversations.get());
        return wire;
      } catch (EOFException e) {
        wire.close();
        if (tries == TRIES) {
          throw e;
        }
      }
    }
  }

  /** The whole way in: versions, mechanism, messages. */
  void login(String mechanism, Conversation conversation) throws IOException {
    ask(VERSIONS);
    ByteBuffer shaken = ask(handshake(mechanism));
    short error =
        new SaslHandshakeResponseData(new ByteBufferAccessor(shaken), HANDSHAKE).errorCode();
    if (error != 0) {
      throw new IOException(mechanism + " is not offered: error " + error);
    }
    byte[] message = conversation.begin();
    while (message != null) {
      ByteBuffer buffer = ask(authenticate(message));
      SaslAuthenticateResponseData answer =
          new SaslAuthenticateResponseData(new ByteBufferAccessor(buffer), AUTHENTICATE);
      if (answer.errorCode() != 0) {
        throw new IOException(mechanism + " was refused: " + answer.errorMessage());
      }
      message = conversation.next(answer.authBytes());
    }
  }

  /** A request for this mechanism. */
  static byte[] handshake(String mechanism) {
    SaslHandshakeRequestData hand = new SaslHandshakeRequestData().setMechanism(mechanism);
    return bytes(ApiKeys.SASL_HANDSHAKE, HANDSHAKE, new SaslHandshakeRequest(hand, HANDSHAKE));
  }

  /** A message of the mechanism. */
  static byte[] authenticate(byte[] message) {
    SaslAuthenticateRequestData data = new SaslAuthenticateRequestData().setAuthBytes(message);
    return bytes(
        ApiKeys.SASL_AUTHENTICATE, AUTHENTICATE, new SaslAuthenticateRequest(data, AUTHENTICATE));
  }

  /** A request for the metadata of these topics. */
  static byte[] metadata(List<String> topics) {
    return bytes(
        ApiKeys.METADATA, METADATA, new MetadataRequest.Builder(topics, false).build(METADATA));
  }

  /** Asks for metadata; how many topics came without an error. */
  int metadata(byte[] request) throws IOException {
    ByteBuffer answer = ask(request);
    // The header's tagged fields, of which there are none.
    answer.get();
    return (int)
        new MetadataResponseData(new ByteBufferAccessor(answer), METADATA)
            .topics().stream().filter(topic -> topic.errorCode() == 0).count();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
