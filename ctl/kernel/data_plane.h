// SPDX-License-Identifier: Apache-2.0
// The embedded BPF object, loaded: programs and maps in the kernel, on no interface yet.
#pragma once

#include "ctl/kernel/attach.h"
#include "ctl/kernel/interface.h"
#include "ctl/kernel/program_settings.h"

#include <array>
#include <filesystem>
#include <memory>

struct bpf_program;
struct stem_bpf; // the skeleton

namespace stem::kernel {

class Instance;

using Ports = std::array<Interface, STEM_PORTS>; // by enum stem_port

class DataPlane {
  public:
    // Sets what is fixed at attach, loads, and fills every map but `meta`.
    static Result<DataPlane> load(const AttachRequest& request, const Ports& ports);

    // The same for an instance that is attached: with its maps, as they are, and its settings, but other
    // modules. The programs are on no port yet.
    static Result<DataPlane> reload(const Instance& instance, const ProgramSettings& settings,
                                    std::uint32_t modules);

    // Pins each map, and each program that is called, under its name.
    [[nodiscard]] Result<> pin_maps(const std::filesystem::path& folder) const;
    // Puts each program that is called, and on no port, in place of the one that is pinned, each in one step.
    [[nodiscard]] Result<> renew_called(const std::filesystem::path& folder) const;
    [[nodiscard]] Result<> write_meta(const stem_meta& meta) const;
    // The program of a port (enum stem_port).
    [[nodiscard]] int program(std::size_t port) const noexcept;
    [[nodiscard]] std::uint32_t modules() const noexcept;

  private:
    struct Deleter {
        void operator()(stem_bpf* object) const noexcept;
    };
    using Object = std::unique_ptr<stem_bpf, Deleter>;

    explicit DataPlane(Object object) : object_(std::move(object)) {}
    static Result<DataPlane> open();
    [[nodiscard]] Result<> seed_sketches() noexcept;
    [[nodiscard]] Result<> require_cookies() const;
    Result<> into_kernel();
    // Run by stemd and stemctl, and on no port.
    [[nodiscard]] std::array<bpf_program*, 2> called_programs() const noexcept;
    void configure(const AttachRequest& request, const Ports& ports) noexcept;
    [[nodiscard]] Result<> fill(const AttachRequest& request, const Ports& ports) const;

    Object object_;
};

} // namespace stem::kernel
