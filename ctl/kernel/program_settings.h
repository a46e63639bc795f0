// SPDX-License-Identifier: Apache-2.0
// The constants that a data plane was loaded with (bpf/settings.h): read back from the kernel by name, so
// that fresh programs for the same instance are given the same ones, whichever they are.
#pragma once

#include <stem/error.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct bpf_object;

namespace stem::kernel {

// Name to bytes, as in memory.
using ProgramSettings = std::map<std::string, std::vector<std::byte>>;

// Of a program in the kernel. Needs CAP_SYS_ADMIN.
Result<ProgramSettings> settings_of(int program);

// Writes them into an object that is open and not loaded yet. A constant that the object does not know is
// left out, and one that only the object knows keeps its default. Fails where one has another size now.
Result<> apply_settings(const ProgramSettings& settings, bpf_object* object);

// A constant of 32 bits, as stem_modules; 0 where it is not there.
std::uint32_t word_of(const ProgramSettings& settings, const std::string& name);

} // namespace stem::kernel
