// SPDX-License-Identifier: Apache-2.0
package io.standin.bench;

import java.util.List;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.apache.kafka.server.authorizer.Authorizer;

/** See {@link Loop#fresh}, which copies this class. */
final class AuthorizeLoop implements Loop {
  /** Where answers go, so that the compiler may not leave them out. */
  volatile List<AuthorizationResult> sink;

  AuthorizeLoop() {}

  @Override
  public long ask(
      Authorizer authorizer,
      AuthorizableRequestContext context,
      List<List<Action>> asked,
      long calls) {
    long allowed = 0;
    int next = 0;
    List<AuthorizationResult> last = null;
    for (long i = 0; i < calls; i++) {
      last = authorizer.authorize(context, asked.get(next));
      if (last.get(0) == AuthorizationResult.ALLOWED) {
        allowed++;
      }
      next = next + 1 == asked.size() ? 0 : next + 1;
      if ((i & 1023) == 0) {
        sink = last;
      }
    }
    sink = last;
    return allowed;
  }

  @Override
  public long askAny(
      Authorizer authorizer,
      AuthorizableRequestContext context,
      AclOperation operation,
      ResourceType type,
      long calls) {
    long allowed = 0;
    for (long i = 0; i < calls; i++) {
      if (authorizer.authorizeByResourceType(context, operation, type)
          == AuthorizationResult.ALLOWED) {
        allowed++;
      }
    }
    return allowed;
  }
}
