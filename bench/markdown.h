// SPDX-License-Identifier: Apache-2.0
// Figures as tables for a README.
#pragma once

#include "measure.h"

#include <span>
#include <string>

namespace stem::bench {

// A table of all figures that have a peer or an aim, but those of floods; then one of floods, a row for each
// flood and subject.
std::string markdown_of(std::span<const Figure> figures);

} // namespace stem::bench
