// SPDX-License-Identifier: Apache-2.0
// The measures of floods.
#pragma once

#include "measure.h"

#include "flood/run.h"

#include <memory>
#include <string>

namespace stem::bench {

// A flood beside legitimate calls, without a firewall, with nftables and with STEM, in turn. Figures
// `flood_LABEL_SUBJECT_...`, SUBJECT being bridge, nftables or stem.
std::unique_ptr<Measure> make_flood(std::string label, std::string help, FloodPlan plan);

} // namespace stem::bench
