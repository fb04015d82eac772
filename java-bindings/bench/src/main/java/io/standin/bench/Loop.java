// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.util.List;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.Authorizer;

/** Calls an authorizer over and over, as a broker's handler does. */
interface Loop {
  /** Asks the lists in turn; how many of the first answers were yes. */
  long ask(
      Authorizer authorizer,
      AuthorizableRequestContext context,
      List<List<Action>> asked,
      long calls);

  /** Asks about any resource of a type; how many answers were yes. */
  long askAny(
      Authorizer authorizer,
      AuthorizableRequestContext context,
      AclOperation operation,
      ResourceType type,
      long calls);

  /**
   * A loop with code of its own. A broker has one authorizer, so the compiler knows which one is
   * called; loops that were shared by several would hide that from it.
   */
  static Loop fresh() {
    try (InputStream in = Loop.class.getResourceAsStream("AuthorizeLoop.class")) {
      return (Loop)
          MethodHandles.lookup()
              .defineHiddenClass(in.readAllBytes(), true)
              .lookupClass()
              .getDeclaredConstructor()
              .newInstance();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
