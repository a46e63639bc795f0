// SPDX-License-Identifier: Apache-2.0
// What becomes of new calls while no Security Manager can be reached. Calls in progress are never touched.
#pragma once

#include <cstdint>

namespace stem::smlink {

enum class OnLoss : std::uint8_t {
    hold,  // they wait, and are refused with 503 when nobody came
    cache, // they are decided by the signed snapshot; where it is too old, as hold
};

} // namespace stem::smlink
