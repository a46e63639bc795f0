// SPDX-License-Identifier: Apache-2.0
// Every measure, in the order in which they run.
#pragma once

#include "measure.h"

namespace stem::bench {

std::vector<std::unique_ptr<Measure>> all_measures();

} // namespace stem::bench
