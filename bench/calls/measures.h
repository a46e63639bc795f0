// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure.h"

#include <memory>

namespace stem::bench {

std::unique_ptr<Measure> make_calls_live();

} // namespace stem::bench
