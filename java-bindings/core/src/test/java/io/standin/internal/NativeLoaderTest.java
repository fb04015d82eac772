// SPDX-License-Identifier: Apache-2.0
package io.standin.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What is loaded is what was built, or nothing. Each test has the classes anew, in a class loader
 * of its own, because a class loader loads the library once.
 */
class NativeLoaderTest {
  private static final String LIBRARY = "native/linux-x86_64/libstandin.so";
  private static final String CHECKSUM = LIBRARY + ".sha256";

  @TempDir Path dir;

  /** Defines the package's classes itself; some resources are others than in the jar. */
  private static final class Fresh extends ClassLoader {
    private final Map<String, byte[]> replaced = new HashMap<>();

    Fresh() {
      super(NativeLoaderTest.class.getClassLoader());
    }

    static byte[] original(String name) throws IOException {
      try (InputStream in = NativeLoaderTest.class.getClassLoader().getResourceAsStream(name)) {
        assertNotNull(in, name);
        return in.readAllBytes();
      }
    }

    Fresh replace(String name, byte[] bytes) {
      replaced.put(name, bytes);
      return this;
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith("io.standin.internal.")) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> known = findLoadedClass(name);
        if (known != null) {
          return known;
        }
        String file = name.replace('.', '/') + ".class";
        try {
          byte[] bytes = replaced.containsKey(file) ? replaced.get(file) : original(file);
          return defineClass(name, bytes, 0, bytes.length);
        } catch (IOException e) {
          throw new ClassNotFoundException(name, e);
        }
      }
    }

    @Override
    public InputStream getResourceAsStream(String name) {
      byte[] bytes = replaced.get(name);
      return bytes == null ? super.getResourceAsStream(name) : new ByteArrayInputStream(bytes);
    }

    /** Runs the loader; the message of its refusal, or null. */
    String load(String path) throws ReflectiveOperationException {
      Class<?> loader = loadClass("io.standin.internal.NativeLoader");
      try {
        loader.getMethod("load", String.class).invoke(null, path);
        return null;
      } catch (InvocationTargetException e) {
        assertEquals(IllegalStateException.class, e.getCause().getClass(), e.getCause().toString());
        return e.getCause().getMessage();
      }
    }

    /** True when the natives can be called. */
    boolean works() throws ReflectiveOperationException {
      Class<?> engine = loadClass("io.standin.internal.Engine");
      try {
        return !((java.util.List<?>) engine.getMethod("metricNames").invoke(null)).isEmpty();
      } catch (InvocationTargetException e) {
        assertEquals(UnsatisfiedLinkError.class, e.getCause().getClass());
        return false;
      }
    }
  }

  @Test
  void the_library_of_the_jar_is_loaded_and_works() throws Exception {
    Fresh fresh = new Fresh();
    assertFalse(fresh.works());
    assertEquals(null, fresh.load(null));
    assertTrue(fresh.works());
  }

  @Test
  void p1_43_an_altered_library_is_refused() throws Exception {
    byte[] library = Fresh.original(LIBRARY);
    library[library.length / 2] ^= 1;
    Fresh fresh = new Fresh().replace(LIBRARY, library);
    String refusal = fresh.load(null);
    assertTrue(refusal.contains("checksum") && refusal.contains("altered"), refusal);
    assertFalse(fresh.works());
  }

  @Test
  void p1_43_an_altered_checksum_is_refused() throws Exception {
    byte[] checksum = "0".repeat(64).getBytes(StandardCharsets.US_ASCII);
    Fresh fresh = new Fresh().replace(CHECKSUM, checksum);
    String refusal = fresh.load("");
    assertTrue(refusal.contains("recorded is " + "0".repeat(64)), refusal);
    assertFalse(fresh.works());
  }

  @Test
  void a_path_that_is_given_is_the_only_one_tried() throws Exception {
    Path path = dir.resolve("libstandin.so");
    Fresh missing = new Fresh();
    String refusal = missing.load(path.toString());
    assertTrue(refusal.contains(path.toString()), refusal);
    assertTrue(refusal.contains("standin.native.path"), refusal);
    assertFalse(missing.works(), "nothing else was loaded instead");
    byte[] foreign = Fresh.original(LIBRARY);
    // The machine in the ELF header: AArch64.
    foreign[18] = (byte) 0xb7;
    Files.write(path, foreign);
    Fresh other = new Fresh();
    assertTrue(other.load(path.toString()).contains(path.toString()));
    assertFalse(other.works(), "nothing else was loaded instead");
    Files.write(path, Fresh.original(LIBRARY));
    Fresh good = new Fresh();
    assertEquals(null, good.load(path.toString()));
    assertTrue(good.works());
    String second = good.load(dir.resolve("another.so").toString());
    assertTrue(second.contains("one library per JVM") && second.contains("another.so"), second);
  }

  @Test
  void a_library_of_another_version_is_refused() throws Exception {
    String file = "io/standin/internal/NativeLoader.class";
    // The constant is compiled into the class; another of the same length takes its place.
    byte[] classFile = Fresh.original(file);
    String text = new String(classFile, StandardCharsets.ISO_8859_1);
    assertTrue(text.contains(Native.BUILD));
    byte[] other = text.replace(Native.BUILD, "9.9.9").getBytes(StandardCharsets.ISO_8859_1);
    Fresh fresh = new Fresh().replace(file, other);
    String refusal = fresh.load(null);
    assertTrue(refusal.contains("does not belong to these classes"), refusal);
    assertTrue(refusal.contains("9.9.9"), refusal);
  }

  @Test
  void the_version_of_the_classes_is_that_of_the_project() {
    assertEquals(System.getProperty("standin.version"), Native.BUILD);
  }

  @Test
  void a_checksum_is_compared_as_a_whole() {
    byte[] library = {1, 2, 3};
    String right = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81";
    NativeLoader.verify(library, right);
    assertThrows(
        IllegalStateException.class, () -> NativeLoader.verify(library, right.substring(1)));
    assertThrows(IllegalStateException.class, () -> NativeLoader.verify(library, ""));
  }
}
