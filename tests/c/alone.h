/* SPDX-License-Identifier: Apache-2.0 */
/* The header needs nothing before it and may come twice. */
#include <standin.h>
#include <standin.h>

#include "layout.h"
