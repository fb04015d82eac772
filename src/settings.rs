// SPDX-License-Identifier: Apache-2.0
//! Every setting, once.
