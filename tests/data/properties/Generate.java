// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;

/**
 * Writes cases.txt: files of properties and what Java reads from them. A line holds the bytes of
 * the file, then keys and values in the order of keys, each in UTF-16 as hexadecimal digits; or
 * {@code error}.
 *
 * <pre>java tests/data/properties/Generate.java >tests/data/properties/cases.txt</pre>
 */
final class Generate {
  private static final String[] PARTS = {
    "a", "b", "key", "=", ":", " ", "\t", "\f", "#", "!", "\\", "\\", "\n", "\r", "\r\n", "\\u0041",
    "\\u00e9", "\\ud83d\\ude00", "\\u12", "\\t", "\\n", "\\=", "\\:", "\\ ", "\\\n", "\\\r\n", "\u00e9", "v"
  };

  private static String hex(String text) {
    StringBuilder out = new StringBuilder();
    text.chars().forEach(c -> out.append(HexFormat.of().toHexDigits((char) c)));
    return out.isEmpty() ? "-" : out.toString();
  }

  public static void main(String[] arguments) throws Exception {
    Random random = new Random(20261125);
    for (int n = 0; n < 3000; n++) {
      StringBuilder text = new StringBuilder();
      int parts = random.nextInt(14);
      for (int i = 0; i < parts; i++) {
        text.append(PARTS[random.nextInt(PARTS.length)]);
      }
      byte[] bytes = text.toString().getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
      List<String> fields = new ArrayList<>();
      fields.add(bytes.length == 0 ? "-" : HexFormat.of().formatHex(bytes));
      try {
        Properties read = new Properties();
        read.load(new ByteArrayInputStream(bytes));
        new TreeMap<>(read).forEach((k, v) -> {
          fields.add(hex((String) k));
          fields.add(hex((String) v));
        });
      } catch (IllegalArgumentException e) {
        fields.add("error");
      }
      System.out.println(String.join(" ", fields));
    }
  }
}
