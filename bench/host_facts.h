// SPDX-License-Identifier: Apache-2.0
// The machine and the programs that a run was made with: figures mean nothing without them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace stem::bench {

struct Fact {
    std::string name;
    std::string value;
};

struct HostFacts {
    unsigned cores = 0;
    std::vector<Fact> facts;       // cpu, kernel, governor, compiler, ...; what is not known is left out
    std::vector<Fact> mitigations; // of the CPU's known weaknesses, where they apply
};

HostFacts host_facts();

} // namespace stem::bench
