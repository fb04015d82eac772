// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

/** A status that is not success, with the library's text for the operator. */
public final class StandinException extends Exception {
  private static final long serialVersionUID = 1L;

  private final long status;

  /** A status with its text. */
  public StandinException(long status, String text) {
    super(text + " (status " + status + ")");
    this.status = status;
  }

  /** The status number. */
  public long status() {
    return status;
  }
}
