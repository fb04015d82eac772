/* SPDX-License-Identifier: Apache-2.0 */
/* The header needs nothing before it and may come twice; the second time must not
   be taken away. */
/* clang-format off */
#include <standin.h>
#include <standin.h>
/* clang-format on */

#include "layout.h"
