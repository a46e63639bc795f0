// SPDX-License-Identifier: Apache-2.0
// Gives a fresh object the maps of an attached instance, in place of new ones.
#pragma once

#include "ctl/kernel/instance.h"

#include <array>

struct bpf_map;
struct bpf_object;

namespace stem::kernel {

// Names of the pins that are links, and no maps.
inline constexpr std::array<const char*, STEM_PORTS> link_names = {"link_external", "link_internal"};

// For an object that is open and not loaded yet. Every map that an attach pins is taken from the instance's
// pins; the capacity of hash maps and tries is the instance's own. Fails, and names the maps, where the
// instance has other maps than this version, or one of another shape; nothing was changed then.
Result<> reuse_maps(bpf_object* object, const Instance& instance);

// While a pin of a program is renewed, the fresh one stands under its name and this: bpffs takes no dots.
inline constexpr const char* fresh_suffix = "_fresh";

// Whether an attach pins it. Not so what the object needs only while it is made: its own data, and the first
// generation of rules (later ones live by the slot in `rules` alone, and a pin would keep that one for ever).
bool is_pinned(const bpf_map* map);

} // namespace stem::kernel
