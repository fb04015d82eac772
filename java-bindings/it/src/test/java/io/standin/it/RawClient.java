// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.message.SaslHandshakeRequestData;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.SaslAuthenticateRequest;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.apache.kafka.common.requests.SaslHandshakeRequest;
import org.apache.kafka.common.requests.SaslHandshakeResponse;

/**
 * One connection that sends exactly what a test says, in the classes of Kafka's own client. An
 * {@link Closed} tells that the broker closed it.
 */
final class RawClient implements AutoCloseable {
  /** The broker closed the connection. */
  static final class Closed extends IOException {
    private static final long serialVersionUID = 1L;

    Closed(Throwable cause) {
      super("the broker closed the connection", cause);
    }
  }

  static final String MECHANISM = "AWS_MSK_IAM";

  private static final Map<Path, SSLSocketFactory> TRUST = new ConcurrentHashMap<>();
  private static final int TIME_OUT_MS = 30_000;

  private final Socket socket;
  private final DataInputStream in;
  private final DataOutputStream out;
  private final ArrayDeque<RequestHeader> waiting = new ArrayDeque<>();
  private String clientId = "raw";
  private int correlation;

  private RawClient(Socket socket) throws IOException {
    this.socket = socket;
    socket.setSoTimeout(TIME_OUT_MS);
    socket.setTcpNoDelay(true);
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
  }

  /** Connects over TLS to a listener. */
  static RawClient connect(Broker broker, String listener) throws IOException {
    return connect(broker, listener, null);
  }

  /** Connects over TLS from a local address. */
  static RawClient connect(Broker broker, String listener, InetAddress from) throws IOException {
    Socket plain = open(broker.address(listener), from);
    InetSocketAddress to = (InetSocketAddress) plain.getRemoteSocketAddress();
    SSLSocket secure =
        (SSLSocket) trust(broker.ca()).createSocket(plain, to.getHostString(), to.getPort(), true);
    SSLParameters parameters = secure.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    secure.setSSLParameters(parameters);
    return new RawClient(secure);
  }

  /** Connects without TLS. */
  static RawClient plain(String address) throws IOException {
    return new RawClient(open(address, null));
  }

  /** Connects to the ordinary listener and logs in. */
  static RawClient loggedIn(Broker broker, Keys keys) throws IOException {
    return loggedIn(broker, "CLIENT", keys);
  }

  /** Connects and logs in; tries again, as clients do, when the broker could not decide. */
  static RawClient loggedIn(Broker broker, String listener, Keys keys) throws IOException {
    long end = System.nanoTime() + TIME_OUT_MS * 1_000_000L;
    while (true) {
      RawClient client = connect(broker, listener);
      try {
        client.logIn(keys);
        return client;
      } catch (Closed e) {
        client.close();
        if (System.nanoTime() > end) {
          throw e;
        }
      }
    }
  }

  private static Socket open(String address, InetAddress from) throws IOException {
    int colon = address.lastIndexOf(':');
    Socket socket = new Socket();
    if (from != null) {
      socket.bind(new InetSocketAddress(from, 0));
    }
    int port = Integer.parseInt(address.substring(colon + 1));
    // By name, for the certificate, and by IPv4, where the listener is.
    InetAddress host =
        InetAddress.getByAddress(address.substring(0, colon), new byte[] {127, 0, 0, 1});
    socket.connect(new InetSocketAddress(host, port), TIME_OUT_MS);
    return socket;
  }

  static SSLSocketFactory trust(Path ca) {
    return TRUST.computeIfAbsent(
        ca,
        path -> {
          try (InputStream file = Files.newInputStream(path)) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            store.setCertificateEntry(
                "ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
            TrustManagerFactory managers =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            managers.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, managers.getTrustManagers(), null);
            return context.getSocketFactory();
          } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  /** The client id that its requests carry from now on. */
  RawClient clientId(String id) {
    clientId = id;
    return this;
  }

  int localPort() {
    return socket.getLocalPort();
  }

  /** Sends a request without waiting for its answer. */
  void send(AbstractRequest request) throws IOException {
    RequestHeader header =
        new RequestHeader(request.apiKey(), request.version(), clientId, correlation++);
    waiting.add(header);
    sendFrame(request.serializeWithHeader(header));
  }

  /** Sends bytes as one frame. */
  void sendFrame(ByteBuffer frame) throws IOException {
    try {
      out.writeInt(frame.remaining());
      out.write(frame.array(), frame.arrayOffset() + frame.position(), frame.remaining());
      out.flush();
    } catch (SocketException | SSLException e) {
      throw new Closed(e);
    }
  }

  /** The answer to the oldest request that has none. */
  AbstractResponse receive() throws IOException {
    RequestHeader header = waiting.remove();
    return AbstractResponse.parseResponse(ByteBuffer.wrap(receiveFrame()), header);
  }

  /** The bytes of the next frame. */
  byte[] receiveFrame() throws IOException {
    try {
      byte[] frame = new byte[in.readInt()];
      in.readFully(frame);
      return frame;
    } catch (EOFException | SocketException | SSLException e) {
      throw new Closed(e);
    }
  }

  /** Sends a request and waits for its answer, which is of the class asked for. */
  <R extends AbstractResponse> R call(AbstractRequest request, Class<R> answer) throws IOException {
    send(request);
    return answer.cast(receive());
  }

  /** Asks for a mechanism. */
  SaslHandshakeResponse handshake(String mechanism) throws IOException {
    sendHandshake(mechanism);
    return (SaslHandshakeResponse) receive();
  }

  /** Asks for a mechanism without waiting for the answer. */
  void sendHandshake(String mechanism) throws IOException {
    SaslHandshakeRequestData data = new SaslHandshakeRequestData().setMechanism(mechanism);
    send(new SaslHandshakeRequest(data, (short) 1));
  }

  /** Sends the client's message of the mechanism asked for. */
  SaslAuthenticateResponse authenticate(byte[] message) throws IOException {
    return call(authentication(message), SaslAuthenticateResponse.class);
  }

  static SaslAuthenticateRequest authentication(byte[] message) {
    return new SaslAuthenticateRequest(
        new SaslAuthenticateRequestData().setAuthBytes(message), (short) 2);
  }

  /** Handshake and message; the broker's answer to the message. */
  SaslAuthenticateResponse tryLogIn(byte[] message) throws IOException {
    handshake(MECHANISM);
    return authenticate(message);
  }

  /** Logs in, or logs in again on a connection that lives. */
  SaslAuthenticateResponse logIn(Keys keys) throws IOException {
    SaslAuthenticateResponse answer = tryLogIn(Signed.by(keys).message());
    if (answer.error().code() != 0) {
      throw new IOException("login of " + keys + ": " + answer.errorMessage());
    }
    return answer;
  }

  /** True when the broker has closed the connection, or does so while this waits. */
  boolean isClosed() throws IOException {
    try {
      receiveFrame();
      return false;
    } catch (Closed e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
