// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * All clients of a broker connect again at the same moment, as after its restart: each logs in,
 * asks for metadata, and stays until the last one has its answer. One thread is all of them, and
 * signs once: they cost next to nothing beside the broker.
 */
final class Crowd {
  private static final String STANDIN = "AWS_MSK_IAM, Standin";
  private static final String NOTHING = "AWS_MSK_IAM, nothing done";
  private static final String PART = "crowd";
  private static final Results.Table TIME =
      new Results.Table(PART, "until every client is served", "ms", NOTHING);
  private static final Results.Table WORK =
      new Results.Table(PART, "processor time of the broker for each client", "µs", NOTHING);
  private static final Results.Table REFUSED =
      new Results.Table(PART, "clients that were refused", "", NOTHING);
  private static final Results.Table AGAIN =
      new Results.Table(PART, "connections that were closed and made again", "", NOTHING);

  /** The broker tells its errors at the same place of all answers before the last. */
  private static final int HEAD = 10;

  private static final int ERROR_AT = 8;
  private static final long PATIENCE_MS = 300_000;

  private final Effort effort;
  private final Results results;
  private final Broker broker;
  private final int clients;

  private Crowd(Effort effort, Results results, Broker broker) {
    this.effort = effort;
    this.results = results;
    this.broker = broker;
    clients = effort.pick(2000, 10_000, 10_000);
  }

  static void run(Effort effort, Path program, Path folder, Results results) throws Exception {
    Broker broker = new Broker(folder);
    AccessKey key =
        new Administration(program, broker.standin().resolve("store.db"))
            .user("crowd", Rules.own(broker.cluster(), 5).documents());
    new Crowd(effort, results, broker).run(key);
  }

  private void run(AccessKey key) throws Exception {
    String[] listeners = {"OPENNOTHING", "OPEN"};
    String[] names = {NOTHING, STANDIN};
    // Nobody has logged in since the broker started: the service has to be asked.
    double[] first = flood("OPEN", key);
    int rounds = effort.pick(2, 5, 9);
    double[][][] samples = new double[4][names.length][rounds];
    for (int round = -1; round < rounds; round++) {
      for (int turn = 0; turn < names.length; turn++) {
        int i = Math.floorMod(round + turn, names.length);
        double[] figures = flood(listeners[i], key);
        for (int t = 0; round >= 0 && t < figures.length; t++) {
          samples[t][i][round] = figures[t];
        }
      }
    }
    String row = String.format(Locale.ROOT, "%,d clients at once", clients);
    Results.Table[] tables = {TIME, WORK, REFUSED, AGAIN};
    for (int t = 0; t < tables.length; t++) {
      results.add(tables[t], row + ", the first since the start", STANDIN, new double[] {first[t]});
      for (int i = 0; i < names.length; i++) {
        results.add(tables[t], row, names[i], samples[t][i]);
      }
    }
    System.err.println("crowd: done");
  }

  /** Milliseconds, microseconds of the broker's work for each, refusals, connections made again. */
  private double[] flood(String listener, AccessKey key) throws Exception {
    Map<String, Long> before = broker.work();
    Flood flood = new Flood(broker.port(listener), clients, key.login("localhost"));
    long took = flood.run();
    long spent = broker.since(before);
    flood.close();
    // What the broker does after the good-byes belongs to nobody's login.
    Thread.sleep(1000);
    return new double[] {took / 1e6, spent / 1e3 / clients, flood.refused, flood.again};
  }

  /** What all clients send, one after the other's answer. */
  private static ByteBuffer[] requests(byte[] message) {
    return new ByteBuffer[] {
      ByteBuffer.wrap(Wire.VERSIONS),
      ByteBuffer.wrap(Wire.handshake("AWS_MSK_IAM")),
      ByteBuffer.wrap(Wire.authenticate(message)),
      ByteBuffer.wrap(Wire.metadata(List.of("nothing")))
    };
  }

  /** One coming of all clients. */
  private static final class Flood {
    private final InetSocketAddress to;
    private final Selector selector = Selector.open();
    private final ByteBuffer[] requests;
    private final ByteBuffer room = ByteBuffer.allocateDirect(64 * 1024);
    private final int many;
    private int served;
    private int refused;
    private int again;

    Flood(int port, int many, byte[] message) throws IOException {
      to = new InetSocketAddress("localhost", port);
      requests = requests(message);
      this.many = many;
    }

    /** Nanoseconds until the last one has its answer. */
    long run() throws IOException {
      long begin = System.nanoTime();
      for (int i = 0; i < many; i++) {
        new Client();
      }
      while (served + refused < many) {
        if (System.nanoTime() - begin > PATIENCE_MS * 1_000_000) {
          throw new IOException("only " + served + " of " + many + " clients were served");
        }
        selector.select(1000);
        for (SelectionKey ready : selector.selectedKeys()) {
          Client client = (Client) ready.attachment();
          try {
            client.go(ready);
          } catch (IOException e) {
            // As clients do: an end without an answer is no refusal.
            again++;
            ready.channel().close();
            new Client();
          }
        }
        selector.selectedKeys().clear();
      }
      return System.nanoTime() - begin;
    }

    void close() throws IOException {
      for (SelectionKey key : selector.keys()) {
        key.channel().close();
      }
      selector.close();
    }

    /** One client's connection. */
    private final class Client {
      private final SocketChannel channel = SocketChannel.open();
      private final ByteBuffer head = ByteBuffer.allocate(HEAD);
      private int step;
      private int left = -1;

      Client() throws IOException {
        channel.configureBlocking(false);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        // Thousands of ports are not to be kept for what may come late.
        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
        channel.register(selector, SelectionKey.OP_CONNECT, this);
        channel.connect(to);
      }

      void go(SelectionKey key) throws IOException {
        if (key.isConnectable()) {
          channel.finishConnect();
          key.interestOps(SelectionKey.OP_READ);
          send();
        } else if (key.isReadable()) {
          read();
        }
      }

      /** A request is far smaller than the socket's room. */
      private void send() throws IOException {
        ByteBuffer request = requests[step].duplicate();
        if (channel.write(request) < request.limit()) {
          throw new IOException("a request was sent in part");
        }
      }

      private void read() throws IOException {
        room.clear();
        if (channel.read(room) < 0) {
          throw new EOFException();
        }
        room.flip();
        while (room.hasRemaining() && step < requests.length) {
          while (head.hasRemaining() && room.hasRemaining()) {
            head.put(room.get());
          }
          if (head.hasRemaining()) {
            return;
          }
          if (left < 0) {
            left = head.getInt(0) + Integer.BYTES - HEAD;
          }
          int taken = Math.min(left, room.remaining());
          room.position(room.position() + taken);
          left -= taken;
          if (left == 0) {
            answered();
          }
        }
      }

      private void answered() throws IOException {
        step++;
        if (step < requests.length && head.getShort(ERROR_AT) != 0) {
          refused++;
          step = requests.length;
        } else if (step == requests.length) {
          served++;
        } else {
          head.clear();
          left = -1;
          send();
        }
      }
    }
  }
}
