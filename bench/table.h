// SPDX-License-Identifier: Apache-2.0
// Figures as a table for people.
#pragma once

#include "measure.h"

#include <span>
#include <string>

namespace stem::bench {

std::string table_of(std::span<const Figure> figures);

} // namespace stem::bench
