// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;

/**
 * Loads the native library once per class loader: from the given path and nothing else, or from the
 * jar after comparing it with the checksum recorded at build time.
 */
public final class NativeLoader {
  private static final String FOLDER = "/native/linux-x86_64/";
  private static String loaded;

  private NativeLoader() {}

  /**
   * Loads the library.
   *
   * @param path value of {@code standin.native.path}, or null
   * @throws IllegalStateException saying what is wrong and what to do
   */
  public static synchronized void load(String path) {
    if (loaded != null) {
      if (path != null && !path.isEmpty() && !path.equals(loaded)) {
        throw new IllegalStateException(
            "standin.native.path="
                + path
                + ", but "
                + loaded
                + " is loaded already; one library per JVM");
      }
      return;
    }
    String source = path == null || path.isEmpty() ? extract().toString() : path;
    try {
      System.load(source);
    } catch (UnsatisfiedLinkError e) {
      throw new IllegalStateException(
          "The native library "
              + source
              + " cannot be loaded: "
              + e.getMessage()
              + ". It needs Linux on x86_64 with glibc; set standin.native.path to a library built"
              + " for this machine",
          e);
    }
    int abi = Native.abi(Native.BUILD);
    if (abi >> 16 != 1) {
      throw new IllegalStateException(
          "The native library "
              + source
              + " does not belong to these classes (version "
              + Native.BUILD
              + ")");
    }
    loaded = path == null || path.isEmpty() ? "" : path;
  }

  private static Path extract() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch");
    if (!os.equals("linux") || !(arch.equals("amd64") || arch.equals("x86_64"))) {
      throw new IllegalStateException(
          "This jar carries a library for Linux on x86_64, this is "
              + os
              + " on "
              + arch
              + "; set standin.native.path");
    }
    try {
      byte[] library = resource("libstandin.so");
      String expected =
          new String(resource("libstandin.so.sha256"), StandardCharsets.US_ASCII).split("\\s")[0];
      verify(library, expected);
      Path folder =
          Files.createTempDirectory(
              "standin-",
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      Path file = folder.resolve("libstandin-" + Native.BUILD + ".so");
      Files.write(file, library);
      file.toFile().deleteOnExit();
      folder.toFile().deleteOnExit();
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "The native library cannot be unpacked into "
              + System.getProperty("java.io.tmpdir")
              + "; set standin.native.path to an unpacked one",
          e);
    }
  }

  /** Compares a library with its recorded checksum. */
  static void verify(byte[] library, String expected) {
    try {
      String found = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(library));
      if (!found.equals(expected)) {
        throw new IllegalStateException(
            "The native library in the jar has checksum "
                + found
                + ", recorded is "
                + expected
                + "; the jar is damaged or was altered");
      }
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = NativeLoader.class.getResourceAsStream(FOLDER + name)) {
      if (in == null) {
        throw new IllegalStateException(
            "The jar carries no " + FOLDER + name + "; set standin.native.path");
      }
      return in.readAllBytes();
    }
  }
}
