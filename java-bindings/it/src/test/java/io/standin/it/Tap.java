// SPDX-License-Identifier: Apache-2.0
package io.standin.it;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A way to a listener on which every byte is kept, as somebody on the network would see it. */
final class Tap implements AutoCloseable {
  /** A request as it crossed the network. */
  record Frame(int api, byte[] bytes) {}

  /** What crossed on one connection. */
  static final class Line {
    private final ByteArrayOutputStream up = new ByteArrayOutputStream();
    private final ByteArrayOutputStream down = new ByteArrayOutputStream();

    /** From the client. */
    byte[] up() {
      return up.toByteArray();
    }

    /** From the broker. */
    byte[] down() {
      return down.toByteArray();
    }

    /** The client's whole requests. */
    List<Frame> frames() {
      List<Frame> frames = new ArrayList<>();
      ByteBuffer bytes = ByteBuffer.wrap(up());
      while (bytes.remaining() >= 4) {
        int length = bytes.getInt();
        if (length > bytes.remaining()) {
          break;
        }
        byte[] frame = new byte[length];
        bytes.get(frame);
        frames.add(new Frame(ByteBuffer.wrap(frame).getShort(), frame));
      }
      return frames;
    }
  }

  private final ServerSocket server;
  private final List<Line> lines = new CopyOnWriteArrayList<>();
  private volatile int target;

  private Tap(ServerSocket server) {
    this.server = server;
  }

  /** Listens on a port of its own; nothing passes before {@link #to}. */
  static Tap open() {
    try {
      Tap tap = new Tap(new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1")));
      start(tap::accept);
      return tap;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Passes on to this address from now on. */
  Tap to(String address) {
    target = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    return this;
  }

  int port() {
    return server.getLocalPort();
  }

  String address() {
    return "localhost:" + port();
  }

  /** Every connection so far. */
  List<Line> lines() {
    return lines;
  }

  private static void start(Runnable what) {
    Thread thread = new Thread(what, "tap");
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() {
    try {
      while (true) {
        Socket client = server.accept();
        Line line = new Line();
        lines.add(line);
        Socket broker = new Socket("127.0.0.1", target);
        start(() -> pass(client, broker, line.up));
        start(() -> pass(broker, client, line.down));
      }
    } catch (IOException e) {
      // Closed.
    }
  }

  private static void pass(Socket from, Socket to, ByteArrayOutputStream kept) {
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      byte[] some = new byte[8192];
      for (int n = in.read(some); n > 0; n = in.read(some)) {
        kept.write(some, 0, n);
        out.write(some, 0, n);
      }
    } catch (IOException e) {
      // The other direction has ended.
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
