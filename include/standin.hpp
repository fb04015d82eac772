// SPDX-License-Identifier: Apache-2.0
// standin.hpp - the C++17 layer over standin.h: what is opened is closed, what
// is logged in is released. Header only; throws nothing of its own.
#ifndef STANDIN_HPP
#define STANDIN_HPP

#include "standin.h"

#endif
