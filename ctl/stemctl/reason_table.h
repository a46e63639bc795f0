// SPDX-License-Identifier: Apache-2.0
// The reasons (stem/abi/reason.h) as a page of the documentation: docs/reasons.md is this, byte for byte.
#pragma once

#include <string>

namespace stem::stemctl {

std::string reasons_markdown();

} // namespace stem::stemctl
