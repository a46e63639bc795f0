// SPDX-License-Identifier: Apache-2.0
// The thresholds (stem/abi/threshold.h) as a page of the documentation: docs/thresholds.md is this, byte for
// byte.
#pragma once

#include <string>

namespace stem::stemctl {

std::string thresholds_markdown();

} // namespace stem::stemctl
