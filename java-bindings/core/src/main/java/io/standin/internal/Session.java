// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A native session. Dropped natively when this object is no longer reachable: requests in flight
 * keep it through their principal.
 */
public final class Session {
  private static final Cleaner CLEANER = Cleaner.create();

  /** No room for the words of a refusal, which nobody is told here. */
  private static final byte[] UNREAD = {};

  /** What may be done with the connection, by the library's numbers. */
  private static final int AT_ONCE = 0;

  private static final int SHUT = 1;
  private static final int SLOW = 2;

  private final long id;
  private final String principal;
  private final long deadline;
  private final HandedOut handedOut = new HandedOut();

  /** What the library has said to the channel; null before it was told. */
  private volatile Integer bound;

  /** The broker's id of the connection, once a request on it was seen here. */
  private volatile byte[] connection;

  /** The connection may be answering late. */
  private volatile boolean slowed;

  /** The address of the connection; null where it is not known here. */
  private volatile InetAddress address;

  /** Takes a session over that the library has just given out. */
  public Session(long id, String principal, long deadline) {
    this.id = id;
    this.principal = principal;
    this.deadline = deadline;
    // The action holds only the id: holding the session would keep it forever.
    CLEANER.register(this, () -> Native.release(id));
  }

  /** Its number, while this object is reachable. */
  long id() {
    return id;
  }

  /** ARN of the identity. */
  public String principal() {
    return principal;
  }

  /** When it ends, milliseconds since the epoch. */
  public long deadline() {
    return deadline;
  }

  /**
   * Tells the library the channel, once. What it does not accept, or cannot decide about, ends the
   * session natively.
   *
   * @param from the address that is among the facts
   * @return 0, or the status of what came in between
   */
  public int bind(byte[] facts, InetAddress from) {
    try {
      if (bound == null) {
        synchronized (this) {
          if (bound == null) {
            address = from;
            bound = Native.bind(id, facts, UNREAD);
          }
        }
      }
      return bound;
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Decides records in a direct buffer that no other thread uses meanwhile; see the natives. The
   * library cannot see whether it may write there. What is above 0 is for {@link #denied}.
   */
  public int authorize(ByteBuffer buffer, int bytes, int count, int waitMs) {
    if (buffer.isReadOnly()) {
      return Status.INVALID_ARGUMENT;
    }
    try {
      return Native.authorize(id, buffer, bytes, count, waitMs);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * What the library has said about this and not taken back, counted as so many references: 1
   * allowed, 0 denied, -1 when it has to be asked.
   *
   * @param recorded whether a denial has to be in the records, and not only in the counts
   * @param from the address the request comes from
   */
  public int repeats(int action, String name, int references, boolean recorded, InetAddress from) {
    return handedOut.repeat(action, name, references, recorded, isOwn(from));
  }

  private boolean isOwn(InetAddress from) {
    InetAddress own = address;
    return own != null && (own == from || own.equals(from));
  }

  /** The library has decided this: it may be repeated from when the library hands it out. */
  public void decided(
      int action, String name, boolean allowed, boolean recorded, InetAddress from) {
    handedOut.decided(id, action, name, allowed, recorded, isOwn(from));
    Reference.reachabilityFence(this);
  }

  /** True when the library has said that this is allowed on some resource of the action's type. */
  public boolean repeatsAny(int action, InetAddress from) {
    return handedOut.repeatAny(action, isOwn(from));
  }

  /** As {@link #decided}, allowed, for some resource of the action's type. */
  public void anyAllowed(int action, InetAddress from) {
    handedOut.anyAllowed(id, action, isOwn(from));
    Reference.reachabilityFence(this);
  }

  /**
   * Decides whether the action is allowed on some resource of its type. The outcome; what is more
   * than 15 is 16 times what is for {@link #denied}.
   */
  public int authorizeAny(int action, byte[] facts, int waitMs) {
    try {
      return Native.authorizeAny(id, action, facts, waitMs);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** True before {@link #cameBy}. */
  public boolean isUnseen() {
    return connection == null;
  }

  /**
   * Tells the connection that the session's own requests come by.
   *
   * @param id the broker's id of it
   */
  public void cameBy(String id) {
    connection = Fields.text(id);
  }

  /**
   * Does with the connection, after a denial, what the library asked for. Without a known
   * connection nothing is done: the next request asks again.
   */
  public void denied(int what) {
    byte[] own = connection;
    if (own == null) {
      return;
    }
    if (what == SLOW) {
      slowed = true;
    }
    Native.connection(id, what, own);
    Reference.reachabilityFence(this);
  }

  /** After a denial that the library was not asked about: shuts the connection if it is to be. */
  public void denied() {
    denied(SHUT);
  }

  /** True when the connection may be answering late. */
  public boolean isSlowed() {
    return slowed;
  }

  /** Something was allowed: the connection answers at once again, if it does not already. */
  public void allowed() {
    if (slowed) {
      quicken();
    }
  }

  private void quicken() {
    slowed = false;
    Native.connection(id, AT_ONCE, null);
    Reference.reachabilityFence(this);
  }

  /**
   * The session sealed for another host.
   *
   * @throws StandinException refused when it has ended; else it cannot be sealed now
   */
  public byte[] export() throws StandinException {
    try {
      byte[] out = new byte[4096];
      int status = Native.exportSession(id, out);
      if (status == Status.BUFFER_TOO_SMALL) {
        out = new byte[Fields.needed(out) + 4];
        status = Native.exportSession(id, out);
      }
      if (status != 0) {
        throw new StandinException(status, "The session was not sealed");
      }
      return Fields.content(out);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Brings a sealed session in.
   *
   * @throws StandinException refused when it was altered or has ended; else undecided
   */
  public static Session importFrom(long engine, byte[] sealed, int waitMs) throws StandinException {
    long id = Native.importSession(engine, sealed, waitMs);
    if (id <= 0) {
      throw new StandinException(id, "The forwarded session was not taken in");
    }
    byte[] out = new byte[8192];
    if (Native.info(id, out) != 0) {
      throw new StandinException(Status.UNKNOWN_ID, "The forwarded session is gone");
    }
    List<byte[]> fields = Fields.split(Fields.content(out));
    return new Session(id, Fields.text(fields.get(0)), Fields.number(fields.get(3)));
  }

  /** The connection is closed; requests in flight are served a while longer. */
  public void retire(int graceMs) {
    Native.retire(id, graceMs);
    Reference.reachabilityFence(this);
  }
}
